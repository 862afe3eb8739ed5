"""Exact phase: running sums of frequency in fixed point, modulo one cycle.

A float32 running sum over samples drifts, audibly after seconds at high partials. Here
sums are 64-bit integers in units of at most 2**-24 Hz. A float32 frequency above 0.5 Hz
is an integer multiple of the unit, so nothing is rounded, and the result is independent
of the block size. Only the wrapped phase is converted back to float32.
"""

import math
from collections.abc import Callable

import tensorflow as tf

from ddsp._core.resampling import resample, whole_hop
from ddsp._core.tensors import tf_float32
from ddsp.types import ArrayLike

_ONE_HZ = 2**24
# A chunk of 1000 values of up to 100 cycles stays below 2**63.
_CYCLE_BITS = 40
_CHUNK_SIZE = 1000
# float32 must hold the product of a step and a harmonic number exactly.
_COARSE_STEPS = 2**12
# Up to this number of frames, sums are unrolled, for runtimes without a running sum.
_UNROLLED = 8


def _fixed(x: tf.Tensor, one: int) -> tf.Tensor:
    """Converts float32 `x` to an integer number of `1 / one`."""
    return tf.cast(tf.round(x * float(one)), tf.int64)


def wrapped_cumsum(
    x: ArrayLike, cycle: float, chunk_size: int = _CHUNK_SIZE
) -> tf.Tensor:
    """Computes the exact running sum along axis 1, modulo `cycle`.

    Args:
      x: Increments, shape [batch, n, ...], at most 100 cycles in magnitude.
      cycle: Period of the sum, such as the sample rate for frequencies in Hz.
      chunk_size: Samples summed before the sum is wrapped, at most 1000.

    Returns:
      Sums in [0, cycle], float32, in the shape of `x`. The gradient is that of the
      running sum.
    """
    x = tf_float32(x)

    @tf.custom_gradient
    def forward(
        x: tf.Tensor,
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def grad(upstream: tf.Tensor) -> tf.Tensor:
            return tf.cumsum(upstream, axis=1, reverse=True)

        # Finer units for short cycles, such as 2 pi.
        one = 2 ** max(24, _CYCLE_BITS - math.ceil(math.log2(cycle)))
        wrap = round(cycle * one)
        sums = _fixed_cumsum(_fixed(x, one), wrap, min(chunk_size, _CHUNK_SIZE))
        return _to_float(sums, wrap, cycle) + _nan_unless_finite(x), grad

    return forward(x)


def _nan_unless_finite(x: tf.Tensor) -> tf.Tensor:
    """Returns 0 for rows of finite values and NaN for others, [batch, 1, ...]."""
    finite = tf.reduce_all(tf.abs(x) < math.inf, axis=1, keepdims=True)
    return tf.where(finite, 0.0, math.nan)


def _fixed_cumsum(x: tf.Tensor, wrap: int, chunk_size: int) -> tf.Tensor:
    """Computes the running sum of integers modulo `wrap`, without overflow."""
    chunks, restore = _chunks(x, chunk_size)
    within = tf.cumsum(chunks, axis=2)
    total = _wrapped(within[:, :, -1:], wrap)
    before = _wrapped(tf.cumsum(total, axis=1, exclusive=True), wrap)
    return _wrapped(restore(within + before), wrap)


def _chunks(
    x: tf.Tensor, chunk_size: int
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Splits axis 1 into chunks; also returns the function that joins them."""
    shape = tf.shape(x)
    n = shape[1]
    n_chunks = -(-n // chunk_size)
    missing = n_chunks * chunk_size - n
    paddings = tf.pad(missing[tf.newaxis, tf.newaxis], [[1, x.shape.rank - 2], [1, 0]])
    padded = tf.pad(x, paddings)
    split = tf.concat([[shape[0], n_chunks, chunk_size], shape[2:]], axis=0)
    chunks = tf.reshape(padded, split)
    joined = tf.concat([[shape[0], n_chunks * chunk_size], shape[2:]], axis=0)

    def restore(y: tf.Tensor) -> tf.Tensor:
        y = tf.reshape(y, joined)[:, :n]
        return tf.ensure_shape(y, x.shape)

    return chunks, restore


def _to_float(fixed: tf.Tensor, wrap: int, cycle: float) -> tf.Tensor:
    return tf.cast(fixed, tf.float32) / float(wrap) * cycle


def interpolated_phase(
    f0_hz: ArrayLike,
    n_samples: int | tf.Tensor,
    sample_rate: float,
    inclusive: bool = True,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes the running phase of a linearly interpolated frequency.

    Args:
      f0_hz: Frequency in Hz, shape [batch, n_frames, channels]. The last frame is held
        to the end.
      n_samples: Length of the output.
      sample_rate: Samples per second.
      inclusive: Whether the sum at a sample includes that sample. Without it an
        oscillator starts at phase 0.

    Returns:
      Phase at each sample in cycles, within a few cycles of 0, shape
      [batch, n_samples, channels]; and phase after the last sample in [0, 1], shape
      [batch, 1, channels]. Both have the gradient of the running sum.
    """
    f0_hz = tf_float32(f0_hz)
    if whole_hop(f0_hz, n_samples):
        hop_size = n_samples // f0_hz.shape[1]
        return _frame_phase(f0_hz, hop_size, sample_rate, inclusive)
    envelope = resample(f0_hz, n_samples)
    hz_sum = wrapped_cumsum(envelope, float(sample_rate))
    cycles = (hz_sum if inclusive else hz_sum - envelope) / float(sample_rate)
    return cycles, hz_sum[:, -1:] / float(sample_rate)


def _frame_phase(
    f0_hz: tf.Tensor, hop_size: int, sample_rate: float, inclusive: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes phase from frames of `hop_size` samples, exact at each frame start."""
    coarse, fine, end = frame_starts(f0_hz, hop_size, sample_rate)
    following = tf.concat([f0_hz[:, 1:], f0_hz[:, -1:]], axis=1)
    start = coarse + fine
    return phase_in_hops(start, f0_hz, following, hop_size, sample_rate, inclusive), end


def phase_in_hops(
    start: tf.Tensor,
    f0_hz: tf.Tensor,
    following_hz: tf.Tensor,
    hop_size: int | tf.Tensor,
    sample_rate: float,
    inclusive: bool = True,
) -> tf.Tensor:
    """Computes the phase at each sample of hops with linear frequency.

    Args:
      start: Phase before each hop in cycles, shape [batch, n_frames, channels].
      f0_hz: Frequency at the start of each hop in Hz, same shape.
      following_hz: Frequency of the next frame in Hz, same shape.
      hop_size: Samples per hop.
      sample_rate: Samples per second.
      inclusive: Whether the sum at a sample includes that sample.

    Returns:
      Phase in cycles, shape [batch, n_frames * hop_size, channels].
    """
    n, n_steps = (w[:, tf.newaxis] for w in hop_weights(hop_size, inclusive))
    slope = (following_hz - f0_hz)[:, :, tf.newaxis] * n_steps
    within = (f0_hz[:, :, tf.newaxis] * n + slope) / sample_rate
    cycles = start[:, :, tf.newaxis] + within
    shape = tf.shape(cycles)
    n_frames, hop_static = cycles.shape[1:3]
    cycles = tf.reshape(cycles, [shape[0], shape[1] * shape[2], shape[3]])
    if n_frames is not None and hop_static is not None:
        cycles = tf.ensure_shape(cycles, [None, n_frames * hop_static, None])
    return cycles


def hop_weights(
    hop_size: int | tf.Tensor, inclusive: bool = True
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the weights of frequencies in the running sum over a hop.

    Between frames k and k + 1 the frequency is linear, so the sum over the first n
    samples of the hop is n f_k + n (n - 1) / (2 hop) (f_k+1 - f_k).

    Args:
      hop_size: Samples per hop.
      inclusive: Whether the sum at a sample includes that sample.

    Returns:
      Weights of the frequency at the start of the hop, and of its difference to the
      next frame, both of shape [hop_size].
    """
    n = tf.range(hop_size, dtype=tf.float32) + float(inclusive)
    return n, n * (n - 1.0) / (2.0 * tf.cast(hop_size, tf.float32))


def frame_starts(
    f0_hz: tf.Tensor, hop_size: int | tf.Tensor, sample_rate: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Computes the phase at frame starts with more precision than one float32.

    The sum over a hop is ((hop + 1) f_k + (hop - 1) f_k+1) / 2.

    Args:
      f0_hz: Frequency in Hz, shape [batch, n_frames, channels]. The last frame is held
        to the end.
      hop_size: Samples per frame.
      sample_rate: Samples per second.

    Returns:
      Phase before each frame in cycles, as the sum of a coarse part (a multiple of
      1 / 4096 in [-0.5, 0.5)) and a fine part in [0, 1 / 4096]; and the phase after
      the last sample in [0, 1], shape [batch, 1, channels]. The fine part carries the
      gradient.
    """

    @tf.custom_gradient
    def forward(
        f0_hz: tf.Tensor,
    ) -> tuple[tuple[tf.Tensor, tf.Tensor, tf.Tensor], Callable[..., tf.Tensor]]:
        hop = tf.cast(hop_size, tf.int64)

        def grad(_: tf.Tensor, d_start: tf.Tensor, d_end: tf.Tensor) -> tf.Tensor:
            # d_sum[k]: all later starts, and the end, include the sum of hop k.
            d_sum = tf.cumsum(d_start, axis=1, reverse=True, exclusive=True) + d_end
            d_sum /= 2.0 * sample_rate
            h = tf.cast(hop_size, tf.float32)
            d_following = (h - 1.0) * d_sum
            shifted = tf.concat(
                [tf.zeros_like(d_following[:, :1]), d_following[:, :-1]], axis=1
            )
            last = tf.concat(
                [tf.zeros_like(d_following[:, :-1]), d_following[:, -1:]], axis=1
            )
            return (h + 1.0) * d_sum + shifted + last

        fixed = _fixed(f0_hz, _ONE_HZ)
        following = tf.concat([fixed[:, 1:], fixed[:, -1:]], axis=1)
        wrap = _twice_a_cycle(sample_rate)
        sums = _wrapped(_twice_hop_sum(fixed, following, hop), wrap)
        cumulative = _fixed_cumsum(sums, wrap, _CHUNK_SIZE)
        before = tf.pad(cumulative[:, :-1], [[0, 0], [1, 0], [0, 0]])
        coarse, fine = _coarse_and_fine(before, wrap)
        nan = _nan_unless_finite(f0_hz)
        end = _to_float(cumulative[:, -1:], wrap, 1.0)
        return (coarse, fine + nan, end + nan), grad

    return forward(f0_hz)


def next_frame_starts(
    accumulated: tf.Tensor,
    f0_hz: tf.Tensor,
    following_hz: tf.Tensor,
    counted: tf.Tensor,
    hop_size: int,
    sample_rate: float,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Computes `frame_starts` of a block, from the end of the previous block.

    Args:
      accumulated: Phase after the previous block as returned by this function, int64,
        shape [batch, 1, channels]; zeros at the start of a stream.
      f0_hz: Frequency in Hz, shape [batch, n_frames, channels].
      following_hz: Frequency of the next frame in Hz, same shape.
      counted: Whether a frame is part of the output (not of the pre-roll) and advances
        the phase, bool, shape [n_frames, 1].
      hop_size: Samples per frame.
      sample_rate: Samples per second.

    Returns:
      Coarse and fine phase before each frame, see `frame_starts`; and the phase after
      the last frame, for the next call.
    """
    wrap = _twice_a_cycle(sample_rate)
    twice = _twice_hop_sum(
        _fixed(f0_hz, _ONE_HZ), _fixed(following_hz, _ONE_HZ), hop_size
    )
    sums = tf.where(counted, _wrapped(twice, wrap), tf.zeros_like(twice))
    ends = _sum_from(accumulated, sums, wrap)
    starts = tf.concat([accumulated, ends[:, :-1]], axis=1)
    return *_coarse_and_fine(starts, wrap), ends[:, -1:]


def _sum_from(phase: tf.Tensor, sums: tf.Tensor, wrap: tf.Tensor) -> tf.Tensor:
    """Computes the running sum along axis 1 from an initial phase, modulo `wrap`."""
    n_frames = sums.shape[1]
    if n_frames > _UNROLLED:
        running = _fixed_cumsum(sums, wrap, _CHUNK_SIZE)
        return _wrapped(phase + running, wrap)
    ends = []
    for frame in range(n_frames):
        phase = _wrapped(phase + sums[:, frame : frame + 1], wrap)
        ends.append(phase)
    return tf.concat(ends, axis=1)


def _twice_a_cycle(sample_rate: float) -> int:
    """Returns the period of twice the sum of a frequency in fixed point."""
    return round(2 * sample_rate * _ONE_HZ)


def _wrapped(x: tf.Tensor, wrap: int) -> tf.Tensor:
    return tf.math.floormod(x, tf.constant(wrap, tf.int64))


def _twice_hop_sum(
    f0_hz: tf.Tensor, following: tf.Tensor, hop_size: int | tf.Tensor
) -> tf.Tensor:
    """Computes twice the sum of a frequency over a hop: an integer in fixed point."""
    return (hop_size + 1) * f0_hz + (hop_size - 1) * following


def _coarse_and_fine(phase: tf.Tensor, wrap: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Splits a phase in fixed point into two floats, see `frame_starts`."""
    step = wrap // _COARSE_STEPS
    rest = _wrapped(phase, step)
    # An integer, apart from the rounding of a cast.
    steps = tf.round(tf.cast(phase - rest, tf.float32) / float(step))
    # Values around 0 have twice the precision of values up to 1.
    steps = tf.where(steps >= _COARSE_STEPS // 2, steps - _COARSE_STEPS, steps)
    return steps / float(_COARSE_STEPS), _to_float(rest, step, 1.0 / _COARSE_STEPS)


def radians(cycles: tf.Tensor) -> tf.Tensor:
    """Converts cycles to radians in [-pi, pi], where the sine is most precise."""
    return 2.0 * math.pi * (cycles - tf.round(cycles))
