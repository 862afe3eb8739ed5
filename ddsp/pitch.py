"""Pitch tracking: CREPE with its pretrained weights, and the reading of its output.

Kim, Salamon, Li & Bello (2018), "CREPE: A Convolutional Representation for Pitch
Estimation", ICASSP. One network serves features, losses and metrics.
"""

import functools
from typing import Any

import numpy as np
import soxr
import tensorflow as tf

from ddsp._core import checks
from ddsp._crepe.hmm import N_BINS, HiddenMarkovModel
from ddsp._crepe.network import FRAME_SIZE, Crepe, normalize_frames
from ddsp._crepe.weights import find_weights

__all__ = [
    "BIN_CENTS",
    "FRAME_SIZE",
    "N_BINS",
    "SAMPLE_RATE",
    "Crepe",
    "HiddenMarkovModel",
    "activations_to_cents",
    "cents_to_hz",
    "decode",
    "estimate_f0",
    "find_weights",
    "load",
    "normalize_frames",
    "viterbi_path",
]

SAMPLE_RATE = 16000
# 20 cents a bin, counted from 10 Hz: the calibration the weights were trained with.
BIN_CENTS = np.linspace(0.0, 7180.0, N_BINS) + 1997.3794084376191

_AVERAGING_RADIUS = 4  # bins on each side of the decoded one


@functools.lru_cache(maxsize=2)
def load(model: str = "tiny") -> Crepe:
    """Returns a pitch tracker, built once and cached.

    Args:
      model: `'tiny'`, `'full'` or another model of `find_weights`.

    Raises:
      ValueError: If `model` is unknown.
      FileNotFoundError: If the weights are not installed.

    Example:

    >>> from ddsp import pitch
    >>> pitch.load("tiny") is pitch.load("tiny")
    True
    """
    return Crepe(model)


def activations_to_cents(activations: Any, centers: Any = None) -> tf.Tensor:
    """Returns the mean pitch of neighboring bins, weighted by their activations.

    Args:
      activations: [..., 360], >= 0.
      centers: [...], the bin in the middle of the average; the bin of the largest
        activation if None.

    Returns:
      [...], cents above 10 Hz.

    Example:

    >>> from ddsp import pitch
    >>> pitch.activations_to_cents(np.eye(360)[[0, 100]]).numpy().round(1)
    array([1997.4, 3997.4], dtype=float32)
    """
    activations = tf.convert_to_tensor(activations, tf.float32)
    if centers is None:
        centers = tf.argmax(activations, axis=-1)
    offsets = tf.range(-_AVERAGING_RADIUS, _AVERAGING_RADIUS + 1)
    bins = tf.cast(centers, tf.int32)[..., tf.newaxis] + offsets
    inside = (bins >= 0) & (bins < N_BINS)
    bins = tf.clip_by_value(bins, 0, N_BINS - 1)
    weights = tf.gather(activations, bins, batch_dims=activations.shape.rank - 1)
    weights = tf.where(inside, weights, 0.0)
    # Averaging distances from the center keeps the digits that float32 would lose
    # on the cents themselves.
    spacing = float(BIN_CENTS[1] - BIN_CENTS[0])
    distance = tf.math.divide_no_nan(
        tf.reduce_sum(weights * tf.cast(offsets, tf.float32), axis=-1),
        tf.reduce_sum(weights, axis=-1),
    )
    center_cents = tf.gather(BIN_CENTS.astype(np.float32), centers)
    return center_cents + spacing * distance


def cents_to_hz(cents: Any) -> tf.Tensor:
    """Converts cents above 10 Hz to Hz.

    Args:
      cents: Pitch in cents, any shape.

    Example:

    >>> from ddsp import pitch
    >>> pitch.cents_to_hz([0.0, 1200.0]).numpy()
    array([10., 20.], dtype=float32)
    """
    return 10.0 * 2.0 ** (tf.convert_to_tensor(cents, tf.float32) / 1200.0)


def viterbi_path(activations: Any) -> np.ndarray:
    """Returns the most likely bins of a sequence of frames; see `HiddenMarkovModel`.

    Args:
      activations: [n_frames, 360].

    Returns:
      [n_frames], int64.

    Example:

    >>> from ddsp import pitch
    >>> pitch.viterbi_path(np.eye(360)[[100, 100, 100]]).tolist()
    [100, 100, 100]
    """
    observations = np.argmax(np.asarray(activations), axis=-1)
    return HiddenMarkovModel(len(observations)).posterior_mode(observations)


def decode(activations: np.ndarray, viterbi: bool = True) -> tuple[Any, Any]:
    """Returns f0 and confidence from activations.

    Args:
      activations: [n_frames, 360] or [batch, n_frames, 360], 0 to 1.
      viterbi: Whether to use the most likely path instead of the largest bin of
        each frame.

    Returns:
      f0_hz: [(batch,) n_frames], float32, Hz, 31 to 2006.
      f0_confidence: [(batch,) n_frames], float32, 0 to 1, the largest activation.

    Example:

    >>> from ddsp import pitch
    >>> f0_hz, f0_confidence = pitch.decode(np.eye(360)[[100, 100]])
    >>> f0_hz.shape, f0_confidence.tolist()
    ((2,), [1.0, 1.0])
    """
    activations = np.asarray(activations, np.float32)
    centers = None
    if viterbi:
        rows = activations.reshape(-1, *activations.shape[-2:])
        paths = [viterbi_path(row) for row in rows]
        centers = np.reshape(paths, activations.shape[:-1])
    f0_hz = cents_to_hz(activations_to_cents(activations, centers))
    return f0_hz.numpy(), activations.max(axis=-1)


def estimate_f0(
    audio: Any,
    frame_rate: int,
    viterbi: bool = True,
    padding: str = "center",
    model: str = "tiny",
    sample_rate: int = SAMPLE_RATE,
) -> tuple[np.ndarray, np.ndarray]:
    """Estimates the fundamental frequency of monophonic audio, and its confidence.

    Args:
      audio: [n_samples] or [batch, n_samples].
      frame_rate: Frames per second; must divide 16000.
      viterbi: Whether to smooth the pitch by Viterbi decoding.
      padding: `'center'`, `'same'`, `'causal'` or `'valid'`, as in
        `ddsp.spectral_ops.get_framed_lengths`.
      model: `'tiny'`, `'full'` or another model of `find_weights`.
      sample_rate: Hz; audio at other rates than 16 kHz is resampled, by a filter
        that looks ahead whatever the padding.

    Returns:
      f0_hz: [(batch,) n_frames], float32, Hz.
      f0_confidence: [(batch,) n_frames], float32, 0 to 1.

    Raises:
      ValueError: If the frame rate does not divide 16000, or the audio has a wrong
        rank, is empty or not finite.
      FileNotFoundError: If the model's weights are not installed.

    Example:

    >>> from ddsp import pitch
    >>> audio = 0.5 * np.sin(2 * np.pi * 440.0 / 16000.0 * np.arange(3200))
    >>> f0_hz, f0_confidence = pitch.estimate_f0(audio, frame_rate=50)
    >>> f0_hz.shape
    (11,)
    """
    audio = _checked_audio(audio)
    hop_size = checks.hop_size(SAMPLE_RATE, frame_rate)
    if sample_rate != SAMPLE_RATE:
        audio = _resample(audio, sample_rate, padding)
    return decode(load(model).activations(audio, hop_size, padding), viterbi)


def _checked_audio(audio: Any) -> np.ndarray:
    audio = np.asarray(audio, np.float32)
    checks.rank("audio", audio, (1, 2))
    checks.not_empty("audio", audio)
    if not np.all(np.isfinite(audio)):
        raise ValueError(
            "`audio` must be finite; replace what is not before tracking its pitch, "
            f"got {np.count_nonzero(~np.isfinite(audio))} such samples."
        )
    return audio


def _resample(audio: np.ndarray, sample_rate: int, padding: str) -> np.ndarray:
    checks.positive("sample_rate", sample_rate)
    # Rounded so that the number of frames is that counted at the given rate.
    exact = audio.shape[-1] * SAMPLE_RATE
    whole_hops = padding in ("same", "causal")
    length = -(-exact // sample_rate) if whole_hops else exact // sample_rate
    resampled = soxr.resample(audio.T, sample_rate, SAMPLE_RATE).T[..., :length]
    missing = [(0, 0)] * (audio.ndim - 1) + [(0, length - resampled.shape[-1])]
    return np.pad(resampled, missing)
