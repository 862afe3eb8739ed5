"""Losses that compare synthesizer controls with known ones.

They train encoders on synthetic sounds, whose controls are known, and hold two
descriptions of one sound together: Engel et al. (2020), "Self-supervised Pitch
Detection by Inverse Audio Synthesis", ICML workshop on self-supervision.
"""

from typing import Any

import tensorflow as tf

from ddsp import configurable, core
from ddsp._core import checks
from ddsp._losses.base import LOSS_TYPES, Loss, mean_difference


def amp_loss(
    amp: Any,
    amp_target: Any,
    loss_type: str = "L1",
    weights: Any = None,
    log: bool = False,
    amin: float = 1e-5,
) -> tf.Tensor:
    """Difference of amplitudes.

    Args:
      amp: Any shape, >= 0.
      amp_target: The same shape.
      loss_type: See `mean_difference`.
      weights: Multiply the differences.
      log: Compare decimal logarithms.
      amin: Smallest amplitude that a logarithm is taken of.

    Returns:
      A scalar.

    Raises:
      ValueError: If `loss_type` is unknown, or `amin` is not positive.

    Example:

    >>> float(ddsp.losses.amp_loss([[0.5]], [[0.25]]))
    0.25
    """
    amp, amp_target = core.tf_float32(amp), core.tf_float32(amp_target)
    if log:
        checks.positive("amin", amin)
        amp, amp_target = (
            tf.math.log(tf.maximum(x, amin)) / tf.math.log(10.0)
            for x in (amp, amp_target)
        )
    return mean_difference(amp, amp_target, loss_type, weights)


def freq_loss(
    f_hz: Any, f_hz_target: Any, loss_type: str = "L1", weights: Any = None
) -> tf.Tensor:
    """Difference of frequencies in semitones.

    Args:
      f_hz: Any shape, Hz, >= 0.
      f_hz_target: The same shape.
      loss_type: See `mean_difference`.
      weights: Multiply the differences.

    Returns:
      A scalar.

    Raises:
      ValueError: If `loss_type` is unknown.

    Example:

    >>> float(ddsp.losses.freq_loss([[440.0]], [[220.0]]))
    12.0
    """
    notes, target = core.hz_to_midi(f_hz), core.hz_to_midi(f_hz_target)
    return mean_difference(notes, target, loss_type, weights)


@configurable.layer(module="ddsp.losses")
class FilteredNoiseConsistencyLoss(Loss):
    """Difference of noise magnitudes.

    Args:
      weight: Of the loss.
      **kwargs: Passed on to `Loss`.

    Example:

    >>> loss = ddsp.losses.FilteredNoiseConsistencyLoss()
    >>> loss(tf.ones([1, 10, 5]), tf.zeros([1, 10, 5])).shape
    TensorShape([])
    """

    def __init__(self, weight: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.weight = weight

    def call(self, noise_magnitudes: Any, noise_magnitudes_target: Any) -> tf.Tensor:
        """Compares [batch, n_frames, n_bands], >= 0; returns a scalar."""
        return self.weight * amp_loss(noise_magnitudes, noise_magnitudes_target)


@configurable.layer(module="ddsp.losses")
class HarmonicConsistencyLoss(Loss):
    """Differences of a harmonic synthesizer's controls.

    Shares of the harmonics and pitch count only where the target sounds.

    Args:
      amp_weight: Of the amplitude.
      dist_weight: Of the shares of the harmonics.
      f0_weight: Of the pitch, in semitones.
      amp_threshold: Smallest amplitude at which the target sounds.
      **kwargs: Passed on to `Loss`.

    Example:

    >>> amps, shares = tf.ones([1, 10, 1]), tf.fill([1, 10, 4], 0.25)
    >>> f0_hz = tf.fill([1, 10, 1], 440.0)
    >>> losses = ddsp.losses.HarmonicConsistencyLoss()(
    ...     amps, amps, shares, shares, f0_hz, f0_hz / 2.0)
    >>> float(losses["f0_hz_loss"])
    12.0
    """

    def __init__(
        self,
        amp_weight: float = 1.0,
        dist_weight: float = 1.0,
        f0_weight: float = 1.0,
        amp_threshold: float = 1e-4,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.amp_weight = amp_weight
        self.dist_weight = dist_weight
        self.f0_weight = f0_weight
        self.amp_threshold = amp_threshold

    def call(
        self,
        harm_amp: Any,
        harm_amp_target: Any,
        harm_dist: Any,
        harm_dist_target: Any,
        f0_hz: Any,
        f0_hz_target: Any,
    ) -> dict[str, tf.Tensor]:
        """Compares controls with their targets.

        Args:
          harm_amp: [batch, n_frames, 1], >= 0.
          harm_amp_target: The same shape.
          harm_dist: [batch, n_frames, n_harmonics], >= 0.
          harm_dist_target: The same shape.
          f0_hz: [batch, n_frames, 1], Hz.
          f0_hz_target: The same shape.

        Returns:
          Scalars: 'harm_amp_loss', 'harm_dist_loss', 'f0_hz_loss'.
        """
        sounds = core.tf_float32(harm_amp_target) >= self.amp_threshold
        weights = tf.cast(sounds, tf.float32)
        amp = amp_loss(harm_amp, harm_amp_target)
        dist = amp_loss(harm_dist, harm_dist_target, weights=weights)
        pitch = freq_loss(f0_hz, f0_hz_target, weights=weights)
        return {
            "harm_amp_loss": self.amp_weight * amp,
            "harm_dist_loss": self.dist_weight * dist,
            "f0_hz_loss": self.f0_weight * pitch,
        }

    def get_losses_dict(self, *args: Any, **kwargs: Any) -> dict[str, tf.Tensor]:
        """Returns the three losses by their names."""
        return self(*args, **kwargs)


@configurable.layer(module="ddsp.losses")
class ParamLoss(Loss):
    """Difference of any two tensors of parameters.

    Args:
      weight: Of the loss.
      loss_type: See `mean_difference`.
      **kwargs: Passed on to `Loss`.

    Raises:
      ValueError: If `loss_type` is unknown.

    Example:

    >>> float(ddsp.losses.ParamLoss(loss_type="L2")([1.0, 2.0], [1.0, 4.0]))
    2.0
    """

    def __init__(self, weight: float = 1.0, loss_type: str = "L1", **kwargs: Any):
        super().__init__(**kwargs)
        checks.one_of("loss_type", loss_type.upper(), LOSS_TYPES)
        self.weight = weight
        self.loss_type = loss_type

    def call(self, pred: Any, target: Any, weights: Any = None) -> tf.Tensor:
        """Compares tensors of one shape, any; returns a scalar."""
        return self.weight * mean_difference(pred, target, self.loss_type, weights)
