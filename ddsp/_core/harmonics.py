"""Harmonics: frequencies, distributions, and conversion from and to sinusoids."""

import tensorflow as tf

from ddsp._core import checks
from ddsp._core.safety import safe_divide
from ddsp._core.tensors import tf_float32
from ddsp.types import ArrayLike


def get_harmonic_frequencies(frequencies: ArrayLike, n_harmonics: int) -> tf.Tensor:
    """Computes the frequencies of harmonics.

    Args:
      frequencies: Fundamental frequency in Hz, shape [batch, time, 1].
      n_harmonics: Number of harmonics, including the fundamental.

    Returns:
      Integer multiples of the fundamental in Hz, shape [batch, time, n_harmonics].

    Raises:
      ValueError: If `n_harmonics` is not positive.

    Example:

    >>> ddsp.core.get_harmonic_frequencies([[[100.0]]], 3).numpy()
    array([[[100., 200., 300.]]], dtype=float32)
    """
    if isinstance(n_harmonics, int):
        checks.positive("n_harmonics", n_harmonics)
    numbers = tf.range(1, n_harmonics + 1, dtype=tf.float32)
    return tf_float32(frequencies) * numbers


def remove_above_nyquist(
    frequency_envelopes: ArrayLike,
    amplitude_envelopes: ArrayLike,
    sample_rate: int = 16000,
) -> tf.Tensor:
    """Silences sinusoids at or above half the sample rate.

    Args:
      frequency_envelopes: Frequencies in Hz, shape [batch, time, n_sinusoids].
      amplitude_envelopes: Amplitudes, shape [batch, time, n_sinusoids].
      sample_rate: Samples per second.

    Returns:
      Amplitudes with zeros for sinusoids that would alias, in the same shape.

    Example:

    >>> hz, amplitudes = [[[440.0, 9000.0]]], [[[1.0, 1.0]]]
    >>> ddsp.core.remove_above_nyquist(hz, amplitudes, sample_rate=16000).numpy()
    array([[[1., 0.]]], dtype=float32)
    """
    frequencies = tf.stop_gradient(tf.abs(tf_float32(frequency_envelopes)))
    # Zero, or NaN where the frequency is NaN.
    silence = tf.minimum(frequencies, 0.0)
    audible = frequencies < sample_rate / 2.0
    return tf.where(audible, tf_float32(amplitude_envelopes), silence)


def normalize_harmonics(
    harmonic_distribution: ArrayLike,
    f0_hz: ArrayLike | None = None,
    sample_rate: int | None = None,
) -> tf.Tensor:
    """Normalizes a harmonic distribution to a sum of 1.

    Args:
      harmonic_distribution: Relative amplitudes ≥ 0, shape [batch, time, n_harmonics].
      f0_hz: Fundamental frequency in Hz, shape [batch, time, 1]. With `f0_hz` and
        `sample_rate`, harmonics above Nyquist are set to zero first.
      sample_rate: Samples per second.

    Returns:
      Harmonic distribution, shape [batch, time, n_harmonics]. Zeros stay zeros.

    Raises:
      ValueError: If an argument does not have three axes.

    Example:

    >>> ddsp.core.normalize_harmonics([[[1.0, 3.0]]]).numpy()
    array([[[0.25, 0.75]]], dtype=float32)
    """
    distribution = tf_float32(harmonic_distribution)
    checks.rank("harmonic_distribution", distribution, 3)
    if f0_hz is not None and sample_rate is not None:
        checks.rank("f0_hz", tf_float32(f0_hz), 3)
        frequencies = get_harmonic_frequencies(f0_hz, distribution.shape[-1])
        distribution = remove_above_nyquist(frequencies, distribution, sample_rate)
    total = tf.reduce_sum(distribution, axis=-1, keepdims=True)
    return safe_divide(distribution, total)


def harmonic_to_sinusoidal(
    harm_amp: ArrayLike,
    harm_dist: ArrayLike,
    f0_hz: ArrayLike,
    sample_rate: int = 16000,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Converts harmonic controls to sinusoidal controls.

    Args:
      harm_amp: Overall amplitude, shape [batch, time, 1].
      harm_dist: Harmonic distribution, shape [batch, time, n_harmonics]; normalized to
        a sum of 1 below Nyquist.
      f0_hz: Fundamental frequency in Hz, shape [batch, time, 1].
      sample_rate: Samples per second.

    Returns:
      Amplitudes and frequencies in Hz, both of shape [batch, time, n_harmonics].
      Harmonics above Nyquist have amplitude zero.

    Example:

    >>> amplitudes, hz = ddsp.core.harmonic_to_sinusoidal(
    ...     [[[0.5]]], [[[1.0, 1.0]]], [[[100.0]]])
    >>> amplitudes.numpy()
    array([[[0.25, 0.25]]], dtype=float32)
    >>> hz.numpy()
    array([[[100., 200.]]], dtype=float32)
    """
    harm_dist = tf_float32(harm_dist)
    frequencies = get_harmonic_frequencies(f0_hz, harm_dist.shape[-1])
    distribution = normalize_harmonics(harm_dist, f0_hz, sample_rate)
    return tf_float32(harm_amp) * distribution, frequencies


def sinusoidal_to_harmonic(
    sin_amps: ArrayLike,
    sin_freqs: ArrayLike,
    f0_hz: ArrayLike,
    harmonic_width: float = 0.1,
    n_harmonics: int = 100,
    sample_rate: int = 16000,
    normalize: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Converts sinusoidal controls to harmonic controls.

    Each sinusoid contributes to the nearby harmonics, with a Gaussian weight of its
    distance in units of the fundamental.

    Args:
      sin_amps: Amplitudes, shape [batch, time, n_sinusoids].
      sin_freqs: Frequencies in Hz, shape [batch, time, n_sinusoids].
      f0_hz: Fundamental frequency in Hz, shape [batch, time, 1].
      harmonic_width: Width of the Gaussian, as a fraction of the fundamental.
      n_harmonics: Number of harmonics.
      sample_rate: Samples per second; harmonics above Nyquist have amplitude zero.
      normalize: Whether the weights of a harmonic sum to at most 1, so that several
        sinusoids near it do not add up.

    Returns:
      Overall amplitude, shape [batch, time, 1], and harmonic distribution, shape
      [batch, time, n_harmonics].

    Example:

    >>> amplitude, distribution = ddsp.core.sinusoidal_to_harmonic(
    ...     [[[0.3, 0.1]]], [[[100.0, 200.0]]], [[[100.0]]], n_harmonics=2)
    >>> distribution.numpy()
    array([[[0.75, 0.25]]], dtype=float32)
    """
    sin_amps, sin_freqs = tf_float32(sin_amps), tf_float32(sin_freqs)
    f0_hz = tf_float32(f0_hz)
    frequencies = get_harmonic_frequencies(f0_hz, n_harmonics)
    offset = sin_freqs[:, :, tf.newaxis, :] - frequencies[..., tf.newaxis]
    distance = safe_divide(offset, f0_hz[..., tf.newaxis])
    weights = tf.exp(-((distance / harmonic_width) ** 2))
    if normalize:
        total_weight = tf.reduce_sum(weights, axis=-1, keepdims=True)
        weights /= tf.maximum(total_weight, 1.0)
    amplitudes = tf.reduce_sum(weights * sin_amps[:, :, tf.newaxis, :], axis=-1)
    amplitudes = remove_above_nyquist(frequencies, amplitudes, sample_rate)
    total = tf.reduce_sum(amplitudes, axis=-1, keepdims=True)
    return total, safe_divide(amplitudes, total)
