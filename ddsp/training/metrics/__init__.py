"""Metrics of models: resynthesis against recording, notes against reference notes."""

from ddsp.training.metrics.audio_metrics import (
    PITCH_SAMPLE_RATE,
    BaseMetrics,
    LoudnessMetrics,
    compute_audio_features,
    energy_shares,
    l1_distance,
    squeeze,
)
from ddsp.training.metrics.f0_metrics import (
    F0_CONFIDENCE_THRESHOLD,
    F0CrepeMetrics,
    F0Metrics,
    f0_dist_conf_thresh,
    is_outlier,
)
from ddsp.training.metrics.note_metrics import (
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
