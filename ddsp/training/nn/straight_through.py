"""Straight-through estimators: discrete operations with surrogate gradients.

Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons for
Conditional Computation" (2013).
"""

from collections.abc import Callable

import tensorflow as tf

from ddsp._core.tensors import tf_float32
from ddsp.types import ArrayLike

# Positive, so that its logarithm is finite.
_MIN_UNIFORM = 1e-30


def straight_through_softmax(logits: ArrayLike) -> tuple[tf.Tensor, tf.Tensor]:
    """Samples a category, with the gradient of its probability.

    Args:
      logits: Shape [..., n].

    Returns:
      One-hot samples and probabilities, both of shape [..., n]. The gradient of a
      sample is that of the probability of the sampled category.

    Example:

    >>> from ddsp.training import nn
    >>> sample, probabilities = nn.straight_through_softmax([[0.0, 100.0]])
    >>> sample.numpy()
    array([[0., 1.]], dtype=float32)
    """
    logits = tf_float32(logits)
    probabilities = tf.nn.softmax(logits)
    # Gumbel-max trick: the argmax of logits plus Gumbel noise follows the softmax.
    uniform = tf.random.uniform(tf.shape(logits), minval=_MIN_UNIFORM)
    gumbel = -tf.math.log(-tf.math.log(uniform))
    sample = tf.one_hot(tf.argmax(logits + gumbel, axis=-1), tf.shape(logits)[-1])
    sample.set_shape(logits.shape)
    return _with_gradient_of(sample * probabilities, sample), probabilities


def straight_through_choice(logits: ArrayLike, values: ArrayLike) -> tf.Tensor:
    """Samples one of several values, with the gradient of its probability.

    Args:
      logits: Shape [..., n].
      values: Values to sample from, shape [..., n].

    Returns:
      Tensor of shape [..., 1].

    Example:

    >>> from ddsp.training import nn
    >>> nn.straight_through_choice([[0.0, 100.0]], [[60.0, 62.0]]).numpy()
    array([[62.]], dtype=float32)
    """
    choice, _ = straight_through_softmax(logits)
    return tf.reduce_sum(choice * tf_float32(values), axis=-1, keepdims=True)


def straight_through_int_quantization(x: ArrayLike) -> tf.Tensor:
    """Rounds to integers, with the gradient of the identity.

    Args:
      x: Any shape.

    Returns:
      Integers as float32; halves are rounded to even.

    Example:

    >>> from ddsp.training import nn
    >>> nn.straight_through_int_quantization([60.2, 61.5]).numpy()
    array([60., 62.], dtype=float32)
    """
    x = tf_float32(x)
    return _with_gradient_of(x, tf.round(x))


@tf.custom_gradient
def _with_gradient_of(
    x: tf.Tensor, value: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, None]]]:
    """Returns `value` with the gradient of `x`."""
    return tf.identity(value), lambda upstream: (upstream, None)
