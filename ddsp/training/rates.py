"""Sample rate, frame rate and lengths that the layers of a model share.

Their only source is the training data: `rate_bindings.derived` binds them in gin before
a model is built, and `check` refuses a model whose layers disagree with each other or
with the data. Layers share constructor arguments by name, see `configurable.layer`:

| argument | value |
| --- | --- |
| `sample_rate` | samples per second |
| `frame_rate` | frames per second |
| `n_samples` | samples rendered per example |
| `time_steps` | frames per example |
| `hop_size` | samples per frame |
| `reverb_length` | samples; a default is scaled with the sample rate |
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import keras

from ddsp import configurable, processors
from ddsp._compat import keras_internals
from ddsp._core import checks
from ddsp.types import Provider

LENGTHS = ("n_samples", "time_steps")
SHARED = ("sample_rate", "frame_rate", *LENGTHS)
DEFAULTS = {"sample_rate": 16000, "frame_rate": 250}


@dataclasses.dataclass(frozen=True)
class Rates:
    """Rates and lengths of training data; None if unknown.

    Attributes:
      sample_rate: Samples per second.
      frame_rate: Frames per second.
      n_samples: Samples per example.
      time_steps: Frames per example, without the one that centering adds.
      origin: Source of the values, for messages.

    Example:

    >>> from ddsp.training.rates import Rates
    >>> Rates(sample_rate=16000, frame_rate=250).hop_size
    64
    """

    sample_rate: int | None = None
    frame_rate: int | None = None
    n_samples: int | None = None
    time_steps: int | None = None
    origin: str = "the config"

    @property
    def hop_size(self) -> int | None:
        """Samples per frame, None if unknown."""
        if self.sample_rate is None or self.frame_rate is None:
            return None
        return checks.hop_size(self.sample_rate, self.frame_rate)


@dataclasses.dataclass(frozen=True)
class Setting:
    """Constructor argument of a layer, such as `Harmonic.sample_rate`.

    Attributes:
      owner: Name of the layer's class.
      argument: Name of the argument.
      value: Value of the argument.
      bound: Whether the caller or gin set it.

    Example:

    >>> from ddsp.training.rates import Setting
    >>> str(Setting("Harmonic", "sample_rate", 16000, bound=False))
    'Harmonic.sample_rate=16000 (the default)'
    """

    owner: str
    argument: str
    value: Any
    bound: bool

    def __str__(self) -> str:
        default = "" if self.bound else " (the default)"
        return f"{self.owner}.{self.argument}={self.value}{default}"


def of_data(data_provider: Provider) -> Rates:
    """Reads the rates of training data and the lengths of its examples.

    Args:
      data_provider: A data provider, or any object with `sample_rate` and `frame_rate`.

    Returns:
      The rates; the length is that of the feature `audio`.

    Raises:
      ValueError: If the frame rate does not divide the sample rate, or if an example
        does not consist of whole frames.

    Example:

    >>> import types
    >>> from ddsp.training import rates
    >>> provider = types.SimpleNamespace(sample_rate=16000, frame_rate=250)
    >>> rates.of_data(provider).hop_size
    64
    """
    sample_rate = getattr(data_provider, "sample_rate", None)
    frame_rate = getattr(data_provider, "frame_rate", None)
    origin = getattr(data_provider, "rates_origin", type(data_provider).__name__)
    n_samples = _audio_length(data_provider)
    if not sample_rate or not frame_rate or n_samples is None:
        return Rates(sample_rate, frame_rate, n_samples, origin=origin)
    hop_size = checks.hop_size(sample_rate, frame_rate)
    if n_samples % hop_size:
        raise ValueError(
            f"Examples must consist of whole frames of {hop_size} samples: prepare the "
            f"data with another example_secs, got {n_samples} samples ({origin})."
        )
    return Rates(sample_rate, frame_rate, n_samples, n_samples // hop_size, origin)


def _audio_length(data_provider: Provider) -> int | None:
    """Returns the samples per example; None without audio or a fixed length."""
    if not hasattr(data_provider, "get_dataset"):
        return None
    spec = data_provider.get_dataset(shuffle=False).element_spec
    for features in spec if isinstance(spec, tuple) else (spec,):
        if isinstance(features, dict) and "audio" in features:
            shape = features["audio"].shape
            return shape[0] if shape.rank else None
    return None


def check(model: keras.Layer, data_provider: Provider | None = None) -> None:
    """Refuses a model whose layers have different rates, or others than its data.

    Args:
      model: A model. Only layers decorated by `configurable.layer` are checked.
      data_provider: Data for the model; None to check the model alone.

    Raises:
      ValueError: If two layers, or a layer and the data, disagree. Both are named.

    Example:

    >>> from ddsp.training import models, rates
    >>> group = ddsp.processors.ProcessorGroup(dag=[
    ...     (ddsp.synths.Harmonic(sample_rate=16000), ["a", "b", "c"]),
    ...     (ddsp.synths.FilteredNoise(n_samples=640), ["d"]),
    ... ])
    >>> rates.check(models.Autoencoder(processor_group=group))
    Traceback (most recent call last):
    ValueError: The layers of a model must have one n_samples: ... got Harmonic...
    """
    settings = list(_settings(model))
    n_cropped = sum(
        layer.frame_size
        for layer in _layers(model)
        if isinstance(layer, processors.Crop)
    )
    if data_provider is not None:
        refuse_others(settings, of_data(data_provider), n_cropped)
    known: dict[str, Setting] = {}
    for setting in settings:
        other = known.setdefault(setting.argument, setting)
        if other.value != setting.value:
            raise ValueError(
                f"The layers of a model must have one {setting.argument}: set it for "
                f"all of them, got {other} and {setting}."
            )
    _check_lengths(known)


def _layers(layer: keras.Layer) -> Iterator[Any]:
    """Yields a layer and those inside, without the internals of processors."""
    yield layer
    # For example, the noise inside a reverb has the length of the impulse response.
    if not isinstance(layer, processors.Processor):
        for child in keras_internals.sublayers(layer, recursive=False):
            yield from _layers(child)


def _settings(model: keras.Layer) -> Iterator[Setting]:
    """Yields the shared arguments of all layers of a model."""
    for layer in _layers(model):
        given = configurable.given(layer)
        shared = configurable.shared_arguments_of(layer)
        for name in (*SHARED, "hop_size"):
            # The layer's attribute is None where it does not use the argument.
            value = getattr(layer, name, None) if name in shared else None
            if value is not None:
                yield Setting(type(layer).__name__, name, value, name in given)


def refuse_others(
    settings: Iterable[Setting],
    rates: Rates,
    n_cropped: int,
    cause: Exception | None = None,
) -> None:
    """Refuses settings that contradict the rates of the data.

    Args:
      settings: Arguments of layers or bindings of gin.
      rates: Rates of the data.
      n_cropped: Samples that the model removes from what it renders.
      cause: Error that led here, if any.

    Raises:
      ValueError: If a setting contradicts the data.

    Example:

    >>> from ddsp.training import rates
    >>> setting = rates.Setting("Harmonic", "sample_rate", 16000, bound=True)
    >>> rates.refuse_others([setting], rates.Rates(48000, 250), n_cropped=0)
    Traceback (most recent call last):
    ValueError: Harmonic.sample_rate=16000 contradicts the data: ... got 16000.
    """
    for setting in settings:
        expected = getattr(rates, setting.argument)
        if expected is not None and setting.argument == "n_samples":
            expected += n_cropped
        if expected not in (None, setting.value):
            raise ValueError(
                f"{setting} contradicts the data: omit it, or prepare the data for the "
                f"model. {setting.argument} must be {expected} ({rates.origin}), got "
                f"{setting.value}."
            ) from cause


def _check_lengths(settings: dict[str, Setting]) -> None:
    """Refuses lengths whose ratio is not the hop size."""
    if not settings.keys() >= {"sample_rate", "frame_rate"}:
        return
    sample_rate, frame_rate = settings["sample_rate"], settings["frame_rate"]
    hop_size = checks.hop_size(sample_rate.value, frame_rate.value)
    rates = f"{sample_rate} and {frame_rate} make {hop_size} samples per frame"
    given = settings.get("hop_size")
    if given and given.value != hop_size:
        raise ValueError(f"{rates}, got {given}.")
    if settings.keys() >= {"n_samples", "time_steps"}:
        n_samples, time_steps = settings["n_samples"], settings["time_steps"]
        if n_samples.value != time_steps.value * hop_size:
            raise ValueError(
                f"{rates}, got {n_samples} and {time_steps}, which make "
                f"{n_samples.value / time_steps.value:g}."
            )
