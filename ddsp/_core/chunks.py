"""Running a kernel over a long first axis, so many rows at a time.

The memory a kernel needs then does not grow with the length of a call, and a compiled
kernel meets one shape whatever that length is.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# What a kernel holds at a time, in float32 values: 8 MB stay near the caches.
_N_VALUES = 2**21


def map_rows(
    kernel: Callable[..., tuple[tf.Tensor, ...]],
    rows: tuple[tf.Tensor, ...],
    values_per_row: int,
    n_outputs: int,
) -> list[tf.Tensor]:
    """Applies a kernel to chunks of rows and joins what it returns.

    Args:
      kernel: Takes as many rows of each tensor; returns float32 tensors with as many
        rows. Rows of zeros, which fill the last chunk, must not harm it.
      rows: float32 tensors [n_rows, ...], whose other axes are known.
      values_per_row: How many values the kernel holds for a row.
      n_outputs: How many tensors the kernel returns.

    Returns:
      The `n_outputs` tensors, each with `n_rows` rows.
    """
    n_rows = rows[0].shape[0]
    # A power of 2, so that few shapes are compiled.
    size = 2 ** (max(_N_VALUES // values_per_row, 1).bit_length() - 1)
    if n_rows is not None and n_rows <= size:
        if not tf.executing_eagerly():
            return list(kernel(*rows))
        # Called again and again, with another length each time, a kernel would be
        # compiled each time.
        padded = (_pad_rows(x, _rounded_up(n_rows) - n_rows) for x in rows)
        return [x[:n_rows] for x in kernel(*padded)]
    if n_rows is None:
        n_rows = tf.shape(rows[0])[0]
    n_chunks = -(-n_rows // size)

    def split(x: tf.Tensor) -> tf.Tensor:
        padded = _pad_rows(x, n_chunks * size - n_rows)
        return tf.reshape(padded, [n_chunks, size, *x.shape[1:]])

    chunks = tf.map_fn(
        lambda chunk: kernel(*chunk),
        tuple(split(x) for x in rows),
        fn_output_signature=(tf.float32,) * n_outputs,
    )
    return [tf.reshape(x, [n_chunks * size, *x.shape[2:]])[:n_rows] for x in chunks]


def _rounded_up(n_rows: int) -> int:
    """The next number of which there are eight between two powers of 2."""
    step = 2 ** max(n_rows.bit_length() - 4, 0)
    return -(-n_rows // step) * step


def _pad_rows(x: tf.Tensor, missing: Any) -> tf.Tensor:
    return tf.pad(x, [[0, missing], *[[0, 0]] * (x.shape.rank - 1)])
