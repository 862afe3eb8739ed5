"""Keras's own layers, under the names by which gin configs know them."""

import functools
import inspect

import gin
import keras

from ddsp import bound_functions

_MODULE = "tf.keras"
# In gin files `@Add()` is the processor, which needs no second class of the name.
_LEFT_OUT = ("Add",)


def gin_register_keras_layers() -> None:
    """Lets gin configs name `keras.Sequential` and the classes of `keras.layers`.

    All but `Add`, as in `@tf.keras.layers.Dense()`. It has been called once
    `ddsp.training.nn` is imported; to call it again does nothing.
    """
    _register(keras.Sequential, f"{_MODULE}.Sequential")
    for name, value in inspect.getmembers(keras.layers, inspect.isclass):
        if issubclass(value, keras.layers.Layer) and name not in _LEFT_OUT:
            _register(value, f"{_MODULE}.layers.{name}")


def _register(cls: type, selector: str) -> None:
    if selector in _registered:
        return
    _registered.add(selector)

    # Keras reads the signatures of constructors, which gin would change.
    @functools.wraps(cls, updated=())
    def make(*args, **kwargs):
        return cls(*bound_functions.bind(args), **bound_functions.bind(kwargs))

    make.__signature__ = inspect.signature(cls)  # type: ignore[attr-defined]
    module, _, name = selector.rpartition(".")
    gin.external_configurable(make, name, module)


_registered: set[str] = set()


def get_embedding(vocab_size: int = 1024, n_dims: int = 256) -> keras.layers.Embedding:
    """A new layer from whole numbers to vectors.

    Args:
      vocab_size: Numbers are from 0 to below this.
      n_dims: Number of channels of the vectors.
    """
    return keras.layers.Embedding(vocab_size, n_dims)
