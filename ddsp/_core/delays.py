"""Delay lines with a length that varies over time."""

import tensorflow as tf

from ddsp._core import checks
from ddsp._core.tensors import tf_float32
from ddsp.types import ArrayLike


def variable_length_delay(
    phase: ArrayLike,
    audio: ArrayLike,
    max_length: int = 512,
    past: ArrayLike | None = None,
) -> tf.Tensor:
    """Delays audio by a varying time, with linear interpolation between samples.

    Args:
      phase: Delay as a fraction of `max_length`, in [0, 1], shape [batch, n_samples, 1]
        or [batch, n_samples].
      audio: Audio, shape [batch, n_samples]. A batch of 1 broadcasts, here and in
        `phase`.
      max_length: Longest delay, in samples.
      past: Samples before `audio`, shape [batch, max_length]; None for silence.

    Returns:
      Delayed audio, shape [batch, n_samples].

    Raises:
      ValueError: If the batch sizes differ or a rank is wrong.

    Example:

    >>> delay = tf.fill([1, 4], 0.5)
    >>> audio = [[1.0, 2.0, 3.0, 4.0]]
    >>> ddsp.core.variable_length_delay(delay, audio, max_length=4).numpy()
    array([[0., 0., 1., 2.]], dtype=float32)
    """
    phase, audio = tf_float32(phase), tf_float32(audio)
    checks.rank("phase", phase, (2, 3))
    checks.rank("audio", audio, 2)
    if phase.shape.rank == 2:
        phase = phase[:, :, tf.newaxis]
    if phase.shape[0] != audio.shape[0]:
        phase, audio = _broadcast_batches(phase, audio)
    delay = tf.clip_by_value(phase[:, :, 0], 0.0, 1.0) * float(max_length)
    whole = tf.floor(delay)
    fraction = delay - whole
    if past is None:
        padded = tf.pad(audio, [[0, 0], [max_length, 0]])
    else:
        padded = tf.concat([past, audio], axis=1)
    now = tf.range(tf.shape(audio)[1]) + max_length

    def read(samples_ago: tf.Tensor) -> tf.Tensor:
        # The delay line is a ring buffer, as in all models trained with the original:
        # the sample after the oldest one is the current one.
        samples_ago = tf.math.floormod(samples_ago, max_length)
        return tf.gather(padded, now - samples_ago, batch_dims=1)

    newer = read(tf.cast(whole, tf.int32))
    older = read(tf.cast(whole, tf.int32) + 1)
    return newer + fraction * (older - newer)


def _broadcast_batches(
    phase: tf.Tensor, audio: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
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
