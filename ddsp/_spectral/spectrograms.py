"""Short-time spectra: magnitudes, mel bands, cepstra.

Frames start at sample 0; with `pad_end` there are `ceil(n_samples / hop)`.
"""

from typing import Any

import numpy as np
import scipy.fft
import tensorflow as tf

from ddsp import configurable
from ddsp._core import checks
from ddsp._core.framing import pad
from ddsp._core.safety import safe_log
from ddsp._core.tensors import tf_float32
from ddsp._spectral.transforms import squared_magnitude, windowed_fft, windowed_fft_np


def _hop(frame_size: int, overlap: float) -> int:
    checks.positive("frame_size", frame_size)
    hop = int(frame_size * (1.0 - overlap))
    if not 0 < hop <= frame_size:
        raise ValueError(
            "The overlap must leave a hop of 1 to `frame_size` samples, got "
            f"overlap={overlap} of frames of {frame_size} samples."
        )
    return hop


def stft(
    audio: Any, frame_size: int = 2048, overlap: float = 0.75, pad_end: bool = True
) -> tf.Tensor:
    """Differentiable short-time Fourier transform, with a periodic Hann window.

    Args:
      audio: [batch, n_samples], [batch, n_samples, 1] or [n_samples].
      frame_size: Samples in a frame and points of the transform.
      overlap: Share of a frame that it has in common with the next, 0 to below 1.
      pad_end: Pad with zeros so that every hop begins a frame; otherwise only whole
        frames count.

    Returns:
      [(batch,) n_frames, frame_size // 2 + 1], complex64.

    Example:

    >>> audio = tf.sin(0.1 * tf.range(1600.0))[tf.newaxis]
    >>> ddsp.spectral_ops.stft(audio, frame_size=256).shape.as_list()
    [1, 25, 129]
    """
    audio = tf_float32(audio)
    checks.rank("audio", audio, (1, 2, 3))
    if audio.shape.rank == 3:
        audio = tf.squeeze(audio, axis=-1)
    hop = _hop(frame_size, overlap)
    if pad_end:
        audio = pad(audio, frame_size, hop, "same", axis=-1)
    return windowed_fft(audio, frame_size, hop)


def stft_np(
    audio: Any, frame_size: int = 2048, overlap: float = 0.75, pad_end: bool = True
) -> np.ndarray:
    """`stft` in NumPy, without gradients.

    Args:
      audio: [batch, n_samples], [batch, n_samples, 1] or [n_samples].
      frame_size: Samples in a frame and points of the transform.
      overlap: Share of a frame that it has in common with the next, 0 to below 1.
      pad_end: Pad with zeros so that every hop begins a frame.

    Returns:
      [(batch,) n_frames, frame_size // 2 + 1], complex64.

    Example:

    >>> ddsp.spectral_ops.stft_np(np.ones(1600), frame_size=256).shape
    (25, 129)
    """
    audio = np.asarray(audio, np.float32)
    checks.rank("audio", audio, (1, 2, 3))
    if audio.ndim == 3:
        audio = np.squeeze(audio, axis=-1)
    hop = _hop(frame_size, overlap)
    if pad_end:
        audio = pad(audio, frame_size, hop, "same", axis=-1)
    return windowed_fft_np(audio, frame_size, hop)


@configurable.function(module="ddsp.spectral_ops")
def compute_mag(
    audio: Any, size: int = 2048, overlap: float = 0.75, pad_end: bool = True
) -> tf.Tensor:
    """Magnitude spectrogram.

    Args:
      audio: [batch, n_samples], [batch, n_samples, 1] or [n_samples].
      size: Samples in a frame.
      overlap: Share of a frame that it has in common with the next, 0 to below 1.
      pad_end: As in `stft`.

    Returns:
      [(batch,) n_frames, size // 2 + 1], float32, >= 0.

    Example:

    >>> audio = tf.sin(0.1 * tf.range(1600.0))[tf.newaxis]
    >>> ddsp.spectral_ops.compute_mag(audio, size=256).shape.as_list()
    [1, 25, 129]
    """
    power = squared_magnitude(
        stft(audio, frame_size=size, overlap=overlap, pad_end=pad_end)
    )
    # Several times as fast as the modulus of complex numbers; 1e-19 and below is 0.
    silent = power <= 0.0
    return tf.where(silent, 0.0, tf.sqrt(tf.where(silent, 1.0, power)))


@configurable.function(module="ddsp.spectral_ops")
def compute_mel(
    audio: Any,
    lo_hz: float = 0.0,
    hi_hz: float = 8000.0,
    bins: int = 64,
    fft_size: int = 2048,
    overlap: float = 0.75,
    pad_end: bool = True,
    sample_rate: int = 16000,
) -> tf.Tensor:
    """Mel spectrogram of magnitudes: triangles of height 1 on the HTK mel scale.

    Args:
      audio: [batch, n_samples], [batch, n_samples, 1] or [n_samples].
      lo_hz: Lower edge of the first band, Hz.
      hi_hz: Upper edge of the last band, Hz, at most half the sample rate.
      bins: Number of bands.
      fft_size: Samples in a frame.
      overlap: Share of a frame that it has in common with the next, 0 to below 1.
      pad_end: As in `stft`.
      sample_rate: Samples per second.

    Returns:
      [(batch,) n_frames, bins], float32, >= 0.

    Example:

    >>> audio = tf.sin(0.1 * tf.range(1600.0))[tf.newaxis]
    >>> ddsp.spectral_ops.compute_mel(audio, bins=16, fft_size=512).shape.as_list()
    [1, 13, 16]
    """
    mag = compute_mag(audio, fft_size, overlap, pad_end)
    bands = tf.signal.linear_to_mel_weight_matrix(
        bins, fft_size // 2 + 1, sample_rate, lo_hz, hi_hz
    )
    return tf.tensordot(mag, bands, axes=1)


@configurable.function(module="ddsp.spectral_ops")
def compute_logmag(
    audio: Any, size: int = 2048, overlap: float = 0.75, pad_end: bool = True
) -> tf.Tensor:
    """Returns the natural logarithm of `compute_mag`, of at least 1e-5.

    Args:
      audio: Signal, [(batch,) n_samples].
      size: Samples per frame.
      overlap: Overlap of successive frames, 0 to below 1.
      pad_end: As in `stft`.

    Example:

    >>> audio = tf.sin(0.1 * tf.range(1600.0))[tf.newaxis]
    >>> ddsp.spectral_ops.compute_logmag(audio, size=256).shape.as_list()
    [1, 25, 129]
    """
    return safe_log(compute_mag(audio, size, overlap, pad_end))


@configurable.function(module="ddsp.spectral_ops")
def compute_logmel(
    audio: Any,
    lo_hz: float = 80.0,
    hi_hz: float = 7600.0,
    bins: int = 64,
    fft_size: int = 2048,
    overlap: float = 0.75,
    pad_end: bool = True,
    sample_rate: int = 16000,
) -> tf.Tensor:
    """Natural logarithm of `compute_mel`, zeros counted as 1e-5.

    Args:
      audio: Signal, [(batch,) n_samples].
      lo_hz: Lower edge of the first band, Hz.
      hi_hz: Upper edge of the last band, Hz.
      bins: Number of bands.
      fft_size: Samples per frame.
      overlap: Overlap of successive frames, 0 to below 1.
      pad_end: As in `stft`.
      sample_rate: Samples per second.

    Example:

    >>> audio = tf.sin(0.1 * tf.range(1600.0))[tf.newaxis]
    >>> ddsp.spectral_ops.compute_logmel(audio, bins=16, fft_size=512).shape.as_list()
    [1, 13, 16]
    """
    mel = compute_mel(
        audio, lo_hz, hi_hz, bins, fft_size, overlap, pad_end, sample_rate
    )
    return safe_log(mel)


@configurable.function(module="ddsp.spectral_ops")
def compute_mfcc(
    audio: Any,
    lo_hz: float = 20.0,
    hi_hz: float = 8000.0,
    fft_size: int = 1024,
    mel_bins: int = 128,
    mfcc_bins: int = 13,
    overlap: float = 0.75,
    pad_end: bool = True,
    sample_rate: int = 16000,
) -> tf.Tensor:
    """Mel-frequency cepstral coefficients: the scaled DCT-II of `compute_logmel`.

    Davis & Mermelstein (1980), "Comparison of parametric representations for
    monosyllabic word recognition in continuously spoken sentences".

    Args:
      audio: [batch, n_samples], [batch, n_samples, 1] or [n_samples].
      lo_hz: Lower edge of the first band, Hz.
      hi_hz: Upper edge of the last band, Hz, at most half the sample rate.
      fft_size: Samples in a frame.
      mel_bins: Number of bands.
      mfcc_bins: Number of coefficients kept, counted from the zeroth.
      overlap: Share of a frame that it has in common with the next, 0 to below 1.
      pad_end: As in `stft`.
      sample_rate: Samples per second.

    Returns:
      [(batch,) n_frames, mfcc_bins], float32.

    Example:

    >>> audio = tf.sin(0.1 * tf.range(1600.0))[tf.newaxis]
    >>> ddsp.spectral_ops.compute_mfcc(audio, fft_size=512).shape.as_list()
    [1, 13, 13]
    """
    logmel = compute_logmel(
        audio, lo_hz, hi_hz, mel_bins, fft_size, overlap, pad_end, sample_rate
    )
    cosines = scipy.fft.dct(np.eye(mel_bins), axis=0)[:mfcc_bins]
    scaled = cosines.T / np.sqrt(2.0 * mel_bins)
    return tf.tensordot(logmel, scaled.astype(np.float32), axes=1)
