"""White noise from a counter: each sample depends on its position alone.

The samples of a generator with a running state would change with the block size of a
stream. A hash of (seed, row, position) is independent of it (Salmon et al., "Parallel
Random Numbers: As Easy as 1, 2, 3", 2011).
"""

import numpy as np
import tensorflow as tf

from ddsp._core.compilation import fused

_ROW_STEP = 0x9E3779B9
_SECOND_KEY = 0x85EBCA6B


def _mix(x: tf.Tensor) -> tf.Tensor:
    """Spreads every input bit over all 32 output bits, reversibly.

    The finalizer of MurmurHash3 (Appleby, public domain).
    """
    x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, np.uint32(16)))
    x *= np.uint32(0x85EBCA6B)
    x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, np.uint32(13)))
    x *= np.uint32(0xC2B2AE35)
    return tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, np.uint32(16)))


def uniform_noise(
    batch_size: int | tf.Tensor,
    n_samples: int | tf.Tensor,
    seed: int | tf.Tensor | None = None,
    start: int | tf.Tensor = 0,
) -> tf.Tensor:
    """Generates white noise, uniform in [-1, 1).

    Args:
      batch_size: Number of rows, each with its own noise.
      n_samples: Length of the output.
      seed: Integer below 2**31; None draws a new one from TensorFlow's global
        generator in each call.
      start: Position of the first sample in a stream.

    Returns:
      Noise, shape [batch_size, n_samples].

    Example:

    >>> noise = ddsp.core.uniform_noise(2, 1000, seed=0)
    >>> second_block = ddsp.core.uniform_noise(2, 500, seed=0, start=500)
    >>> np.array_equal(noise[:, 500:], second_block)
    True
    """
    if seed is None:
        seed = draw_seed()
    key = _mix(tf.cast(seed, tf.uint32) + np.uint32(_ROW_STEP))
    rows = tf.cast(tf.range(batch_size), tf.uint32)
    positions = tf.cast(start, tf.uint32) + tf.cast(tf.range(n_samples), tf.uint32)
    return _noise_at(key, rows, positions)


def draw_seed() -> tf.Tensor:
    """Draws a seed from TensorFlow's global generator, an int32 scalar."""
    return tf.random.uniform([], maxval=2**31 - 1, dtype=tf.int32)


@fused
def _noise_at(key: tf.Tensor, rows: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    """Returns the samples at `positions` of `rows`, [n_rows, n_positions]."""
    rows = _mix(key + rows * np.uint32(_ROW_STEP))
    bits = _mix(positions[tf.newaxis] * np.uint32(_ROW_STEP) + rows[:, tf.newaxis])
    bits = _mix(tf.bitwise.bitwise_xor(bits, key + np.uint32(_SECOND_KEY)))
    # float32 holds 24 bits exactly.
    top = tf.cast(tf.bitwise.right_shift(bits, np.uint32(8)), tf.int32)
    return tf.cast(top, tf.float32) * 2.0**-23 - 1.0
