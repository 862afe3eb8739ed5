"""Measures of what a model makes: audio against the recording, notes against notes."""

from ddsp.training.metrics.audio import (
    F0_CONFIDENCE_THRESHOLD,
    PITCH_SAMPLE_RATE,
    BaseMetrics,
    F0CrepeMetrics,
    F0Metrics,
    LoudnessMetrics,
    compute_audio_features,
    energy_shares,
    f0_dist_conf_thresh,
    is_outlier,
    l1_distance,
    squeeze,
)
from ddsp.training.metrics.notes import (
    EvalCounts,
    MidiMetrics,
    compute_frame_metrics,
    compute_note_metrics,
    sequence2intervals,
)

__all__ = [
    "F0_CONFIDENCE_THRESHOLD",
    "PITCH_SAMPLE_RATE",
    "BaseMetrics",
    "EvalCounts",
    "F0CrepeMetrics",
    "F0Metrics",
    "LoudnessMetrics",
    "MidiMetrics",
    "compute_audio_features",
    "compute_frame_metrics",
    "compute_note_metrics",
    "energy_shares",
    "f0_dist_conf_thresh",
    "is_outlier",
    "l1_distance",
    "sequence2intervals",
    "squeeze",
]
