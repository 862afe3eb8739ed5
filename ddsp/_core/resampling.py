"""Interpolation of signals in time.

Between two frames every method is a weighted sum of neighboring frames. If the output
has a whole number of samples per frame, as in synthesis, the weights are the same in
all frames: one multiplication by a short ramp is enough, without a gather and without
weights for each sample in memory.
"""

import math

import numpy as np
import tensorflow as tf

from ddsp._core import checks
from ddsp._core.tensors import tf_float32
from ddsp.types import ArrayLike

METHODS = ("nearest", "linear", "cubic", "window")


def resample(
    inputs: ArrayLike,
    n_timesteps: int,
    method: str = "linear",
    add_endpoint: bool = True,
) -> tf.Tensor:
    """Interpolates a signal to a number of time steps.

    Args:
      inputs: Signal, shape [time], [batch, time], [batch, time, channels] or
        [batch, time, frequencies, channels].
      n_timesteps: Number of time steps of the output.
      method: `'nearest'`, `'linear'`, `'cubic'` (Keys, 1981, with a = -0.75), or
        `'window'`: overlapping Hann windows, smooth and without overshoot, only for
        upsampling by an integer factor.
      add_endpoint: Whether the last frame is held to the end, so that each frame lasts
        `n_timesteps / time` steps. Otherwise the last frame is at the last time step
        (`'window'` only approaches it).

    Returns:
      Interpolated signal, with `n_timesteps` time steps.

    Raises:
      ValueError: If the method is unknown, the rank is wrong, or `'window'` does not
        support these lengths.

    Example:

    >>> ddsp.core.resample([0.0, 1.0], 4).numpy()
    array([0. , 0.5, 1. , 1. ], dtype=float32)
    """
    checks.one_of("method", method, METHODS)
    inputs = tf_float32(inputs)
    checks.rank("inputs", inputs, (1, 2, 3, 4))
    rank = inputs.shape.rank
    shape = tf.shape(inputs)
    if rank == 1:
        flat = inputs[tf.newaxis, :, tf.newaxis]
    elif rank == 2:
        flat = inputs[:, :, tf.newaxis]
    elif rank == 4:
        flat = tf.reshape(inputs, [shape[0], shape[1], shape[2] * shape[3]])
    else:
        flat = inputs

    if method == "window":
        outputs = upsample_with_windows(flat, n_timesteps, add_endpoint)
    elif method == "linear" and whole_hop(flat, n_timesteps) and add_endpoint:
        hop = n_timesteps // flat.shape[1]
        outputs = between_frames(hold_last(flat), linear_ramp(hop))
    else:
        outputs = _resample_any(flat, n_timesteps, method, add_endpoint)

    if rank == 1:
        return outputs[0, :, 0]
    if rank == 2:
        return outputs[:, :, 0]
    if rank == 4:
        outputs = tf.reshape(outputs, [shape[0], n_timesteps, shape[2], shape[3]])
        outputs.set_shape([inputs.shape[0], None, *inputs.shape[2:]])
    return outputs


def upsample_with_windows(
    inputs: ArrayLike, n_timesteps: int, add_endpoint: bool = True
) -> tf.Tensor:
    """Upsamples by overlap-add of Hann windows, one around each frame.

    Two Hann windows that overlap by half sum to 1, so the interpolation between two
    frames is a raised cosine.

    Args:
      inputs: Frames, shape [batch, n_frames, channels].
      n_timesteps: Length of the output: a multiple of `n_frames`, or of `n_frames - 1`
        without the endpoint.
      add_endpoint: Whether the last frame is held to the end.

    Returns:
      Interpolated signal, shape [batch, n_timesteps, channels].

    Raises:
      ValueError: If the rank is not 3 or the ratio is not an integer above 1.

    Example:

    >>> frames = [[[0.0], [1.0]]]
    >>> ddsp.core.upsample_with_windows(frames, 4).numpy().ravel().round(2)
    array([0. , 0.5, 1. , 1. ], dtype=float32)
    """
    inputs = tf_float32(inputs)
    checks.rank("inputs", inputs, 3)
    n_frames = inputs.shape[1] if inputs.shape[1] is not None else tf.shape(inputs)[1]
    n_intervals = n_frames if add_endpoint else n_frames - 1
    if isinstance(n_frames, int) and isinstance(n_timesteps, int):
        if n_frames >= n_timesteps or n_intervals < 1:
            raise ValueError(
                "Windows can only upsample: more time steps than frames are needed, "
                f"got {n_frames} frames and n_timesteps={n_timesteps}."
            )
        if n_timesteps % n_intervals:
            raise ValueError(
                "Windows need a whole number of time steps for each of the "
                f"{n_intervals} intervals between frames, got "
                f"n_timesteps={n_timesteps}."
            )
    frames = hold_last(inputs) if add_endpoint else inputs
    return between_frames(frames, window_ramp(n_timesteps // n_intervals))


def linear_ramp(hop: int | tf.Tensor) -> tf.Tensor:
    """Returns the weights of the next frame for linear interpolation, [hop]."""
    return tf.range(hop, dtype=tf.float32) / tf.cast(hop, tf.float32)


def window_ramp(hop: int | tf.Tensor) -> tf.Tensor:
    """Returns the weights of the next frame for Hann windows, half a cosine, [hop]."""
    return 0.5 - 0.5 * tf.cos(np.float32(math.pi) * linear_ramp(hop))


# Methods that interpolate along a ramp from each frame to the next.
RAMPS = {"window": window_ramp, "linear": linear_ramp}


def between_frames(frames: tf.Tensor, ramp: tf.Tensor) -> tf.Tensor:
    """Interpolates from each frame to the next one along a ramp.

    Args:
      frames: [batch, n_frames + 1, channels].
      ramp: [hop], weights of the next frame.

    Returns:
      [batch, n_frames * hop, channels].
    """
    start = frames[:, :-1, tf.newaxis]
    step = frames[:, 1:, tf.newaxis] - start
    outputs = start + step * ramp[:, tf.newaxis]
    shape = tf.shape(outputs)
    flat = tf.reshape(outputs, [shape[0], shape[1] * shape[2], shape[3]])
    n_frames, hop = outputs.shape[1:3]
    length = n_frames * hop if n_frames is not None and hop is not None else None
    flat.set_shape([outputs.shape[0], length, outputs.shape[3]])
    return flat


def hold_last(frames: tf.Tensor) -> tf.Tensor:
    """Repeats the last frame of [batch, n_frames, channels], as the endpoint."""
    return tf.concat([frames, frames[:, -1:]], axis=1)


def to_next(frames: tf.Tensor) -> tf.Tensor:
    """Returns the difference from each frame to the next, [batch, n_frames, channels].

    The last frame is held: its difference is 0.
    """
    steps = frames[:, 1:] - frames[:, :-1]
    return tf.pad(steps, [[0, 0], [0, 1], [0, 0]])


def whole_hop(frames: tf.Tensor, n_timesteps: int | tf.Tensor) -> bool:
    """Whether all frames are known to last the same whole number of steps."""
    n_frames = frames.shape[1]
    known = isinstance(n_frames, int) and isinstance(n_timesteps, int)
    return known and n_timesteps >= n_frames > 0 and n_timesteps % n_frames == 0


def neighbors(
    n_frames: int | tf.Tensor, n_timesteps: int | tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the frames that `resample` interpolates linearly at each time step.

    Returns:
      Index of the previous frame, index of the next frame and the weight of the next
      frame, all [n_timesteps]. The frame after the last one is the last one.
    """
    index, fraction = _positions(n_frames, n_timesteps, add_endpoint=True)
    return index, tf.minimum(index + 1, n_frames - 1), fraction


def _resample_any(
    frames: tf.Tensor, n_timesteps: int | tf.Tensor, method: str, add_endpoint: bool
) -> tf.Tensor:
    """Interpolates [batch, time, channels] at any ratio, by gathering neighbors."""
    index, fraction = _positions(tf.shape(frames)[1], n_timesteps, add_endpoint)
    last = tf.shape(frames)[1] - 1

    def neighbor(offset: int) -> tf.Tensor:
        return tf.gather(frames, tf.clip_by_value(index + offset, 0, last), axis=1)

    fraction = fraction[:, tf.newaxis]
    if method == "nearest":
        # The current frame, or the closer one if the ends are aligned.
        nearer = (
            index if add_endpoint else index + tf.cast(fraction[:, 0] >= 0.5, tf.int32)
        )
        return tf.gather(frames, tf.clip_by_value(nearer, 0, last), axis=1)
    if method == "linear":
        return neighbor(0) + fraction * (neighbor(1) - neighbor(0))
    weights = cubic_weights(fraction)
    return tf.add_n([weight * neighbor(o) for o, weight in weights.items()])


def cubic_weights(fraction: tf.Tensor) -> dict[int, tf.Tensor]:
    """Weights of the frames at -1 to 2 around positions between 0 and 1.

    TensorFlow's image resizing, which all models of the original use, rounds cubic
    positions to 1024 steps.
    """
    fraction = tf.round(fraction * 1024.0) / 1024.0
    return {offset: _cubic_kernel(fraction - offset) for offset in (-1, 0, 1, 2)}


def _positions(
    n_frames: int | tf.Tensor, n_timesteps: int | tf.Tensor, add_endpoint: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the position of each time step in frames: integer and fractional part.

    Integer arithmetic keeps positions exact for signals of any length.
    """
    steps = tf.range(n_timesteps, dtype=tf.int64)
    n_frames, n_timesteps = tf.cast(n_frames, tf.int64), tf.cast(n_timesteps, tf.int64)
    if add_endpoint:
        numerator, denominator = n_frames, n_timesteps
    else:
        numerator, denominator = n_frames - 1, tf.maximum(n_timesteps - 1, 1)
    scaled = steps * numerator
    index = tf.cast(scaled // denominator, tf.int32)
    fraction = tf.cast(scaled % denominator, tf.float32) / tf.cast(
        denominator, tf.float32
    )
    return index, fraction


def _cubic_kernel(x: tf.Tensor, a: float = -0.75) -> tf.Tensor:
    """Keys (1981), "Cubic convolution interpolation", eq. 4, with free `a`."""
    x = tf.abs(x)
    near = ((a + 2.0) * x - (a + 3.0)) * x**2 + 1.0
    far = ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    return tf.where(x <= 1.0, near, tf.where(x < 2.0, far, 0.0))


def center_crop(audio: ArrayLike, frame_size: int) -> tf.Tensor:
    """Removes half a frame from both ends of audio.

    It undoes the padding of centered frames, which adds half a frame on each side.

    Args:
      audio: Audio, shape [batch, n_samples].
      frame_size: Samples per frame.

    Returns:
      Audio, shape [batch, n_samples - 2 * (frame_size // 2)].

    Raises:
      ValueError: If the audio is not longer than two halves of a frame.

    Example:

    >>> ddsp.core.center_crop([[1.0, 2.0, 3.0, 4.0]], frame_size=2).numpy()
    array([[2., 3.]], dtype=float32)
    """
    audio = tf_float32(audio)
    crop = frame_size // 2
    if audio.shape[1] is not None and audio.shape[1] <= 2 * crop:
        raise ValueError(
            "Audio must be longer than two halves of a frame, got "
            f"{audio.shape[1]} samples for frame_size={frame_size}."
        )
    return audio[:, crop : tf.shape(audio)[1] - crop]
