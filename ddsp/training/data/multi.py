"""Several sources of examples as one."""

import gin
import tensorflow as tf

from ddsp.training.data.provider import DataProvider


@gin.register(module="ddsp.training.data")
class BaseMultiProvider(DataProvider):
    """Base class: data providers of one sample rate and one frame rate.

    Args:
      data_providers: The providers, at least one.
      batch_size_ratios: A positive number for each provider: [2, 1] takes twice as
        many examples from the first. They need not sum to 1. By default all are alike.
      seed: Of the mixing and the shuffling; see `DataProvider`.

    Raises:
      ValueError: If there are no providers, rates differ, or the ratios do not fit.
    """

    def __init__(self, data_providers, batch_size_ratios=(), seed=None):
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

    def set_seed(self, seed):
        """Seeds the shuffling anew, that of the providers too."""
        super().set_seed(seed)
        for provider in self._data_providers:
            provider.set_seed(seed)

    def find_damage(self):
        """What is wrong with the data of the first provider that knows, or None."""
        found = (provider.find_damage() for provider in self._data_providers)
        return next((damage for damage in found if damage), None)

    def _common(self, rate):
        rates = [getattr(provider, rate) for provider in self._data_providers]
        if len(set(rates)) > 1:
            raise ValueError(
                f"Providers that are read together must have the same `{rate}`, got "
                f"{_named(self._data_providers, rates)}."
            )
        return rates[0]

    def _check_ratios(self):
        ratios = self._batch_size_ratios
        if len(ratios) != len(self._data_providers):
            raise ValueError(
                "`batch_size_ratios` must hold a number for each of the "
                f"{len(self._data_providers)} providers, got {ratios}."
            )
        if not all(ratio > 0 for ratio in ratios):
            raise ValueError(f"`batch_size_ratios` must be positive, got {ratios}.")

    def _open(self, shuffle):
        return [provider.get_dataset(shuffle) for provider in self._data_providers]


@gin.register(module="ddsp.training.data")
class ZippedProvider(BaseMultiProvider):
    """Reads all providers side by side: a batch is a tuple of a batch of each."""

    def get_dataset(self, shuffle=True):
        """Opens the examples.

        Args:
          shuffle: Whether to read them in random order.

        Returns:
          A `tf.data.Dataset` of tuples of dictionaries, which ends with the shortest.
        """
        return tf.data.Dataset.zip(tuple(self._open(shuffle)))

    def get_batch(self, batch_size, shuffle=True, repeats=-1, drop_remainder=False):
        """Groups the examples.

        Each provider goes through its own data as often as `repeats` says, and the
        shortest of them ends the whole.

        Args:
          batch_size: Examples of each provider in a batch; with `batch_size_ratios`,
            of all together, each share rounded down.
          shuffle: Whether to read them in random order.
          repeats: Passes over the data; -1 never ends.
          drop_remainder: Whether to leave out a last batch that is not full.

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

    def _batch_sizes(self, batch_size):
        ratios = self._batch_size_ratios
        if not ratios:
            return [batch_size] * len(self._data_providers)
        # Multiplied first: 3 of thirds of 9 must not become 2 by rounding.
        sizes = [int(batch_size * ratio / sum(ratios)) for ratio in ratios]
        if min(sizes) < 1:
            raise ValueError(
                f"With `batch_size_ratios` {ratios} the providers' shares of a batch "
                f"are {sizes}, and none may be empty: use a larger batch, got "
                f"batch_size={batch_size}."
            )
        return sizes


@gin.register(module="ddsp.training.data")
class MixedProvider(BaseMultiProvider):
    """Reads examples of one provider or another at random.

    `batch_size_ratios` are the odds. Once a provider has no more examples in a pass,
    the others go on.
    """

    @property
    def n_examples(self):
        """Number of examples of all providers, or None if one does not know its own."""
        counts = [provider.n_examples for provider in self._data_providers]
        return None if None in counts else sum(counts)

    def get_dataset(self, shuffle=True):
        """Opens the examples.

        Args:
          shuffle: Whether each provider reads its own in random order.

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
                    "Providers to be mixed must give the same features: "
                    f"{type(self._data_providers[0]).__name__} gives {first}, got "
                    f"{type(provider).__name__} with {dataset.element_spec}."
                )
        ratios = self._batch_size_ratios or [1.0] * len(datasets)
        return tf.data.Dataset.sample_from_datasets(
            datasets,
            weights=[ratio / sum(ratios) for ratio in ratios],
            seed=self._seed,
            stop_on_empty_dataset=False,
        )


def _named(providers, values) -> str:
    return ", ".join(
        f"{type(provider).__name__}: {value}"
        for provider, value in zip(providers, values, strict=True)
    )
