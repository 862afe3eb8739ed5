"""One mechanism for settings: gin bindings in, Keras configs out.

Keras 3 reads the signature of a layer's constructor, which
`gin.configurable` hides. Here the constructor is wrapped instead: arguments that
were not given come from gin, and what the constructor finally received is what
`get_config` returns. Functions among them keep the bindings that they have then, see
`bound_functions`: gin is read when a layer is built, never when it is called. Without a
parsed gin config the wrapper only records, and sees to it that checkpoints hold every
layer.
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

T = TypeVar("T", bound=type)
F = TypeVar("F", bound=Callable)

_ARGUMENTS = "_constructor_arguments"
_CALLED = "_was_called"
_GIVEN = "_given_arguments"
_SELECTOR = "_gin_selector"

# {selector: {argument: its default}} of layers and functions, without arguments that
# have a meaning of their own.
_SHARED_ARGUMENTS: dict[str, dict[str, Any]] = {}

# One lock for all layers, since layers hold each other, and for building them: with
# one each, two threads could wait for each other.
_first_calls = gin_state.LOCK


def layer(module: str, own: Sequence[str] = ()) -> Callable[[T], T]:
    """Decorates a Keras layer class: configurable by gin, serialisable by Keras.

    Args:
      module: Dotted path under which gin files name the class, such as
        `'ddsp.synths'` for `@synths.Harmonic()`.
      own: Arguments named like one that the layers of a model share, such as
        `time_steps`, but with another meaning; see `ddsp.training.rates`.

    Returns:
      A class decorator. The decorated class keeps its identity and signature.
    """

    def decorate(cls: T) -> T:
        selector = f"{module}.{cls.__name__}"
        _share_arguments(selector, cls, own)
        _wrap_constructor(cls, selector)
        _show_lists(cls)
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
    """Decorates a function that settings name: referable by gin, serialisable by Keras.

    Args:
      module: Dotted path under which gin files name the function.

    Returns:
      A decorator that returns the function as it is; bindings hold for references.
    """

    def decorate(fn: F) -> F:
        _share_arguments(f"{module}.{fn.__name__}", fn)
        keras.saving.register_keras_serializable(package="ddsp")(fn)
        return gin.register(fn, module=module)

    return decorate


def first_call_alone(cls: T) -> T:
    """Decorates a Keras layer class: its first call may come from several threads.

    Keras makes a layer's weights when it is first called, twice if that happens in two
    threads at a time. Here the others wait until the first call is over. Subclasses
    inherit it.
    """
    original = cls.__call__
    if hasattr(original, _CALLED):
        return cls

    @functools.wraps(original)
    def call(self, *args, **kwargs):
        # Replicas of a strategy wait for each other inside a call.
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
    """Decorates a class that is no layer: configurable by gin, see `given`.

    Args:
      module: Dotted path under which gin files name the class.

    Returns:
      A class decorator. The decorated class keeps its identity and signature.
    """

    def decorate(cls: T) -> T:
        _wrap_constructor(cls, f"{module}.{cls.__name__}")
        gin.register(cls, module=module)
        return cls

    return decorate


def given(instance: Any) -> frozenset[str]:
    """Names of the constructor arguments that the caller gave or gin bound."""
    return getattr(instance, _GIVEN, frozenset())


def shared_arguments() -> dict[str, dict[str, Any]]:
    """{selector: {argument: default}} of all decorated layers and functions."""
    return dict(_SHARED_ARGUMENTS)


def shared_arguments_of(layer: Any) -> dict[str, Any]:
    """{argument: default} of a decorated layer; empty for other objects."""
    return _SHARED_ARGUMENTS.get(getattr(layer, _SELECTOR, ""), {})


def bound_argument(selector: str, name: str) -> Any:
    """What gin binds to one argument, with references evaluated.

    Args:
      selector: Complete name of a class or function that gin configures.
      name: Of the argument.

    Returns:
      The value, or `gin.REQUIRED` where there is none.
    """
    bindings = gin.get_bindings(selector, resolve_references=False)
    if name not in bindings:
        return gin.REQUIRED
    scope = gin.current_scope_str()
    gin_state.note_operative(scope, selector, {name: bindings[name]})
    return copy.deepcopy(bindings[name])


def note_operative(instance: Any, values: dict[str, Any]) -> None:
    """Replaces defaults of a decorated object in gin's operative config.

    Args:
      instance: Under construction. If gin does not make it, nothing is noted.
      values: {argument: what the object found to be its value}.
    """
    selector = getattr(instance, _SELECTOR, "")
    scope = gin.current_scope_str()
    noted = gin.config._OPERATIVE_CONFIG.get((scope, selector), {})
    found = {x: values[x] for x in values.keys() & noted.keys()}
    gin_state.note_operative(scope, selector, found)


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
    def init(self, *args, **kwargs):
        given = signature.bind_partial(self, *args, **kwargs).arguments
        # A subclass passes its own arguments up: what gin binds for the parent
        # must not override them.
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
            object.__setattr__(self, _GIVEN, frozenset(given))
            object.__setattr__(self, _SELECTOR, selector)
        original(*bound.args, **bound.kwargs)

    init.__signature__ = signature  # type: ignore[attr-defined]
    cls.__init__ = init  # type: ignore[misc]


def _show_lists(cls: type) -> None:
    """Lets TensorFlow's checkpoints find layers in lists, which Keras does not show.

    They are looked for when a checkpoint is, as a subclass may add some.
    """
    original = cls._trackable_children  # type: ignore[attr-defined]

    @functools.wraps(original)
    def children(self, *args, **kwargs):
        if type(self)._trackable_children is children:
            _track_lists(self)
        return original(self, *args, **kwargs)

    cls._trackable_children = children  # type: ignore[attr-defined]


def _track_lists(instance: Any) -> None:
    for name, value in list(vars(instance).items()):
        if name.startswith("_") or not isinstance(value, list) or not value:
            continue
        known = instance._lookup_dependency(name)
        if isinstance(known, list) and [*map(id, known)] == [*map(id, value)]:
            continue
        if all(isinstance(item, keras.layers.Layer) for item in value):
            tracked = tf.__internal__.tracking.wrap(list(value))
            instance._track_trackable(tracked, name, overwrite=True)


def _gin_arguments(selector: str, given: dict[str, Any]) -> dict[str, Any]:
    """Bindings for the arguments not given, with their references evaluated."""
    with gin_state.LOCK:
        bindings = gin.get_bindings(selector, resolve_references=False)
        missing = {name: x for name, x in bindings.items() if name not in given}
        gin_state.note_operative(gin.current_scope_str(), selector, missing)
        # gin evaluates a reference when it is copied; copying only the missing ones
        # builds nothing twice.
        return copy.deepcopy(missing)


def _named_arguments(
    signature: inspect.Signature, bound: inspect.BoundArguments
) -> dict[str, Any]:
    """The arguments of a constructor by name, without `self`."""
    arguments: dict[str, Any] = {}
    for name, value in list(bound.arguments.items())[1:]:
        if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            arguments.update(value)
        else:
            arguments[name] = value
    return arguments


def _get_config(self) -> dict[str, Any]:
    arguments = getattr(self, _ARGUMENTS, None)
    if arguments is None:
        return keras.layers.Layer.get_config(self)
    config = {
        name: keras.saving.serialize_keras_object(value)
        for name, value in arguments.items()
    }
    config.setdefault("name", self.name)
    return config


def _from_config(cls, config: dict[str, Any]):
    return cls(
        **{
            name: keras.saving.deserialize_keras_object(value)
            for name, value in config.items()
        }
    )
