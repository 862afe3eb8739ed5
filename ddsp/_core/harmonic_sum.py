"""Sums of harmonics without an array of harmonics times samples.

sin(k x) satisfies a three-term recurrence in k, so a sum of any number of harmonics
needs a state of two values per sample: Clenshaw, "A note on the summation of Chebyshev
series" (1955). Over many harmonics the recurrence loses precision in float32 near
multiples of pi, so it restarts from an exact angle every `_BLOCK_SIZE` harmonics:
exp(i (j + m) x) = exp(i j x) exp(i m x).

Frames are rendered independently from their controls: within a frame the phase is a
quadratic function of the sample index, and amplitudes follow a ramp. One compiled
kernel renders them in one pass. The gradients are explicit: another such sum for the
phase; for the amplitudes, sines times the upstream gradient, in blocks of harmonics,
summed over the samples of a frame.
"""

import functools
import math
from collections.abc import Callable, Iterator

import tensorflow as tf

from ddsp._core.chunks import map_rows
from ddsp._core.compilation import fused
from ddsp._core.phase import hop_weights
from ddsp._core.resampling import linear_ramp, to_next
from ddsp._core.sine import cosine, sine

_BLOCK_SIZE = 16
# Harmonics per kernel. Kernels are unrolled, so compile time grows with this number.
_GROUP_SIZE = 128


def harmonic_sum(
    start: tuple[tf.Tensor, tf.Tensor],
    f0_hz: tf.Tensor,
    amplitudes: tf.Tensor,
    ramp: tf.Tensor,
    sample_rate: float,
    silence_aliases: bool = True,
    steps: tuple[tf.Tensor, tf.Tensor] | None = None,
) -> tf.Tensor:
    """Sums harmonics with frame-rate controls.

    Args:
      start: Phase of the fundamental before each frame in cycles, as a coarse and a
        fine part of shape [batch, n_frames, 1], see `phase.frame_starts`.
      f0_hz: Fundamental frequency in Hz, linearly interpolated, shape
        [batch, n_frames, 1].
      amplitudes: Amplitudes of harmonics 1, 2, ..., interpolated along the ramp, shape
        [batch, n_frames, n_harmonics].
      ramp: Weight of the next frame's amplitudes at each sample, shape [hop_size].
      sample_rate: Samples per second.
      silence_aliases: Whether harmonics at or above Nyquist are silenced.
      steps: Differences of `f0_hz` and `amplitudes` to the next frames; None to hold
        the last frame.

    Returns:
      Audio, shape [batch, n_frames * hop_size].
    """
    n_frames, hop_size = f0_hz.shape[1], ramp.shape[0]
    f0_step, step = steps or (to_next(f0_hz), to_next(amplitudes))
    controls = (*start, f0_hz, f0_step, amplitudes, step)
    rows = (tf.reshape(x, [-1, x.shape[2]]) for x in controls)
    nyquist = sample_rate / 2.0 if silence_aliases else math.inf
    audio = _sum_frames(sample_rate, nyquist)(*rows, ramp)
    return tf.reshape(audio, [-1, n_frames * hop_size])


def _sum_frames(sample_rate: float, nyquist: float) -> Callable[..., tf.Tensor]:
    """Returns the function that renders rows of controls, with its gradient."""

    @tf.custom_gradient
    def render(
        coarse: tf.Tensor,
        fine: tf.Tensor,
        hz: tf.Tensor,
        hz_step: tf.Tensor,
        amplitude: tf.Tensor,
        step: tf.Tensor,
        ramp: tf.Tensor,
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor | None, ...]]]:
        n_harmonics, hop_size = amplitude.shape[1], ramp.shape[0]
        n_groups = -(-n_harmonics // _GROUP_SIZE)
        group_size = -(-n_harmonics // n_groups)

        def in_groups(
            kernel: Callable[..., tuple[tf.Tensor, ...]],
            values_per_sample: int,
            n_outputs: int,
            *rows: tf.Tensor,
        ) -> Iterator[list[tf.Tensor]]:
            """Yields the outputs of a kernel for each group of harmonics."""
            for first in range(0, n_harmonics, group_size):
                # A tensor, so that all groups run the same compiled kernel.
                settings = (ramp, sample_rate, nyquist, tf.constant(float(first)))
                group = (
                    _pad_to(x[:, first : first + group_size], group_size)
                    for x in (amplitude, step)
                )
                yield map_rows(
                    functools.partial(kernel, *settings),
                    (coarse, fine, hz, hz_step, *group, *rows),
                    values_per_sample * hop_size,
                    n_outputs,
                )

        def grad(upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
            d_phase = in_groups(_phase_gradient_kernel, 1, 3, upstream)
            # Sines and cosines of a block, and their products. So few rows fit into the
            # caches and into memory that is already allocated.
            n_values = 12 * _BLOCK_SIZE
            d_amplitudes = in_groups(_amplitude_gradient_kernel, n_values, 2, upstream)
            return (
                None,
                *(tf.add_n(groups) for groups in zip(*d_phase, strict=True)),
                *(
                    tf.concat(groups, axis=1)[:, :n_harmonics]
                    for groups in zip(*d_amplitudes, strict=True)
                ),
                None,
            )

        audio = tf.add_n([group for (group,) in in_groups(_sum_kernel, 1, 1)])
        return audio, grad

    return render


def _pad_to(x: tf.Tensor, size: int) -> tf.Tensor:
    missing = size - x.shape[1]
    return tf.pad(x, [[0, 0], [0, missing]]) if missing else x


class _Frames:
    """Phase and highest harmonic number of rows of frames."""

    def __init__(
        self,
        ramp: tf.Tensor,
        sample_rate: float,
        nyquist: float,
        coarse: tf.Tensor,
        fine: tf.Tensor,
        hz: tf.Tensor,
        hz_step: tf.Tensor,
    ) -> None:
        n, n_steps = hop_weights(ramp.shape[0])
        self._coarse = coarse
        self._within = fine + (hz * n + hz_step * n_steps) / sample_rate
        f0_hz = hz + hz_step * linear_ramp(ramp.shape[0])
        # At 0 Hz no harmonic aliases.
        self.limit = nyquist / tf.maximum(tf.abs(f0_hz), 1e-6)

    def cycles(self, harmonic: float | tf.Tensor) -> tf.Tensor:
        """Returns the phase of a harmonic, as precise as its sine.

        The coarse part has few digits, so its multiples are exact and can be wrapped
        before the fine part is added.
        """
        coarse = self._coarse * harmonic
        return coarse - tf.round(coarse) + self._within * harmonic


def _clenshaw(
    frames: _Frames,
    ramp: tf.Tensor,
    first: tf.Tensor,
    amplitude: tf.Tensor,
    step: tf.Tensor,
    weight: Callable[[tf.Tensor], float | tf.Tensor],
    combine: Callable[..., tf.Tensor],
) -> tf.Tensor:
    """Sums a group of harmonics, [n_rows, hop_size].

    Args:
      frames: Phase of the frames.
      ramp: Weight of the next frame's amplitudes at each sample, shape [hop_size].
      first: Number of harmonics before the group.
      amplitude: Amplitudes at the start of the frames, shape [n_rows, n_harmonics].
      step: Difference to the amplitudes of the next frames, same shape.
      weight: Returns the weight of the k-th harmonic.
      combine: Combines cosine and sine of the start angle of a block with the sums of
        cosines and sines in the block.
    """
    fundamental = frames.cycles(1.0)
    sine_1, cosine_1 = sine(fundamental), cosine(fundamental)
    total = 0.0
    n_harmonics = amplitude.shape[1]
    for start in range(0, n_harmonics, _BLOCK_SIZE):
        b1 = b2 = tf.zeros_like(fundamental)
        for k in range(min(start + _BLOCK_SIZE, n_harmonics), start, -1):
            number = first + float(k)
            a = amplitude[:, k - 1 : k] + step[:, k - 1 : k] * ramp
            a = tf.where(number < frames.limit, weight(number) * a, 0.0)
            b1, b2 = a + 2.0 * cosine_1 * b1 - b2, b1
        # b1 belongs to the first harmonic of the block, number 1 within the block.
        sines, cosines = b1 * sine_1, b1 * cosine_1 - b2
        angle = frames.cycles(first + float(start))
        total += combine(cosine(angle), sine(angle), cosines, sines)
    return total


@fused
def _sum_kernel(
    ramp: tf.Tensor,
    sample_rate: float,
    nyquist: float,
    first: tf.Tensor,
    *controls: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    *phase, amplitude, step = controls
    frames = _Frames(ramp, sample_rate, nyquist, *phase)
    audio = _clenshaw(
        frames,
        ramp,
        first,
        amplitude,
        step,
        lambda number: 1.0,
        lambda cosine, sine, cosines, sines: sine * cosines + cosine * sines,
    )
    return (audio,)


@fused
def _phase_gradient_kernel(
    ramp: tf.Tensor,
    sample_rate: float,
    nyquist: float,
    first: tf.Tensor,
    *controls: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    *phase, amplitude, step, upstream = controls
    frames = _Frames(ramp, sample_rate, nyquist, *phase)
    slope = _clenshaw(
        frames,
        ramp,
        first,
        amplitude,
        step,
        lambda number: number,
        lambda cosine, sine, cosines, sines: cosine * cosines - sine * sines,
    )
    n, n_steps = hop_weights(ramp.shape[0])
    weights = tf.stack([tf.ones_like(n), n / sample_rate, n_steps / sample_rate], 1)
    sums = tf.matmul(2.0 * math.pi * upstream * slope, weights)
    return tuple(tf.split(sums, 3, axis=1))


@fused
def _amplitude_gradient_kernel(
    ramp: tf.Tensor,
    sample_rate: float,
    nyquist: float,
    first: tf.Tensor,
    *controls: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    *phase, amplitude, _, upstream = controls
    frames = _Frames(ramp, sample_rate, nyquist, *phase)
    one = frames.cycles(1.0)
    numbers = tf.range(1, _BLOCK_SIZE + 1, dtype=tf.float32)[:, tf.newaxis]
    sines, cosines = (f(one[:, tf.newaxis] * numbers) for f in (sine, cosine))
    block_sine, block_cosine = (f(one * float(_BLOCK_SIZE)) for f in (sine, cosine))
    weights = tf.stack([tf.ones_like(ramp), ramp], axis=1)
    n_harmonics = amplitude.shape[1]
    n_blocks = -(-n_harmonics // _BLOCK_SIZE)
    limit = frames.limit[:, tf.newaxis]
    shape = [one.shape[0], _BLOCK_SIZE, 2]
    results = tf.TensorArray(tf.float32, n_blocks, element_shape=shape)

    def body(
        block: tf.Tensor, s: tf.Tensor, c: tf.Tensor, results: tf.TensorArray
    ) -> tuple[tf.Tensor | tf.TensorArray, ...]:
        # s and c: upstream times sine and cosine of the start angle of the block.
        number = first + numbers + tf.cast(block * _BLOCK_SIZE, tf.float32)
        waves = s[:, tf.newaxis] * cosines + c[:, tf.newaxis] * sines
        waves = tf.where(number < limit, waves, 0.0)
        results = results.write(block, tf.matmul(waves, weights))
        following = s * block_cosine + c * block_sine, c * block_cosine - s * block_sine
        return block + 1, *following, results

    angle = frames.cycles(first)
    *_, results = tf.while_loop(
        lambda block, *_: block < n_blocks,
        body,
        (0, upstream * sine(angle), upstream * cosine(angle), results),
        maximum_iterations=n_blocks,
    )
    by_row = tf.transpose(results.stack(), [1, 0, 2, 3])
    sums = tf.reshape(by_row, [-1, n_blocks * _BLOCK_SIZE, 2])[:, :n_harmonics]
    return sums[:, :, 0], sums[:, :, 1]
