"""Base class of data providers, and errors of damaged data."""

import contextlib
from collections.abc import Iterator

import gin
import tensorflow as tf

from ddsp import types

# Memory for shuffling: about 2,000 examples of 4 s at 16 kHz.
_SHUFFLE_BYTES = 512 * 2**20


@gin.configurable(module="ddsp.training.data")
class DataProvider:
    """Base class of data providers.

    A subclass implements `get_dataset`; this class shuffles, repeats and batches the
    examples.

    Args:
      sample_rate: Samples per second of the audio.
      frame_rate: Frames per second of the features.
      seed: Seed of the shuffling. With a seed, the order is the same in every run,
        but it still differs between passes over the data.

    Example:

    >>> from ddsp.training import data
    >>> class Silence(data.DataProvider):
    ...     def get_dataset(self, shuffle=True):
    ...         return tf.data.Dataset.from_tensors({"audio": tf.zeros([64000])})
    >>> batch = next(iter(Silence(16000, 250).get_batch(batch_size=2)))
    >>> batch["audio"].shape.as_list()
    [2, 64000]
    """

    def __init__(self, sample_rate: int, frame_rate: int, seed: int | None = None):
        self._sample_rate = sample_rate
        self._frame_rate = frame_rate
        self._seed = seed

    @property
    def sample_rate(self) -> int:
        """Samples per second of the audio."""
        return self._sample_rate

    @property
    def frame_rate(self) -> int:
        """Frames per second of the features."""
        return self._frame_rate

    @property
    def rates_origin(self) -> str:
        """Origin of the rates, for messages."""
        return type(self).__name__

    @property
    def n_examples(self) -> int | None:
        """Number of examples; None if unknown before reading."""
        return None

    @property
    def validation(self) -> "DataProvider | None":
        """Provider of the evaluation split of the same data, or None."""
        return None

    def find_damage(self) -> str | None:
        """Reads all data and describes the first damage; None if none is found."""
        return None

    def set_seed(self, seed: int | None) -> None:
        """Sets the seed of the shuffling; see the constructor."""
        self._seed = seed

    def get_dataset(self, shuffle: bool) -> tf.data.Dataset:
        """Returns the data set of single examples.

        Args:
          shuffle: Whether to read files in random order.

        Returns:
          A `tf.data.Dataset` of dictionaries of tensors, one example each.

        Raises:
          NotImplementedError: If a subclass does not implement it.
        """
        raise NotImplementedError(f"{type(self).__name__} has no `get_dataset`.")

    def get_batch(
        self,
        batch_size: int,
        shuffle: bool = True,
        repeats: int = -1,
        drop_remainder: bool = True,
    ) -> tf.data.Dataset:
        """Returns the data set of batches.

        Args:
          batch_size: Examples per batch, ≥ 1.
          shuffle: Whether to shuffle the examples.
          repeats: Number of passes over the data; -1 repeats forever.
          drop_remainder: Whether to drop a last batch that is incomplete.

        Returns:
          A `tf.data.Dataset` of dictionaries of tensors, [batch_size, ...].

        Raises:
          ValueError: If there are too few examples for one batch.
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

    def _check_one_batch(
        self, batch_size: int, repeats: int, drop_remainder: bool
    ) -> None:
        if self.n_examples is None or not drop_remainder or repeats < 0:
            return
        if self.n_examples * repeats < batch_size:
            raise ValueError(
                f"Too few examples for one batch ({self.n_examples} examples read "
                f"{repeats} times): use a smaller batch, got batch_size={batch_size}."
            )


class DamagedDataError(ValueError):
    """Raised for a damaged file of a data set.

    Example:

    >>> from ddsp.training.data import provider
    >>> issubclass(provider.DamagedDataError, ValueError)
    True
    """


@contextlib.contextmanager
def naming_damage(data_provider: types.Provider) -> Iterator[None]:
    """Turns TensorFlow's error about damaged data into one that names the file.

    Args:
      data_provider: Provider of the examples that the block reads.

    Raises:
      DamagedDataError: If reading fails because of the data.

    Example:

    >>> from ddsp.training.data import provider
    >>> class Damaged(provider.DataProvider):
    ...     def find_damage(self):
    ...         return "Record 3 of a.tfrecord is damaged."
    >>> with provider.naming_damage(Damaged(16000, 250)):
    ...     raise tf.errors.DataLossError(None, None, "corrupted record")
    Traceback (most recent call last):
    ddsp.training.data.provider.DamagedDataError: Record 3 of a.tfrecord is damaged.
    """
    try:
        yield
    except tf.errors.OpError as error:
        damage = find_damage(data_provider, error)
        if damage is None:
            raise
        raise DamagedDataError(damage) from error


def find_damage(data_provider: types.Provider, error: tf.errors.OpError) -> str | None:
    """Looks for damaged data as the cause of an error.

    Args:
      data_provider: Provider of the examples. All its data is read.
      error: Error raised by a computation on the examples.

    Returns:
      A sentence that describes the damage; None if there is none.

    Example:

    >>> from ddsp.training.data import provider
    >>> error = tf.errors.DataLossError(None, None, "corrupted record")
    >>> provider.find_damage(provider.DataProvider(16000, 250), error) is None
    True
    """
    if not isinstance(
        error, tf.errors.DataLossError | tf.errors.InvalidArgumentError
    ) or not hasattr(data_provider, "find_damage"):
        return None
    return data_provider.find_damage()


def _buffer_size(dataset: tf.data.Dataset) -> int:
    """Returns the number of examples in the shuffle buffer, by their size."""
    specs = tf.nest.flatten(dataset.element_spec)
    if not all(spec.shape.is_fully_defined() for spec in specs):
        # Whole recordings have no fixed size; only their files are shuffled.
        return 1
    sizes = [spec.shape.num_elements() * spec.dtype.size for spec in specs]
    return max(100, min(10_000, _SHUFFLE_BYTES // max(1, sum(sizes))))
