"""Harmonics: their frequencies, their share of the sound, and sinusoids from them."""

from typing import Any

import tensorflow as tf

from ddsp._core import checks
from ddsp._core.safety import safe_divide
from ddsp._core.tensors import tf_float32


def get_harmonic_frequencies(frequencies: Any, n_harmonics: int) -> tf.Tensor:
    """Returns the whole multiples of a fundamental.

    Args:
      frequencies: [batch, time, 1], Hz.
      n_harmonics: Number of harmonics, the fundamental included.

    Returns:
      [batch, time, n_harmonics], Hz.

    Raises:
      ValueError: If there are no harmonics.
    """
    if isinstance(n_harmonics, int):
        checks.positive("n_harmonics", n_harmonics)
    numbers = tf.range(1, n_harmonics + 1, dtype=tf.float32)
    return tf_float32(frequencies) * numbers


def remove_above_nyquist(
    frequency_envelopes: Any, amplitude_envelopes: Any, sample_rate: int = 16000
) -> tf.Tensor:
    """Silences sinusoids at or above half the sample rate.

    Args:
      frequency_envelopes: [batch, time, n_sinusoids], Hz.
      amplitude_envelopes: [batch, time, n_sinusoids].
      sample_rate: Samples per second.

    Returns:
      `amplitude_envelopes` with zeros in place of what would alias.
    """
    frequencies = tf.stop_gradient(tf.abs(tf_float32(frequency_envelopes)))
    # Zero, or NaN where the frequency is NaN.
    silence = tf.minimum(frequencies, 0.0)
    audible = frequencies < sample_rate / 2.0
    return tf.where(audible, tf_float32(amplitude_envelopes), silence)


def normalize_harmonics(
    harmonic_distribution: Any, f0_hz: Any = None, sample_rate: int | None = None
) -> tf.Tensor:
    """Makes the shares of the harmonics sum to one.

    Args:
      harmonic_distribution: [batch, time, n_harmonics], >= 0.
      f0_hz: [batch, time, 1], Hz; given together with `sample_rate`, harmonics
        above Nyquist are silenced first.
      sample_rate: Samples per second.

    Returns:
      [batch, time, n_harmonics]. All zeros stay zeros.

    Raises:
      ValueError: If an argument does not have three axes.
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
    harm_amp: Any, harm_dist: Any, f0_hz: Any, sample_rate: int = 16000
) -> tuple[tf.Tensor, tf.Tensor]:
    """Turns the controls of a harmonic synthesizer into those of sinusoids.

    Args:
      harm_amp: [batch, time, 1], overall amplitude.
      harm_dist: [batch, time, n_harmonics], shares; made to sum to one below
        Nyquist.
      f0_hz: [batch, time, 1], Hz.
      sample_rate: Samples per second.

    Returns:
      Amplitudes and frequencies in Hz, both [batch, time, n_harmonics]; harmonics
      above Nyquist have amplitude zero.
    """
    frequencies = get_harmonic_frequencies(f0_hz, harm_dist.shape[-1])
    distribution = normalize_harmonics(harm_dist, f0_hz, sample_rate)
    return tf_float32(harm_amp) * distribution, frequencies


def sinusoidal_to_harmonic(
    sin_amps: Any,
    sin_freqs: Any,
    f0_hz: Any,
    harmonic_width: float = 0.1,
    n_harmonics: int = 100,
    sample_rate: int = 16000,
    normalize: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads the controls of a harmonic synthesizer out of free sinusoids.

    Each sinusoid adds to the harmonics near it, weighted by a Gaussian over its
    distance in units of the fundamental.

    Args:
      sin_amps: [batch, time, n_sinusoids], amplitudes.
      sin_freqs: [batch, time, n_sinusoids], Hz.
      f0_hz: [batch, time, 1], Hz.
      harmonic_width: Width of the Gaussian, as a share of the fundamental.
      n_harmonics: Number of harmonics.
      sample_rate: Samples per second; harmonics above Nyquist stay silent.
      normalize: Whether the weights at one harmonic sum to at most one, so that
        several sinusoids near it do not add up.

    Returns:
      Overall amplitude [batch, time, 1] and shares [batch, time, n_harmonics].
    """
    sin_amps, sin_freqs = tf_float32(sin_amps), tf_float32(sin_freqs)
    f0_hz = tf_float32(f0_hz)
    frequencies = get_harmonic_frequencies(f0_hz, n_harmonics)
    away = sin_freqs[:, :, tf.newaxis, :] - frequencies[..., tf.newaxis]
    distance = safe_divide(away, f0_hz[..., tf.newaxis])
    weights = tf.exp(-((distance / harmonic_width) ** 2))
    if normalize:
        total_weight = tf.reduce_sum(weights, axis=-1, keepdims=True)
        weights /= tf.maximum(total_weight, 1.0)
    amplitudes = tf.reduce_sum(weights * sin_amps[:, :, tf.newaxis, :], axis=-1)
    amplitudes = remove_above_nyquist(frequencies, amplitudes, sample_rate)
    total = tf.reduce_sum(amplitudes, axis=-1, keepdims=True)
    return total, safe_divide(amplitudes, total)
