"""Controls of a stream, frame by frame, with the neighbors that a hop needs.

A hop is rendered from its frame and those around it, so a stream lags by as many hops
as it looks ahead. What it looks at again is kept from block to block.
"""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

# Hops that a way of interpolation looks ahead: `resampling.METHODS`.
LOOK_AHEAD = {"nearest": 0, "linear": 1, "window": 1, "cubic": 2}


class Hops:
    """The hops that a block of a stream renders.

    Args:
      kept: {name: [batch, n_kept, channels]}, the frames before the block, zeros at
        the start of a stream.
      block: {name: [batch, n_frames, channels]}, the block.
      position: Frames before the block, an int64 scalar.
      look_ahead: Hops by which rendering lags behind.

    Attributes:
      n_frames: Hops to render, as many as the block has frames.
      started: bool [n_frames, 1], false for hops before the stream's first frame.
    """

    def __init__(
        self,
        kept: Mapping[str, tf.Tensor],
        block: Mapping[str, tf.Tensor],
        position: tf.Tensor,
        look_ahead: int,
    ):
        self._frames = {
            name: tf.concat([kept[name], frames], axis=1)
            for name, frames in block.items()
        }
        self._n_kept = {name: frames.shape[1] for name, frames in kept.items()}
        self._look_ahead = look_ahead
        self.n_frames = next(iter(block.values())).shape[1]
        number = position - look_ahead + tf.range(self.n_frames, dtype=tf.int64)
        self.started = (number >= 0)[:, tf.newaxis]
        self._first = (number == 0)[:, tf.newaxis]

    def at(self, name: str, offset: int = 0) -> tf.Tensor:
        """The frames of the hops, or those `offset` later: [batch, n_frames, channels].

        The frame before the first one is the first one; the hops before it are zero.
        """
        first = self._n_kept[name] - self._look_ahead + offset
        frames = self._frames[name][:, first : first + self.n_frames]
        if offset < 0:
            frames = tf.where(self._first, self.at(name), frames)
        return tf.where(self.started, frames, 0.0)

    def kept(self) -> dict[str, tf.Tensor]:
        """What the next block needs of the frames so far."""
        return {
            name: frames[:, self.n_frames :] for name, frames in self._frames.items()
        }


def start(
    batch_size: int, channels: Mapping[str, int], look_ahead: int
) -> dict[str, Any]:
    """The state before the first block: `position`, and `kept` frames of zeros.

    Args:
      batch_size: Rows of the stream.
      channels: {name: number of channels}.
      look_ahead: Hops by which rendering lags behind. Two, for cubic interpolation,
        look back by one as well.
    """
    n_kept = look_ahead + max(look_ahead - 1, 0)
    return {
        "position": tf.zeros([], tf.int64),
        "kept": {
            name: tf.zeros([batch_size, n_kept, n]) for name, n in channels.items()
        },
    }


def held(kept: Mapping[str, tf.Tensor], look_ahead: int) -> dict[str, tf.Tensor]:
    """The block that ends a stream: its last frame, held for as long as it lags."""
    return {
        name: tf.repeat(frames[:, -1:], look_ahead, axis=1)
        for name, frames in kept.items()
    }
