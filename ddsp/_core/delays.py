"""Delay lines whose length changes from sample to sample."""

from typing import Any

import tensorflow as tf

from ddsp._core import checks
from ddsp._core.tensors import tf_float32


def variable_length_delay(
    phase: Any, audio: Any, max_length: int = 512, past: Any = None
) -> tf.Tensor:
    """Delays audio by a time that varies, interpolating between samples.

    Args:
      phase: [batch, n_samples, 1] or [batch, n_samples], delay as a share of
        `max_length`, [0, 1].
      audio: [batch, n_samples]. A batch of 1 of either serves every row of the other.
      max_length: Longest delay, in samples.
      past: [batch, max_length], the samples before; None for silence.

    Returns:
      [batch, n_samples].

    Raises:
      ValueError: If the batch sizes differ, or for a wrong rank.
    """
    phase, audio = tf_float32(phase), tf_float32(audio)
    checks.rank("phase", phase, (2, 3))
    checks.rank("audio", audio, 2)
    if phase.shape.rank == 2:
        phase = phase[:, :, tf.newaxis]
    if phase.shape[0] != audio.shape[0]:
        phase, audio = _of_one_batch(phase, audio)
    delay = tf.clip_by_value(phase[:, :, 0], 0.0, 1.0) * float(max_length)
    whole = tf.floor(delay)
    fraction = delay - whole
    if past is None:
        padded = tf.pad(audio, [[0, 0], [max_length, 0]])
    else:
        padded = tf.concat([past, audio], axis=1)
    now = tf.range(tf.shape(audio)[1]) + max_length

    def read(samples_ago: tf.Tensor) -> tf.Tensor:
        # The line is a ring, as it was for every model trained with the original:
        # one past its oldest sample stands the present one.
        samples_ago = tf.math.floormod(samples_ago, max_length)
        return tf.gather(padded, now - samples_ago, batch_dims=1)

    later = read(tf.cast(whole, tf.int32))
    earlier = read(tf.cast(whole, tf.int32) + 1)
    return later + fraction * (earlier - later)


def _of_one_batch(phase: tf.Tensor, audio: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    sizes = phase.shape[0], audio.shape[0]
    if None not in sizes and 1 not in sizes:
        raise ValueError(
            "Phase and audio must have the same batch size, got "
            f"{sizes[0]} and {sizes[1]}."
        )
    n_rows = tf.maximum(tf.shape(phase)[0], tf.shape(audio)[0])
    return (
        tf.broadcast_to(phase, [n_rows, tf.shape(phase)[1], 1]),
        tf.broadcast_to(audio, [n_rows, tf.shape(audio)[1]]),
    )
