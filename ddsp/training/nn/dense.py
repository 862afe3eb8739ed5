"""Fully connected layers."""

import inspect
from collections.abc import Callable

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp._core import compilation


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

    def call(self, x, training=None, mask=None):
        """[..., channels] to [..., ch]."""
        dense, norm, nonlinearity = self.layers
        if not inspect.isfunction(nonlinearity.activation):
            # A layer may have variables, which a compiled function cannot create.
            return super().call(x, training=training, mask=mask)
        y = normalize_and_activate(
            tf.cast(dense(x), tf.float32),
            tf.cast(norm.gamma, tf.float32),
            tf.cast(norm.beta, tf.float32),
            norm.epsilon,
            nonlinearity.activation,
        )
        return tf.cast(y, self.compute_dtype)


def normalize_and_activate(
    x: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    epsilon: float,
    activation: Callable[[tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Layer normalisation (Ba et al., 2016) over the last axis, then a nonlinearity.

    Nothing but the input is kept for the gradient, which computes the rest again.

    Args:
      x: [..., channels].
      gamma: [channels], the scale.
      beta: [channels], the shift.
      epsilon: Added to the variance, > 0.
      activation: A function of a tensor, without variables.

    Returns:
      [..., channels].
    """

    @tf.custom_gradient
    def compute(x, gamma, beta):
        def gradient(upstream):
            return _gradient(upstream, x, gamma, beta, epsilon, activation)

        # A tape must not see the compiled kernel: it would keep what is inside.
        arguments = map(tf.stop_gradient, (x, gamma, beta))
        return _activated(*arguments, epsilon, activation), gradient

    return compute(x, gamma, beta)


def _activate(x, gamma, beta, epsilon, activation):
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return activation((x - mean) * tf.math.rsqrt(variance + epsilon) * gamma + beta)


_activated = compilation.fused(_activate)


@compilation.fused
def _gradient(upstream, x, gamma, beta, epsilon, activation):
    with tf.GradientTape() as tape:
        tape.watch([x, gamma, beta])
        y = _activate(x, gamma, beta, epsilon, activation)
    return tape.gradient(y, [x, gamma, beta], upstream)


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


def is_framewise(layer: keras.layers.Layer) -> bool:
    """Whether a layer is known to treat every position but the last axis by itself."""
    if isinstance(layer, keras.Sequential):
        return all(is_framewise(inner) for inner in layer.layers)
    if isinstance(layer, keras.layers.LayerNormalization):
        return layer.axis in (-1, [-1])
    return isinstance(
        layer,
        FcStackOut | Identity | keras.layers.Dense | keras.layers.Activation,
    )
