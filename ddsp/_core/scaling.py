"""Maps from a network's unbounded outputs to amplitudes and frequencies."""

import numpy as np
import tensorflow as tf

from ddsp._core import checks, units
from ddsp._core.tensors import tf_float32
from ddsp.types import ArrayLike


def exp_sigmoid(
    x: ArrayLike,
    exponent: float = 10.0,
    max_value: float = 2.0,
    threshold: float = 1e-7,
) -> tf.Tensor:
    """Computes a sigmoid raised to the power log(exponent).

    It is bounded like a sigmoid and grows exponentially far below zero. Engel et al.,
    "DDSP: Differentiable Digital Signal Processing" (2020), eq. 5.

    Args:
      x: Values of any shape.
      exponent: Factor by which the output grows when `x` grows by 1, far below zero.
      max_value: Upper bound.
      threshold: Added to the output, so that it is never zero.

    Returns:
      Values in [threshold, max_value + threshold].

    Example:

    >>> ddsp.core.exp_sigmoid([-10.0, 0.0, 10.0]).numpy().round(2)
    array([0. , 0.41, 2. ], dtype=float32)
    """
    x = tf_float32(x)
    # log_sigmoid keeps the gradient finite where the sigmoid underflows.
    return max_value * tf.exp(tf.math.log(exponent) * tf.math.log_sigmoid(x)) + (
        threshold
    )


def sym_exp_sigmoid(x: ArrayLike, width: float = 8.0) -> tf.Tensor:
    """Computes `exp_sigmoid` of the magnitude of `x`, smallest at 0.

    Args:
      x: Values of any shape.
      width: Steepness of the growth with |x|.

    Returns:
      Values in [1e-7, 2].

    Example:

    >>> ddsp.core.sym_exp_sigmoid([-2.0, 0.0, 2.0]).numpy().round(2)
    array([0.41, 0.  , 0.41], dtype=float32)
    """
    return exp_sigmoid(width * (tf.abs(tf_float32(x)) / 2.0 - 1.0))


def log_scale(x: ArrayLike, min_x: float, max_x: float) -> tf.Tensor:
    """Maps [-1, 1] to [min_x, max_x] on a logarithmic scale.

    Args:
      x: Values in [-1, 1], any shape.
      min_x: Result for -1, > 0.
      max_x: Result for 1, > 0.

    Returns:
      Values in [min_x, max_x].

    Example:

    >>> ddsp.core.log_scale([-1.0, 0.0, 1.0], 1.0, 100.0).numpy().round(2)
    array([  1.,  10., 100.], dtype=float32)
    """
    unit = (tf_float32(x) + 1.0) / 2.0
    low, high = tf.math.log(tf_float32(min_x)), tf.math.log(tf_float32(max_x))
    return tf.exp(low + (high - low) * unit)


def soft_limit(x: ArrayLike, x_min: float = 0.0, x_max: float = 1.0) -> tf.Tensor:
    """Limits values to [x_min, x_max] smoothly, by two softplus functions.

    Args:
      x: Values of any shape.
      x_min: Lower bound.
      x_max: Upper bound.

    Returns:
      Values in [x_min, x_max].

    Example:

    >>> ddsp.core.soft_limit([-20.0, 5.0, 30.0], 0.0, 10.0).numpy().round(2)
    array([ 0.,  5., 10.], dtype=float32)
    """
    # Far above the range both terms are as large as `x`: their difference loses digits.
    x = tf.minimum(tf_float32(x), x_max - x_min + 50.0)
    return tf.nn.softplus(x) - tf.nn.softplus(x - (x_max - x_min)) + x_min


def _with_depth(freqs: ArrayLike, depth: int) -> tf.Tensor:
    """Reshapes to [batch, time, n, depth]; a rank-4 input keeps its own depth."""
    freqs = tf_float32(freqs)
    checks.rank("freqs", freqs, (3, 4))
    if freqs.shape.rank == 4:
        return freqs
    if freqs.shape[-1] is not None and freqs.shape[-1] % depth:
        raise ValueError(
            f"The last axis must be a multiple of depth={depth}, got {freqs.shape}."
        )
    shape = tf.shape(freqs)
    return tf.reshape(freqs, [shape[0], shape[1], shape[2] // depth, depth])


def frequencies_softmax(
    freqs: ArrayLike, depth: int = 1, hz_min: float = 20.0, hz_max: float = 8000.0
) -> tf.Tensor:
    """Computes frequencies as the mean of a softmax over log-spaced bins.

    Args:
      freqs: Unbounded values, shape [batch, time, n * depth] or
        [batch, time, n, depth].
      depth: Number of bins per frequency.
      hz_min: Frequency of the first bin.
      hz_max: Frequency of the last bin.

    Returns:
      Frequencies in Hz, in [hz_min, hz_max], shape [batch, time, n].

    Raises:
      ValueError: If the rank is wrong or the last axis is not a multiple of `depth`.

    Example:

    >>> logits = tf.zeros([1, 1, 2 * 64])
    >>> ddsp.core.frequencies_softmax(logits, depth=64).numpy().round(1)
    array([[[400., 400.]]], dtype=float32)
    """
    freqs = _with_depth(freqs, depth)
    probabilities = tf.nn.softmax(freqs, axis=-1)
    bins = tf.linspace(0.0, 1.0, tf.shape(freqs)[-1])
    unit = tf.reduce_sum(probabilities * bins, axis=-1)
    return units.unit_to_hz(unit, hz_min=hz_min, hz_max=hz_max)


def frequencies_sigmoid(
    freqs: ArrayLike, depth: int = 1, hz_min: float = 0.0, hz_max: float = 8000.0
) -> tf.Tensor:
    """Computes frequencies as a sum of sigmoids with decreasing ranges.

    The range in Hz is divided into `depth` spans, each smaller than the previous one
    by the factor `(hz_max - hz_min) ** (1 / depth)`. Each sigmoid covers one span on
    a logarithmic scale.

    Args:
      freqs: Unbounded values, shape [batch, time, n * depth] or
        [batch, time, n, depth].
      depth: Number of sigmoids per frequency.
      hz_min: Lowest frequency; 0 Hz becomes the start of the logarithmic scale, MIDI
        pitch 0 or 8.2 Hz.
      hz_max: Highest frequency.

    Returns:
      Frequencies in Hz, shape [batch, time, n].

    Raises:
      ValueError: If the rank is wrong or the last axis is not a multiple of `depth`.

    Example:

    >>> ddsp.core.frequencies_sigmoid(tf.zeros([1, 1, 6]), depth=3).shape.as_list()
    [1, 1, 2]
    """
    freqs = _with_depth(freqs, depth)
    depth = freqs.shape[-1]
    shrink = (hz_max - hz_min) ** (1.0 / depth)
    # The rest of the range before each span.
    rest = (hz_max - hz_min) * shrink ** -np.arange(depth)
    low = np.append(np.zeros(depth - 1), hz_min).astype(np.float32)
    high = np.append(rest[:-1] - rest[1:], rest[-1]).astype(np.float32)
    return tf.reduce_sum(units.unit_to_hz(tf.nn.sigmoid(freqs), low, high), axis=-1)


def frequencies_critical_bands(
    freqs: ArrayLike,
    depth: int = 1,
    depth_scale: float = 10.0,
    bandwidth_scale: float = 1.0,
    hz_min: float = 20.0,
    hz_max: float = 8000.0,
    scale: str = "bark",
) -> tf.Tensor:
    """Computes frequencies near the centers of critical bands.

    Args:
      freqs: Unbounded values, shape [batch, time, n * depth] or
        [batch, time, n, depth].
      depth: Number of values that refine each frequency.
      depth_scale: Ratio of the effects of two successive values.
      bandwidth_scale: Range around each center, in equivalent rectangular bandwidths.
      hz_min: Center of the first band.
      hz_max: Center of the last band.
      scale: Scale with equally spaced centers, `'bark'` or `'mel'`.

    Returns:
      Frequencies in Hz, shape [batch, time, n], limited to [hz_min, hz_max] by
      `soft_limit`.

    Raises:
      ValueError: If `scale` is unknown, the rank is wrong, or the last axis is not a
        multiple of `depth`.

    Example:

    >>> hz = ddsp.core.frequencies_critical_bands(tf.zeros([1, 1, 8]))
    >>> hz.shape.as_list()
    [1, 1, 8]
    """
    checks.one_of("scale", scale, ("bark", "mel"))
    freqs = _with_depth(freqs, depth)
    n, depth = freqs.shape[-2:]
    to_scale, to_hz = {
        "bark": (units.hz_to_bark, units.bark_to_hz),
        "mel": (units.hz_to_mel, units.mel_to_hz),
    }[scale]
    centers = to_hz(tf.linspace(to_scale(hz_min), to_scale(hz_max), n))
    weights = tf.constant(depth_scale ** -np.arange(depth), tf.float32)
    offset = tf.reduce_sum(tf.tanh(freqs) * weights, axis=-1)
    hz = centers + bandwidth_scale * units.hz_to_erb(centers) * offset
    return soft_limit(hz, hz_min, hz_max)
