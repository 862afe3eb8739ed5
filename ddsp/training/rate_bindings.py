"""Rates and lengths in gin's bindings.

`derived` binds those of the training data before a model is built. The other functions
complete the config of a trained model; see `rates`.
"""

import contextlib
import copy
from collections.abc import Iterable, Iterator
from typing import Any

import gin

from ddsp import configurable, processors
from ddsp._compat import gin_internals
from ddsp.training import rates
from ddsp.training.rates import Rates, Setting
from ddsp.types import Provider


def complete_config() -> None:
    """Binds the rates that gin binds for some layers for all of them.

    In the config of a trained model, gin has written defaults as bindings: they are
    replaced by a rate other than the default. If all frame rates are defaults, the
    frame rate is derived from the lengths.

    Example:

    >>> import gin
    >>> from ddsp import gin_state
    >>> from ddsp.training import rate_bindings
    >>> with gin_state.isolated():
    ...     gin.bind_parameter("Harmonic.sample_rate", 48000)
    ...     rate_bindings.complete_config()
    ...     ddsp.synths.Wavetable().sample_rate
    48000
    """
    settings = list(_bound_settings())
    known = {
        name: value
        for name in ("sample_rate", "frame_rate")
        if (value := _only(settings, name)) is not None
    }
    sample_rate = known.get("sample_rate", rates.DEFAULTS["sample_rate"])
    n_samples, time_steps = (_only(settings, name) for name in rates.LENGTHS)
    unbound = known.get("frame_rate") in (None, rates.DEFAULTS["frame_rate"])
    if unbound and n_samples and time_steps:
        frame_rate, rest = divmod(sample_rate * time_steps, n_samples)
        if not rest:
            known["frame_rate"] = frame_rate
    for (_, selector), bindings in gin_internals.settings().items():
        shared = configurable.shared_arguments().get(selector, {})
        for name in known.keys() & shared.keys() & bindings.keys():
            if _evaluated(bindings[name]) == rates.DEFAULTS[name]:
                bindings[name] = known[name]
    _bind_missing(known)


def _only(settings: Iterable[Setting], name: str) -> Any:
    """Returns the value of an argument if all settings but defaults agree."""
    values = {x.value for x in settings if x.argument == name and x.value is not None}
    chosen = values - {rates.DEFAULTS.get(name)} or values
    return chosen.pop() if len(chosen) == 1 else None


def _evaluated(value: Any) -> Any:
    # Macros are references, which are evaluated when copied.
    return copy.deepcopy(value)


def _bound_settings() -> Iterator[Setting]:
    """Yields gin's bindings of shared arguments, in all scopes."""
    shared = configurable.shared_arguments()
    for (_, selector), bindings in list(gin_internals.settings().items()):
        for name in rates.SHARED:
            if name in bindings and name in shared.get(selector, ()):
                value = _evaluated(bindings[name])
                yield Setting(selector.split(".")[-1], name, value, bound=True)


def bind(found: Rates) -> None:
    """Binds rates and lengths for all layers and functions without a binding.

    Args:
      found: Returned by `rates.of_data`. Values that are None stay unbound.

    Example:

    >>> from ddsp import gin_state
    >>> from ddsp.training import rate_bindings, rates
    >>> with gin_state.isolated():
    ...     rate_bindings.bind(rates.Rates(sample_rate=48000))
    ...     ddsp.synths.Harmonic().sample_rate
    48000
    """
    known = {name: getattr(found, name) for name in rates.SHARED}
    values = {name: value for name, value in known.items() if value is not None}
    if "n_samples" in values:
        values["n_samples"] += _bound_crop()
    for bindings in gin_internals.settings().values():
        for name, value in bindings.items():
            if isinstance(value, _OfLastRun):
                bindings[name] = values.get(name, value)
    scale = values.get("sample_rate", 0) / rates.DEFAULTS["sample_rate"]
    _bind_missing(values, scale or None)


def _bind_missing(values: dict[str, Any], reverb_scale: float | None = None) -> None:
    """Binds shared arguments of all layers and functions without a binding.

    Args:
      values: {argument: value}.
      reverb_scale: Factor for a default `reverb_length`; None leaves it unbound.
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
    """A length of an earlier run, which the data may override."""


def loosen_lengths() -> None:
    """Lets other data override the lengths that gin binds.

    For the config of a trained model, which does not depend on the length of the
    training examples.

    Example:

    >>> import gin
    >>> from ddsp import gin_state
    >>> from ddsp.training import rate_bindings, rates
    >>> with gin_state.isolated():
    ...     gin.bind_parameter("Harmonic.n_samples", 64000)
    ...     rate_bindings.loosen_lengths()
    ...     rate_bindings.bind(rates.Rates(n_samples=640))
    ...     ddsp.synths.Harmonic().n_samples
    640
    """
    shared = configurable.shared_arguments()
    for (_, selector), bindings in gin_internals.settings().items():
        for name in (
            shared.get(selector, {}).keys() & bindings.keys() & {*rates.LENGTHS}
        ):
            if isinstance(bindings[name], int):
                bindings[name] = _OfLastRun(bindings[name])
        if bindings.keys() >= {"sample_rate", "frame_rate", "example_secs"}:
            # A data provider: with both rates, other records determine the rest.
            del bindings["example_secs"]
            bindings.pop("centered", None)


@contextlib.contextmanager
def derived(data_provider: Provider) -> Iterator[Rates]:
    """Makes gin build models with the rates of their data inside the block.

    Args:
      data_provider: Training data, see `rates.of_data`.

    Yields:
      The rates.

    Raises:
      ValueError: If building fails because a binding contradicts the data.

    Example:

    >>> import types
    >>> from ddsp import gin_state
    >>> from ddsp.training import rate_bindings, rates
    >>> provider = types.SimpleNamespace(sample_rate=48000, frame_rate=250)
    >>> with gin_state.isolated(), rate_bindings.derived(provider):
    ...     ddsp.synths.Harmonic().sample_rate
    48000
    """
    found = rates.of_data(data_provider)
    bind(found)
    try:
        yield found
    except ValueError as error:
        # The layer that failed is not the cause if a binding contradicts the data.
        rates.refuse_others(_bound_settings(), found, _bound_crop(), error)
        raise


def _bound_crop() -> int:
    """Returns the samples that `processors.Crop` removes with gin's binding."""
    bindings = gin.get_bindings(processors.Crop)
    return bindings.get("frame_size", 0)
