"""Normalisation without running statistics."""

import keras
import tensorflow as tf

from ddsp import configurable

_N_GROUPS = 32


def ensure_4d(x: tf.Tensor) -> tf.Tensor:
    """Adds axes of size one until there are [batch, time, frequency, channels].

    Args:
      x: [batch, channels], [batch, time, channels] or
        [batch, time, frequency, channels].

    Returns:
      [batch, time, frequency, channels].

    Raises:
      ValueError: If the rank is not 2, 3 or 4.
    """
    rank = len(x.shape)
    if rank == 2:
        return x[:, tf.newaxis, tf.newaxis, :]
    if rank == 3:
        return x[:, :, tf.newaxis, :]
    if rank == 4:
        return x
    raise ValueError(f"The input must have 2 to 4 axes; received shape {x.shape}.")


def inv_ensure_4d(x: tf.Tensor, n_dims: int) -> tf.Tensor:
    """Removes the axes that `ensure_4d` added to a tensor of `n_dims` axes.

    Raises:
      ValueError: If `n_dims` is not 2, 3 or 4.
    """
    if n_dims == 2:
        return x[:, 0, 0, :]
    if n_dims == 3:
        return x[:, :, 0, :]
    if n_dims == 4:
        return x
    raise ValueError(f"`n_dims` must be 2, 3 or 4; received {n_dims}.")


def normalize_op(
    x: tf.Tensor,
    norm_type: str | None = "layer",
    eps: float = 1e-5,
    per_frame: bool = False,
) -> tf.Tensor:
    """Subtracts the mean and divides by the standard deviation.

    Args:
      x: [batch, time, frequency, channels].
      norm_type: What shares its moments within an example: 'layer' everything (Ba et
        al., 2016), 'instance' each channel (Ulyanov et al., 2016), 'group' each of 32
        groups of adjacent channels (Wu and He, 2018). None leaves `x` as it is.
      eps: Added to the variance.
      per_frame: Whether moments are taken of every frame by itself, so that none
        depends on another.

    Returns:
      Normalised tensor of the same shape.

    Raises:
      ValueError: If `norm_type` is unknown, `x` does not have 4 axes, or 'group' is
        asked for a number of channels that 32 does not divide.
    """
    if len(x.shape) != 4:
        raise ValueError(
            "The input must be [batch, time, frequency, channels]; received shape "
            f"{x.shape}."
        )
    if norm_type is None:
        return x
    positions = [2] if per_frame else [1, 2]
    if norm_type == "layer":
        return _standardize(x, [*positions, 3], eps)
    if norm_type == "instance":
        return _standardize(x, positions, eps)
    if norm_type == "group":
        channels = x.shape[-1]
        if channels % _N_GROUPS:
            raise ValueError(
                "Group normalisation needs a number of channels that is a multiple of "
                f"{_N_GROUPS}; received {channels}."
            )
        shape = tf.shape(x)
        groups = [_N_GROUPS, channels // _N_GROUPS]
        grouped = tf.reshape(x, tf.concat([shape[:-1], groups], axis=0))
        return tf.reshape(_standardize(grouped, [*positions, 4], eps), shape)
    raise ValueError(
        "`norm_type` must be 'layer', 'instance', 'group' or None; received "
        f"{norm_type!r}."
    )


def _standardize(x: tf.Tensor, axes: list[int], eps: float) -> tf.Tensor:
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + eps)


@configurable.layer(module="ddsp.training.nn")
class Normalize(keras.layers.Layer):
    """`normalize_op` followed by a learned scale and shift for each channel."""

    def __init__(
        self, norm_type: str | None = "layer", per_frame: bool = False, **kwargs
    ):
        """Initializer.

        Args:
          norm_type: 'layer', 'instance', 'group' or None, see `normalize_op`.
          per_frame: Whether every frame is normalised by itself.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.norm_type = norm_type
        self.per_frame = per_frame

    def build(self, x_shape):
        shape = [1, 1, 1, x_shape[-1]]
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones")
        self.shift = self.add_weight(name="shift", shape=shape, initializer="zeros")

    def call(self, x):
        """[batch, ..., channels] of 2 to 4 axes, normalised."""
        normalized = normalize_op(
            ensure_4d(x), self.norm_type, per_frame=self.per_frame
        )
        return inv_ensure_4d(normalized * self.scale + self.shift, len(x.shape))


@configurable.layer(module="ddsp.training.nn")
class ConditionalScaleAndShift(keras.layers.Layer):
    """Scales and shifts each channel by what another input says.

    Feature-wise linear modulation (Perez et al., "FiLM: Visual Reasoning with a General
    Conditioning Layer", 2018).
    """

    def __init__(self, shift_only: bool = False, **kwargs):
        """Initializer.

        Args:
          shift_only: Whether to shift only.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.shift_only = shift_only

    def build(self, inputs_shapes):
        channels = inputs_shapes[0][-1]
        self.dense = keras.layers.Dense(channels * (1 if self.shift_only else 2))
        self.dense.build(inputs_shapes[1])

    def call(self, inputs):
        """Modulates a tensor.

        Args:
          inputs: A pair, [batch, ..., channels] and a conditioning tensor whose axes
            but the last broadcast to those of the first.

        Returns:
          [batch, ..., channels].
        """
        x, z = inputs
        if self.shift_only:
            return x + self.dense(z)
        scale, shift = tf.split(self.dense(z), 2, axis=-1)
        return x * scale + shift


@configurable.layer(module="ddsp.training.nn")
class ConditionalNorm(keras.layers.Layer):
    """`normalize_op` followed by a scale and shift that another input sets."""

    def __init__(
        self,
        norm_type: str | None = "instance",
        shift_only: bool = False,
        per_frame: bool = False,
        **kwargs,
    ):
        """Initializer.

        Args:
          norm_type: 'layer', 'instance', 'group' or None, see `normalize_op`.
          shift_only: Whether to shift only.
          per_frame: Whether every frame is normalised by itself.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.norm_type = norm_type
        self.per_frame = per_frame
        self.conditional_scale_and_shift = ConditionalScaleAndShift(shift_only)

    def call(self, inputs):
        """Normalises and modulates.

        Args:
          inputs: A pair, [batch, time, frequency, channels] and a conditioning tensor
            whose axes but the last broadcast to those of the first.

        Returns:
          [batch, time, frequency, channels].
        """
        x, z = inputs
        normalized = normalize_op(x, self.norm_type, per_frame=self.per_frame)
        return self.conditional_scale_and_shift([normalized, z])


def get_norm(
    norm_type: str | None, conditional: bool, shift_only: bool, per_frame: bool = False
) -> keras.layers.Layer:
    """A new layer that normalises.

    Args:
      norm_type: 'layer', 'instance', 'group' or None, see `normalize_op`.
      conditional: Whether a second input sets scales and shifts, see
        `ConditionalNorm`; they are learned otherwise, see `Normalize`.
      shift_only: Whether the second input sets shifts only.
      per_frame: Whether every frame is normalised by itself.
    """
    if conditional:
        return ConditionalNorm(norm_type, shift_only, per_frame)
    return Normalize(norm_type, per_frame)
