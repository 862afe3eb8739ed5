"""Maps from a network's unbounded outputs to amplitudes and frequencies."""

from typing import Any

import numpy as np
import tensorflow as tf

from ddsp._core import checks, units
from ddsp._core.tensors import tf_float32


def exp_sigmoid(
    x: Any, exponent: float = 10.0, max_value: float = 2.0, threshold: float = 1e-7
) -> tf.Tensor:
    """Sigmoid raised to log(exponent): bounded, and steep as an exponential.

    Engel et al., "DDSP: Differentiable Digital Signal Processing" (2020), eq. 5.

    Args:
      x: Any shape, any value.
      exponent: The factor by which the output grows when `x` grows by 1, far
        below zero.
      max_value: Upper bound.
      threshold: Added, so that the output never vanishes.

    Returns:
      Values in [threshold, max_value + threshold].
    """
    x = tf_float32(x)
    # log_sigmoid keeps the gradient finite where the sigmoid underflows.
    return max_value * tf.exp(tf.math.log(exponent) * tf.math.log_sigmoid(x)) + (
        threshold
    )


def sym_exp_sigmoid(x: Any, width: float = 8.0) -> tf.Tensor:
    """`exp_sigmoid` of |x|: smallest at 0, growing to both sides over `width`."""
    return exp_sigmoid(width * (tf.abs(tf_float32(x)) / 2.0 - 1.0))


def log_scale(x: Any, min_x: float, max_x: float) -> tf.Tensor:
    """Maps [-1, 1] to [min_x, max_x] along a logarithmic scale."""
    unit = (tf_float32(x) + 1.0) / 2.0
    low, high = tf.math.log(tf_float32(min_x)), tf.math.log(tf_float32(max_x))
    return tf.exp(low + (high - low) * unit)


def soft_limit(x: Any, x_min: float = 0.0, x_max: float = 1.0) -> tf.Tensor:
    """Bends values smoothly, by softplus, towards the range [x_min, x_max]."""
    # Far above the range both terms are as large as `x`, and their difference is lost.
    x = tf.minimum(tf_float32(x), x_max - x_min + 50.0)
    return tf.nn.softplus(x) - tf.nn.softplus(x - (x_max - x_min)) + x_min


def _with_depth(freqs: Any, depth: int) -> tf.Tensor:
    """Returns [batch, time, n, depth]; a rank-4 input keeps its own depth."""
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
    freqs: Any, depth: int = 1, hz_min: float = 20.0, hz_max: float = 8000.0
) -> tf.Tensor:
    """Frequencies as the mean of a softmax over log-spaced bins.

    Args:
      freqs: [batch, time, n * depth] or [batch, time, n, depth], any value.
      depth: Number of bins for each frequency.
      hz_min: Frequency of the first bin.
      hz_max: Frequency of the last bin.

    Returns:
      [batch, time, n], Hz, in [hz_min, hz_max].
    """
    freqs = _with_depth(freqs, depth)
    probabilities = tf.nn.softmax(freqs, axis=-1)
    bins = tf.linspace(0.0, 1.0, tf.shape(freqs)[-1])
    unit = tf.reduce_sum(probabilities * bins, axis=-1)
    return units.unit_to_hz(unit, hz_min=hz_min, hz_max=hz_max)


def frequencies_sigmoid(
    freqs: Any, depth: int = 1, hz_min: float = 0.0, hz_max: float = 8000.0
) -> tf.Tensor:
    """Frequencies as a sum of sigmoids of falling range, coarse to fine.

    The range in Hz is cut into `depth` spans, each smaller than the one before by
    the factor `(hz_max - hz_min) ** (1 / depth)`; every sigmoid moves along its own
    span on a logarithmic scale.

    Args:
      freqs: [batch, time, n * depth] or [batch, time, n, depth], any value.
      depth: Number of sigmoids for each frequency.
      hz_min: Lowest frequency; a logarithmic scale that starts at 0 Hz starts at
        MIDI pitch 0, 8.2 Hz.
      hz_max: Highest frequency.

    Returns:
      [batch, time, n], Hz.
    """
    freqs = _with_depth(freqs, depth)
    depth = freqs.shape[-1]
    shrink = (hz_max - hz_min) ** (1.0 / depth)
    # What is left of the range before each span, down to the last one.
    left = (hz_max - hz_min) * shrink ** -np.arange(depth)
    low = np.append(np.zeros(depth - 1), hz_min).astype(np.float32)
    high = np.append(left[:-1] - left[1:], left[-1]).astype(np.float32)
    return tf.reduce_sum(units.unit_to_hz(tf.nn.sigmoid(freqs), low, high), axis=-1)


def frequencies_critical_bands(
    freqs: Any,
    depth: int = 1,
    depth_scale: float = 10.0,
    bandwidth_scale: float = 1.0,
    hz_min: float = 20.0,
    hz_max: float = 8000.0,
    scale: str = "bark",
) -> tf.Tensor:
    """Frequencies near the centers of critical bands, each within its bandwidth.

    Args:
      freqs: [batch, time, n * depth] or [batch, time, n, depth], any value.
      depth: Number of values that refine each frequency.
      depth_scale: Each value acts this many times less than the one before.
      bandwidth_scale: Reach of a frequency, in equivalent rectangular bandwidths.
      hz_min: Center of the first band.
      hz_max: Center of the last band.
      scale: Along which the centers are equally spaced, `'bark'` or `'mel'`.

    Returns:
      [batch, time, n], Hz, bent towards [hz_min, hz_max] by `soft_limit`.

    Raises:
      ValueError: If `scale` is unknown.
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
