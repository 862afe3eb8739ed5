"""Filters that change from frame to frame, and delay lines, block by block."""

from typing import Any

import tensorflow as tf

from ddsp._core import filters, short_frames
from ddsp._core.resampling import linear_ramp

State = dict[str, Any]

# Longer frames are cut into parts that share a filter: small matrices.
_LONGEST_PART = 128


def fir_latency(n_frequencies: int, window_size: int) -> int:
    """Samples that `step_fir` lags behind: the delay that linear phase costs.

    Args:
      n_frequencies: Of the magnitudes.
      window_size: Of the filter's window, see `frequency_filter`.
    """
    return filters.delay_of(filters.ir_size(n_frequencies, window_size))


def start_fir(
    batch_size: int,
    n_frequencies: int,
    window_size: int,
    hop_size: int,
    cross_fade: bool = False,
) -> State:
    """The state of `step_fir` before the first block.

    Args:
      batch_size: Rows of the stream.
      n_frequencies: Of the magnitudes.
      window_size: Of the filter's window, see `frequency_filter`.
      hop_size: Samples a frame.
      cross_fade: Whether filters fade from frame to frame.

    Returns:
      A nest of tensors.
    """
    part = largest_part(hop_size)
    n_late = -(-(filters.ir_size(n_frequencies, window_size) - 1) // part)
    state = {
        "position": tf.zeros([], tf.int64),
        "ringing": tf.zeros([batch_size, n_late * part]),
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
    """Filters on from a state; see `frequency_filter`.

    Args:
      state: From `start_fir` or the step before.
      audio: [batch, n_frames * hop_size].
      magnitudes: [batch, n_frames, n_frequencies].
      window_size: Of the filter's window.
      hop_size: Samples a frame.

    Returns:
      Audio of the same shape, `fir_latency` samples late, and the new state.
    """
    n_frames = magnitudes.shape[1]
    if "magnitudes" in state:
        # The first frame has none before it to fade from.
        last = tf.where(state["position"] > 0, state["magnitudes"], magnitudes[:, :1])
        before = tf.concat([last, magnitudes[:, :-1]], axis=1)
        fade = tf.tile(linear_ramp(hop_size), [n_frames])
        convolved = _convolve(audio * fade, magnitudes, window_size, hop_size)
        convolved += _convolve(audio * (1.0 - fade), before, window_size, hop_size)
    else:
        convolved = _convolve(audio, magnitudes, window_size, hop_size)
    n_samples = n_frames * hop_size
    ringing = state["ringing"]
    rung = tf.pad(ringing, [[0, 0], [0, convolved.shape[1] - ringing.shape[1]]])
    convolved += rung
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
    """What `step_fir` still owes when a stream ends, [batch, latency]."""
    owed = tf.pad(state["ringing"], [[0, 0], [0, latency]])[:, :latency]
    return after_start(owed, state["position"], latency)


def _convolve(
    audio: tf.Tensor, magnitudes: tf.Tensor, window_size: int, hop_size: int
) -> tf.Tensor:
    part = largest_part(hop_size)
    n_parts = hop_size // part
    controls, units = filters.responses_of(magnitudes, window_size)
    if n_parts > 1:
        controls = tf.repeat(controls, n_parts, axis=1)
    frames = tf.reshape(audio, [-1, controls.shape[1], part])
    return short_frames.convolve_frames(frames, controls, units)


def largest_part(hop_size: int) -> int:
    """The largest divisor of a hop that small matrices can transform."""
    parts = (n for n in range(min(hop_size, _LONGEST_PART), 15, -1))
    return next((n for n in parts if hop_size % n == 0), hop_size)


def after_start(audio: tf.Tensor, position: tf.Tensor, latency: int) -> tf.Tensor:
    """Silences a stream's first samples, which come before its beginning.

    Args:
      audio: [batch, n_samples].
      position: Samples before them, an int64 scalar.
      latency: Samples that do not count.
    """
    if not latency:
        return audio
    at = position + tf.range(audio.shape[1], dtype=tf.int64)
    return tf.where(at >= latency, audio, 0.0)


def delay(line: tf.Tensor, block: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Pushes a block through a delay line.

    Args:
      line: [batch, delay, ...], what has gone in and not come out.
      block: [batch, n, ...].

    Returns:
      What comes out, of the shape of the block, and the new line.
    """
    if not line.shape[1]:
        return block, line
    joined = tf.concat([line, block], axis=1)
    n = block.shape[1]
    return joined[:, :n], joined[:, n:]
