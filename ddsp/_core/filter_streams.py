"""Streams of time-varying filters and of delay lines."""

import tensorflow as tf

from ddsp._core import filters, short_frames
from ddsp._core.resampling import linear_ramp
from ddsp.types import State

# Longer frames are divided into parts with the same filter, so matrices stay small.
_LONGEST_PART = 128


def fir_latency(n_frequencies: int, window_size: int) -> int:
    """Returns the latency of `step_fir` in samples, due to linear phase.

    Args:
      n_frequencies: Frequencies of the magnitudes.
      window_size: Samples of the filter's window, see `frequency_filter`.
    """
    return filters.delay_of(filters.ir_size(n_frequencies, window_size))


def start_fir(
    batch_size: int,
    n_frequencies: int,
    window_size: int,
    hop_size: int,
    cross_fade: bool = False,
) -> State:
    """Returns the initial state of `step_fir`.

    Args:
      batch_size: Rows of the stream.
      n_frequencies: Frequencies of the magnitudes.
      window_size: Samples of the filter's window, see `frequency_filter`.
      hop_size: Samples per frame.
      cross_fade: Whether filters fade from frame to frame.

    Returns:
      Nest of tensors.
    """
    part = largest_part(hop_size)
    n_tail = -(-(filters.ir_size(n_frequencies, window_size) - 1) // part)
    state = {
        "position": tf.zeros([], tf.int64),
        "ringing": tf.zeros([batch_size, n_tail * part]),
    }
    if cross_fade:
        state["magnitudes"] = tf.zeros([batch_size, 1, n_frequencies])
    return state


def step_fir(
    state: State,
    audio: tf.Tensor,
    magnitudes: tf.Tensor,
    window_size: int,
    hop_size: int,
) -> tuple[tf.Tensor, State]:
    """Filters a block, see `frequency_filter`.

    Args:
      state: State from `start_fir` or the previous step.
      audio: Audio, shape [batch, n_frames * hop_size].
      magnitudes: Magnitudes, shape [batch, n_frames, n_frequencies].
      window_size: Samples of the filter's window.
      hop_size: Samples per frame.

    Returns:
      Audio of the same shape with a latency of `fir_latency`, and the new state.
    """
    n_frames = magnitudes.shape[1]
    if "magnitudes" in state:
        # The first frame fades from its own filter.
        last = tf.where(state["position"] > 0, state["magnitudes"], magnitudes[:, :1])
        before = tf.concat([last, magnitudes[:, :-1]], axis=1)
        fade = tf.tile(linear_ramp(hop_size), [n_frames])
        convolved = _convolve(audio * fade, magnitudes, window_size, hop_size)
        convolved += _convolve(audio * (1.0 - fade), before, window_size, hop_size)
    else:
        convolved = _convolve(audio, magnitudes, window_size, hop_size)
    n_samples = n_frames * hop_size
    tail = state["ringing"]
    convolved += tf.pad(tail, [[0, 0], [0, convolved.shape[1] - tail.shape[1]]])
    latency = fir_latency(magnitudes.shape[-1], window_size)
    output = after_start(convolved[:, :n_samples], state["position"], latency)
    new_state = {
        "position": state["position"] + n_samples,
        "ringing": convolved[:, n_samples:],
    }
    if "magnitudes" in state:
        new_state["magnitudes"] = magnitudes[:, -1:]
    return output, new_state


def finish_fir(state: State, latency: int) -> tf.Tensor:
    """Returns the remaining output of `step_fir`, [batch, latency]."""
    remaining = tf.pad(state["ringing"], [[0, 0], [0, latency]])[:, :latency]
    return after_start(remaining, state["position"], latency)


def _convolve(
    audio: tf.Tensor, magnitudes: tf.Tensor, window_size: int, hop_size: int
) -> tf.Tensor:
    part = largest_part(hop_size)
    n_parts = hop_size // part
    controls, basis = filters.responses_of(magnitudes, window_size)
    if n_parts > 1:
        controls = tf.repeat(controls, n_parts, axis=1)
    frames = tf.reshape(audio, [-1, controls.shape[1], part])
    return short_frames.convolve_frames(frames, controls, basis)


def largest_part(hop_size: int) -> int:
    """Returns the largest divisor of a hop that small matrices can transform."""
    parts = (n for n in range(min(hop_size, _LONGEST_PART), 15, -1))
    return next((n for n in parts if hop_size % n == 0), hop_size)


def after_start(audio: tf.Tensor, position: tf.Tensor, latency: int) -> tf.Tensor:
    """Silences the pre-roll of a stream.

    Args:
      audio: Block of output, shape [batch, n_samples].
      position: Samples of output before the block, an int64 scalar.
      latency: Samples of pre-roll.
    """
    if not latency:
        return audio
    at = position + tf.range(audio.shape[1], dtype=tf.int64)
    return tf.where(at >= latency, audio, 0.0)


def delay(line: tf.Tensor, block: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Delays a block.

    Args:
      line: Content of the delay line, shape [batch, delay, ...].
      block: Input, shape [batch, n, ...].

    Returns:
      Output in the shape of the block, and the new content of the line.
    """
    if not line.shape[1]:
        return block, line
    joined = tf.concat([line, block], axis=1)
    n = block.shape[1]
    return joined[:, :n], joined[:, n:]
