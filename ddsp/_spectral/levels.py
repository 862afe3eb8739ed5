"""Level per frame: RMS energy, power, A-weighted loudness."""

from typing import Any

import librosa
import numpy as np
import tensorflow as tf

from ddsp._core import checks
from ddsp._core.framing import frame, pad
from ddsp._core.safety import safe_sqrt
from ddsp._core.tensors import tf_float32
from ddsp._core.units import power_to_db
from ddsp._spectral.transforms import squared_magnitude, windowed_fft, windowed_fft_np


def _level_input(audio: Any, use_tf: bool = True) -> Any:
    """Checks audio of shape [n_samples], [batch, n_samples] or [..., 1]."""
    audio = tf_float32(audio) if use_tf else np.asarray(audio, np.float32)
    checks.rank("audio", audio, (1, 2, 3))
    if len(audio.shape) == 3:
        audio = audio[..., 0]
    _refuse_non_finite(audio)
    return audio


def _refuse_non_finite(audio: Any) -> None:
    values = checks.known_values(audio)
    if values is not None and not np.all(np.isfinite(values)):
        raise ValueError(
            "`audio` must be finite, got "
            f"{np.count_nonzero(~np.isfinite(values))} samples that are not."
        )


def _mean_square(
    audio: Any, sample_rate: int, frame_rate: int, frame_size: int, padding: str
) -> tf.Tensor:
    hop = checks.hop_size(sample_rate, frame_rate)
    audio = pad(_level_input(audio), frame_size, hop, padding, axis=-1)
    return tf.reduce_mean(frame(audio, frame_size, hop) ** 2, axis=-1)


def compute_rms_energy(
    audio: Any,
    sample_rate: int = 16000,
    frame_rate: int = 250,
    frame_size: int = 512,
    padding: str = "center",
) -> tf.Tensor:
    """Root mean square of each frame.

    Args:
      audio: [batch, n_samples] or [n_samples].
      sample_rate: Samples per second.
      frame_rate: Frames per second; must divide the sample rate.
      frame_size: Samples in a frame.
      padding: `'center'`, `'same'`, `'causal'` or `'valid'`, see
        `get_framed_lengths`.

    Returns:
      [(batch,) n_frames], float32, >= 0.

    Raises:
      ValueError: If the frame rate does not divide the sample rate, or `audio` has
        another rank or is not finite.

    Example:

    >>> audio = np.full([1, 640], 0.5)
    >>> ddsp.spectral_ops.compute_rms_energy(audio, padding="valid").numpy()
    array([[0.5, 0.5, 0.5]], dtype=float32)
    """
    power = _mean_square(audio, sample_rate, frame_rate, frame_size, padding)
    # The threshold, -120 dB, only bounds the gradient of silence.
    return safe_sqrt(power, eps=1e-12)


def compute_power(
    audio: Any,
    sample_rate: int = 16000,
    frame_rate: int = 250,
    frame_size: int = 512,
    ref_db: float = 0.0,
    range_db: float = 80.0,
    padding: str = "center",
) -> tf.Tensor:
    """Mean power of each frame in decibels.

    Args:
      audio: [batch, n_samples] or [n_samples].
      sample_rate: Samples per second.
      frame_rate: Frames per second; must divide the sample rate.
      frame_size: Samples in a frame.
      ref_db: Level that becomes 0 dB.
      range_db: Nothing comes out below `-range_db`.
      padding: `'center'`, `'same'`, `'causal'` or `'valid'`, see
        `get_framed_lengths`.

    Returns:
      [(batch,) n_frames], float32, dB, at least `-range_db`.

    Raises:
      ValueError: If `compute_rms_energy` raises one.

    Example:

    >>> audio = np.full([1, 640], 0.1)
    >>> power_db = ddsp.spectral_ops.compute_power(audio, padding="valid")
    >>> power_db.numpy().round(1)
    array([[-20., -20., -20.]], dtype=float32)
    """
    power = _mean_square(audio, sample_rate, frame_rate, frame_size, padding)
    return power_to_db(power, ref_db=ref_db, range_db=range_db)


def compute_loudness(
    audio: Any,
    sample_rate: int = 16000,
    frame_rate: int = 250,
    n_fft: int = 512,
    range_db: float = 80.0,
    ref_db: float = 0.0,
    use_tf: bool = True,
    padding: str = "center",
) -> Any:
    """Perceptual loudness: the mean of the A-weighted power spectrum, in decibels.

    The A-weighting is that of IEC 61672. The mean is taken over the bins of the
    spectrum of a Hann-windowed frame, before any normalization by the window.

    Args:
      audio: [batch, n_samples] or [n_samples].
      sample_rate: Samples per second.
      frame_rate: Frames per second; must divide the sample rate.
      n_fft: Samples in a frame.
      range_db: Nothing comes out below `-range_db`.
      ref_db: Level that becomes 0 dB.
      use_tf: Compute in TensorFlow, with gradients; otherwise in NumPy.
      padding: `'center'`, `'same'`, `'causal'` or `'valid'`, see
        `get_framed_lengths`.

    Returns:
      [(batch,) n_frames], float32, dB, at least `-range_db`; an array unless
      `use_tf`.

    Raises:
      ValueError: If the frame rate does not divide the sample rate, or `audio` has
        another rank or is not finite.

    Example:

    >>> audio = tf.sin(0.1 * tf.range(1600.0))[tf.newaxis]
    >>> ddsp.spectral_ops.compute_loudness(audio).shape.as_list()
    [1, 26]
    """
    hop = checks.hop_size(sample_rate, frame_rate)
    audio = pad(_level_input(audio, use_tf), n_fft, hop, padding, axis=-1)
    if use_tf:
        power = squared_magnitude(windowed_fft(audio, n_fft, hop))
    else:
        spectrum = windowed_fft_np(audio, n_fft, hop)
        power = spectrum.real**2 + spectrum.imag**2
    weights = _a_weighting(sample_rate, n_fft) / (n_fft // 2 + 1)
    mean = tf.linalg.matvec(power, weights) if use_tf else power @ weights
    return power_to_db(mean, ref_db=ref_db, range_db=range_db, use_tf=use_tf)


def _a_weighting(sample_rate: int, n_fft: int) -> np.ndarray:
    """Power gain of the A-weighting at each frequency of a transform."""
    frequencies = librosa.fft_frequencies(sr=sample_rate, n_fft=n_fft)
    with np.errstate(divide="ignore"):  # 0 Hz, which is clipped to -80 dB
        decibels = librosa.A_weighting(frequencies)
    return (10.0 ** (decibels / 10.0)).astype(np.float32)
