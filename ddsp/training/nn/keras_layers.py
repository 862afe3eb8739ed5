"""Registration of Keras layers with gin."""

import functools
import inspect
from typing import Any

import gin
import keras

from ddsp import bound_functions

_MODULE = "tf.keras"
# In gin files `@Add()` is the processor; a second class would make it ambiguous.
_EXCLUDED = ("Add",)


def gin_register_keras_layers() -> None:
    """Registers `keras.Sequential` and the classes of `keras.layers` with gin.

    Configs refer to them as `@tf.keras.layers.Dense()`. `Add` is excluded: `@Add()` is
    the processor. Importing `ddsp.training.nn` calls this function; later calls have
    no effect.

    Example:

    >>> from ddsp.training import nn
    >>> nn.gin_register_keras_layers()
    """
    _register(keras.Sequential, f"{_MODULE}.Sequential")
    for name, value in inspect.getmembers(keras.layers, inspect.isclass):
        if issubclass(value, keras.layers.Layer) and name not in _EXCLUDED:
            _register(value, f"{_MODULE}.layers.{name}")


def _register(cls: type, selector: str) -> None:
    if selector in _registered:
        return
    _registered.add(selector)

    # Keras reads constructor signatures, which decorating the class would change.
    @functools.wraps(cls, updated=())
    def make(*args: Any, **kwargs: Any) -> keras.layers.Layer:
        return cls(*bound_functions.bind(args), **bound_functions.bind(kwargs))

    make.__signature__ = inspect.signature(cls)  # type: ignore[attr-defined]
    module, _, name = selector.rpartition(".")
    gin.external_configurable(make, name, module)


_registered: set[str] = set()


def get_embedding(vocab_size: int = 1024, n_dims: int = 256) -> keras.layers.Embedding:
    """Returns a new embedding layer.

    Args:
      vocab_size: Number of labels; inputs are integers in [0, vocab_size).
      n_dims: Number of channels of the embedding.

    Example:

    >>> from ddsp.training import nn
    >>> nn.get_embedding(vocab_size=10, n_dims=4)(tf.constant([1, 2])).shape.as_list()
    [2, 4]
    """
    return keras.layers.Embedding(vocab_size, n_dims)
