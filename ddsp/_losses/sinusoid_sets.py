"""Losses between two sets of sinusoids, whose number and order may differ."""

from typing import Any

import tensorflow as tf

from ddsp import configurable, core
from ddsp._core import checks
from ddsp._losses.base import Loss
from ddsp._losses.mixtures import GaussianMixture, around_sinusoids, check_sinusoids


def wasserstein_distance(
    u_values: Any, v_values: Any, u_weights: Any, v_weights: Any, p: float = 1.0
) -> tf.Tensor:
    """Distance of two distributions on a line, differentiable.

    The p-norm of the difference of their cumulative distributions: with p = 1 the
    work of moving one onto the other (Ramdas, Garcia Trillos & Cuturi, 2017, "On
    Wasserstein Two-Sample Testing", proposition 1).

    Args:
      u_values: [..., n], where the first has its points.
      v_values: [..., m], where the second has them.
      u_weights: [..., n], >= 0, normalized here; None for equal ones.
      v_weights: [..., m], the same.
      p: Order of the norm, >= 1.

    Returns:
      [...], in the unit of the values; 0 where both are silent, that is without any
      weight.

    Raises:
      ValueError: If `p` is below 1.

    Example:

    >>> ddsp.losses.wasserstein_distance(
    ...     tf.constant([[0.0, 1.0]]), tf.constant([[2.0, 3.0]]),
    ...     tf.ones([1, 2]), tf.ones([1, 2])).numpy()
    array([2.], dtype=float32)
    """
    if p < 1.0:
        raise ValueError(f"`p` must be at least 1, got {p}.")
    u_values, v_values = core.tf_float32(u_values), core.tf_float32(v_values)
    checks.not_empty("u_values", u_values)
    checks.not_empty("v_values", v_values)
    signed = [_shares(u_values, u_weights), -_shares(v_values, v_weights)]
    values = tf.concat([u_values, v_values], axis=-1)
    order = tf.argsort(values, axis=-1)
    values = tf.gather(values, order, axis=-1, batch_dims=values.shape.rank - 1)
    signed = tf.concat(signed, axis=-1)
    signed = tf.gather(signed, order, axis=-1, batch_dims=signed.shape.rank - 1)
    # Between two points lies what one has more of before them.
    surplus = tf.abs(tf.cumsum(signed, axis=-1)[..., :-1])
    widths = values[..., 1:] - values[..., :-1]
    if p == 1.0:
        return tf.reduce_sum(widths * surplus, axis=-1)
    total = tf.reduce_sum(widths * surplus**p, axis=-1)
    none = total <= 0.0
    return tf.where(none, 0.0, tf.where(none, 1.0, total) ** (1.0 / p))


def _shares(values: tf.Tensor, weights: Any) -> tf.Tensor:
    if weights is None:
        return tf.ones_like(values) / values.shape[-1]
    weights = core.tf_float32(weights)
    return core.safe_divide(weights, tf.reduce_sum(weights, axis=-1, keepdims=True))


@configurable.layer(module="ddsp.losses")
class WassersteinConsistencyLoss(Loss):
    """Wasserstein distance of two sets of sinusoids, by frequency.

    Args:
      weight: Of the loss.
      midi: Measure distances in semitones, else in Hz.
      **kwargs: Passed on to `Loss`.

    Example:

    >>> amps = tf.ones([1, 10, 1])
    >>> loss = ddsp.losses.WassersteinConsistencyLoss()
    >>> float(loss(amps, 440.0 * amps, amps, 220.0 * amps))
    12.0
    """

    def __init__(self, weight: float = 1.0, midi: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.weight = weight
        self.midi = midi

    def call(self, amps_a: Any, freqs_a: Any, amps_b: Any, freqs_b: Any) -> tf.Tensor:
        """Compares two sets of sinusoids.

        Args:
          amps_a: [batch, n_frames, n_sinusoids], >= 0.
          freqs_a: The same shape, Hz.
          amps_b: [batch, n_frames, n_sinusoids], of any number, >= 0.
          freqs_b: The same shape, Hz.

        Returns:
          A scalar.
        """
        check_sinusoids(amps_a=amps_a, freqs_a=freqs_a)
        check_sinusoids(amps_b=amps_b, freqs_b=freqs_b)
        if self.midi:
            freqs_a, freqs_b = core.hz_to_midi(freqs_a), core.hz_to_midi(freqs_b)
        distance = wasserstein_distance(freqs_a, freqs_b, amps_a, amps_b, p=1.0)
        return self.weight * tf.reduce_mean(distance)


@configurable.layer(module="ddsp.losses")
class KDEConsistencyLoss(Loss):
    """How unlikely each of two sets of sinusoids is, given the other.

    Each set is seen as a density over frequency, a Gaussian around each sinusoid as
    high as it is loud; the loss is the negative log-likelihood of each set under the
    density of the other, and the difference of mean amplitudes, on which densities do
    not depend.

    Args:
      weight_a: Of set a given b.
      weight_b: Of set b given a.
      weight_mean_amp: Of the difference of the mean amplitudes.
      scale_a: Standard deviation around the sinusoids of a, semitones.
      scale_b: The same of b.
      **kwargs: Passed on to `Loss`.

    Raises:
      ValueError: If a scale is not positive.

    Example:

    >>> amps = tf.ones([1, 10, 1])
    >>> loss = ddsp.losses.KDEConsistencyLoss()
    >>> near = loss(amps, 440.0 * amps, amps, 441.0 * amps)
    >>> bool(near < loss(amps, 440.0 * amps, amps, 500.0 * amps))
    True
    """

    def __init__(
        self,
        weight_a: float = 1.0,
        weight_b: float = 1.0,
        weight_mean_amp: float = 1.0,
        scale_a: float = 0.1,
        scale_b: float = 0.1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        checks.positive("scale_a", scale_a)
        checks.positive("scale_b", scale_b)
        self.weight_a = weight_a
        self.weight_b = weight_b
        self.weight_mean_amp = weight_mean_amp
        self.scale_a = scale_a
        self.scale_b = scale_b

    def call(self, amps_a: Any, freqs_a: Any, amps_b: Any, freqs_b: Any) -> tf.Tensor:
        """Compares two sets of sinusoids.

        Args:
          amps_a: [batch, n_frames, n_sinusoids], >= 0.
          freqs_a: The same shape, Hz.
          amps_b: [batch, n_frames, n_sinusoids], of any number, >= 0.
          freqs_b: The same shape, Hz.

        Returns:
          A scalar; densities can be above 1, so that it may be negative.
        """
        check_sinusoids(amps_a=amps_a, freqs_a=freqs_a)
        check_sinusoids(amps_b=amps_b, freqs_b=freqs_b)
        a_given_b = self.nll(amps_a, freqs_a, amps_b, freqs_b, self.scale_b)
        b_given_a = self.nll(amps_b, freqs_b, amps_a, freqs_a, self.scale_a)
        means = [tf.reduce_mean(core.tf_float32(x), axis=-1) for x in (amps_a, amps_b)]
        return (
            self.weight_a * tf.reduce_mean(a_given_b)
            + self.weight_b * tf.reduce_mean(b_given_a)
            + self.weight_mean_amp * tf.reduce_mean(tf.abs(means[0] - means[1]))
        )

    def nll(
        self,
        amps: Any,
        freqs: Any,
        amps_target: Any,
        freqs_target: Any,
        scale_target: float,
    ) -> tf.Tensor:
        """How unlikely sinusoids are, given others.

        Args:
          amps: [batch, n_frames, n_sinusoids], >= 0.
          freqs: The same shape, Hz.
          amps_target: Of the sinusoids that are given, of any number.
          freqs_target: The same shape, Hz.
          scale_target: Standard deviation around each of them, semitones.

        Returns:
          [batch, n_frames], the mean over sinusoids of the negative logarithm of the
          density, weighted by the share of each in the amplitude.
        """
        density = self.kernel_density_estimate(amps_target, freqs_target, scale_target)
        amps = core.tf_float32(amps)
        shares = core.safe_divide(amps, tf.reduce_sum(amps, axis=-1, keepdims=True))
        return -tf.reduce_mean(density.log_prob(core.hz_to_midi(freqs)) * shares, -1)

    def kernel_density_estimate(
        self, amps: Any, freqs: Any, scale: float
    ) -> GaussianMixture:
        """The density around sinusoids.

        Args:
          amps: [..., n_sinusoids], >= 0.
          freqs: [..., n_sinusoids], Hz.
          scale: Standard deviation, semitones.

        Returns:
          A mixture, with `log_prob(notes)`.
        """
        return around_sinusoids(amps, freqs, scale)
