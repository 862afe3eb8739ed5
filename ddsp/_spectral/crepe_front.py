"""Pitch tracking under the names of the original; see `ddsp.pitch`."""

from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import pitch
from ddsp._core import checks
from ddsp._core.tensors import tf_float32

CREPE_SAMPLE_RATE = pitch.SAMPLE_RATE
CREPE_FRAME_SIZE = pitch.FRAME_SIZE

# The bin centers, as MIDI notes, that `activations_to_f0_and_confidence` assumes.
_CREPE_FIRST_MIDI = 23.5


def compute_f0(
    audio: Any, frame_rate: int, viterbi: bool = True, padding: str = "center"
) -> tuple[np.ndarray, np.ndarray]:
    """Fundamental frequency by tiny CREPE; see `ddsp.pitch.estimate_f0` for others.

    Args:
      audio: [n_samples] or [batch, n_samples], at 16 kHz.
      frame_rate: Frames per second; must divide 16000.
      viterbi: Smooth the pitch by Viterbi decoding.
      padding: `'center'`, `'same'`, `'causal'` or `'valid'`, see
        `get_framed_lengths`.

    Returns:
      f0_hz: [(batch,) n_frames], float32, Hz.
      f0_confidence: [(batch,) n_frames], float32, 0 to 1.

    Raises:
      ValueError: If the frame rate does not divide 16000, or `audio` has another
        rank or is not finite.

    Example:

    >>> audio = 0.5 * np.sin(2 * np.pi * 440.0 / 16000.0 * np.arange(1600))
    >>> f0_hz, f0_confidence = ddsp.spectral_ops.compute_f0(audio, frame_rate=50)
    >>> f0_hz.shape, f0_confidence.shape
    ((6,), (6,))
    """
    return pitch.estimate_f0(audio, frame_rate, viterbi, padding)


def reset_crepe() -> None:
    """Frees the pitch trackers that `compute_f0` keeps.

    Example:

    >>> ddsp.spectral_ops.reset_crepe()
    """
    pitch.load.cache_clear()


class PretrainedCREPE(pitch.Crepe):
    """The pitch tracker with a fixed hop; a front for `ddsp.pitch`.

    Args:
      model_size_or_path: `'tiny'`, `'full'`, another size, or the path of a Keras
        HDF5 file of weights.
      hop_size: Samples between two frames at 16 kHz.
      **kwargs: Passed to the Keras model.

    Example:

    >>> crepe = ddsp.spectral_ops.PretrainedCREPE("tiny")
    >>> crepe.batch_frames(np.zeros([1, 1600], np.float32)).shape[-1]
    1024
    """

    def __init__(
        self, model_size_or_path: str, hop_size: int = 160, **kwargs: Any
    ) -> None:
        checks.positive("hop_size", hop_size)
        super().__init__(model_size_or_path, **kwargs)
        self.hop_size = hop_size
        self.frame_size = CREPE_FRAME_SIZE
        self.sample_rate = CREPE_SAMPLE_RATE

    def batch_frames(self, audio: Any) -> tf.Tensor:
        """Cuts audio into frames: [(batch,) n_samples] -> [n_frames in all, 1024]."""
        audio = tf_float32(audio)
        checks.rank("audio", audio, (1, 2))
        frames = tf.signal.frame(audio, self.frame_size, self.hop_size)
        return tf.reshape(frames, [-1, self.frame_size])

    def normalize_frames(self, frames: Any) -> tf.Tensor:
        """Scales each frame to mean 0 and standard deviation 1; silence stays 0."""
        return pitch.normalize_frames(frames)

    def predict_f0_and_confidence(
        self, audio: Any, viterbi: bool = False, padding: str = "center"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pitch and confidence of audio at 16 kHz, as `compute_f0`.

        Args:
          audio: [n_samples] or [batch, n_samples].
          viterbi: Smooth the pitch by Viterbi decoding.
          padding: `'center'`, `'same'`, `'causal'` or `'valid'`, see
        `get_framed_lengths`.

        Returns:
          f0_hz: [(batch,) n_frames], float32, Hz.
          f0_confidence: [(batch,) n_frames], float32, 0 to 1.
        """
        activations = self.activations(audio, self.hop_size, padding)
        return pitch.decode(activations, viterbi)

    def create_hmm(self, num_steps: int) -> pitch.HiddenMarkovModel:
        """The model of pitch over `num_steps` frames that Viterbi decoding uses."""
        checks.positive("num_steps", num_steps)
        return pitch.HiddenMarkovModel(num_steps)

    def viterbi_decode(self, acts: Any) -> np.ndarray:
        """The most likely bin of each frame: [n_frames, 360] -> [n_frames], int64."""
        return pitch.viterbi_path(acts)

    @staticmethod
    def activations_to_f0_and_confidence(
        activations: Any, centers: Any = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Differentiable reading of pitch off activations.

        It places the bins at MIDI notes 23.5 + 0.2 * bin, 3.7 cents above where the
        weights were trained to have them (`ddsp.pitch.BIN_CENTS`), which
        `predict_f0_and_confidence` uses.

        Args:
          activations: [n_frames, 360], 0 to 1.
          centers: [n_frames], the bins to average around; the largest if None.

        Returns:
          f0_hz: [n_frames], float32, Hz.
          f0_confidence: [n_frames, 1], float32, 0 to 1.
        """
        activations = tf_float32(activations)
        cents = pitch.activations_to_cents(activations, centers) - pitch.BIN_CENTS[0]
        midi = _CREPE_FIRST_MIDI + cents / 100.0
        f0_hz = 440.0 * 2.0 ** ((midi - 69.0) / 12.0)
        return f0_hz, tf.reduce_max(activations, axis=-1, keepdims=True)
