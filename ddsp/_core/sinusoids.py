"""Banks of independent sinusoids."""

from typing import Any

import tensorflow as tf

from ddsp._core import checks
from ddsp._core.harmonics import remove_above_nyquist
from ddsp._core.phase import interpolated_phase, radians, wrapped_cumsum
from ddsp._core.resampling import resample
from ddsp._core.tensors import tf_float32


def oscillator_bank(
    frequency_envelopes: Any,
    amplitude_envelopes: Any,
    sample_rate: int = 16000,
    sum_sinusoids: bool = True,
    use_angular_cumsum: bool = False,
) -> tf.Tensor:
    """Renders independent sinusoids from envelopes at the sample rate.

    Args:
      frequency_envelopes: [batch, n_samples, n_sinusoids], Hz.
      amplitude_envelopes: [batch, n_samples, n_sinusoids].
      sample_rate: Samples a second; sinusoids above Nyquist are silenced.
      sum_sinusoids: Whether to sum them into one signal.
      use_angular_cumsum: Accepted for compatibility; phase is exact either way.

    Returns:
      [batch, n_samples], or [batch, n_samples, n_sinusoids] unsummed.

    Raises:
      ValueError: if the envelopes do not have three axes.
    """
    del use_angular_cumsum
    frequencies = tf_float32(frequency_envelopes)
    checks.rank("frequency_envelopes", frequencies, 3)
    checks.rank("amplitude_envelopes", amplitude_envelopes, 3)
    amplitudes = remove_above_nyquist(frequencies, amplitude_envelopes, sample_rate)
    cycles = wrapped_cumsum(frequencies, float(sample_rate)) / float(sample_rate)
    audio = amplitudes * tf.sin(radians(cycles))
    return tf.reduce_sum(audio, axis=-1) if sum_sinusoids else audio


def sinusoidal_synthesis(
    frequencies: Any,
    amplitudes: Any,
    n_samples: int = 64000,
    sample_rate: int = 16000,
    amp_resample_method: str = "window",
) -> tf.Tensor:
    """Renders independent sinusoids from frame-rate controls.

    Args:
      frequencies: [batch, n_frames, n_sinusoids], Hz.
      amplitudes: [batch, n_frames, n_sinusoids].
      n_samples: Length of the result.
      sample_rate: Samples a second; sinusoids above Nyquist are silenced.
      amp_resample_method: How amplitudes are interpolated, see `resample`.

    Returns:
      [batch, n_samples].

    Raises:
      ValueError: for controls of other than three axes, or a length that the
        resampling method cannot reach.
    """
    frequencies, amplitudes = tf_float32(frequencies), tf_float32(amplitudes)
    checks.rank("frequencies", frequencies, 3)
    checks.rank("amplitudes", amplitudes, 3)
    envelopes = remove_above_nyquist(
        resample(frequencies, n_samples),
        resample(amplitudes, n_samples, method=amp_resample_method),
        sample_rate,
    )
    cycles, _ = interpolated_phase(frequencies, n_samples, sample_rate)
    return tf.reduce_sum(envelopes * tf.sin(radians(cycles)), axis=-1)
