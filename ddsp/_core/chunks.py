"""Running a kernel over a long first axis in chunks of rows.

The memory of a kernel is then independent of the number of rows, and a compiled kernel
sees the same shape for any number of rows.
"""

from collections.abc import Callable

import tensorflow as tf

# Float32 values that a kernel holds at a time: 8 MB stay close to the caches.
_N_VALUES = 2**21


def map_rows(
    kernel: Callable[..., tuple[tf.Tensor, ...]],
    rows: tuple[tf.Tensor, ...],
    values_per_row: int,
    n_outputs: int,
) -> list[tf.Tensor]:
    """Applies a kernel to chunks of rows and joins the outputs.

    Args:
      kernel: Function from equal numbers of rows of each tensor to float32 tensors with
        as many rows. It must accept rows of zeros, which fill the last chunk.
      rows: Float32 tensors [n_rows, ...] with known other axes.
      values_per_row: Number of values that the kernel holds per row.
      n_outputs: Number of tensors that the kernel returns.

    Returns:
      The `n_outputs` tensors, each with `n_rows` rows.
    """
    n_rows = rows[0].shape[0]
    # A power of 2 limits the number of compiled shapes.
    size = 2 ** (max(_N_VALUES // values_per_row, 1).bit_length() - 1)
    if n_rows is not None and n_rows <= size:
        if not tf.executing_eagerly():
            return list(kernel(*rows))
        # Eager calls with many lengths share a few shapes, so kernels are not compiled
        # for each length.
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
    """Rounds up to one of eight sizes between successive powers of 2."""
    step = 2 ** max(n_rows.bit_length() - 4, 0)
    return -(-n_rows // step) * step


def _pad_rows(x: tf.Tensor, missing: int | tf.Tensor) -> tf.Tensor:
    return tf.pad(x, [[0, missing], *[[0, 0]] * (x.shape.rank - 1)])
