"""Time for channels, and channels for time."""

from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp._core import checks


def polyphase_resample(
    x: Any, stride: int = 2, resample_type: str = "down", trim_or_pad: str = "pad"
) -> tf.Tensor:
    """Puts adjacent frames side by side as channels, or takes channels apart as frames.

    As between the phases of a polyphase filter, nothing is lost or averaged.

    Args:
      x: [batch, time, channels] or [batch, time, 1, channels].
      stride: Frames that become one, or that one becomes.
      resample_type: 'down' or 'up'.
      trim_or_pad: Whether to leave out or to add zeros at the end of the axis that
        `stride` does not divide: 'trim' or 'pad'.

    Returns:
      [batch, time / stride, channels * stride] for 'down', [batch, time * stride,
      channels / stride] for 'up'; with as many axes as `x`.

    Raises:
      ValueError: If an argument is none of these.
    """
    x = tf.convert_to_tensor(x)
    checks.rank("x", x, (3, 4))
    checks.positive("stride", stride)
    checks.one_of("resample_type", resample_type, ["down", "up"])
    checks.one_of("trim_or_pad", trim_or_pad, ["trim", "pad"])
    if x.shape.rank == 4:
        if x.shape[2] != 1:
            raise ValueError(f"`x` must be one wide on its third axis, got {x.shape}.")
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
    """`polyphase_resample` as a layer."""

    def __init__(
        self,
        stride: int = 2,
        resample_type: str = "down",
        trim_or_pad: str = "pad",
        **kwargs,
    ):
        """Initializer.

        Args:
          stride: Frames that become one, or that one becomes.
          resample_type: 'down' or 'up'.
          trim_or_pad: 'trim' or 'pad'.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.stride = stride
        self.resample_type = resample_type
        self.trim_or_pad = trim_or_pad

    def call(self, x):
        """As `polyphase_resample`."""
        return polyphase_resample(x, self.stride, self.resample_type, self.trim_or_pad)
