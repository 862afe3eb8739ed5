"""Controls of a stream, with the neighboring frames that each hop needs.

A hop is rendered from its frame and the frames around it, so the latency of a stream
equals its look-ahead. Frames that are needed again are kept from block to block.
"""

from collections.abc import Mapping

import tensorflow as tf

from ddsp.types import State

# Look-ahead in hops of each method in `resampling.METHODS`.
LOOK_AHEAD = {"nearest": 0, "linear": 1, "window": 1, "cubic": 2}


class Hops:
    """Hops that a block of a stream renders.

    Args:
      kept: Frames before the block by name, shape [batch, n_kept, channels]; zeros at
        the start of a stream.
      block: Frames of the block by name, shape [batch, n_frames, channels].
      position: Number of frames before the block, an int64 scalar.
      look_ahead: Look-ahead in hops.

    Attributes:
      n_frames: Number of hops to render: the number of frames in the block.
      started: Whether a hop comes after the pre-roll, bool, shape [n_frames, 1].
    """

    def __init__(
        self,
        kept: Mapping[str, tf.Tensor],
        block: Mapping[str, tf.Tensor],
        position: tf.Tensor,
        look_ahead: int,
    ) -> None:
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
        """Returns the frames of the hops, or those `offset` frames after them.

        The frame before the first one is the first one. Hops of the pre-roll are zero.
        """
        first = self._n_kept[name] - self._look_ahead + offset
        frames = self._frames[name][:, first : first + self.n_frames]
        if offset < 0:
            frames = tf.where(self._first, self.at(name), frames)
        return tf.where(self.started, frames, 0.0)

    def kept(self) -> dict[str, tf.Tensor]:
        """Returns the frames that the next block needs."""
        return {
            name: frames[:, self.n_frames :] for name, frames in self._frames.items()
        }


def start(batch_size: int, channels: Mapping[str, int], look_ahead: int) -> State:
    """Returns the initial state: `position`, and `kept` frames of zeros.

    Args:
      batch_size: Rows of the stream.
      channels: Number of channels by name.
      look_ahead: Look-ahead in hops. Cubic interpolation, with a look-ahead of 2, also
        needs one past frame.
    """
    n_kept = look_ahead + max(look_ahead - 1, 0)
    return {
        "position": tf.zeros([], tf.int64),
        "kept": {
            name: tf.zeros([batch_size, n_kept, n]) for name, n in channels.items()
        },
    }


def held(kept: Mapping[str, tf.Tensor], look_ahead: int) -> dict[str, tf.Tensor]:
    """Returns the last block of a stream: the last frame, held for the look-ahead."""
    return {
        name: tf.repeat(frames[:, -1:], look_ahead, axis=1)
        for name, frames in kept.items()
    }
