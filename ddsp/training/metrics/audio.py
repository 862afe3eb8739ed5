"""How near a resynthesis is to the recording, in loudness and pitch."""

from typing import Any

import keras
import numpy as np
import soxr
import tensorflow as tf

from ddsp import core, spectral_ops

# A pitch of lower confidence is not compared: the tracker itself is unsure.
F0_CONFIDENCE_THRESHOLD = 0.85
# A pitch that is off by more, in semitones, is another note.
_OUTLIER_SEMITONES = 12.0
PITCH_SAMPLE_RATE = 16000


def squeeze(input_vector: Any) -> np.ndarray:
    """One-dimensional form of an array.

    Args:
      input_vector: Any shape in which at most one axis is longer than 1.

    Returns:
      `[n]`.

    Raises:
      ValueError: Several axes are longer than 1.
    """
    vector = np.squeeze(np.asarray(input_vector))
    if vector.ndim > 1:
        raise ValueError(
            "Expected one signal: an array with at most one axis longer than 1. "
            f"Received shape: {np.shape(input_vector)}"
        )
    return np.atleast_1d(vector)


def l1_distance(prediction: Any, ground_truth: Any) -> np.ndarray:
    """Absolute differences of two signals, to the end of the shorter one.

    Args:
      prediction: Array with at most one axis longer than 1.
      ground_truth: Likewise.

    Returns:
      `[n]`, n the length of the shorter signal, since the frames of features depend
      on how the signal was padded.
    """
    first, second = squeeze(prediction), squeeze(ground_truth)
    n = min(first.size, second.size)
    return np.abs(first[:n] - second[:n])


def is_outlier(ground_truth_f0_conf: Any) -> bool:
    """Whether no frame of a recording has a confident pitch.

    Args:
      ground_truth_f0_conf: Pitch confidence of one recording, in [0, 1].

    Returns:
      True when all frames stay below 0.85.
    """
    return bool(np.max(squeeze(ground_truth_f0_conf)) < F0_CONFIDENCE_THRESHOLD)


def compute_audio_features(audio: Any, frame_rate: int = 250) -> dict[str, np.ndarray]:
    """Loudness and pitch of a signal at 16 kHz.

    Args:
      audio: One signal, `[n_samples]` or `[1, n_samples]`, 16,000 samples a second.
      frame_rate: Frames a second, a divisor of 16,000.

    Returns:
      Dictionary of `audio` as it was given and, at the frame rate, `loudness_db`,
      `f0_hz` and `f0_confidence`, each `[n_samples // hop + 1]`.
    """
    signal = squeeze(audio).astype(np.float32)
    f0_hz, f0_confidence = spectral_ops.compute_f0(signal, frame_rate)
    loudness_db = spectral_ops.compute_loudness(
        signal, PITCH_SAMPLE_RATE, frame_rate, use_tf=False
    )
    return {
        "audio": audio,
        "loudness_db": np.asarray(loudness_db, np.float32),
        "f0_hz": np.asarray(f0_hz, np.float32),
        "f0_confidence": np.asarray(f0_confidence, np.float32),
    }


def f0_dist_conf_thresh(
    f0_hz: Any,
    f0_hz_gen: Any,
    f0_confidence: Any,
    f0_confidence_thresh: float = F0_CONFIDENCE_THRESHOLD,
) -> float:
    """Mean distance of two pitch curves where the pitch is known.

    Args:
      f0_hz: Pitch of the recording, any shape, Hz.
      f0_hz_gen: Pitch of the resynthesis, the same shape, Hz.
      f0_confidence: Confidence, the same shape, in [0, 1].
      f0_confidence_thresh: Frames below it are left out.

    Returns:
      Semitones; nan when every frame is left out.
    """
    confident = np.asarray(f0_confidence) >= f0_confidence_thresh
    if not confident.any():
        return float("nan")
    distance = np.abs(core.hz_to_midi(f0_hz) - core.hz_to_midi(f0_hz_gen))
    return float(np.mean(distance[confident]))


def energy_shares(model: keras.Model, outputs: dict[str, Any]) -> dict[str, tf.Tensor]:
    """How much of the energy each synthesiser contributes.

    A share that goes to 0 or 1 tells of a collapse to noise or to a bare tone.

    Args:
      model: With a `processor_group`; the synthesisers are those of its processors
        that take no other's signal. A model without one has no shares.
      outputs: Outputs of the model, with `{'signal': [batch, n_samples]}` under the
        name of each synthesiser.

    Returns:
      Share of each synthesiser in the sum of their energies over the batch, in
      [0, 1]; all 0 in silence.
    """
    dag = getattr(getattr(model, "processor_group", None), "dag", ())
    names = {node[0] for node in dag}
    energies = {
        name: tf.reduce_sum(tf.square(outputs[name]["signal"]))
        for name, inputs, *_ in dag
        if not any(key.split("/")[0] in names for key in inputs)
    }
    total = sum(energies.values())
    return {
        name: tf.math.divide_no_nan(energy, total) for name, energy in energies.items()
    }


class BaseMetrics:
    """Running means of some measures over the batches of an evaluation."""

    def __init__(self, sample_rate: int, frame_rate: int, name: str):
        """Constructor.

        Args:
          sample_rate: Of the audio, samples a second.
          frame_rate: Of the features, frames a second.
          name: Group under which the measures are logged.
        """
        self._sample_rate = sample_rate
        self._frame_rate = frame_rate
        self._name = name

    @property
    def metrics(self) -> dict[str, keras.metrics.Metric]:
        """The running means by name."""
        raise NotImplementedError(f"{type(self).__name__} must define `metrics`.")

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Takes one more batch into the means."""
        raise NotImplementedError(f"{type(self).__name__} must define `update_state`.")

    def flush(self, step: int) -> dict[str, float]:
        """Logs the means and starts them afresh.

        Args:
          step: Training step.

        Returns:
          The means by their logged names. What was never measured is left out.
        """
        results = {}
        for name, metric in self.metrics.items():
            if metric.count.numpy() > 0:
                tag = f"metrics/{self._name}/{name}"
                results[tag] = float(metric.result())
                tf.summary.scalar(tag, results[tag], step)
            metric.reset_state()
        return results


class LoudnessMetrics(BaseMetrics):
    """Difference in loudness between recording and resynthesis, dB."""

    def __init__(self, sample_rate: int, frame_rate: int, name: str = "loudness"):
        super().__init__(sample_rate, frame_rate, name)
        self._metrics = {"loudness_db": keras.metrics.Mean()}

    @property
    def metrics(self) -> dict[str, keras.metrics.Metric]:
        return self._metrics

    def update_state(self, batch: dict[str, Any], audio_gen: Any) -> None:
        """Takes one more batch into the means.

        Args:
          batch: With `audio`, `[batch, n_samples]`. Both loudnesses are computed
            here, so that they share one definition.
          audio_gen: Resynthesis, `[batch, n_samples]`.
        """
        n_samples = min(batch["audio"].shape[1], audio_gen.shape[1])
        loudness = [
            spectral_ops.compute_loudness(
                audio[:, :n_samples], self._sample_rate, self._frame_rate
            )
            for audio in (batch["audio"], audio_gen)
        ]
        distance = np.abs(np.asarray(loudness[0]) - np.asarray(loudness[1]))
        for example in distance:
            self._metrics["loudness_db"].update_state(np.mean(example))


class F0CrepeMetrics(BaseMetrics):
    """Difference in pitch between recording and resynthesis, by the pitch tracker.

    Compared are the frames in which the tracker is confident of the recording. A
    recording without any is left out.
    """

    def __init__(self, sample_rate: int, frame_rate: int, name: str = "f0_crepe"):
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
        """`f0_dist`: mean distance, semitones, of examples that are not outliers.
        `outlier_ratio`: share of examples that are off by more than an octave in the
        mean. `f0_midi`: mean distance over the frames in which the tracker is confident
        of both. `frames_lost`: share of the confident frames of the recording in which
        the resynthesis is not confident. `unpitched_ratio`: share of recordings left
        out."""
        return self._metrics

    def update_state(self, batch: dict[str, Any], audio_gen: Any) -> None:
        """Takes one more batch into the means.

        Args:
          batch: With `f0_hz` and `f0_confidence`, `[batch, n_frames]`.
          audio_gen: Resynthesis, `[batch, n_samples]`.
        """
        f0_hz, confidence = _known_f0(batch)
        f0_hz_gen, confidence_gen = self.track(audio_gen, f0_hz.shape[1])
        for example in zip(f0_hz, confidence, f0_hz_gen, confidence_gen, strict=True):
            self._update_example(*example)

    def track(self, audio: Any, n_frames: int) -> list[np.ndarray]:
        """Tracks the pitch of audio.

        Args:
          audio: `[batch, n_samples]`.
          n_frames: Number of frames of the features it is compared with, which
            tells how their audio was padded.

        Returns:
          Pitch in Hz and confidence in [0, 1], both `[batch, n_frames]`.
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
        # Frames of synthetic notes are longer than the frame rate says.
        n_tracked = len(tracks[0][0])
        nearest = np.arange(n_frames) * n_tracked // n_frames
        if abs(n_tracked - n_frames) <= 1:
            nearest = np.minimum(np.arange(n_frames), n_tracked - 1)
        return [np.stack(rows)[:, nearest] for rows in zip(*tracks, strict=True)]

    def _update_example(self, f0_hz, confidence, f0_hz_gen, confidence_gen) -> None:
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
    """Accuracy of a pitch that the model itself predicts.

    Raw pitch and chroma accuracy as `mir_eval.melody` defines them (Salamon et al.,
    "Melody Extraction from Polyphonic Music Signals", IEEE SPM 2014, section 4).
    """

    def __init__(
        self,
        sample_rate: int,
        frame_rate: int,
        rpa_tolerance: int = 50,
        name: str = "f0",
    ):
        """Constructor.

        Args:
          sample_rate: Of the audio, samples a second.
          frame_rate: Of the features, frames a second.
          rpa_tolerance: A pitch within this many cents counts as right.
          name: Group under which the measures are logged.
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
        """`f0_dist`: mean distance, semitones; two accuracies in [0, 1]."""
        return self._metrics

    def update_state(self, batch: dict[str, Any], f0_hz_predict: Any) -> None:
        """Takes one more batch into the means.

        Args:
          batch: With `f0_hz` and `f0_confidence`, `[batch, n_frames]`.
          f0_hz_predict: `[batch, n_frames]` or `[batch, n_frames, 1]`, Hz. Another
            number of frames is interpolated to that of the batch.
        """
        known, confidences = _known_f0(batch)
        n_frames = known.shape[1]
        # Centred frames are one more than those of features that are not.
        if abs(f0_hz_predict.shape[1] - n_frames) > 1:
            f0_hz_predict = np.asarray(core.resample(f0_hz_predict, n_frames))
        for example in zip(known, confidences, f0_hz_predict, strict=True):
            self._update_example(*map(squeeze, example))

    def _update_example(self, f0_hz, confidence, predicted) -> None:
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


def _known_f0(batch: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Pitch of a batch and how sure it is.

    Args:
      batch: With `f0_hz` and, where it was tracked, `f0_confidence`, each
        `[batch, n_frames]` or `[batch, n_frames, 1]`.

    Returns:
      Pitch in Hz and confidence in [0, 1], `[batch, n_frames]`. A pitch that comes
      without confidence is sure, except in silence, where it is 0.
    """
    f0_hz = np.asarray(batch["f0_hz"])
    f0_hz = f0_hz.reshape(len(f0_hz), -1)
    confidence = np.asarray(batch.get("f0_confidence", f0_hz > 0.0), np.float32)
    return f0_hz, confidence.reshape(f0_hz.shape)
