"""Providers that combine other providers."""

from collections.abc import Iterable, Sequence
from typing import Any

import gin
import tensorflow as tf

from ddsp.training.data.provider import DataProvider


@gin.register(module="ddsp.training.data")
class BaseMultiProvider(DataProvider):
    """Base class of providers that combine others with the same rates.

    Args:
      data_providers: The providers, at least one.
      batch_size_ratios: A positive weight for each provider: [2, 1] takes twice as
        many examples from the first. The weights need not sum to 1. By default they
        are equal.
      seed: Seed of the mixing and the shuffling; see `DataProvider`.

    Raises:
      ValueError: If there are no providers, rates differ, or the number of ratios is
        not that of the providers.

    Example:

    >>> from ddsp.training import data
    >>> class Silence(data.DataProvider):
    ...     def get_dataset(self, shuffle=True):
    ...         return tf.data.Dataset.from_tensors({"audio": tf.zeros([64000])})
    >>> both = data.BaseMultiProvider([Silence(16000, 250), Silence(16000, 250)])
    >>> both.sample_rate
    16000
    """

    def __init__(
        self,
        data_providers: Iterable[DataProvider],
        batch_size_ratios: Iterable[float] = (),
        seed: int | None = None,
    ):
        self._data_providers = list(data_providers)
        self._batch_size_ratios = list(batch_size_ratios)
        if not self._data_providers:
            raise ValueError(
                f"{type(self).__name__} needs at least one provider in "
                f"`data_providers`, got {data_providers!r}."
            )
        if self._batch_size_ratios:
            self._check_ratios()
        super().__init__(
            self._common("sample_rate"), self._common("frame_rate"), seed=seed
        )
        if seed is not None:
            self.set_seed(seed)

    def set_seed(self, seed: int | None) -> None:
        """Sets the seed of the mixing and of the shuffling in all providers."""
        super().set_seed(seed)
        for provider in self._data_providers:
            provider.set_seed(seed)

    def find_damage(self) -> str | None:
        """Describes the first damage in the data of any provider; None without."""
        found = (provider.find_damage() for provider in self._data_providers)
        return next((damage for damage in found if damage), None)

    def _common(self, rate: str) -> int:
        rates = [getattr(provider, rate) for provider in self._data_providers]
        if len(set(rates)) > 1:
            raise ValueError(
                f"Combined providers must have the same `{rate}`, got "
                f"{_named(self._data_providers, rates)}."
            )
        return rates[0]

    def _check_ratios(self) -> None:
        ratios = self._batch_size_ratios
        if len(ratios) != len(self._data_providers):
            raise ValueError(
                "`batch_size_ratios` must have one value for each of the "
                f"{len(self._data_providers)} providers, got {ratios}."
            )
        if not all(ratio > 0 for ratio in ratios):
            raise ValueError(f"`batch_size_ratios` must be positive, got {ratios}.")

    def _open(self, shuffle: bool) -> list[tf.data.Dataset]:
        return [provider.get_dataset(shuffle) for provider in self._data_providers]


@gin.register(module="ddsp.training.data")
class ZippedProvider(BaseMultiProvider):
    """Provider of tuples that contain one batch of each provider.

    Example:

    >>> from ddsp.training import data
    >>> class Silence(data.DataProvider):
    ...     def get_dataset(self, shuffle=True):
    ...         return tf.data.Dataset.from_tensors({"audio": tf.zeros([64000])})
    >>> both = data.ZippedProvider([Silence(16000, 250), Silence(16000, 250)])
    >>> [batch["audio"].shape.as_list() for batch in next(iter(both.get_batch(3)))]
    [[3, 64000], [3, 64000]]
    """

    def get_dataset(self, shuffle: bool = True) -> tf.data.Dataset:
        """Returns the data set of tuples of examples.

        Args:
          shuffle: Whether to read files in random order.

        Returns:
          A `tf.data.Dataset` of tuples of dictionaries, as long as the shortest
          provider.
        """
        return tf.data.Dataset.zip(tuple(self._open(shuffle)))

    def get_batch(
        self,
        batch_size: int,
        shuffle: bool = True,
        repeats: int = -1,
        drop_remainder: bool = False,
    ) -> tf.data.Dataset:
        """Returns the data set of tuples of batches.

        Each provider repeats its own data; the result is as long as the shortest.

        Args:
          batch_size: Examples of each provider per batch. With `batch_size_ratios`,
            examples of all providers together; each share is rounded down.
          shuffle: Whether to shuffle the examples.
          repeats: Number of passes over the data; -1 repeats forever.
          drop_remainder: Whether to drop a last batch that is incomplete.

        Returns:
          A `tf.data.Dataset` of tuples of dictionaries of tensors, [size, ...].

        Raises:
          ValueError: If a provider's share is less than one example.
        """
        sizes = self._batch_sizes(batch_size)
        return tf.data.Dataset.zip(
            tuple(
                provider.get_batch(size, shuffle, repeats, drop_remainder)
                for provider, size in zip(self._data_providers, sizes, strict=True)
            )
        )

    def _batch_sizes(self, batch_size: int) -> list[int]:
        ratios = self._batch_size_ratios
        if not ratios:
            return [batch_size] * len(self._data_providers)
        # Multiplying first avoids rounding errors: a third of 9 must be 3, not 2.
        sizes = [int(batch_size * ratio / sum(ratios)) for ratio in ratios]
        if min(sizes) < 1:
            raise ValueError(
                "Every provider needs at least one example per batch, but with "
                f"`batch_size_ratios` {ratios} their shares are {sizes}: use a larger "
                f"batch, got batch_size={batch_size}."
            )
        return sizes


@gin.register(module="ddsp.training.data")
class MixedProvider(BaseMultiProvider):
    """Provider that draws each example from a random provider.

    `batch_size_ratios` are the relative probabilities. When a provider runs out of
    examples in a pass, the others continue.

    Example:

    >>> from ddsp.training import data
    >>> class Silence(data.DataProvider):
    ...     def get_dataset(self, shuffle=True):
    ...         return tf.data.Dataset.from_tensors({"audio": tf.zeros([64000])})
    >>> both = data.MixedProvider([Silence(16000, 250), Silence(16000, 250)], [2, 1])
    >>> next(iter(both.get_batch(3)))["audio"].shape.as_list()
    [3, 64000]
    """

    @property
    def n_examples(self) -> int | None:
        """Total number of examples; None if a provider does not know its own."""
        counts = [provider.n_examples for provider in self._data_providers]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def get_dataset(self, shuffle: bool = True) -> tf.data.Dataset:
        """Returns the data set of single examples.

        Args:
          shuffle: Whether each provider reads its files in random order.

        Returns:
          A `tf.data.Dataset` of dictionaries of tensors, one example each.

        Raises:
          ValueError: If the providers' examples have different features.
        """
        datasets = self._open(shuffle)
        first = datasets[0].element_spec
        for provider, dataset in zip(self._data_providers, datasets, strict=True):
            if dataset.element_spec != first:
                raise ValueError(
                    "Mixed providers must have the same features: "
                    f"{type(self._data_providers[0]).__name__} has {first}, got "
                    f"{type(provider).__name__} with {dataset.element_spec}."
                )
        ratios = self._batch_size_ratios or [1.0] * len(datasets)
        return tf.data.Dataset.sample_from_datasets(
            datasets,
            weights=[ratio / sum(ratios) for ratio in ratios],
            seed=self._seed,
            stop_on_empty_dataset=False,
        )


def _named(providers: Sequence[DataProvider], values: Sequence[Any]) -> str:
    return ", ".join(
        f"{type(provider).__name__}: {value}"
        for provider, value in zip(providers, values, strict=True)
    )
