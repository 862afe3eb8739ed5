"""The test vector: half a second to play, and what must come out.

Noise is a part of it, since no two runtimes draw the same.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import core
from ddsp.playing.bundle import arrays
from ddsp.training import models

VECTOR_FILE = "test_vector.npz"
# A power of two, so that blocks of the usual sizes fit.
N_FRAMES = 128
_NOISE = "noise/"
_AUDIO = "expected_audio"
# Where there are no statistics: A3, and a level at which every model has learned.
_PITCH, _LEVEL_DB = 57.0, -25.0


@dataclasses.dataclass(frozen=True)
class Vector:
    """Input and expected output of a model.

    Attributes:
      features: {name: [1, n_frames, 1]}, float32: `f0_hz` (Hz) and `loudness_db` or
        `power_db` (dB); `audio` [1, n_frames * hop_size] for a model with an encoder.
      noise: {name of the processor: [1, n_frames * hop_size]}, float32, in [-1, 1).
      audio: [1, n_frames * hop_size], float32, streamed: it starts with the latency
        of the synthesizers, in zeros.
    """

    features: dict[str, np.ndarray]
    noise: dict[str, np.ndarray]
    audio: np.ndarray

    def save(self, path: Path) -> None:
        """Writes a .npz file."""
        noise = {_NOISE + name: samples for name, samples in self.noise.items()}
        arrays: dict[str, Any] = {**self.features, **noise, _AUDIO: self.audio}
        np.savez(path, **arrays)

    def difference(self, audio: Any) -> float:
        """The largest difference of samples from the expected ones.

        Args:
          audio: [1, n_samples].

        Returns:
          The difference; infinite where samples are not finite.

        Raises:
          ValueError: If the shape is another.
        """
        audio = np.asarray(audio)
        if audio.shape != self.audio.shape:
            raise ValueError(
                f"The test vector has audio of shape {self.audio.shape}, got "
                f"{audio.shape}."
            )
        if not np.all(np.isfinite(audio)):
            return float("inf")
        return float(np.max(np.abs(audio - self.audio)))


def load(path: Path, hop_size: int) -> Vector:
    """Reads what `Vector.save` wrote.

    Args:
      path: Of the file.
      hop_size: Of the model, samples a frame.

    Returns:
      The test vector.

    Raises:
      ValueError: If it is no such file; it names the array that is wrong.
      OSError: If it cannot be read.
    """
    headers = arrays.read_headers(path)
    if _AUDIO not in headers:
        raise ValueError(f"'{_AUDIO}' is missing in the test vector {str(path)!r}.")
    for name, (shape, dtype) in headers.items():
        is_audio = name in (_AUDIO, "audio") or name.startswith(_NOISE)
        expected = (1, N_FRAMES * hop_size) if is_audio else (1, N_FRAMES, 1)
        if shape != expected or dtype != np.float32:
            raise ValueError(
                f"'{name}' in the test vector {str(path)!r} must be of shape "
                f"{expected} and type float32, got {shape} and {dtype}."
            )
    stored = arrays.read(path)
    audio = stored.pop(_AUDIO)
    noise = {
        name.removeprefix(_NOISE): stored.pop(name)
        for name in list(stored)
        if name.startswith(_NOISE)
    }
    return Vector(stored, noise, audio)


def make(model: models.Autoencoder, statistics: dict[str, Any] | None) -> Vector:
    """A test vector in the range that a model was trained on.

    Args:
      model: Built.
      statistics: Of its training data, if known.

    Returns:
      A short note that swells, glides over a whole tone and trembles.

    Raises:
      ValueError: If the model cannot be played from features, cannot stream, or
        makes samples that are not finite.
    """
    features = _features(model, statistics or {})
    rng = np.random.default_rng(0)
    n_samples = N_FRAMES * model.hop_size
    noise = {
        name: 2.0 * rng.random([1, n_samples], np.float32) - 1.0
        for name in model.processor_group.noise_names
    }
    audio = synthesize(model, features, noise)
    if not np.all(np.isfinite(audio)):
        raise ValueError(
            "The model produces samples that are not finite: its checkpoint is of no "
            "use; export an earlier one."
        )
    return Vector(features, noise, audio)


def synthesize(
    model: models.Autoencoder,
    features: dict[str, np.ndarray],
    noise: dict[str, np.ndarray],
) -> np.ndarray:
    """Plays features with given noise.

    Args:
      model: Built.
      features: As in `Vector`.
      noise: As in `Vector`.

    Returns:
      [1, n_frames * hop_size], as in `Vector`.

    Raises:
      ValueError: If the synthesizers cannot stream.
    """
    tensors = {name: tf.constant(feature) for name, feature in features.items()}
    if model.encoder is None:
        scaled = model.preprocessor.scale(tensors["f0_hz"], tensors[model.level_name])
    else:
        n_samples = tensors["audio"].shape[1]
        scaled = model.encode(tensors, training=False, n_samples=n_samples)
    audio, _ = model.render_step(
        {**scaled, **model.decoder(scaled)},
        model.initial_state(1, decoding=False),
        {name: tf.constant(samples) for name, samples in noise.items()},
    )
    return np.asarray(audio)


def _features(
    model: models.Autoencoder, statistics: dict[str, Any]
) -> dict[str, np.ndarray]:
    seconds = np.arange(N_FRAMES) / model.preprocessor.frame_rate
    progress = np.arange(N_FRAMES) / N_FRAMES
    vibrato = 0.3 * np.sin(2.0 * np.pi * 6.0 * seconds)
    midi = statistics.get("mean_pitch", _PITCH) + 2.0 * progress - 1.0 + vibrato
    f0_hz = core.midi_to_hz(midi.astype(np.float32)).numpy()
    name = model.level_name
    loudest = statistics.get(f"mean_max_{name.removesuffix('_db')}", _LEVEL_DB)
    level_db = loudest - 30.0 * np.cos(np.pi * progress) ** 2
    features = {
        key: np.asarray(curve, np.float32)[np.newaxis, :, np.newaxis]
        for key, curve in (("f0_hz", f0_hz), (name, level_db))
    }
    if model.encoder is not None:
        cycles = np.repeat(f0_hz.astype(np.float64), model.hop_size)
        phase = np.cumsum(cycles / model.sample_rate)
        audio = 0.1 * np.sin(2.0 * np.pi * phase)
        features["audio"] = audio.astype(np.float32)[np.newaxis]
    return features
