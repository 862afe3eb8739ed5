"""Exact phase: running sums of frequency in fixed point, modulo one cycle.

A float32 running sum over samples drifts: audibly after seconds at high partials.
Here sums are 64-bit integers in units of at most 2**-24 Hz. A float32 frequency
above 0.5 Hz is a whole number of those, so nothing is rounded, and the result does not
depend on how a signal is cut into blocks. Only the wrapped phase goes back to float32.
"""

import math
from typing import Any

import tensorflow as tf

from ddsp._core.resampling import resample, whole_hop
from ddsp._core.tensors import tf_float32

_ONE_HZ = 2**24
# A chunk of 1000 values of up to 100 cycles stays below 2**63.
_CYCLE_BITS = 40
_CHUNK_SIZE = 1000
# Few enough that a float32 holds these steps times the number of any harmonic.
_COARSE_STEPS = 2**12
# Up to as many frames are summed one by one, for runtimes without a running sum.
_UNROLLED = 8


def _fixed(x: tf.Tensor, one: int) -> tf.Tensor:
    """Returns float32 `x` as a whole number of `1 / one`."""
    return tf.cast(tf.round(x * float(one)), tf.int64)


def wrapped_cumsum(x: Any, cycle: float, chunk_size: int = _CHUNK_SIZE) -> tf.Tensor:
    """Running sum along axis 1, modulo `cycle`, exact for any length.

    Args:
      x: [batch, n, ...], float32; at most 100 cycles in magnitude.
      cycle: Where the sum wraps to 0, such as the sample rate for frequencies in Hz.
      chunk_size: Samples summed at a time, at most 1000.

    Returns:
      The shape of `x`, float32, in [0, cycle]. The gradient is that of the plain
      running sum.
    """
    x = tf_float32(x)

    @tf.custom_gradient
    def forward(x):
        def grad(upstream):
            return tf.cumsum(upstream, axis=1, reverse=True)

        # Finer for short cycles: radians need it.
        one = 2 ** max(24, _CYCLE_BITS - math.ceil(math.log2(cycle)))
        wrap = round(cycle * one)
        sums = _fixed_cumsum(_fixed(x, one), wrap, min(chunk_size, _CHUNK_SIZE))
        return _to_float(sums, wrap, cycle) + _nan_unless_finite(x), grad

    return forward(x)


def _nan_unless_finite(x: tf.Tensor) -> tf.Tensor:
    """Zero for rows of finite values, else NaN: [batch, 1, ...]. Integers have none."""
    finite = tf.reduce_all(tf.abs(x) < math.inf, axis=1, keepdims=True)
    return tf.where(finite, 0.0, math.nan)


def _fixed_cumsum(x: tf.Tensor, wrap: int, chunk_size: int) -> tf.Tensor:
    """Running sum of integers along axis 1, modulo `wrap`, that does not overflow."""
    chunks, restore = _chunks(x, chunk_size)
    within = tf.cumsum(chunks, axis=2)
    total = _wrapped(within[:, :, -1:], wrap)
    before = _wrapped(tf.cumsum(total, axis=1, exclusive=True), wrap)
    return _wrapped(restore(within + before), wrap)


def _chunks(x: tf.Tensor, chunk_size: int):
    """Cuts axis 1 into chunks; also returns the function that joins them again."""
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
    f0_hz: Any, n_samples: Any, sample_rate: float, inclusive: bool = True
) -> tuple[tf.Tensor, tf.Tensor]:
    """Running phase of a frequency given at frames, linearly interpolated.

    Args:
      f0_hz: [batch, n_frames, channels], Hz; the last frame is held to the end.
      n_samples: Length of the result.
      sample_rate: Samples per second.
      inclusive: Whether the sum at a sample contains that sample; otherwise it ends
        before, as for an oscillator that starts at phase 0.

    Returns:
      `cycles` [batch, n_samples, channels]: the phase at every sample, in cycles,
      within some cycles of 0. And `final_cycles` [batch, 1, channels] in [0, 1]: the
      phase after the last sample. Both have the gradient of the running sum.
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
    """Phase from frames of `hop_size` samples, exact at every frame's start."""
    coarse, fine, end = frame_starts(f0_hz, hop_size, sample_rate)
    following = tf.concat([f0_hz[:, 1:], f0_hz[:, -1:]], axis=1)
    start = coarse + fine
    return phase_in_hops(start, f0_hz, following, hop_size, sample_rate, inclusive), end


def phase_in_hops(
    start: tf.Tensor,
    f0_hz: tf.Tensor,
    following_hz: tf.Tensor,
    hop_size: Any,
    sample_rate: float,
    inclusive: bool = True,
) -> tf.Tensor:
    """Phase at every sample of hops whose frequency moves along lines.

    Args:
      start: [batch, n_frames, channels], cycles before each hop.
      f0_hz: [batch, n_frames, channels], Hz, at the start of each hop.
      following_hz: The same, of the frame after each.
      hop_size: Samples of a hop.
      sample_rate: Samples per second.
      inclusive: Whether the sum at a sample contains that sample.

    Returns:
      [batch, n_frames * hop_size, channels], cycles.
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


def hop_weights(hop_size: Any, inclusive: bool = True) -> tuple[tf.Tensor, tf.Tensor]:
    """How much of a hop's frequency is in the running sum at each of its samples.

    Between frames k and k + 1 the frequency moves along a line, so over the first n
    samples of the hop the sum is n f_k + n (n - 1) / (2 hop) (f_k+1 - f_k).

    Args:
      hop_size: Samples of a hop.
      inclusive: Whether the sum at a sample contains that sample.

    Returns:
      Weights of the frequency at the start of the hop and of its step to the next,
      both [hop_size].
    """
    n = tf.range(hop_size, dtype=tf.float32) + float(inclusive)
    return n, n * (n - 1.0) / (2.0 * tf.cast(hop_size, tf.float32))


def frame_starts(
    f0_hz: tf.Tensor, hop_size: Any, sample_rate: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Running phase where frames start, with more digits than one float32 holds.

    The sum over a hop is ((hop + 1) f_k + (hop - 1) f_k+1) / 2.

    Args:
      f0_hz: [batch, n_frames, channels], Hz; the last frame is held to the end.
      hop_size: Samples of a frame.
      sample_rate: Samples per second.

    Returns:
      Phase before each frame in cycles, as the sum of a coarse part, a multiple of
      1 / 4096 in [-0.5, 0.5), and a fine one in [0, 1 / 4096]; and the phase after
      the last sample, [batch, 1, channels] in [0, 1]. The gradient goes through the
      fine part.
    """

    @tf.custom_gradient
    def forward(f0_hz):
        hop = tf.cast(hop_size, tf.int64)

        def grad(_, d_start, d_end):
            # d_sum[k]: every later start, and the end, contain the sum of hop k.
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
    """`frame_starts` of a stream: from where the frames before have ended.

    Args:
      accumulated: int64 [batch, 1, channels], what this function returned for the
        frames before; zeros at the start.
      f0_hz: [batch, n_frames, channels], Hz.
      following_hz: The same, of the frame after each.
      counted: bool [n_frames, 1], whether a frame has begun to sound: the others do
        not move the phase.
      hop_size: Samples of a frame.
      sample_rate: Samples per second.

    Returns:
      Coarse and fine phase before each frame in cycles, as from `frame_starts`; and
      the phase after the last of them, to be given to the next call.
    """
    wrap = _twice_a_cycle(sample_rate)
    twice = _twice_hop_sum(
        _fixed(f0_hz, _ONE_HZ), _fixed(following_hz, _ONE_HZ), hop_size
    )
    sums = tf.where(counted, _wrapped(twice, wrap), tf.zeros_like(twice))
    ends = _carry_on(accumulated, sums, wrap)
    starts = tf.concat([accumulated, ends[:, :-1]], axis=1)
    return *_coarse_and_fine(starts, wrap), ends[:, -1:]


def _carry_on(phase: tf.Tensor, sums: tf.Tensor, wrap: tf.Tensor) -> tf.Tensor:
    """Running sum along axis 1 from a phase on, modulo `wrap`."""
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
    """Where twice the sum of a frequency in fixed point wraps to 0."""
    return round(2 * sample_rate * _ONE_HZ)


def _wrapped(x: tf.Tensor, wrap: int) -> tf.Tensor:
    return tf.math.floormod(x, tf.constant(wrap, tf.int64))


def _twice_hop_sum(f0_hz: tf.Tensor, following: tf.Tensor, hop_size: Any) -> tf.Tensor:
    """Twice the sum of a frequency in fixed point over a hop, so that it is whole."""
    return (hop_size + 1) * f0_hz + (hop_size - 1) * following


def _coarse_and_fine(phase: tf.Tensor, wrap: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Splits a phase in fixed point into two floats, see `frame_starts`."""
    step = wrap // _COARSE_STEPS
    rest = _wrapped(phase, step)
    # A whole number, but for the rounding of a cast.
    steps = tf.round(tf.cast(phase - rest, tf.float32) / float(step))
    # Around 0 the sum is twice as fine as up to 1.
    steps = tf.where(steps >= _COARSE_STEPS // 2, steps - _COARSE_STEPS, steps)
    return steps / float(_COARSE_STEPS), _to_float(rest, step, 1.0 / _COARSE_STEPS)


def radians(cycles: tf.Tensor) -> tf.Tensor:
    """Converts cycles to radians in [-pi, pi], where sine is most precise."""
    return 2.0 * math.pi * (cycles - tf.round(cycles))
