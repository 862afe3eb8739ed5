"""Fully connected layers."""

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp._core import compilation

Activation: TypeAlias = Callable[[tf.Tensor], tf.Tensor]


def get_nonlinearity(nonlinearity: str | Activation) -> Activation:
    """Returns an activation function by name.

    Args:
      nonlinearity: Name of a function in `keras.activations`, such as 'leaky_relu'
        (slope 0.2 below zero), or a function, which is returned unchanged.

    Returns:
      The activation function.

    Raises:
      ValueError: If the name is unknown.

    Example:

    >>> from ddsp.training import nn
    >>> nn.get_nonlinearity("relu")(tf.constant([-1.0, 1.0])).numpy()
    array([0., 1.], dtype=float32)
    """
    return keras.activations.get(nonlinearity)


@configurable.layer(module="ddsp.training.nn")
class Identity(keras.layers.Layer):
    """Layer that returns its input.

    Example:

    >>> from ddsp.training import nn
    >>> nn.Identity()(tf.constant([1.0, 2.0])).numpy()
    array([1., 2.], dtype=float32)
    """

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return x


@configurable.layer(module="ddsp.training.nn")
class Fc(keras.Sequential):
    """Dense layer, layer normalization and a nonlinearity.

    Example:

    >>> from ddsp.training import nn
    >>> nn.Fc(ch=4)(tf.zeros([1, 10, 3])).shape.as_list()
    [1, 10, 4]
    """

    def __init__(
        self,
        ch: int = 128,
        nonlinearity: str | Activation = "leaky_relu",
        **kwargs: Any,
    ) -> None:
        """Initializes the layer.

        Args:
          ch: Number of output channels.
          nonlinearity: See `get_nonlinearity`.
          **kwargs: Arguments of `keras.Sequential`.
        """
        layers = [
            keras.layers.Dense(ch),
            keras.layers.LayerNormalization(),
            keras.layers.Activation(get_nonlinearity(nonlinearity)),
        ]
        super().__init__(layers, **kwargs)

    def call(
        self,
        x: tf.Tensor,
        training: bool | None = None,
        mask: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Maps [..., channels] to [..., ch]."""
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
    activation: Activation,
) -> tf.Tensor:
    """Applies layer normalization over the last axis, then a nonlinearity.

    Ba et al., "Layer Normalization" (2016). Only the input is kept for the gradient,
    which recomputes the rest.

    Args:
      x: Shape [..., channels].
      gamma: Scale, shape [channels].
      beta: Shift, shape [channels].
      epsilon: Added to the variance, > 0.
      activation: Element-wise function without variables.

    Returns:
      Tensor of the shape of `x`.

    Example:

    >>> from ddsp.training.nn.dense import normalize_and_activate
    >>> x = tf.constant([[0.0, 2.0]])
    >>> y = normalize_and_activate(x, tf.ones([2]), tf.zeros([2]), 1e-7, tf.nn.relu)
    >>> y.numpy().round(3)
    array([[0., 1.]], dtype=float32)
    """

    @tf.custom_gradient
    def compute(
        x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], list[tf.Tensor]]]:
        def gradient(upstream: tf.Tensor) -> list[tf.Tensor]:
            return _gradient(upstream, x, gamma, beta, epsilon, activation)

        # Hide the compiled kernel from the tape, which would keep its intermediates.
        arguments = map(tf.stop_gradient, (x, gamma, beta))
        return _activated(*arguments, epsilon, activation), gradient

    return compute(x, gamma, beta)


def _activate(
    x: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    epsilon: float,
    activation: Activation,
) -> tf.Tensor:
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return activation((x - mean) * tf.math.rsqrt(variance + epsilon) * gamma + beta)


_activated = compilation.fused(_activate)


@compilation.fused
def _gradient(
    upstream: tf.Tensor,
    x: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    epsilon: float,
    activation: Activation,
) -> list[tf.Tensor]:
    with tf.GradientTape() as tape:
        tape.watch([x, gamma, beta])
        y = _activate(x, gamma, beta, epsilon, activation)
    return tape.gradient(y, [x, gamma, beta], upstream)


@configurable.layer(module="ddsp.training.nn")
class FcStack(keras.Sequential):
    """Stack of `Fc` layers.

    Example:

    >>> from ddsp.training import nn
    >>> nn.FcStack(ch=4, layers=2)(tf.zeros([1, 10, 3])).shape.as_list()
    [1, 10, 4]
    """

    def __init__(
        self,
        ch: int = 256,
        layers: int = 2,
        nonlinearity: str | Activation = "leaky_relu",
        **kwargs: Any,
    ) -> None:
        """Initializes the stack.

        Args:
          ch: Number of channels of every layer.
          layers: Number of layers.
          nonlinearity: See `get_nonlinearity`.
          **kwargs: Arguments of `keras.Sequential`.
        """
        super().__init__([Fc(ch, nonlinearity) for _ in range(layers)], **kwargs)


@configurable.layer(module="ddsp.training.nn")
class FcStackOut(keras.layers.Layer):
    """`FcStack` followed by a linear projection.

    Example:

    >>> from ddsp.training import nn
    >>> nn.FcStackOut(ch=4, layers=1, n_out=2)(tf.zeros([1, 10, 3])).shape.as_list()
    [1, 10, 2]
    """

    def __init__(self, ch: int, layers: int, n_out: int, **kwargs: Any) -> None:
        """Initializes the layer.

        Args:
          ch: Number of channels of the stack.
          layers: Number of layers of the stack.
          n_out: Number of output channels.
          **kwargs: Arguments of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.stack = FcStack(ch, layers)
        self.dense_out = keras.layers.Dense(n_out)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Maps [..., channels] to [..., n_out]."""
        return self.dense_out(self.stack(x))


def is_framewise(layer: keras.layers.Layer) -> bool:
    """Returns whether a layer is known to process each frame independently.

    Args:
      layer: Layer of an input [batch, time, channels].

    Example:

    >>> from ddsp.training import nn
    >>> nn.is_framewise(nn.FcStack(4)), nn.is_framewise(nn.Rnn(4, "gru"))
    (True, False)
    """
    if isinstance(layer, keras.Sequential):
        return all(is_framewise(inner) for inner in layer.layers)
    if isinstance(layer, keras.layers.LayerNormalization):
        return layer.axis in (-1, [-1])
    return isinstance(
        layer,
        FcStackOut | Identity | keras.layers.Dense | keras.layers.Activation,
    )
