"""Fully connected layers."""

from collections.abc import Callable

import keras

from ddsp import configurable


def get_nonlinearity(nonlinearity: str | Callable) -> Callable:
    """The activation function of a name.

    Args:
      nonlinearity: Name of a function of `keras.activations`, such as 'leaky_relu'
        (slope 0.2 below zero), or a function, returned as it is.

    Raises:
      ValueError: If there is no such function.
    """
    return keras.activations.get(nonlinearity)


@configurable.layer(module="ddsp.training.nn")
class Identity(keras.layers.Layer):
    """Returns its input."""

    def call(self, x):
        return x


@configurable.layer(module="ddsp.training.nn")
class Fc(keras.Sequential):
    """A dense layer, layer normalisation and a nonlinearity."""

    def __init__(
        self, ch: int = 128, nonlinearity: str | Callable = "leaky_relu", **kwargs
    ):
        """Initializer.

        Args:
          ch: Number of output channels.
          nonlinearity: See `get_nonlinearity`.
          **kwargs: Passed on to `keras.Sequential`.
        """
        layers = [
            keras.layers.Dense(ch),
            keras.layers.LayerNormalization(),
            keras.layers.Activation(get_nonlinearity(nonlinearity)),
        ]
        super().__init__(layers, **kwargs)


@configurable.layer(module="ddsp.training.nn")
class FcStack(keras.Sequential):
    """Several `Fc` layers in a row."""

    def __init__(
        self,
        ch: int = 256,
        layers: int = 2,
        nonlinearity: str | Callable = "leaky_relu",
        **kwargs,
    ):
        """Initializer.

        Args:
          ch: Number of channels of every layer.
          layers: Number of layers.
          nonlinearity: See `get_nonlinearity`.
          **kwargs: Passed on to `keras.Sequential`.
        """
        super().__init__([Fc(ch, nonlinearity) for _ in range(layers)], **kwargs)


@configurable.layer(module="ddsp.training.nn")
class FcStackOut(keras.layers.Layer):
    """An `FcStack` followed by a linear projection."""

    def __init__(self, ch: int, layers: int, n_out: int, **kwargs):
        """Initializer.

        Args:
          ch: Number of channels of the stack.
          layers: Number of layers of the stack.
          n_out: Number of output channels.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.stack = FcStack(ch, layers)
        self.dense_out = keras.layers.Dense(n_out)

    def call(self, x):
        """[..., channels] to [..., n_out]."""
        return self.dense_out(self.stack(x))
