"""What every source of examples has in common."""

import contextlib
from collections.abc import Iterator

import gin
import tensorflow as tf

# Memory that shuffling may take: some 2,000 examples of 4 s at 16 kHz.
_SHUFFLE_BYTES = 512 * 2**20


@gin.configurable(module="ddsp.training.data")
class DataProvider:
    """Base class: batches of a dataset that a subclass opens.

    Args:
      sample_rate: Audio samples per second.
      frame_rate: Feature frames per second.
      seed: Of the shuffling. With one, the order is the same in every run; it
        still differs from pass to pass over the data.
    """

    def __init__(self, sample_rate, frame_rate, seed=None):
        self._sample_rate = sample_rate
        self._frame_rate = frame_rate
        self._seed = seed

    @property
    def sample_rate(self):
        """Audio samples per second."""
        return self._sample_rate

    @property
    def frame_rate(self):
        """Feature frames per second."""
        return self._frame_rate

    @property
    def rates_origin(self):
        """Where the rates come from, for messages."""
        return type(self).__name__

    @property
    def n_examples(self):
        """Number of examples, or None where it is not known before reading."""
        return None

    @property
    def validation(self):
        """A provider of examples set aside from these, or None."""
        return None

    def find_damage(self):
        """Reads everything; what is wrong with it, or None where nothing is known."""
        return None

    def set_seed(self, seed):
        """Seeds the shuffling anew; see the constructor."""
        self._seed = seed

    def get_dataset(self, shuffle):
        """Opens the examples.

        Args:
          shuffle: Whether to read them in random order.

        Returns:
          A `tf.data.Dataset` of dictionaries of tensors, one example each.
        """
        raise NotImplementedError(f"{type(self).__name__} has no `get_dataset`.")

    def get_batch(self, batch_size, shuffle=True, repeats=-1, drop_remainder=True):
        """Groups the examples.

        Args:
          batch_size: Examples in a batch, >= 1.
          shuffle: Whether to read them in random order.
          repeats: Passes over the data; -1 never ends.
          drop_remainder: Whether to leave out a last batch that is not full.

        Returns:
          A `tf.data.Dataset` of dictionaries of tensors, [batch_size, ...].

        Raises:
          ValueError: If the data do not fill even one batch.
        """
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1, got {batch_size}.")
        self._check_one_batch(batch_size, repeats, drop_remainder)
        dataset = self.get_dataset(shuffle)
        if shuffle:
            dataset = dataset.shuffle(_buffer_size(dataset), seed=self._seed)
        dataset = dataset.repeat(repeats).batch(
            batch_size, drop_remainder=drop_remainder
        )
        options = tf.data.Options()
        options.deterministic = self._seed is not None or not shuffle
        return dataset.with_options(options).prefetch(tf.data.AUTOTUNE)

    def _check_one_batch(self, batch_size, repeats, drop_remainder):
        if self.n_examples is None or not drop_remainder or repeats < 0:
            return
        if self.n_examples * repeats < batch_size:
            raise ValueError(
                f"{self.n_examples} examples read {repeats} time(s) do not fill one "
                "batch, and incomplete batches are dropped: use a smaller batch, "
                f"got batch_size={batch_size}."
            )


class DamagedDataError(ValueError):
    """A file of a data set cannot be used."""


@contextlib.contextmanager
def naming_damage(data_provider) -> Iterator[None]:
    """Says which file is damaged when reading examples fails.

    Args:
      data_provider: Whose examples are read in the block.

    Raises:
      DamagedDataError: If reading failed because of the data.
    """
    try:
        yield
    except tf.errors.OpError as error:
        damage = find_damage(data_provider, error)
        if damage is None:
            raise
        raise DamagedDataError(damage) from error


def find_damage(data_provider, error: tf.errors.OpError) -> str | None:
    """What is wrong with the data, if an error may come from reading it.

    Args:
      data_provider: All of its data is read.
      error: Raised where its examples were used.

    Returns:
      A sentence, or None.
    """
    if not isinstance(
        error, tf.errors.DataLossError | tf.errors.InvalidArgumentError
    ) or not hasattr(data_provider, "find_damage"):
        return None
    return data_provider.find_damage()


def _buffer_size(dataset: tf.data.Dataset) -> int:
    """Examples to shuffle among, within a fixed amount of memory."""
    specs = tf.nest.flatten(dataset.element_spec)
    if not all(spec.shape.is_fully_defined() for spec in specs):
        # Whole recordings: of unknown size, and shuffled by their files.
        return 1
    sizes = [spec.shape.num_elements() * spec.dtype.size for spec in specs]
    return max(100, min(10_000, _SHUFFLE_BYTES // max(1, sum(sizes))))
