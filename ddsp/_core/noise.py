"""White noise from a counter: each sample depends on where it stands, nothing else.

A generator with a running state would give other samples when a signal is cut into
other blocks. A hash of (seed, row, position) does not (Salmon et al., "Parallel
Random Numbers: As Easy as 1, 2, 3", 2011).
"""

from typing import Any

import numpy as np
import tensorflow as tf

from ddsp._core.compilation import fused

_ROW_STEP = 0x9E3779B9
_SECOND_KEY = 0x85EBCA6B


def _mix(x: tf.Tensor) -> tf.Tensor:
    """Spreads every input bit over all 32 output bits, reversibly.

    The finaliser of MurmurHash3 (Appleby, public domain).
    """
    x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, np.uint32(16)))
    x *= np.uint32(0x85EBCA6B)
    x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, np.uint32(13)))
    x *= np.uint32(0xC2B2AE35)
    return tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, np.uint32(16)))


def uniform_noise(
    batch_size: Any, n_samples: Any, seed: Any = None, start: Any = 0
) -> tf.Tensor:
    """White noise, uniform in [-1, 1).

    Args:
      batch_size: Number of rows, each with noise of its own.
      n_samples: Length of the result.
      seed: A whole number below 2**31; None draws one for this call from
        TensorFlow's global generator.
      start: Position of the first sample in a longer stream.

    Returns:
      [batch_size, n_samples].
    """
    if seed is None:
        seed = draw_seed()
    key = _mix(tf.cast(seed, tf.uint32) + np.uint32(_ROW_STEP))
    rows = tf.cast(tf.range(batch_size), tf.uint32)
    positions = tf.cast(start, tf.uint32) + tf.cast(tf.range(n_samples), tf.uint32)
    return _noise_at(key, rows, positions)


def draw_seed() -> tf.Tensor:
    """A seed from TensorFlow's global generator, an int32 scalar."""
    return tf.random.uniform([], maxval=2**31 - 1, dtype=tf.int32)


@fused
def _noise_at(key: tf.Tensor, rows: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    """The samples at `positions` of `rows`, [n_rows, n_positions]."""
    rows = _mix(key + rows * np.uint32(_ROW_STEP))
    bits = _mix(positions[tf.newaxis] * np.uint32(_ROW_STEP) + rows[:, tf.newaxis])
    bits = _mix(tf.bitwise.bitwise_xor(bits, key + np.uint32(_SECOND_KEY)))
    # 24 bits are what float32 holds exactly.
    top = tf.cast(tf.bitwise.right_shift(bits, np.uint32(8)), tf.int32)
    return tf.cast(top, tf.float32) * 2.0**-23 - 1.0
