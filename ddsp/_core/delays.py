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
      phase: [batch, n_samples, 1], delay as a share of `max_length`, [0, 1].
      audio: [batch, n_samples].
      max_length: Longest delay, in samples.
      past: [batch, max_length], the samples before; None for silence.

    Returns:
      [batch, n_samples].
    """
    phase, audio = tf_float32(phase), tf_float32(audio)
    checks.rank("phase", phase, 3)
    checks.rank("audio", audio, 2)
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
