"""Harmonic synthesis from controls at frame rate or at sample rate."""

import math
from typing import Any

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


def angular_cumsum(angular_frequency: Any, chunk_size: int = 1000) -> tf.Tensor:
    """Running sum of angular frequency, modulo 2 pi, exact for any length.

    Args:
      angular_frequency: [batch, time, ...], radians per sample.
      chunk_size: Samples summed before the sum is wrapped.

    Returns:
      The shape of `angular_frequency`, radians in [0, 2 pi].
    """
    return wrapped_cumsum(angular_frequency, 2.0 * math.pi, chunk_size=chunk_size)


def harmonic_oscillator_bank(
    frequency: Any,
    amplitude_envelopes: Any,
    initial_phase: Any = None,
    sample_rate: int = 16000,
    use_angular_cumsum: bool = True,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Renders the harmonics of one fundamental, carrying its phase on.

    Args:
      frequency: [batch, n_samples, 1], fundamental in Hz.
      amplitude_envelopes: [batch, n_samples, n_harmonics].
      initial_phase: [batch, 1, 1], radians, phase of the fundamental before the
        first sample; None for 0.
      sample_rate: Samples per second.
      use_angular_cumsum: Accepted for compatibility; phase is exact either way.

    Returns:
      Audio [batch, n_samples], and the fundamental's final phase [batch, 1, 1] in
      radians, [0, 4 pi): the initial phase plus that of this call.
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
    frequencies: Any,
    amplitudes: Any,
    harmonic_shifts: Any = None,
    harmonic_distribution: Any = None,
    n_samples: int = 64000,
    sample_rate: int = 16000,
    amp_resample_method: str = "window",
    use_angular_cumsum: bool = False,
) -> tf.Tensor:
    """Renders harmonics from frame-rate controls.

    Engel et al. (2020), section 3.2.

    Args:
      frequencies: [batch, n_frames, 1], fundamental in Hz.
      amplitudes: [batch, n_frames, 1], overall amplitude.
      harmonic_shifts: [batch, n_frames, n_harmonics], harmonic k sounds at
        `k * (1 + shift)` times the fundamental; None for exact harmonics.
      harmonic_distribution: [batch, n_frames, n_harmonics], share of each harmonic;
        None for the fundamental alone.
      n_samples: Length of the result.
      sample_rate: Samples per second; harmonics above Nyquist are silenced.
      amp_resample_method: How amplitudes are interpolated, see `resample`.
      use_angular_cumsum: Accepted for compatibility; phase is exact either way.

    Returns:
      [batch, n_samples].

    Raises:
      ValueError: If the controls do not have three axes, or the resampling method
        does not support the length.
    """
    del use_angular_cumsum
    frequencies = tf_float32(frequencies)
    checks.rank("frequencies", frequencies, 3)
    harmonic_amplitudes = _harmonic_amplitudes(amplitudes, harmonic_distribution)
    if harmonic_shifts is not None:
        harmonic_shifts = tf_float32(harmonic_shifts)
        partials = get_harmonic_frequencies(frequencies, harmonic_shifts.shape[-1])
        return sinusoidal_synthesis(
            partials * (1.0 + harmonic_shifts),
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
    frequencies: Any,
    amplitudes: Any,
    harmonic_distribution: Any = None,
    initial_phase: Any = None,
    n_samples: int = 64000,
    sample_rate: int = 16000,
    amp_resample_method: str = "linear",
) -> tuple[tf.Tensor, tf.Tensor]:
    """Renders harmonics from frame-rate controls, carrying the phase on.

    The shares of the harmonics are made to sum to one below Nyquist.

    Args:
      frequencies: [batch, n_frames, 1], fundamental in Hz.
      amplitudes: [batch, n_frames, 1], overall amplitude.
      harmonic_distribution: [batch, n_frames, n_harmonics], share of each harmonic;
        None for the fundamental alone.
      initial_phase: [batch, 1, 1], radians; None for 0.
      n_samples: Length of the result.
      sample_rate: Samples per second; harmonics above Nyquist are silenced frame by
        frame.
      amp_resample_method: How amplitudes are interpolated, see `resample`.

    Returns:
      Audio [batch, n_samples], and the fundamental's final phase [batch, 1, 1] in
      radians, [0, 4 pi): the initial phase plus that of this call.
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


def _harmonic_amplitudes(amplitudes: Any, harmonic_distribution: Any) -> tf.Tensor:
    amplitudes = tf_float32(amplitudes)
    checks.rank("amplitudes", amplitudes, 3)
    if harmonic_distribution is None:
        return amplitudes
    checks.rank("harmonic_distribution", harmonic_distribution, 3)
    return amplitudes * tf_float32(harmonic_distribution)


def _synthesize_harmonics(
    f0_hz: tf.Tensor,
    harmonic_amplitudes: tf.Tensor,
    initial_phase: Any,
    n_samples: Any,
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
    """Sums harmonics of a phase at the sample rate.

    Args:
      cycles: [batch, n_samples, 1], phase of the fundamental.
      amplitudes: [batch, n_samples, n_harmonics].

    Returns:
      [batch, n_samples].
    """
    numbers = tf.range(1, amplitudes.shape[-1] + 1, dtype=tf.float32)
    cycles -= tf.round(cycles)
    return tf.reduce_sum(amplitudes * tf.sin(radians(cycles * numbers)), axis=-1)


def _initial_cycles(initial_phase: Any) -> tf.Tensor:
    """Converts radians to cycles in [0, 1); None to 0."""
    if initial_phase is None:
        return tf.zeros([1, 1, 1])
    return tf.math.floormod(tf_float32(initial_phase) / (2.0 * math.pi), 1.0)
