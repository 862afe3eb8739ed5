"""Mixtures of Gaussians: a smooth picture of where some points lie."""

import dataclasses
import math
from typing import Any

import tensorflow as tf

from ddsp import core
from ddsp._core import checks

_LEAST = 1e-7  # weight of a point that has none, so that silence has a density


@dataclasses.dataclass(frozen=True)
class GaussianMixture:
    """Gaussians of one width around points.

    Attributes:
      weights: [..., n_points], which sum to 1.
      centers: [..., n_points].
      scale: Standard deviation of each Gaussian.
    """

    weights: tf.Tensor
    centers: tf.Tensor
    scale: float

    def log_prob(self, values: Any) -> tf.Tensor:
        """Logarithm of the density at [..., n_values], of that shape."""
        values = core.tf_float32(values)[..., tf.newaxis]
        distances = (values - self.centers[..., tf.newaxis, :]) / self.scale
        heights = tf.math.log(self.weights) - math.log(self.scale)
        heights = heights[..., tf.newaxis, :] - 0.5 * math.log(2.0 * math.pi)
        return tf.reduce_logsumexp(heights - 0.5 * distances**2, axis=-1)


def around_sinusoids(amps: Any, freqs: Any, scale: float) -> GaussianMixture:
    """The mixture around sinusoids, each as high as it is loud.

    Args:
      amps: [..., n_sinusoids], >= 0.
      freqs: [..., n_sinusoids], Hz.
      scale: Standard deviation, semitones.
    """
    amps = core.tf_float32(amps)
    amps = tf.maximum(amps, _LEAST * tf.ones_like(amps))
    weights = amps / tf.reduce_sum(amps, axis=-1, keepdims=True)
    return GaussianMixture(weights, core.hz_to_midi(freqs), scale)


def check_sinusoids(**sinusoids: Any) -> None:
    """Refuses amplitudes and frequencies that do not belong together.

    Args:
      **sinusoids: The two by their names, [batch, n_frames, n_sinusoids].

    Raises:
      ValueError: If they do not have three axes, are empty, or differ in shape.
    """
    shapes = []
    for name, x in sinusoids.items():
        checks.rank(name, x, 3)
        checks.not_empty(name, x)
        shapes.append(core.tf_float32(x).shape)
    if not shapes[0].is_compatible_with(shapes[1]):
        names = " and ".join(f"`{name}`" for name in sinusoids)
        raise ValueError(
            f"{names} must be of one shape, got {shapes[0]} and {shapes[1]}."
        )
