"""Layers that are configured by gin and serialized by Keras.

Keras 3 reads the signature of a layer's constructor, which `gin.configurable` hides.
Here the constructor is wrapped instead: arguments that the caller omits come from gin,
and `get_config` returns the arguments that the constructor received. Functions among
them keep their current bindings, see `bound_functions`: gin is read when a layer is
built, never when it is called. Without a gin config, the wrapper only records the
arguments.
"""

import copy
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import gin
import keras
import tensorflow as tf

from ddsp import bound_functions, gin_state
from ddsp._compat import gin_internals, keras_internals

T = TypeVar("T", bound=type)
F = TypeVar("F", bound=Callable)

_ARGUMENTS = "_constructor_arguments"
_CALLED = "_was_called"
_GIVEN = "_given_arguments"
_SELECTOR = "_gin_selector"

# {selector: {argument: default}} of all decorated layers and functions, without the
# arguments that have a meaning of their own.
_SHARED_ARGUMENTS: dict[str, dict[str, Any]] = {}

# One lock for all layers and for building them. Layers contain each other: with one
# lock each, two threads could wait for each other.
_first_calls = gin_state.LOCK


def layer(module: str, own: Sequence[str] = ()) -> Callable[[T], T]:
    """Decorates a Keras layer class: configurable by gin, serializable by Keras.

    Args:
      module: Dotted path under which gin files name the class, such as
        `'ddsp.synths'` for `@synths.Harmonic()`.
      own: Names of arguments that other layers share, such as `time_steps`, but that
        have another meaning here; see `ddsp.training.rates`.

    Returns:
      A class decorator. The decorated class keeps its identity and signature.

    Example:

    >>> import gin, keras
    >>> from ddsp import configurable, gin_state
    >>> @configurable.layer("example")
    ... class Gain(keras.layers.Layer):
    ...     def __init__(self, gain=1.0):
    ...         super().__init__()
    ...         self.gain = gain
    >>> with gin_state.isolated():
    ...     gin.bind_parameter("Gain.gain", 0.5)
    ...     Gain().get_config()["gain"]
    0.5
    """

    def decorate(cls: T) -> T:
        selector = f"{module}.{cls.__name__}"
        _share_arguments(selector, cls, own)
        _wrap_constructor(cls, selector)
        keras_internals.track_lists(cls)
        first_call_alone(cls)
        if cls.get_config.__module__.startswith("keras."):  # type: ignore[attr-defined]
            cls.get_config = _get_config  # type: ignore[attr-defined]
        if "from_config" not in cls.__dict__:
            cls.from_config = classmethod(_from_config)  # type: ignore[attr-defined]
        keras.saving.register_keras_serializable(package="ddsp")(cls)
        gin.register(cls, module=module)
        return cls

    return decorate


def function(module: str) -> Callable[[F], F]:
    """Decorates a function: referable by gin, serializable by Keras.

    Args:
      module: Dotted path under which gin files name the function.

    Returns:
      A decorator that returns the function unchanged. gin's bindings apply where a
      config refers to the function.

    Example:

    >>> import keras
    >>> from ddsp import configurable
    >>> @configurable.function("example")
    ... def double(x):
    ...     return 2.0 * x
    >>> keras.saving.get_registered_name(double)
    'ddsp>double'
    """

    def decorate(fn: F) -> F:
        _share_arguments(f"{module}.{fn.__name__}", fn)
        keras.saving.register_keras_serializable(package="ddsp")(fn)
        return gin.register(fn, module=module)

    return decorate


def first_call_alone(cls: T) -> T:
    """Decorates a Keras layer class: several threads may make the first call.

    Keras creates a layer's weights in the first call, and creates them twice if two
    threads make it. Here other threads wait until the first call has ended. Subclasses
    inherit this.

    Args:
      cls: A Keras layer class.

    Returns:
      The same class.

    Example:

    >>> import keras
    >>> from ddsp import configurable
    >>> @configurable.first_call_alone
    ... class Dense(keras.layers.Dense):
    ...     pass
    >>> Dense(3)(np.ones([1, 2])).shape
    TensorShape([1, 3])
    """
    original = cls.__call__
    if hasattr(original, _CALLED):
        return cls

    @functools.wraps(original)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        # Replicas of a strategy synchronize inside a call: a lock would block them.
        if _CALLED in vars(self) or tf.distribute.has_strategy():
            return original(self, *args, **kwargs)
        with _first_calls:
            outputs = original(self, *args, **kwargs)
            object.__setattr__(self, _CALLED, True)
        return outputs

    setattr(call, _CALLED, True)
    cls.__call__ = call  # type: ignore[method-assign]
    return cls


def source(module: str) -> Callable[[T], T]:
    """Decorates a class other than a layer: configurable by gin, see `given`.

    Args:
      module: Dotted path under which gin files name the class.

    Returns:
      A class decorator. The decorated class keeps its identity and signature.

    Example:

    >>> from ddsp import configurable
    >>> @configurable.source("example")
    ... class Source:
    ...     def __init__(self, rate=16000):
    ...         self.rate = rate
    >>> sorted(configurable.given(Source(rate=8000)))
    ['rate']
    """

    def decorate(cls: T) -> T:
        _wrap_constructor(cls, f"{module}.{cls.__name__}")
        gin.register(cls, module=module)
        return cls

    return decorate


def given(instance: Any) -> frozenset[str]:
    """Returns the names of the constructor arguments that the caller or gin set.

    Args:
      instance: A layer.

    Example:

    >>> from ddsp import configurable
    >>> sorted(configurable.given(ddsp.synths.Harmonic(n_samples=640)))
    ['n_samples']
    """
    return getattr(instance, _GIVEN, frozenset())


def shared_arguments() -> dict[str, dict[str, Any]]:
    """Returns {selector: {argument: default}} of all decorated layers and functions.

    Example:

    >>> from ddsp import configurable
    >>> configurable.shared_arguments()["ddsp.synths.Harmonic"]["sample_rate"]
    16000
    """
    return dict(_SHARED_ARGUMENTS)


def shared_arguments_of(layer: Any) -> dict[str, Any]:
    """Returns {argument: default} of a decorated layer, {} for other objects.

    Args:
      layer: A layer.

    Example:

    >>> from ddsp import configurable
    >>> configurable.shared_arguments_of(ddsp.synths.Harmonic())["sample_rate"]
    16000
    """
    return _SHARED_ARGUMENTS.get(getattr(layer, _SELECTOR, ""), {})


def bound_argument(selector: str, name: str) -> Any:
    """Returns the value that gin binds to an argument, with references evaluated.

    Args:
      selector: Complete name of a class or function that gin configures.
      name: Name of the argument.

    Returns:
      The value, or `gin.REQUIRED` if there is no binding.

    Example:

    >>> import gin
    >>> from ddsp import configurable, gin_state
    >>> with gin_state.isolated():
    ...     gin.bind_parameter("Harmonic.n_samples", 640)
    ...     configurable.bound_argument("ddsp.synths.Harmonic", "n_samples")
    640
    """
    bindings = gin.get_bindings(selector, resolve_references=False)
    if name not in bindings:
        return gin.REQUIRED
    scope = gin.current_scope_str()
    gin_state.note_operative(scope, selector, {name: bindings[name]})
    return copy.deepcopy(bindings[name])


def note_operative(instance: Any, values: dict[str, Any]) -> None:
    """Replaces bindings of a decorated object in gin's operative config.

    Args:
      instance: Object under construction. Arguments that gin did not bind are skipped.
      values: {argument: value that the object derived}.

    Example:

    >>> import gin
    >>> from ddsp import configurable, gin_state
    >>> with gin_state.isolated():
    ...     gin.bind_parameter("Harmonic.n_samples", None)
    ...     harmonic = ddsp.synths.Harmonic()
    ...     configurable.note_operative(harmonic, {"n_samples": 640})
    ...     print(gin.operative_config_str().strip().splitlines()[-1])
    Harmonic.n_samples = 640
    """
    selector = getattr(instance, _SELECTOR, "")
    scope = gin.current_scope_str()
    noted = gin_internals.operative(scope, selector)
    derived = {x: values[x] for x in values.keys() & noted.keys()}
    gin_state.note_operative(scope, selector, derived)


def _share_arguments(selector: str, target: Any, own: Sequence[str] = ()) -> None:
    _SHARED_ARGUMENTS[selector] = {
        name: parameter.default
        for name, parameter in inspect.signature(target).parameters.items()
        if name not in own
    }


def _wrap_constructor(cls: type, selector: str) -> None:
    original = cls.__init__  # type: ignore[misc]
    signature = inspect.signature(original)

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        given = signature.bind_partial(self, *args, **kwargs).arguments
        # A subclass passes its arguments to its parent, whose own bindings must not
        # override them.
        if type(self).__init__ is init:
            from_gin = _gin_arguments(selector, given)
            given, kwargs = {**given, **from_gin}, {**from_gin, **kwargs}
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            bound.arguments[name] = bound_functions.bind(value)
        if type(self).__init__ is init:
            arguments = _named_arguments(signature, bound)
            object.__setattr__(self, _ARGUMENTS, arguments)
        if _GIVEN not in vars(self):
            object.__setattr__(self, _GIVEN, frozenset(given) - {"self"})
            object.__setattr__(self, _SELECTOR, selector)
        original(*bound.args, **bound.kwargs)

    init.__signature__ = signature  # type: ignore[attr-defined]
    cls.__init__ = init  # type: ignore[misc]


def _gin_arguments(selector: str, given: dict[str, Any]) -> dict[str, Any]:
    """Returns the bindings of omitted arguments, with references evaluated."""
    with gin_state.LOCK:
        bindings = gin.get_bindings(selector, resolve_references=False)
        missing = {name: x for name, x in bindings.items() if name not in given}
        gin_state.note_operative(gin.current_scope_str(), selector, missing)
        # gin evaluates a reference when it is copied. Copying only what is missing
        # builds no layer twice.
        return copy.deepcopy(missing)


def _named_arguments(
    signature: inspect.Signature, bound: inspect.BoundArguments
) -> dict[str, Any]:
    """Returns the arguments of a constructor by name, without `self`."""
    arguments: dict[str, Any] = {}
    for name, value in list(bound.arguments.items())[1:]:
        if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            arguments.update(value)
        else:
            arguments[name] = value
    return arguments


def _get_config(self: Any) -> dict[str, Any]:
    arguments = getattr(self, _ARGUMENTS, None)
    if arguments is None:
        return keras.layers.Layer.get_config(self)
    config = {
        name: keras.saving.serialize_keras_object(value)
        for name, value in arguments.items()
    }
    config.setdefault("name", self.name)
    return config


def _from_config(cls: type, config: dict[str, Any]) -> Any:
    return cls(
        **{
            name: keras.saving.deserialize_keras_object(value)
            for name, value in config.items()
        }
    )
