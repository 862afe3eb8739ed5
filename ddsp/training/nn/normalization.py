"""Normalization layers without running statistics."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable

_N_GROUPS = 32


def ensure_4d(x: tf.Tensor) -> tf.Tensor:
    """Expands a tensor to [batch, time, frequency, channels] with axes of size 1.

    Args:
      x: Shape [batch, channels], [batch, time, channels] or [batch, time, frequency,
        channels].

    Returns:
      Tensor of shape [batch, time, frequency, channels].

    Raises:
      ValueError: If the rank is not 2, 3 or 4.

    Example:

    >>> from ddsp.training import nn
    >>> nn.ensure_4d(tf.zeros([1, 10, 3])).shape.as_list()
    [1, 10, 1, 3]
    """
    rank = len(x.shape)
    if rank == 2:
        return x[:, tf.newaxis, tf.newaxis, :]
    if rank == 3:
        return x[:, :, tf.newaxis, :]
    if rank == 4:
        return x
    raise ValueError(f"The input must have 2 to 4 axes, got shape {x.shape}.")


def inv_ensure_4d(x: tf.Tensor, n_dims: int) -> tf.Tensor:
    """Removes the axes added by `ensure_4d`.

    Args:
      x: Shape [batch, time, frequency, channels].
      n_dims: Number of axes before `ensure_4d`: 2, 3 or 4.

    Returns:
      Tensor with `n_dims` axes.

    Raises:
      ValueError: If `n_dims` is not 2, 3 or 4.

    Example:

    >>> from ddsp.training import nn
    >>> nn.inv_ensure_4d(tf.zeros([1, 10, 1, 3]), n_dims=3).shape.as_list()
    [1, 10, 3]
    """
    if n_dims == 2:
        return x[:, 0, 0, :]
    if n_dims == 3:
        return x[:, :, 0, :]
    if n_dims == 4:
        return x
    raise ValueError(f"`n_dims` must be 2, 3 or 4, got {n_dims}.")


def normalize_op(
    x: tf.Tensor,
    norm_type: str | None = "layer",
    eps: float = 1e-5,
    per_frame: bool = False,
) -> tf.Tensor:
    """Subtracts the mean and divides by the standard deviation.

    Args:
      x: Shape [batch, time, frequency, channels].
      norm_type: 'layer' computes moments over each example (Ba et al., 2016),
        'instance' over each channel (Ulyanov et al., 2016), 'group' over 32 groups of
        adjacent channels (Wu and He, 2018). None returns `x` unchanged.
      eps: Added to the variance.
      per_frame: Whether to compute moments per frame, so that frames are independent.

    Returns:
      Normalized tensor of the shape of `x`.

    Raises:
      ValueError: If `norm_type` is unknown, `x` does not have 4 axes, or the number
        of channels is not a multiple of 32 with 'group'.

    Example:

    >>> from ddsp.training import nn
    >>> x = tf.reshape([0.0, 2.0], [1, 2, 1, 1])
    >>> nn.normalize_op(x, "layer").numpy().ravel()
    array([-1.00, 1.00], dtype=float32)
    """
    if len(x.shape) != 4:
        raise ValueError(
            "The input must be [batch, time, frequency, channels], got shape "
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
                "Group normalization requires the number of channels to be a multiple "
                f"of {_N_GROUPS}, got {channels}."
            )
        shape = tf.shape(x)
        groups = [_N_GROUPS, channels // _N_GROUPS]
        grouped = tf.reshape(x, tf.concat([shape[:-1], groups], axis=0))
        return tf.reshape(_standardize(grouped, [*positions, 4], eps), shape)
    raise ValueError(
        f"`norm_type` must be 'layer', 'instance', 'group' or None, got {norm_type!r}."
    )


def _standardize(x: tf.Tensor, axes: list[int], eps: float) -> tf.Tensor:
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + eps)


@configurable.layer(module="ddsp.training.nn")
class Normalize(keras.layers.Layer):
    """Normalization with a learned scale and shift per channel.

    Example:

    >>> from ddsp.training import nn
    >>> nn.Normalize("layer")(tf.zeros([1, 10, 3])).shape.as_list()
    [1, 10, 3]
    """

    def __init__(
        self, norm_type: str | None = "layer", per_frame: bool = False, **kwargs: Any
    ) -> None:
        """Initializes the layer.

        Args:
          norm_type: 'layer', 'instance', 'group' or None, see `normalize_op`.
          per_frame: Whether to normalize each frame separately.
          **kwargs: Arguments of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.norm_type = norm_type
        self.per_frame = per_frame

    def build(self, x_shape: Sequence[int]) -> None:
        """Creates scale and shift."""
        shape = [1, 1, 1, x_shape[-1]]
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones")
        self.shift = self.add_weight(name="shift", shape=shape, initializer="zeros")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Normalizes a tensor [batch, ..., channels] of 2 to 4 axes."""
        normalized = normalize_op(
            ensure_4d(x), self.norm_type, per_frame=self.per_frame
        )
        return inv_ensure_4d(normalized * self.scale + self.shift, len(x.shape))


@configurable.layer(module="ddsp.training.nn")
class ConditionalScaleAndShift(keras.layers.Layer):
    """Scale and shift per channel, set by a conditioning input.

    Feature-wise linear modulation (Perez et al., "FiLM: Visual Reasoning with a General
    Conditioning Layer", 2018).

    Example:

    >>> from ddsp.training import nn
    >>> modulation = nn.ConditionalScaleAndShift()
    >>> modulation([tf.zeros([1, 10, 3]), tf.zeros([1, 1, 8])]).shape.as_list()
    [1, 10, 3]
    """

    def __init__(self, shift_only: bool = False, **kwargs: Any) -> None:
        """Initializes the layer.

        Args:
          shift_only: Whether to omit the scale.
          **kwargs: Arguments of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.shift_only = shift_only

    def build(self, inputs_shapes: Sequence[Sequence[int]]) -> None:
        """Creates the projection of the conditioning input."""
        channels = inputs_shapes[0][-1]
        self.dense = keras.layers.Dense(channels * (1 if self.shift_only else 2))
        self.dense.build(inputs_shapes[1])

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Modulates a tensor.

        Args:
          inputs: Pair of a tensor [batch, ..., channels] and a conditioning tensor,
            whose axes other than the last broadcast to those of the first.

        Returns:
          Tensor of shape [batch, ..., channels].
        """
        x, z = inputs
        if self.shift_only:
            return x + self.dense(z)
        scale, shift = tf.split(self.dense(z), 2, axis=-1)
        return x * scale + shift


@configurable.layer(module="ddsp.training.nn")
class ConditionalNorm(keras.layers.Layer):
    """Normalization with scale and shift set by a conditioning input.

    Example:

    >>> from ddsp.training import nn
    >>> x, z = tf.zeros([1, 10, 1, 3]), tf.zeros([1, 10, 1, 8])
    >>> nn.ConditionalNorm("instance")([x, z]).shape.as_list()
    [1, 10, 1, 3]
    """

    def __init__(
        self,
        norm_type: str | None = "instance",
        shift_only: bool = False,
        per_frame: bool = False,
        **kwargs: Any,
    ) -> None:
        """Initializes the layer.

        Args:
          norm_type: 'layer', 'instance', 'group' or None, see `normalize_op`.
          shift_only: Whether to omit the scale.
          per_frame: Whether to normalize each frame separately.
          **kwargs: Arguments of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.norm_type = norm_type
        self.per_frame = per_frame
        self.conditional_scale_and_shift = ConditionalScaleAndShift(shift_only)

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Normalizes and modulates a tensor.

        Args:
          inputs: Pair of a tensor [batch, time, frequency, channels] and a
            conditioning tensor, whose axes other than the last broadcast to those of
            the first.

        Returns:
          Tensor of shape [batch, time, frequency, channels].
        """
        x, z = inputs
        normalized = normalize_op(x, self.norm_type, per_frame=self.per_frame)
        return self.conditional_scale_and_shift([normalized, z])


def get_norm(
    norm_type: str | None, conditional: bool, shift_only: bool, per_frame: bool = False
) -> keras.layers.Layer:
    """Returns a new normalization layer.

    Args:
      norm_type: 'layer', 'instance', 'group' or None, see `normalize_op`.
      conditional: Whether a conditioning input sets scale and shift
        (`ConditionalNorm`); otherwise they are learned (`Normalize`).
      shift_only: Whether a conditional layer omits the scale.
      per_frame: Whether to normalize each frame separately.

    Example:

    >>> from ddsp.training import nn
    >>> type(nn.get_norm("layer", conditional=True, shift_only=False)).__name__
    'ConditionalNorm'
    """
    if conditional:
        return ConditionalNorm(norm_type, shift_only, per_frame)
    return Normalize(norm_type, per_frame)
