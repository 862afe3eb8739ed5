"""Sample rate, frame rate and lengths that the layers of a model share.

They have one source, the training data: `derived` binds them in gin before a model is
built, and `check` refuses a model whose layers, or whose layers and data, disagree. A
layer takes part by the names of its constructor arguments, see `configurable.layer`:

| argument | value |
| --- | --- |
| `sample_rate` | samples a second |
| `frame_rate` | frames a second |
| `n_samples` | samples that a synthesizer renders for an example |
| `time_steps` | frames of an example |
| `hop_size` | samples a frame |
| `reverb_length` | samples; a default lasts as long at other sample rates |
"""

import contextlib
import copy
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import gin

from ddsp import configurable, processors
from ddsp._compat import gin_internals, keras_internals
from ddsp._core import checks

_LENGTHS = ("n_samples", "time_steps")
_SHARED = ("sample_rate", "frame_rate", *_LENGTHS)
_DEFAULTS = {"sample_rate": 16000, "frame_rate": 250}


@dataclasses.dataclass(frozen=True)
class Rates:
    """Rates and lengths; None for what is not known.

    Attributes:
      sample_rate: Samples a second.
      frame_rate: Frames a second.
      n_samples: Samples of an example.
      time_steps: Frames of an example, without the one that centering adds.
      origin: Where they come from, for messages.
    """

    sample_rate: int | None = None
    frame_rate: int | None = None
    n_samples: int | None = None
    time_steps: int | None = None
    origin: str = "the config"

    @property
    def hop_size(self) -> int | None:
        """Samples a frame."""
        if self.sample_rate is None or self.frame_rate is None:
            return None
        return checks.hop_size(self.sample_rate, self.frame_rate)


@dataclasses.dataclass(frozen=True)
class Setting:
    """A constructor argument of a layer, such as `Harmonic.sample_rate`.

    Attributes:
      owner: Name of the layer's class.
      argument: Name of the argument.
      value: Its value.
      bound: Whether it was given by the caller or by gin.
    """

    owner: str
    argument: str
    value: Any
    bound: bool

    def __str__(self) -> str:
        default = "" if self.bound else " (the default)"
        return f"{self.owner}.{self.argument}={self.value}{default}"


def of_data(data_provider: Any) -> Rates:
    """The rates of training data, and the lengths of its examples.

    Args:
      data_provider: With `sample_rate` and `frame_rate`; the length is that of `audio`.

    Raises:
      ValueError: If the frame rate does not divide the sample rate, or an example is
        no whole number of frames.
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
            f"Examples must be of whole frames, {hop_size} samples each: prepare the "
            f"data with another example_secs, got {n_samples} samples ({origin})."
        )
    return Rates(sample_rate, frame_rate, n_samples, n_samples // hop_size, origin)


def _audio_length(data_provider: Any) -> int | None:
    """Samples of an example, None where it has no audio or lengths differ."""
    if not hasattr(data_provider, "get_dataset"):
        return None
    spec = data_provider.get_dataset(shuffle=False).element_spec
    for features in spec if isinstance(spec, tuple) else (spec,):
        if isinstance(features, dict) and "audio" in features:
            shape = features["audio"].shape
            return shape[0] if shape.rank else None
    return None


def complete_config() -> None:
    """Gives all layers the rates that gin binds for some of them.

    For the config of a trained model, in which gin has written defaults as if they were
    bound: they give way to a rate that is not the default. A frame rate that is nowhere
    another than the default is the one that the lengths tell.
    """
    settings = list(_bound_settings())
    rates = {
        name: value
        for name in ("sample_rate", "frame_rate")
        if (value := _only(settings, name)) is not None
    }
    sample_rate = rates.get("sample_rate", _DEFAULTS["sample_rate"])
    n_samples, time_steps = (_only(settings, name) for name in _LENGTHS)
    unbound = rates.get("frame_rate") in (None, _DEFAULTS["frame_rate"])
    if unbound and n_samples and time_steps:
        frame_rate, rest = divmod(sample_rate * time_steps, n_samples)
        if not rest:
            rates["frame_rate"] = frame_rate
    for (_, selector), bindings in gin_internals.settings().items():
        shared = configurable.shared_arguments().get(selector, {})
        for name in rates.keys() & shared.keys() & bindings.keys():
            if _evaluated(bindings[name]) == _DEFAULTS[name]:
                bindings[name] = rates[name]
    _bind_missing(rates)


def _only(settings: Iterable[Setting], name: str) -> Any:
    """The value of an argument, if all settings but defaults have the same."""
    values = {x.value for x in settings if x.argument == name and x.value is not None}
    chosen = values - {_DEFAULTS.get(name)} or values
    return chosen.pop() if len(chosen) == 1 else None


def _evaluated(value: Any) -> Any:
    # Macros are references, which a copy evaluates.
    return copy.deepcopy(value)


def _bound_settings() -> Iterator[Setting]:
    """What gin binds, in any scope, of the arguments that layers share."""
    shared = configurable.shared_arguments()
    for (_, selector), bindings in list(gin_internals.settings().items()):
        for name in _SHARED:
            if name in bindings and name in shared.get(selector, ()):
                value = _evaluated(bindings[name])
                yield Setting(selector.split(".")[-1], name, value, bound=True)


def bind(rates: Rates) -> None:
    """Binds in gin what no binding says about layers and functions.

    Args:
      rates: From `of_data`; what is None stays unbound.
    """
    values = {
        name: value for name in _SHARED if (value := getattr(rates, name)) is not None
    }
    if "n_samples" in values:
        values["n_samples"] += _bound_crop()
    for bindings in gin_internals.settings().values():
        for name, value in bindings.items():
            if isinstance(value, _OfLastRun):
                bindings[name] = values.get(name, value)
    scale = values.get("sample_rate", 0) / _DEFAULTS["sample_rate"]
    _bind_missing(values, scale or None)


def _bind_missing(values: dict[str, Any], reverb_scale: float | None = None) -> None:
    """Binds arguments of layers and functions that have no binding.

    Args:
      values: {argument: value}.
      reverb_scale: Factor of a default `reverb_length`; None leaves it unbound.
    """
    with gin.unlock_config():
        for selector, arguments in configurable.shared_arguments().items():
            missing = dict(values)
            length = arguments.get("reverb_length")
            if reverb_scale is not None and isinstance(length, int):
                missing["reverb_length"] = round(reverb_scale * length)
            bound = gin.get_bindings(selector, resolve_references=False)
            for name in missing.keys() & arguments.keys() - bound.keys():
                gin.bind_parameter(f"{selector}.{name}", missing[name])


class _OfLastRun(int):
    """A length that gives way to that of the data."""


def loosen_lengths() -> None:
    """Lets the lengths that gin binds give way to those of other data.

    For the config of a trained model: what its examples lasted is no part of it.
    """
    shared = configurable.shared_arguments()
    for (_, selector), bindings in gin_internals.settings().items():
        for name in shared.get(selector, {}).keys() & bindings.keys() & {*_LENGTHS}:
            if isinstance(bindings[name], int):
                bindings[name] = _OfLastRun(bindings[name])
        if bindings.keys() >= {"sample_rate", "frame_rate", "example_secs"}:
            # A data provider: both rates tell the rest of other records.
            del bindings["example_secs"]
            bindings.pop("centered", None)


@contextlib.contextmanager
def derived(data_provider: Any) -> Iterator[Rates]:
    """Inside, gin builds models at the rates of their data.

    Args:
      data_provider: Training data, see `of_data`.

    Yields:
      The rates.

    Raises:
      ValueError: If no model can be built because a binding contradicts the data.
    """
    rates = of_data(data_provider)
    bind(rates)
    try:
        yield rates
    except ValueError as error:
        # The binding is the cause, a layer only the place where it shows.
        _refuse_others(_bound_settings(), rates, _bound_crop(), error)
        raise


def check(model: Any, data_provider: Any = None) -> None:
    """Refuses a model whose layers have different rates, or others than its data.

    Args:
      model: A Keras model; layers that `configurable` does not know do not count.
      data_provider: The data it is to be used with, if any.

    Raises:
      ValueError: If two layers disagree, or a layer and the data; both are named.
    """
    settings = list(_settings(model))
    n_cropped = sum(
        layer.frame_size
        for layer in _layers(model)
        if isinstance(layer, processors.Crop)
    )
    if data_provider is not None:
        _refuse_others(settings, of_data(data_provider), n_cropped)
    known: dict[str, Setting] = {}
    for setting in settings:
        other = known.setdefault(setting.argument, setting)
        if other.value != setting.value:
            raise ValueError(
                f"The layers of a model must have one {setting.argument}: give it to "
                f"all of them, got {other} and {setting}."
            )
    _check_lengths(known)


def _layers(layer: Any) -> Iterator[Any]:
    """A layer and those inside, without those that only one processor uses."""
    yield layer
    # The noise in a reverb's impulse response is as long as the response.
    if not isinstance(layer, processors.Processor):
        for child in keras_internals.sublayers(layer, recursive=False):
            yield from _layers(child)


def _settings(model: Any) -> Iterator[Setting]:
    """What the layers of a model have been given, or left at its default."""
    for layer in _layers(model):
        given = configurable.given(layer)
        shared = configurable.shared_arguments_of(layer)
        for name in (*_SHARED, "hop_size"):
            # As the layer keeps it: None where it has no use for it.
            value = getattr(layer, name, None) if name in shared else None
            if value is not None:
                yield Setting(type(layer).__name__, name, value, name in given)


def _refuse_others(
    settings: Iterable[Setting],
    rates: Rates,
    n_cropped: int,
    cause: Exception | None = None,
) -> None:
    """Refuses settings other than the rates of the data."""
    for setting in settings:
        expected = getattr(rates, setting.argument)
        if expected is not None and setting.argument == "n_samples":
            expected += n_cropped
        if expected not in (None, setting.value):
            raise ValueError(
                f"{setting} contradicts the data, whose {setting.argument} is "
                f"{expected} ({rates.origin}): leave it out, and it is taken from the "
                "data, or prepare the data for the model, got "
                f"{setting.value}."
            ) from cause


def _check_lengths(settings: dict[str, Setting]) -> None:
    """Refuses lengths that are not in the ratio of the rates."""
    if not settings.keys() >= {"sample_rate", "frame_rate"}:
        return
    sample_rate, frame_rate = settings["sample_rate"], settings["frame_rate"]
    hop_size = checks.hop_size(sample_rate.value, frame_rate.value)
    rates = f"{sample_rate} and {frame_rate} make {hop_size} samples a frame"
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


def _bound_crop() -> int:
    """Samples that gin's binding lets `processors.Crop` cut off."""
    bindings = gin.get_bindings(processors.Crop)
    return bindings.get("frame_size", 0)
