"""A loss for learning frequencies."""

from typing import Any

import tensorflow as tf

from ddsp import configurable, core
from ddsp._core import checks
from ddsp._losses.base import Loss


@configurable.layer(module="ddsp.losses")
class DampedSinusoidLoss(Loss):
    """Energy of audio that damped sinusoids of any phase and amplitude leave.

    Its gradient finds frequencies from far away, see `core.damped_residual`.

    Args:
      weight: Of the loss.
      **kwargs: Passed on to `Loss`.

    Example:

    >>> loss = ddsp.losses.DampedSinusoidLoss()
    >>> audio = tf.sin(0.3 * tf.range(400.0))[tf.newaxis]
    >>> near, far = ([[[r, i]]] for r, i in [(np.cos(0.3), np.sin(0.3)), (0.0, 0.9)])
    >>> bool(loss(audio, near) < loss(audio, far))
    True
    """

    def __init__(self, weight: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.weight = weight

    def call(self, audio: Any, poles: Any) -> tf.Tensor:
        """Compares poles with audio.

        Args:
          audio: [batch, n_samples].
          poles: [batch, n_sinusoids, 2], real and imaginary parts.

        Returns:
          A scalar, 0 to `weight`.
        """
        residual = core.damped_residual(audio, poles)
        checks.not_empty("audio", residual)
        return self.weight * tf.reduce_mean(residual)
