"""Polyphase resampling: exchange of time steps for channels."""

from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp._core import checks
from ddsp.types import ArrayLike


def polyphase_resample(
    x: ArrayLike, stride: int = 2, resample_type: str = "down", trim_or_pad: str = "pad"
) -> tf.Tensor:
    """Stacks adjacent frames into channels, or splits channels into frames.

    Like the phases of a polyphase filter, the operation is lossless.

    Args:
      x: Shape [batch, time, channels] or [batch, time, 1, channels].
      stride: Resampling factor.
      resample_type: 'down' or 'up'.
      trim_or_pad: 'trim' drops the remainder of the axis that `stride` does not
        divide, 'pad' completes it with zeros.

    Returns:
      Tensor of shape [batch, time / stride, channels * stride] for 'down', or [batch,
      time * stride, channels / stride] for 'up', of the rank of `x`.

    Raises:
      ValueError: If an argument is out of range.

    Example:

    >>> from ddsp.training import nn
    >>> nn.polyphase_resample(tf.zeros([1, 10, 3]), stride=2).shape.as_list()
    [1, 5, 6]
    """
    x = tf.convert_to_tensor(x)
    checks.rank("x", x, (3, 4))
    checks.positive("stride", stride)
    checks.one_of("resample_type", resample_type, ["down", "up"])
    checks.one_of("trim_or_pad", trim_or_pad, ["trim", "pad"])
    if x.shape.rank == 4:
        if x.shape[2] != 1:
            raise ValueError(
                f"The third axis of `x` must have size 1, got shape {x.shape}."
            )
        narrow = polyphase_resample(x[:, :, 0], stride, resample_type, trim_or_pad)
        return narrow[:, :, tf.newaxis]
    down = resample_type == "down"
    x = _to_multiple(x, stride, axis=1 if down else 2, pad=trim_or_pad == "pad")
    _, n_frames, n_channels = (s or tf.shape(x)[i] for i, s in enumerate(x.shape))
    if down:
        shape = [-1, n_frames // stride, n_channels * stride]
    else:
        shape = [-1, n_frames * stride, n_channels // stride]
    return tf.reshape(x, shape)


def _to_multiple(x: tf.Tensor, stride: int, axis: int, pad: bool) -> tf.Tensor:
    """Pads or trims the end of an axis."""
    size = x.shape[axis] or tf.shape(x)[axis]
    excess = size % stride
    if not pad:
        return x[:, : size - excess] if axis == 1 else x[:, :, : size - excess]
    paddings = [[0, 0], [0, 0], [0, 0]]
    paddings[axis][1] = (stride - excess) % stride
    return tf.pad(x, paddings)


@configurable.layer(module="ddsp.training.nn")
class PolyphaseResample(keras.layers.Layer):
    """Layer around `polyphase_resample`.

    Example:

    >>> from ddsp.training import nn
    >>> nn.PolyphaseResample(2, "up")(tf.zeros([1, 5, 6])).shape.as_list()
    [1, 10, 3]
    """

    def __init__(
        self,
        stride: int = 2,
        resample_type: str = "down",
        trim_or_pad: str = "pad",
        **kwargs: Any,
    ) -> None:
        """Initializes the layer.

        Args:
          stride: Resampling factor.
          resample_type: 'down' or 'up'.
          trim_or_pad: 'trim' or 'pad'.
          **kwargs: Arguments of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.stride = stride
        self.resample_type = resample_type
        self.trim_or_pad = trim_or_pad

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Resamples; see `polyphase_resample`."""
        return polyphase_resample(x, self.stride, self.resample_type, self.trim_or_pad)
