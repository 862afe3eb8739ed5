"""Numerical safety: operations whose values and gradients stay finite.

`tf.where` alone is not enough: the gradient of the branch not taken is computed
too, and 0 * inf is NaN. So the argument is made harmless first, and only then is the
dangerous function applied.

NaN stays NaN, so that nothing hides what went wrong: conditions are written such that a
comparison with NaN, which is false, leaves the value as it is. Infinities are what
arithmetic makes of them.
"""

from typing import Any

import tensorflow as tf

from ddsp._core.tensors import tf_float32


def nan_to_num(x: Any, value: float = 0.0) -> tf.Tensor:
    """Replaces NaN by `value`."""
    return tf.where(tf.math.is_nan(x), value * tf.ones_like(x), x)


def bounded(x: Any, low: float, high: float, nan: float) -> tf.Tensor:
    """Clips to [low, high], with NaN replaced: for what would stay in a state."""
    return tf.clip_by_value(nan_to_num(x, nan), low, high)


def safe_divide(numerator: Any, denominator: Any, eps: float = 1e-7) -> tf.Tensor:
    """Divides, with a denominator of zero replaced by `eps`."""
    denominator = tf_float32(denominator)
    harmless = tf.where(denominator == 0.0, eps, denominator)
    return tf_float32(numerator) / harmless


def safe_log(x: Any, eps: float = 1e-5) -> tf.Tensor:
    """Natural logarithm, with values of zero and below replaced by `eps`."""
    x = tf_float32(x)
    return tf.math.log(tf.where(x <= 0.0, eps, x))


def logb(x: Any, base: float = 2.0, eps: float = 1e-5) -> tf.Tensor:
    """Logarithm to a base, safe as `safe_log`."""
    return safe_divide(safe_log(x, eps), safe_log(base, eps), eps)


def log10(x: Any, eps: float = 1e-5) -> tf.Tensor:
    """Logarithm to base 10, safe as `safe_log`."""
    return logb(x, base=10.0, eps=eps)


def safe_sqrt(x: Any, eps: float = 1e-7) -> tf.Tensor:
    """Square root whose gradient is bounded by `1 / sqrt(eps)`.

    Values below `eps` lie on the straight line from (0, 0) to (eps, sqrt(eps)), so
    the ends of a range from 0 to 1 stay exact.
    """
    x = tf_float32(x)
    harmless = tf.maximum(x, eps)
    return tf.where(x < eps, x / eps**0.5, tf.sqrt(harmless))


@tf.custom_gradient
def gradient_reversal(x: tf.Tensor):
    """The identity, with the gradient's sign turned (Ganin & Lempitsky, 2015)."""
    x = tf.convert_to_tensor(x)
    return tf.identity(x), lambda upstream: -upstream
