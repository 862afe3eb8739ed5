"""Discrete choices that let gradients through.

Straight-through estimators: Bengio et al., "Estimating or Propagating Gradients Through
Stochastic Neurons for Conditional Computation" (2013).
"""

from typing import Any

import tensorflow as tf

from ddsp._core.tensors import tf_float32

# Above zero, so that its logarithm is finite.
_SMALLEST = 1e-30


def straight_through_softmax(logits: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws one of the last axis, with the gradient of its probability.

    Args:
      logits: [..., n], any value.

    Returns:
      One-hot samples and probabilities, both [..., n]. The gradient of a sample is that
      of the probability of what was drawn.
    """
    logits = tf_float32(logits)
    probabilities = tf.nn.softmax(logits)
    # The largest of logits plus Gumbel noise is distributed as the softmax.
    uniform = tf.random.uniform(tf.shape(logits), minval=_SMALLEST)
    gumbel = -tf.math.log(-tf.math.log(uniform))
    drawn = tf.one_hot(tf.argmax(logits + gumbel, axis=-1), tf.shape(logits)[-1])
    drawn.set_shape(logits.shape)
    return _with_gradient_of(drawn * probabilities, drawn), probabilities


def straight_through_choice(logits: Any, values: Any) -> tf.Tensor:
    """Draws one of several values, with the gradient of its probability.

    Args:
      logits: [..., n], any value.
      values: [..., n], what is chosen from.

    Returns:
      [..., 1].
    """
    choice, _ = straight_through_softmax(logits)
    return tf.reduce_sum(choice * tf_float32(values), axis=-1, keepdims=True)


def straight_through_int_quantization(x: Any) -> tf.Tensor:
    """Rounds to whole numbers, with the gradient of the identity.

    Args:
      x: Any shape.

    Returns:
      Whole numbers, exactly; those halfway go to the even neighbour.
    """
    x = tf_float32(x)
    return _with_gradient_of(x, tf.round(x))


@tf.custom_gradient
def _with_gradient_of(x: tf.Tensor, value: tf.Tensor):
    """`value`, for the gradient `x`."""
    return tf.identity(value), lambda upstream: (upstream, None)
