"""Functions that keep the gin bindings with which a layer was built.

A function that gin configures reads gin's global settings at every call. A layer that
held the function itself would change whenever another config is parsed, such as that
of another model.
"""

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any

import gin
import keras

from ddsp import gin_state
from ddsp._compat import gin_internals


@keras.saving.register_keras_serializable(package="ddsp")
class BoundFunction:
    """Function with some arguments fixed. Arguments of a call take precedence.

    Attributes:
      function: The function as gin configures it.
      arguments: {name: value} of the fixed arguments.

    Example:

    >>> from ddsp import bound_functions
    >>> def scale(x, factor=1.0):
    ...     return factor * x
    >>> half = bound_functions.BoundFunction(scale, {"factor": 0.5})
    >>> half(3.0), half(3.0, factor=2.0)
    (1.5, 6.0)
    """

    def __init__(self, function: Callable, arguments: dict[str, Any]):
        """Initializes the function.

        Args:
          function: Function, configured by gin or not.
          arguments: Fixed keyword arguments.
        """
        functools.update_wrapper(self, function)
        self.function = function
        self.arguments = arguments
        configurable = gin_internals.find_configurable(function)
        self._plain = configurable.wrapped if configurable else function
        self._signature = inspect.signature(self._plain)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given = self._signature.bind_partial(*args, **kwargs).arguments
        fixed = {k: v for k, v in self.arguments.items() if k not in given}
        return self._plain(*args, **{**fixed, **kwargs})

    def __eq__(self, other: Any) -> bool:
        return (
            isinstance(other, BoundFunction)
            and self.function is other.function
            and self.arguments == other.arguments
        )

    def __hash__(self) -> int:
        return hash(self.function)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.function, self.arguments)

    def __repr__(self) -> str:
        arguments = "".join(f", {k}={v!r}" for k, v in self.arguments.items())
        return f"{self.__name__}(...{arguments})"  # type: ignore[attr-defined]

    def get_config(self) -> dict[str, Any]:
        """Returns the settings, for Keras."""
        return {
            "function": keras.saving.serialize_keras_object(self.function),
            "arguments": keras.saving.serialize_keras_object(self.arguments),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "BoundFunction":
        """Builds the function that `get_config` describes."""
        deserialize = keras.saving.deserialize_keras_object
        return cls(**{name: deserialize(x) for name, x in config.items()})


def bind(value: Any) -> Any:
    """Fixes the current bindings of functions that gin configures.

    Args:
      value: A function, or lists, tuples and dictionaries that may contain functions.

    Returns:
      The same nest with a `BoundFunction` in place of each function that reads gin's
      settings. Everything else is returned unchanged.

    Example:

    >>> import gin
    >>> from ddsp import bound_functions, gin_state
    >>> with gin_state.isolated():
    ...     gin.bind_parameter("exp_sigmoid.max_value", 5.0)
    ...     bound = bound_functions.bind(ddsp.core.exp_sigmoid)
    >>> bound
    exp_sigmoid(..., max_value=5.0)
    """
    if type(value) in (list, tuple):
        bound = [bind(x) for x in value]
        same = all(x is y for x, y in zip(bound, value, strict=True))
        return value if same else type(value)(bound)
    if type(value) is dict:
        bound_items = {k: bind(x) for k, x in value.items()}
        same = all(bound_items[k] is x for k, x in value.items())
        return value if same else bound_items
    if type(value) is functools.partial:
        function = bind(value.func)
        if function is value.func:
            return value
        return functools.partial(function, *value.args, **value.keywords)
    if not inspect.isfunction(value):
        return value
    scopes, function = gin_internals.split_scope(value)
    configurable = gin_internals.find_configurable(function)
    if configurable is None or configurable.wrapper is not function:
        return value
    return _bound(configurable, scopes)


def _bound(configurable: gin.config.Configurable, scopes: list[str]) -> BoundFunction:
    selector = configurable.selector
    with gin_state.LOCK, gin.config_scope(scopes or None):
        bindings = gin.get_bindings(selector, resolve_references=False)
        gin_state.note_operative("/".join(scopes), selector, bindings)
        arguments = copy.deepcopy(bindings)
    return BoundFunction(configurable.wrapper, bind(arguments))
