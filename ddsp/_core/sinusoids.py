"""Banks of independent sinusoids.

Frames of controls are rendered independently: the phase at the start of a frame is
exact, and within a frame it is a quadratic function of the sample index. One compiled
kernel computes amplitudes, phases, sines and their sum in one pass, without an array of
samples times sinusoids. Its gradient recomputes the sines.
"""

import functools
import math
from collections.abc import Callable

import tensorflow as tf

from ddsp._core import checks
from ddsp._core.chunks import map_rows
from ddsp._core.compilation import fused
from ddsp._core.harmonics import remove_above_nyquist
from ddsp._core.phase import (
    frame_starts,
    hop_weights,
    interpolated_phase,
    radians,
    wrapped_cumsum,
)
from ddsp._core.resampling import RAMPS, linear_ramp, resample, to_next, whole_hop
from ddsp._core.sine import cosine, sine
from ddsp._core.tensors import tf_float32
from ddsp.types import ArrayLike


def oscillator_bank(
    frequency_envelopes: ArrayLike,
    amplitude_envelopes: ArrayLike,
    sample_rate: int = 16000,
    sum_sinusoids: bool = True,
    use_angular_cumsum: bool = False,
) -> tf.Tensor:
    """Renders independent sinusoids from envelopes at the sample rate.

    Args:
      frequency_envelopes: Frequencies in Hz, shape [batch, n_samples, n_sinusoids].
      amplitude_envelopes: Amplitudes, shape [batch, n_samples, n_sinusoids].
      sample_rate: Samples per second; sinusoids above Nyquist are silenced.
      sum_sinusoids: Whether to sum the sinusoids into one signal.
      use_angular_cumsum: Accepted for compatibility; phase is exact either way.

    Returns:
      Audio, shape [batch, n_samples], or [batch, n_samples, n_sinusoids] without the
      sum.

    Raises:
      ValueError: If an envelope does not have three axes.

    Example:

    >>> ddsp.core.oscillator_bank(
    ...     tf.fill([1, 160, 3], 440.0), tf.ones([1, 160, 3])).shape.as_list()
    [1, 160]
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
    frequencies: ArrayLike,
    amplitudes: ArrayLike,
    n_samples: int = 64000,
    sample_rate: int = 16000,
    amp_resample_method: str = "window",
) -> tf.Tensor:
    """Renders independent sinusoids from frame-rate controls.

    Args:
      frequencies: Frequencies in Hz, shape [batch, n_frames, n_sinusoids].
      amplitudes: Amplitudes, shape [batch, n_frames, n_sinusoids].
      n_samples: Length of the output.
      sample_rate: Samples per second; sinusoids above Nyquist are silenced.
      amp_resample_method: Interpolation of the amplitudes, see `resample`.

    Returns:
      Audio, shape [batch, n_samples].

    Raises:
      ValueError: If a control does not have three axes, or the interpolation method
        does not support the length.

    Example:

    >>> ddsp.core.sinusoidal_synthesis(
    ...     tf.fill([1, 5, 3], 440.0), tf.ones([1, 5, 3]), n_samples=320
    ... ).shape.as_list()
    [1, 320]
    """
    frequencies, amplitudes = tf_float32(frequencies), tf_float32(amplitudes)
    checks.rank("frequencies", frequencies, 3)
    checks.rank("amplitudes", amplitudes, 3)
    shapes = frequencies.shape, amplitudes.shape
    if (
        amp_resample_method in RAMPS
        and shapes[0].as_list() == shapes[1].as_list()
        and shapes[0][2] is not None
        and whole_hop(frequencies, n_samples)
        and n_samples > shapes[0][1]
    ):
        ramp = RAMPS[amp_resample_method](n_samples // shapes[0][1])
        return _sum_of_sinusoids(frequencies, amplitudes, ramp, float(sample_rate))
    envelopes = remove_above_nyquist(
        resample(frequencies, n_samples),
        resample(amplitudes, n_samples, method=amp_resample_method),
        sample_rate,
    )
    cycles, _ = interpolated_phase(frequencies, n_samples, sample_rate)
    return tf.reduce_sum(envelopes * tf.sin(radians(cycles)), axis=-1)


def _sum_of_sinusoids(
    frequencies: tf.Tensor, amplitudes: tf.Tensor, ramp: tf.Tensor, sample_rate: float
) -> tf.Tensor:
    """Renders frames of `ramp.shape[0]` samples from frame-rate controls.

    Args:
      frequencies: [batch, n_frames, n_sinusoids], Hz.
      amplitudes: [batch, n_frames, n_sinusoids].
      ramp: [hop_size], weight of the next frame's amplitudes in each sample.
      sample_rate: Samples per second.

    Returns:
      [batch, n_frames * hop_size].
    """
    coarse, fine, _ = frame_starts(frequencies, ramp.shape[0], sample_rate)
    cycles = frequencies / sample_rate
    return sum_of_sinusoids(
        coarse + fine, cycles, to_next(cycles), amplitudes, to_next(amplitudes), ramp
    )


def sum_of_sinusoids(
    start: tf.Tensor,
    cycles: tf.Tensor,
    cycles_step: tf.Tensor,
    amplitudes: tf.Tensor,
    step: tf.Tensor,
    ramp: tf.Tensor,
) -> tf.Tensor:
    """Renders frames of `ramp.shape[0]` samples from the values at their starts.

    Args:
      start: Phase before each frame in cycles, shape [batch, n_frames, n_sinusoids].
      cycles: Frequency in cycles per sample, same shape.
      cycles_step: Difference to the frequency of the next frame, same shape.
      amplitudes: Amplitudes, same shape.
      step: Difference to the amplitude of the next frame, same shape.
      ramp: Weight of the next frame's amplitudes at each sample, shape [hop_size].

    Returns:
      Audio, shape [batch, n_frames * hop_size]. Sinusoids above Nyquist are silent.
    """
    n_frames, n_sinusoids = cycles.shape[1:]
    controls = (start, cycles, cycles_step, amplitudes, step)
    rows = [tf.reshape(x, [-1, n_sinusoids]) for x in controls]
    audio = _frames_of_sinusoids(*rows, ramp)
    return tf.reshape(audio, [-1, n_frames * ramp.shape[0]])


@tf.custom_gradient
def _frames_of_sinusoids(
    *controls_and_ramp: tf.Tensor,
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor | None, ...]]]:
    """Sums sinusoids in frames, [n_rows, hop_size].

    Args:
      *controls_and_ramp: Controls [n_rows, n_sinusoids]: phase at the start in cycles;
        frequency at the start and its step to the next frame, in cycles per sample;
        amplitude at the start and its step. Then the ramp of the amplitudes.
    """
    *controls, ramp = controls_and_ramp
    hop_size, n_sinusoids = ramp.shape[0], controls[0].shape[1]
    values = hop_size * n_sinusoids

    def grad(upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
        rows = (*controls, upstream)
        kernel = functools.partial(_gradient_kernel, ramp)
        return *map_rows(kernel, rows, values, len(controls)), None

    kernel = functools.partial(_sum_kernel, ramp)
    (audio,) = map_rows(kernel, tuple(controls), values, 1)
    return audio, grad


def _phase(
    start: tf.Tensor, hz: tf.Tensor, hz_step: tf.Tensor, hop_size: int
) -> tf.Tensor:
    n, n_steps = hop_weights(hop_size)
    return start + hz * n + hz_step * n_steps


def _below_nyquist(hz: tf.Tensor, hz_step: tf.Tensor, hop_size: int) -> tf.Tensor:
    return hz + hz_step * linear_ramp(hop_size) < 0.5


@fused
def _sum_kernel(ramp: tf.Tensor, *controls: tf.Tensor) -> tuple[tf.Tensor]:
    start, hz, hz_step, amplitude, step = (x[:, :, tf.newaxis] for x in controls)
    hop_size = ramp.shape[0]
    below = _below_nyquist(hz, hz_step, hop_size)
    waves = tf.where(below, amplitude + step * ramp, 0.0) * sine(
        _phase(start, hz, hz_step, hop_size)
    )
    return (tf.reduce_sum(waves, axis=1),)


@fused
def _gradient_kernel(
    ramp: tf.Tensor, *controls_and_upstream: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    *controls, upstream = controls_and_upstream
    start, hz, hz_step, amplitude, step = (x[:, :, tf.newaxis] for x in controls)
    hop_size, n_sinusoids = ramp.shape[0], start.shape[1]
    below = _below_nyquist(hz, hz_step, hop_size)
    upstream = tf.where(below, upstream[:, tf.newaxis], 0.0)
    cycles = _phase(start, hz, hz_step, hop_size)
    d_amplitude = upstream * sine(cycles)
    d_cycles = 2.0 * math.pi * upstream * (amplitude + step * ramp) * cosine(cycles)

    def reduce(x: tf.Tensor, *weights: tf.Tensor) -> list[tf.Tensor]:
        """Sums over the samples with several weights, as one matrix product."""
        sums = tf.reshape(x, [-1, hop_size]) @ tf.stack(weights, axis=1)
        return tf.unstack(tf.reshape(sums, [-1, n_sinusoids, len(weights)]), axis=2)

    ones = tf.ones_like(ramp)
    return *reduce(d_cycles, ones, *hop_weights(hop_size)), *reduce(
        d_amplitude, ones, ramp
    )
