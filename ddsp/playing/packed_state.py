"""The state of a stream, kept in few variables.

A call of a compiled function costs about 10 us for each variable that it reads and
writes, which is much where a block has 4 ms. What is small is therefore kept as one
row of bits.
"""

from typing import Any

import tensorflow as tf

# Larger tensors have a variable of their own: they should not be moved needlessly.
_LARGEST_PACKED = 4096


class PackedState:
    """A nest of tensors that is read, changed and written inside a compiled function.

    Attributes:
      start: The nest that it began with.
    """

    def __init__(self, start: Any):
        """Initializer.

        Args:
          start: A nest of tensors of 32 or 64 bits. What is empty stays as it is.

        Raises:
          ValueError: If the values of a tensor have another size.
        """
        self.start = tf.nest.map_structure(tf.convert_to_tensor, start)
        self._flat = tf.nest.flatten(self.start)
        sizes = {i: x.shape.num_elements() for i, x in enumerate(self._flat)}
        self._packed = [i for i, size in sizes.items() if 0 < size <= _LARGEST_PACKED]
        for i in self._packed:
            if self._flat[i].dtype.size not in (4, 8):
                raise ValueError(
                    "State must be of 32 or 64 bits a value, got "
                    f"{self._flat[i].dtype.name}."
                )
        self._row = tf.Variable(self._pack(self._flat), trainable=False)
        self._large = {
            i: tf.Variable(self._flat[i], trainable=False)
            for i, size in sizes.items()
            if size > _LARGEST_PACKED
        }

    def read(self) -> Any:
        """The nest as it is now."""
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
        """Keeps a nest.

        Args:
          new: Of the structure and shapes of `start`.
          read: What `read` gave; what is the same tensor need not be written.
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
