"""Harmonic synthesis from controls at frame rate or at sample rate."""

import math

import tensorflow as tf

from ddsp._core import checks
from ddsp._core.harmonic_sum import harmonic_sum
from ddsp._core.harmonics import (
    get_harmonic_frequencies,
    normalize_harmonics,
    remove_above_nyquist,
)
from ddsp._core.phase import frame_starts, interpolated_phase, radians, wrapped_cumsum
from ddsp._core.resampling import RAMPS, resample, whole_hop
from ddsp._core.sinusoids import sinusoidal_synthesis
from ddsp._core.tensors import tf_float32
from ddsp.types import ArrayLike


def angular_cumsum(angular_frequency: ArrayLike, chunk_size: int = 1000) -> tf.Tensor:
    """Computes the running sum of angular frequency, modulo 2 pi.

    The phase is exact for signals of any length.

    Args:
      angular_frequency: Angular frequency in radians per sample, shape
        [batch, time, ...].
      chunk_size: Samples summed before the sum is wrapped.

    Returns:
      Phase in radians, in [0, 2 pi], in the shape of `angular_frequency`.

    Example:

    >>> ddsp.core.angular_cumsum(tf.fill([1, 4], np.pi / 2)).numpy().round(2)
    array([[1.57, 3.14, 4.71, 0.  ]], dtype=float32)
    """
    return wrapped_cumsum(angular_frequency, 2.0 * math.pi, chunk_size=chunk_size)


def harmonic_oscillator_bank(
    frequency: ArrayLike,
    amplitude_envelopes: ArrayLike,
    initial_phase: ArrayLike | None = None,
    sample_rate: int = 16000,
    use_angular_cumsum: bool = True,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Renders harmonics from envelopes at the sample rate.

    The returned phase is the initial phase of the next call.

    Args:
      frequency: Fundamental frequency in Hz, shape [batch, n_samples, 1].
      amplitude_envelopes: Amplitudes of the harmonics, shape
        [batch, n_samples, n_harmonics].
      initial_phase: Phase of the fundamental before the first sample in radians, shape
        [batch, 1, 1]; None for 0.
      sample_rate: Samples per second.
      use_angular_cumsum: Accepted for compatibility; phase is exact either way.

    Returns:
      Audio, shape [batch, n_samples], and the final phase of the fundamental in
      radians, in [0, 4 pi), shape [batch, 1, 1].

    Raises:
      ValueError: If an envelope does not have three axes.

    Example:

    >>> audio, phase = ddsp.core.harmonic_oscillator_bank(
    ...     tf.fill([1, 160, 1], 440.0), tf.ones([1, 160, 10]))
    >>> audio.shape.as_list(), phase.shape.as_list()
    ([1, 160], [1, 1, 1])
    """
    del use_angular_cumsum
    frequency = tf_float32(frequency)
    checks.rank("frequency", frequency, 3)
    checks.rank("amplitude_envelopes", amplitude_envelopes, 3)
    initial_cycles = _initial_cycles(initial_phase)
    cycles = wrapped_cumsum(frequency, float(sample_rate)) / float(sample_rate)
    audio = harmonics_at(cycles + initial_cycles, tf_float32(amplitude_envelopes))
    return audio, 2.0 * math.pi * (cycles[:, -1:] + initial_cycles)


def harmonic_synthesis(
    frequencies: ArrayLike,
    amplitudes: ArrayLike,
    harmonic_shifts: ArrayLike | None = None,
    harmonic_distribution: ArrayLike | None = None,
    n_samples: int = 64000,
    sample_rate: int = 16000,
    amp_resample_method: str = "window",
    use_angular_cumsum: bool = False,
) -> tf.Tensor:
    """Renders harmonics from frame-rate controls.

    Engel et al. (2020), section 3.2.

    Args:
      frequencies: Fundamental frequency in Hz, shape [batch, n_frames, 1].
      amplitudes: Overall amplitude, shape [batch, n_frames, 1].
      harmonic_shifts: Relative frequency shifts, shape [batch, n_frames, n_harmonics].
        Harmonic k has `k * (1 + shift)` times the fundamental frequency. None for exact
        harmonics.
      harmonic_distribution: Relative amplitudes, shape [batch, n_frames, n_harmonics];
        None for the fundamental alone.
      n_samples: Length of the output.
      sample_rate: Samples per second; harmonics above Nyquist are silenced.
      amp_resample_method: Interpolation of the amplitudes, see `resample`.
      use_angular_cumsum: Accepted for compatibility; phase is exact either way.

    Returns:
      Audio, shape [batch, n_samples].

    Raises:
      ValueError: If a control does not have three axes, or the interpolation method
        does not support the length.

    Example:

    >>> ddsp.core.harmonic_synthesis(
    ...     tf.fill([1, 5, 1], 440.0), tf.ones([1, 5, 1]), n_samples=320
    ... ).shape.as_list()
    [1, 320]
    """
    del use_angular_cumsum
    frequencies = tf_float32(frequencies)
    checks.rank("frequencies", frequencies, 3)
    harmonic_amplitudes = _harmonic_amplitudes(amplitudes, harmonic_distribution)
    if harmonic_shifts is not None:
        shifts = tf_float32(harmonic_shifts)
        partials = get_harmonic_frequencies(frequencies, shifts.shape[-1])
        return sinusoidal_synthesis(
            partials * (1.0 + shifts),
            harmonic_amplitudes,
            n_samples=n_samples,
            sample_rate=sample_rate,
            amp_resample_method=amp_resample_method,
        )
    audio, _ = _synthesize_harmonics(
        frequencies,
        harmonic_amplitudes,
        None,
        n_samples,
        sample_rate,
        amp_resample_method,
        silence_aliases=True,
    )
    return audio


def streaming_harmonic_synthesis(
    frequencies: ArrayLike,
    amplitudes: ArrayLike,
    harmonic_distribution: ArrayLike | None = None,
    initial_phase: ArrayLike | None = None,
    n_samples: int = 64000,
    sample_rate: int = 16000,
    amp_resample_method: str = "linear",
) -> tuple[tf.Tensor, tf.Tensor]:
    """Renders harmonics from frame-rate controls, with a phase from call to call.

    The harmonic distribution is normalized to a sum of 1 below Nyquist. The returned
    phase is the initial phase of the next call.

    Args:
      frequencies: Fundamental frequency in Hz, shape [batch, n_frames, 1].
      amplitudes: Overall amplitude, shape [batch, n_frames, 1].
      harmonic_distribution: Relative amplitudes, shape [batch, n_frames, n_harmonics];
        None for the fundamental alone.
      initial_phase: Initial phase of the fundamental in radians, shape [batch, 1, 1];
        None for 0.
      n_samples: Length of the output.
      sample_rate: Samples per second; harmonics above Nyquist are silenced in each
        frame.
      amp_resample_method: Interpolation of the amplitudes, see `resample`.

    Returns:
      Audio, shape [batch, n_samples], and the final phase of the fundamental in
      radians, in [0, 4 pi), shape [batch, 1, 1].

    Raises:
      ValueError: If a control does not have three axes, or the interpolation method
        does not support the length.

    Example:

    >>> f0_hz, amplitudes = tf.fill([1, 5, 1], 440.0), tf.ones([1, 5, 1])
    >>> audio, phase = ddsp.core.streaming_harmonic_synthesis(
    ...     f0_hz, amplitudes, n_samples=320)
    >>> audio, phase = ddsp.core.streaming_harmonic_synthesis(
    ...     f0_hz, amplitudes, initial_phase=phase, n_samples=320)
    >>> audio.shape.as_list()
    [1, 320]
    """
    frequencies = tf_float32(frequencies)
    if harmonic_distribution is not None:
        harmonic_distribution = normalize_harmonics(
            harmonic_distribution, frequencies, sample_rate
        )
    return _synthesize_harmonics(
        frequencies,
        _harmonic_amplitudes(amplitudes, harmonic_distribution),
        initial_phase,
        n_samples,
        sample_rate,
        amp_resample_method,
        silence_aliases=False,
    )


def _harmonic_amplitudes(
    amplitudes: ArrayLike, harmonic_distribution: ArrayLike | None
) -> tf.Tensor:
    amplitudes = tf_float32(amplitudes)
    checks.rank("amplitudes", amplitudes, 3)
    if harmonic_distribution is None:
        return amplitudes
    checks.rank("harmonic_distribution", harmonic_distribution, 3)
    return amplitudes * tf_float32(harmonic_distribution)


def _synthesize_harmonics(
    f0_hz: tf.Tensor,
    harmonic_amplitudes: tf.Tensor,
    initial_phase: ArrayLike | None,
    n_samples: int,
    sample_rate: int,
    amp_resample_method: str,
    silence_aliases: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    initial_cycles = _initial_cycles(initial_phase)
    ramp_of = RAMPS.get(amp_resample_method)
    if (
        ramp_of is not None
        and f0_hz.shape[:2].as_list() == harmonic_amplitudes.shape[:2].as_list()
        and initial_cycles.shape[0] in (1, f0_hz.shape[0])
        and whole_hop(f0_hz, n_samples)
    ):
        hop_size = n_samples // f0_hz.shape[1]
        coarse, fine, final = frame_starts(f0_hz, hop_size, sample_rate)
        audio = harmonic_sum(
            (coarse, fine + initial_cycles),
            f0_hz,
            harmonic_amplitudes,
            ramp_of(hop_size),
            float(sample_rate),
            silence_aliases,
        )
        return audio, 2.0 * math.pi * (final + initial_cycles)

    cycles, final = interpolated_phase(f0_hz, n_samples, sample_rate)
    amplitudes = resample(harmonic_amplitudes, n_samples, method=amp_resample_method)
    if silence_aliases:
        f0_envelope = resample(f0_hz, n_samples)
        partials = get_harmonic_frequencies(f0_envelope, amplitudes.shape[-1])
        amplitudes = remove_above_nyquist(partials, amplitudes, sample_rate)
    audio = harmonics_at(cycles + initial_cycles, amplitudes)
    return audio, 2.0 * math.pi * (final + initial_cycles)


def harmonics_at(cycles: tf.Tensor, amplitudes: tf.Tensor) -> tf.Tensor:
    """Sums harmonics from a phase at the sample rate.

    Args:
      cycles: Phase of the fundamental in cycles, shape [batch, n_samples, 1].
      amplitudes: Amplitudes, shape [batch, n_samples, n_harmonics].

    Returns:
      Audio, shape [batch, n_samples].
    """
    numbers = tf.range(1, amplitudes.shape[-1] + 1, dtype=tf.float32)
    cycles -= tf.round(cycles)
    return tf.reduce_sum(amplitudes * tf.sin(radians(cycles * numbers)), axis=-1)


def _initial_cycles(initial_phase: ArrayLike | None) -> tf.Tensor:
    """Converts radians to cycles in [0, 1), and None to 0."""
    if initial_phase is None:
        return tf.zeros([1, 1, 1])
    return tf.math.floormod(tf_float32(initial_phase) / (2.0 * math.pi), 1.0)
