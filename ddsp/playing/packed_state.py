"""The state of a stream, packed into few variables.

Each variable that a compiled function reads and writes costs about 10 us per call,
which is much of the 4 ms of a block. Small tensors therefore share one row of bits.
"""

from typing import Any

import tensorflow as tf

# Larger tensors have a variable each, so that they are not copied needlessly.
_LARGEST_PACKED = 4096


class PackedState:
    """A nest of tensors that compiled functions read and write.

    Attributes:
      start: The initial nest.

    Example:

    >>> from ddsp.playing.packed_state import PackedState
    >>> state = PackedState({"phase": tf.zeros([2]), "step": tf.constant(3)})
    >>> state.write({"phase": tf.ones([2]), "step": tf.constant(4)})
    >>> state.read()["phase"].numpy()
    array([1., 1.], dtype=float32)
    """

    def __init__(self, start: Any):
        """Initializes the variables.

        Args:
          start: A nest of tensors of 32 or 64 bits. Empty tensors are constant.

        Raises:
          ValueError: If a tensor has another element size.
        """
        self.start = tf.nest.map_structure(tf.convert_to_tensor, start)
        self._flat = tf.nest.flatten(self.start)
        sizes = {i: x.shape.num_elements() for i, x in enumerate(self._flat)}
        self._packed = [i for i, size in sizes.items() if 0 < size <= _LARGEST_PACKED]
        for i in self._packed:
            if self._flat[i].dtype.size not in (4, 8):
                raise ValueError(
                    "Elements of the state must have 32 or 64 bits, got "
                    f"{self._flat[i].dtype.name}."
                )
        self._row = tf.Variable(self._pack(self._flat), trainable=False)
        self._large = {
            i: tf.Variable(self._flat[i], trainable=False)
            for i, size in sizes.items()
            if size > _LARGEST_PACKED
        }

    def read(self) -> Any:
        """Returns the current nest."""
        flat = list(self._flat)
        bits = tf.convert_to_tensor(self._row)
        first = 0
        for i in self._packed:
            x = self._flat[i]
            n_words = x.dtype.size // 4
            last = first + x.shape.num_elements() * n_words
            words = tf.reshape(bits[first:last], [-1, 2] if n_words == 2 else [-1])
            flat[i] = tf.reshape(tf.bitcast(words, x.dtype), x.shape)
            first = last
        for i, variable in self._large.items():
            flat[i] = tf.convert_to_tensor(variable)
        return tf.nest.pack_sequence_as(self.start, flat)

    def write(self, new: Any, read: Any = None) -> None:
        """Stores a nest.

        Args:
          new: A nest with the structure and shapes of `start`.
          read: The nest that `read` returned; unchanged tensors are not written.
        """
        flat = tf.nest.flatten(new)
        old = [None] * len(flat) if read is None else tf.nest.flatten(read)
        self._row.assign(self._pack(flat))
        for i, variable in self._large.items():
            if flat[i] is not old[i]:
                variable.assign(flat[i])

    def _pack(self, flat: list[Any]) -> tf.Tensor:
        rows = [
            tf.reshape(tf.bitcast(tf.convert_to_tensor(flat[i]), tf.int32), [-1])
            for i in self._packed
        ]
        return tf.concat(rows, axis=0) if rows else tf.zeros([0], tf.int32)
