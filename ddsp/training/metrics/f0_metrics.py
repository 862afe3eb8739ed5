"""Metrics of the f0 of a resynthesis, tracked or predicted by the model."""

import keras
import numpy as np
import soxr
import tensorflow as tf

from ddsp import core, spectral_ops
from ddsp.training.metrics.audio_metrics import (
    PITCH_SAMPLE_RATE,
    BaseMetrics,
    squeeze,
)
from ddsp.types import ArrayLike, Tensors

# Frames with a lower confidence are not compared.
F0_CONFIDENCE_THRESHOLD = 0.85
# Examples with a larger mean distance in f0 are outliers.
_OUTLIER_SEMITONES = 12.0


def is_outlier(ground_truth_f0_conf: ArrayLike) -> bool:
    """Returns whether no frame of a recording has a confident f0.

    Args:
      ground_truth_f0_conf: Confidence of the frames of one recording, in [0, 1].

    Returns:
      True if all frames are below 0.85.

    Example:

    >>> from ddsp.training import metrics
    >>> metrics.is_outlier([0.2, 0.9, 0.1])
    False
    """
    return bool(np.max(squeeze(ground_truth_f0_conf)) < F0_CONFIDENCE_THRESHOLD)


def f0_dist_conf_thresh(
    f0_hz: ArrayLike,
    f0_hz_gen: ArrayLike,
    f0_confidence: ArrayLike,
    f0_confidence_thresh: float = F0_CONFIDENCE_THRESHOLD,
) -> float:
    """Computes the mean distance of two f0 curves over confident frames.

    Args:
      f0_hz: f0 of the recording in Hz, any shape.
      f0_hz_gen: f0 of the resynthesis in Hz, same shape.
      f0_confidence: Confidence in [0, 1], same shape.
      f0_confidence_thresh: Lowest confidence of a frame that counts.

    Returns:
      Mean distance in semitones; nan if no frame counts.

    Example:

    >>> from ddsp.training import metrics
    >>> metrics.f0_dist_conf_thresh([440.0, 100.0], [880.0, 440.0], [1.0, 0.0])
    12.0
    """
    confident = np.asarray(f0_confidence) >= f0_confidence_thresh
    if not confident.any():
        return float("nan")
    distance = np.abs(core.hz_to_midi(f0_hz) - core.hz_to_midi(f0_hz_gen))
    return float(np.mean(distance[confident]))


class F0CrepeMetrics(BaseMetrics):
    """Difference between the f0 of the recording and the tracked f0 of the resynthesis.

    Only frames with a confident f0 of the recording are compared. Recordings without
    any are skipped.

    Example:

    >>> from ddsp.training import metrics
    >>> f0 = metrics.F0CrepeMetrics(sample_rate=16000, frame_rate=250)
    >>> batch = {"f0_hz": np.zeros([1, 25]), "f0_confidence": np.zeros([1, 25])}
    >>> f0.update_state(batch, np.zeros([1, 1600]))
    >>> f0.flush(step=0)
    {'metrics/f0_crepe/unpitched_ratio': 1.0}
    """

    def __init__(self, sample_rate: int, frame_rate: int, name: str = "f0_crepe"):
        """Initializes the metrics.

        Args:
          sample_rate: Sample rate of the audio, in Hz.
          frame_rate: Frames per second of the features.
          name: Group of the metrics in the summaries.
        """
        super().__init__(sample_rate, frame_rate, name)
        self._metrics = {
            "f0_dist": keras.metrics.Mean(),
            "outlier_ratio": keras.metrics.Mean(),
            "f0_midi": keras.metrics.Mean(),
            "frames_lost": keras.metrics.Mean(),
            "unpitched_ratio": keras.metrics.Mean(),
        }

    @property
    def metrics(self) -> dict[str, keras.metrics.Metric]:
        """Running means by name.

        - `f0_dist`: Mean distance in semitones of the examples that are not outliers.
        - `outlier_ratio`: Share of examples with a mean distance above one octave.
        - `f0_midi`: Mean distance in semitones over the frames in which the f0 of both
          signals is confident.
        - `frames_lost`: Share of the confident frames of the recording in which the f0
          of the resynthesis is not confident.
        - `unpitched_ratio`: Share of recordings that are skipped.
        """
        return self._metrics

    def update_state(self, batch: Tensors, audio_gen: tf.Tensor) -> None:
        """Adds a batch to the means.

        Args:
          batch: Features with `f0_hz` and `f0_confidence`, [batch, n_frames].
          audio_gen: Resynthesis, [batch, n_samples].
        """
        f0_hz, confidence = _known_f0(batch)
        f0_hz_gen, confidence_gen = self.track(audio_gen, f0_hz.shape[1])
        for example in zip(f0_hz, confidence, f0_hz_gen, confidence_gen, strict=True):
            self._update_example(*example)

    def track(self, audio: ArrayLike, n_frames: int) -> list[np.ndarray]:
        """Tracks the f0 of audio.

        Args:
          audio: Audio, [batch, n_samples].
          n_frames: Number of frames of the features to compare with. It implies how
            the audio is padded.

        Returns:
          f0 in Hz and confidence in [0, 1], both [batch, n_frames].
        """
        audio = np.asarray(audio)
        if self._sample_rate != PITCH_SAMPLE_RATE:
            audio = soxr.resample(audio.T, self._sample_rate, PITCH_SAMPLE_RATE).T
        hop = PITCH_SAMPLE_RATE // self._frame_rate
        centered = n_frames == audio.shape[1] // hop + 1
        tracks = [
            spectral_ops.compute_f0(
                example, self._frame_rate, padding="center" if centered else "same"
            )
            for example in audio
        ]
        # Frames of synthetic notes are longer than the frame rate implies.
        n_tracked = len(tracks[0][0])
        nearest = np.arange(n_frames) * n_tracked // n_frames
        if abs(n_tracked - n_frames) <= 1:
            nearest = np.minimum(np.arange(n_frames), n_tracked - 1)
        return [np.stack(rows)[:, nearest] for rows in zip(*tracks, strict=True)]

    def _update_example(
        self,
        f0_hz: np.ndarray,
        confidence: np.ndarray,
        f0_hz_gen: np.ndarray,
        confidence_gen: np.ndarray,
    ) -> None:
        unpitched = is_outlier(confidence)
        self._metrics["unpitched_ratio"].update_state(float(unpitched))
        if unpitched:
            return
        distance = f0_dist_conf_thresh(f0_hz, f0_hz_gen, confidence)
        outlier = distance > _OUTLIER_SEMITONES
        self._metrics["outlier_ratio"].update_state(float(outlier))
        if not outlier:
            self._metrics["f0_dist"].update_state(distance)
        both = np.minimum(confidence, confidence_gen)
        known = confidence >= F0_CONFIDENCE_THRESHOLD
        lost = known & (confidence_gen < F0_CONFIDENCE_THRESHOLD)
        self._metrics["frames_lost"].update_state(np.sum(lost) / np.sum(known))
        distance = f0_dist_conf_thresh(f0_hz, f0_hz_gen, both)
        if not np.isnan(distance):
            self._metrics["f0_midi"].update_state(distance)


class F0Metrics(BaseMetrics):
    """Accuracy of an f0 that the model predicts.

    Raw pitch and chroma accuracy follow `mir_eval.melody` (Salamon et al., "Melody
    Extraction from Polyphonic Music Signals", IEEE SPM 2014, section 4).

    Example:

    >>> from ddsp.training import metrics
    >>> f0 = metrics.F0Metrics(sample_rate=16000, frame_rate=250)
    >>> batch = {"f0_hz": np.full([1, 9], 440.0), "f0_confidence": np.ones([1, 9])}
    >>> f0.update_state(batch, np.full([1, 9], 880.0))
    >>> results = f0.flush(step=0)
    >>> results["metrics/f0/f0_dist"], results["metrics/f0/raw_chroma_accuracy"]
    (12.0, 1.0)
    """

    def __init__(
        self,
        sample_rate: int,
        frame_rate: int,
        rpa_tolerance: int = 50,
        name: str = "f0",
    ):
        """Initializes the metrics.

        Args:
          sample_rate: Sample rate of the audio, in Hz.
          frame_rate: Frames per second of the features.
          rpa_tolerance: Maximum error of an accurate f0, in cents.
          name: Group of the metrics in the summaries.
        """
        super().__init__(sample_rate, frame_rate, name)
        self._tolerance = rpa_tolerance
        self._metrics = {
            "f0_dist": keras.metrics.Mean(),
            "raw_pitch_accuracy": keras.metrics.Mean(),
            "raw_chroma_accuracy": keras.metrics.Mean(),
        }

    @property
    def metrics(self) -> dict[str, keras.metrics.Metric]:
        """Running means: the distance in semitones, two accuracies in [0, 1]."""
        return self._metrics

    def update_state(self, batch: Tensors, f0_hz_predict: tf.Tensor) -> None:
        """Adds a batch to the means.

        Args:
          batch: Features with `f0_hz` and `f0_confidence`, [batch, n_frames].
          f0_hz_predict: Predicted f0 in Hz, [batch, n_frames] or [batch, n_frames, 1].
            It is interpolated if its number of frames differs from the batch.
        """
        known, confidences = _known_f0(batch)
        n_frames = known.shape[1]
        # Centered features have one more frame than others.
        if abs(f0_hz_predict.shape[1] - n_frames) > 1:
            f0_hz_predict = np.asarray(core.resample(f0_hz_predict, n_frames))
        for example in zip(known, confidences, f0_hz_predict, strict=True):
            self._update_example(*map(squeeze, example))

    def _update_example(
        self, f0_hz: np.ndarray, confidence: np.ndarray, predicted: np.ndarray
    ) -> None:
        if is_outlier(confidence):
            return
        from mir_eval import melody

        n = min(f0_hz.size, predicted.size)
        f0_hz, confidence, predicted = f0_hz[:n], confidence[:n], predicted[:n]
        distance = f0_dist_conf_thresh(f0_hz, predicted, confidence)
        if not np.isnan(distance):
            self._metrics["f0_dist"].update_state(distance)
        voiced = ((confidence >= F0_CONFIDENCE_THRESHOLD) & (f0_hz > 0)).astype(float)
        cents = [melody.hz2cents(curve.astype(float)) for curve in (f0_hz, predicted)]
        arguments = (voiced, cents[0], np.ones(n), cents[1], self._tolerance)
        self._metrics["raw_pitch_accuracy"].update_state(
            melody.raw_pitch_accuracy(*arguments)
        )
        self._metrics["raw_chroma_accuracy"].update_state(
            melody.raw_chroma_accuracy(*arguments)
        )


def _known_f0(batch: Tensors) -> tuple[np.ndarray, np.ndarray]:
    """Returns f0 in Hz and confidence in [0, 1] of a batch, both [batch, n_frames].

    An f0 without confidence has the confidence 1, or 0 where it is 0 Hz (silence).
    """
    f0_hz = np.asarray(batch["f0_hz"])
    f0_hz = f0_hz.reshape(len(f0_hz), -1)
    confidence = np.asarray(batch.get("f0_confidence", f0_hz > 0.0), np.float32)
    return f0_hz, confidence.reshape(f0_hz.shape)
