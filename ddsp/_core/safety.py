"""Numerical safety: operations with finite values and finite gradients.

`tf.where` alone is not enough: the gradient of the unused branch is computed too, and
0 * inf is NaN. So unsafe arguments are replaced first, and the function is applied
after that.

NaN stays NaN, so that errors are not hidden: conditions are written so that a
comparison with NaN, which is false, keeps the value. Infinities follow the rules of
arithmetic.
"""

from collections.abc import Callable

import tensorflow as tf

from ddsp._core.tensors import tf_float32
from ddsp.types import ArrayLike


def nan_to_num(x: ArrayLike, value: float = 0.0) -> tf.Tensor:
    """Replaces NaN.

    Args:
      x: Values of any shape.
      value: Replacement of NaN.

    Returns:
      Tensor of the shape of `x`.

    Example:

    >>> ddsp.core.nan_to_num([1.0, np.nan]).numpy()
    array([1., 0.], dtype=float32)
    """
    return tf.where(tf.math.is_nan(x), value * tf.ones_like(x), x)


def bounded(x: ArrayLike, low: float, high: float, nan: float) -> tf.Tensor:
    """Clips to [low, high] and replaces NaN, so that a state stays finite."""
    return tf.clip_by_value(nan_to_num(x, nan), low, high)


def safe_divide(
    numerator: ArrayLike, denominator: ArrayLike, eps: float = 1e-7
) -> tf.Tensor:
    """Divides with denominators of zero replaced.

    Args:
      numerator: Values of any shape.
      denominator: Values that broadcast with the numerator.
      eps: Replacement of a denominator of zero.

    Returns:
      Quotients, float32.

    Example:

    >>> ddsp.core.safe_divide([1.0, 0.0], [4.0, 0.0]).numpy()
    array([0.25, 0.  ], dtype=float32)
    """
    denominator = tf_float32(denominator)
    safe = tf.where(denominator == 0.0, eps, denominator)
    return tf_float32(numerator) / safe


def safe_log(x: ArrayLike, eps: float = 1e-5) -> tf.Tensor:
    """Computes the natural logarithm with values ≤ 0 replaced.

    Args:
      x: Values of any shape.
      eps: Replacement of values ≤ 0.

    Returns:
      Logarithms, float32.

    Example:

    >>> ddsp.core.safe_log([1.0, 0.0]).numpy().round(2).tolist()
    [0.0, -11.51]
    """
    x = tf_float32(x)
    return tf.math.log(tf.where(x <= 0.0, eps, x))


def logb(x: ArrayLike, base: ArrayLike = 2.0, eps: float = 1e-5) -> tf.Tensor:
    """Computes the logarithm to a base with values ≤ 0 replaced.

    Args:
      x: Values of any shape.
      base: Base of the logarithm.
      eps: Replacement of values ≤ 0.

    Returns:
      Logarithms, float32.

    Example:

    >>> float(ddsp.core.logb(8.0, base=2.0))
    3.0
    """
    return safe_divide(safe_log(x, eps), safe_log(base, eps), eps)


def log10(x: ArrayLike, eps: float = 1e-5) -> tf.Tensor:
    """Computes the logarithm to base 10 with values ≤ 0 replaced.

    Args:
      x: Values of any shape.
      eps: Replacement of values ≤ 0.

    Returns:
      Logarithms, float32.

    Example:

    >>> float(ddsp.core.log10(1000.0))
    3.0
    """
    return logb(x, base=10.0, eps=eps)


def safe_sqrt(x: ArrayLike, eps: float = 1e-7) -> tf.Tensor:
    """Computes the square root with a gradient of at most `1 / sqrt(eps)`.

    Values below `eps` are on the straight line from (0, 0) to (eps, sqrt(eps)), so
    that 0 and 1 stay exact.

    Args:
      x: Values of any shape.
      eps: End of the straight line.

    Returns:
      Square roots, float32.

    Example:

    >>> ddsp.core.safe_sqrt([0.0, 4.0]).numpy()
    array([0., 2.], dtype=float32)
    """
    x = tf_float32(x)
    safe = tf.maximum(x, eps)
    return tf.where(x < eps, x / eps**0.5, tf.sqrt(safe))


@tf.custom_gradient
def gradient_reversal(
    x: ArrayLike,
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Returns its input and reverses the sign of its gradient.

    Ganin & Lempitsky, "Unsupervised Domain Adaptation by Backpropagation" (2015).

    Args:
      x: Tensor of any shape.

    Returns:
      `x`.

    Example:

    >>> x = tf.constant(3.0)
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = ddsp.core.gradient_reversal(x)
    >>> float(tape.gradient(y, x))
    -1.0
    """
    x = tf.convert_to_tensor(x)
    return tf.identity(x), lambda upstream: -upstream
