"""Metrics of a resynthesis: loudness, energy of the synthesizers, audio features."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ddsp import spectral_ops
from ddsp.types import ArrayLike, Outputs, Tensors

PITCH_SAMPLE_RATE = 16000


def squeeze(input_vector: ArrayLike) -> np.ndarray:
    """Removes axes of length 1.

    Args:
      input_vector: Array in which at most one axis is longer than 1.

    Returns:
      Array of shape [n].

    Raises:
      ValueError: If several axes are longer than 1.

    Example:

    >>> from ddsp.training import metrics
    >>> metrics.squeeze(np.ones([1, 5, 1])).shape
    (5,)
    """
    vector = np.squeeze(np.asarray(input_vector))
    if vector.ndim > 1:
        raise ValueError(
            "Expected one signal: an array with at most one axis longer than 1, got "
            f"shape {np.shape(input_vector)}."
        )
    return np.atleast_1d(vector)


def l1_distance(prediction: ArrayLike, ground_truth: ArrayLike) -> np.ndarray:
    """Computes absolute differences of two signals up to the end of the shorter one.

    The number of frames of a feature depends on the padding, so lengths may differ.

    Args:
      prediction: Array with at most one axis longer than 1.
      ground_truth: Array with at most one axis longer than 1.

    Returns:
      Array of shape [n], where n is the length of the shorter signal.

    Example:

    >>> from ddsp.training import metrics
    >>> metrics.l1_distance([1.0, 2.0, 3.0], [1.0, 0.0]).tolist()
    [0.0, 2.0]
    """
    first, second = squeeze(prediction), squeeze(ground_truth)
    n = min(first.size, second.size)
    return np.abs(first[:n] - second[:n])


def compute_audio_features(
    audio: ArrayLike, frame_rate: int = 250
) -> dict[str, ArrayLike]:
    """Computes loudness and f0 of a signal at 16 kHz.

    Args:
      audio: One signal at 16,000 samples per second, [n_samples] or [1, n_samples].
      frame_rate: Frames per second, a divisor of 16,000.

    Returns:
      Dictionary of the `audio` and, at the frame rate, `loudness_db`, `f0_hz` and
      `f0_confidence`, each [n_samples // hop + 1].

    Example:

    >>> from ddsp.training import metrics
    >>> features = metrics.compute_audio_features(np.zeros(1600), frame_rate=100)
    >>> sorted(features)
    ['audio', 'f0_confidence', 'f0_hz', 'loudness_db']
    >>> features["f0_hz"].shape
    (11,)
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


def energy_shares(model: keras.Model, outputs: Outputs) -> dict[str, tf.Tensor]:
    """Computes the share of each synthesizer in the energy of the output.

    A share near 0 or 1 indicates a collapse to noise or to a tone without noise.

    Args:
      model: Model with a `processor_group`, whose synthesizers are the processors
        without an input from another processor. Other models have no shares.
      outputs: Outputs of the model, with `{'signal': [batch, n_samples]}` under the
        name of each synthesizer.

    Returns:
      Energy of each synthesizer divided by the sum over all of them, in [0, 1]; 0 for
      silence.

    Example:

    >>> import types
    >>> from ddsp.training import metrics
    >>> dag = [("harmonic", ["amplitudes"]), ("noise", ["magnitudes"])]
    >>> group = types.SimpleNamespace(dag=dag)
    >>> model = types.SimpleNamespace(processor_group=group)
    >>> signals = {"harmonic": np.full([1, 8], 3.0), "noise": np.full([1, 8], 1.0)}
    >>> outputs = {name: {"signal": signal} for name, signal in signals.items()}
    >>> float(metrics.energy_shares(model, outputs)["harmonic"])
    0.9
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
    """Base class of running means over the batches of an evaluation.

    Example:

    >>> import keras
    >>> from ddsp.training import metrics
    >>> class PeakMetrics(metrics.BaseMetrics):
    ...     peak = keras.metrics.Mean()
    ...     @property
    ...     def metrics(self):
    ...         return {"peak": self.peak}
    ...     def update_state(self, audio):
    ...         self.peak.update_state(np.max(np.abs(audio)))
    >>> means = PeakMetrics(sample_rate=16000, frame_rate=250, name="level")
    >>> means.update_state([0.1, -0.5])
    >>> means.flush(step=0)
    {'metrics/level/peak': 0.5}
    """

    def __init__(self, sample_rate: int, frame_rate: int, name: str):
        """Initializes the metrics.

        Args:
          sample_rate: Sample rate of the audio, in Hz.
          frame_rate: Frames per second of the features.
          name: Group of the metrics in the summaries.
        """
        self._sample_rate = sample_rate
        self._frame_rate = frame_rate
        self._name = name

    @property
    def metrics(self) -> dict[str, keras.metrics.Metric]:
        """Running means by name."""
        raise NotImplementedError(f"{type(self).__name__} must define `metrics`.")

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Adds a batch to the means."""
        raise NotImplementedError(f"{type(self).__name__} must define `update_state`.")

    def flush(self, step: int) -> dict[str, float]:
        """Writes the means to the summaries and resets them.

        Args:
          step: Training step.

        Returns:
          The means by name, without those that have no values.
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
    """Difference in loudness between recording and resynthesis, in dB.

    Example:

    >>> from ddsp.training import metrics
    >>> loudness = metrics.LoudnessMetrics(sample_rate=16000, frame_rate=250)
    >>> audio = np.sin(np.arange(6400, dtype=np.float32) / 6.0)[np.newaxis]
    >>> loudness.update_state({"audio": audio}, 0.1 * audio)
    >>> loudness.flush(step=0)
    {'metrics/loudness/loudness_db': 20.0}
    """

    def __init__(self, sample_rate: int, frame_rate: int, name: str = "loudness"):
        """Initializes the metrics.

        Args:
          sample_rate: Sample rate of the audio, in Hz.
          frame_rate: Frames per second of the features.
          name: Group of the metrics in the summaries.
        """
        super().__init__(sample_rate, frame_rate, name)
        self._metrics = {"loudness_db": keras.metrics.Mean()}

    @property
    def metrics(self) -> dict[str, keras.metrics.Metric]:
        """Running mean of the difference in dB, as `loudness_db`."""
        return self._metrics

    def update_state(self, batch: Tensors, audio_gen: tf.Tensor) -> None:
        """Adds a batch to the means.

        Args:
          batch: Features with `audio`, [batch, n_samples]. Its loudness is computed in
            the same way as that of the resynthesis.
          audio_gen: Resynthesis, [batch, n_samples].
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
