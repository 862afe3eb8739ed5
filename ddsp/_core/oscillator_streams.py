"""Streams of oscillators, equal to rendering in one call.

The state holds the phase at the start of a frame in fixed point, which is exact, so the
output is independent of the block size.
"""

from collections.abc import Mapping

import tensorflow as tf

from ddsp._core import hops
from ddsp._core.harmonic_sum import harmonic_sum
from ddsp._core.harmonics import get_harmonic_frequencies, remove_above_nyquist
from ddsp._core.oscillators import harmonics_at
from ddsp._core.phase import next_frame_starts, phase_in_hops, radians
from ddsp._core.resampling import RAMPS, cubic_weights, linear_ramp, window_ramp
from ddsp._core.sinusoids import sum_of_sinusoids
from ddsp._core.wavetables import linear_lookup, lookup
from ddsp.types import State


def look_ahead(amp_resample_method: str) -> int:
    """Returns the look-ahead in hops, at least 1 for the linear frequencies."""
    return max(hops.LOOK_AHEAD[amp_resample_method], 1)


def start_oscillators(
    batch_size: int, n_amplitudes: int, n_frequencies: int, amp_resample_method: str
) -> State:
    """Returns the initial state of `step_harmonics` and `step_sinusoids`.

    Args:
      batch_size: Rows of the stream.
      n_amplitudes: Channels of the amplitudes.
      n_frequencies: Channels of the frequencies.
      amp_resample_method: Interpolation of the amplitudes, see `resample`.

    Returns:
      Nest of tensors.
    """
    channels = {"hz": n_frequencies, "amplitudes": n_amplitudes}
    return {
        **hops.start(batch_size, channels, look_ahead(amp_resample_method)),
        "phase": tf.zeros([batch_size, 1, n_frequencies], tf.int64),
    }


def step_harmonics(
    state: State,
    f0_hz: tf.Tensor,
    harmonic_amplitudes: tf.Tensor,
    hop_size: int,
    sample_rate: int,
    amp_resample_method: str,
) -> tuple[tf.Tensor, State]:
    """Renders a block of harmonics, see `harmonic_synthesis`.

    Args:
      state: State from `start_oscillators` or the previous step.
      f0_hz: Fundamental frequency in Hz, shape [batch, n_frames, 1].
      harmonic_amplitudes: Amplitudes, shape [batch, n_frames, n_harmonics].
      hop_size: Samples per frame.
      sample_rate: Samples per second.
      amp_resample_method: Interpolation of the amplitudes, see `resample`.

    Returns:
      Audio, shape [batch, n_frames * hop_size], with a latency of `look_ahead` hops;
      and the new state.
    """
    block, (coarse, fine), state = _advance(
        state, f0_hz, harmonic_amplitudes, hop_size, sample_rate, amp_resample_method
    )
    hz, following = block.at("hz"), block.at("hz", 1)
    if amp_resample_method in RAMPS:
        amplitudes = block.at("amplitudes")
        audio = harmonic_sum(
            (coarse, fine),
            hz,
            amplitudes,
            RAMPS[amp_resample_method](hop_size),
            float(sample_rate),
            steps=(following - hz, block.at("amplitudes", 1) - amplitudes),
        )
        return audio, state
    cycles = phase_in_hops(coarse + fine, hz, following, hop_size, sample_rate)
    amplitudes = _envelopes(block, "amplitudes", hop_size, amp_resample_method)
    partials = get_harmonic_frequencies(
        _envelopes(block, "hz", hop_size, "linear"), amplitudes.shape[-1]
    )
    amplitudes = remove_above_nyquist(partials, amplitudes, sample_rate)
    return harmonics_at(cycles, amplitudes), state


def step_sinusoids(
    state: State,
    frequencies: tf.Tensor,
    amplitudes: tf.Tensor,
    hop_size: int,
    sample_rate: int,
    amp_resample_method: str,
) -> tuple[tf.Tensor, State]:
    """Renders a block of sinusoids, see `sinusoidal_synthesis`.

    Args:
      state: State from `start_oscillators` or the previous step.
      frequencies: Frequencies in Hz, shape [batch, n_frames, n_sinusoids].
      amplitudes: Amplitudes, shape [batch, n_frames, n_sinusoids].
      hop_size: Samples per frame.
      sample_rate: Samples per second.
      amp_resample_method: Interpolation of the amplitudes, see `resample`.

    Returns:
      Audio, shape [batch, n_frames * hop_size], with a latency of `look_ahead` hops;
      and the new state.
    """
    block, (coarse, fine), state = _advance(
        state, frequencies, amplitudes, hop_size, sample_rate, amp_resample_method
    )
    hz, following = block.at("hz"), block.at("hz", 1)
    if amp_resample_method in RAMPS:
        amplitudes = block.at("amplitudes")
        audio = sum_of_sinusoids(
            coarse + fine,
            hz / sample_rate,
            (following - hz) / sample_rate,
            amplitudes,
            block.at("amplitudes", 1) - amplitudes,
            RAMPS[amp_resample_method](hop_size),
        )
        return audio, state
    cycles = phase_in_hops(coarse + fine, hz, following, hop_size, sample_rate)
    envelopes = remove_above_nyquist(
        _envelopes(block, "hz", hop_size, "linear"),
        _envelopes(block, "amplitudes", hop_size, amp_resample_method),
        sample_rate,
    )
    return tf.reduce_sum(envelopes * tf.sin(radians(cycles)), axis=-1), state


def start_wavetable(
    batch_size: int, n_wavetable: int, table: tf.Tensor | None = None
) -> State:
    """Returns the initial state of `step_wavetable`.

    Args:
      batch_size: Rows of the stream.
      n_wavetable: Samples per table.
      table: Constant table, shape [batch, n_wavetable]; None for tables that change.

    Returns:
      Nest of tensors.
    """
    channels = {"f0_hz": 1, "amplitudes": 1}
    if table is None:
        channels["wavetables"] = n_wavetable
    state = {
        **hops.start(batch_size, channels, 1),
        "phase": tf.zeros([batch_size, 1, 1], tf.int64),
    }
    return state if table is None else {**state, "table": table}


def step_wavetable(
    state: State, frames: Mapping[str, tf.Tensor], hop_size: int, sample_rate: int
) -> tuple[tf.Tensor, State]:
    """Renders a block of a wavetable oscillator, see `wavetable_synthesis`.

    Args:
      state: State from `start_wavetable` or the previous step.
      frames: `f0_hz` in Hz and `amplitudes`, shape [batch, n_frames, 1]. Without a
        constant table also `wavetables`, shape [batch, n_frames, n_wavetable].
      hop_size: Samples per frame.
      sample_rate: Samples per second.

    Returns:
      Audio, shape [batch, n_frames * hop_size], with a latency of one hop; and the new
      state.
    """
    block = hops.Hops(
        state["kept"],
        {name: frames[name] for name in state["kept"]},
        state["position"],
        1,
    )
    hz, following = block.at("f0_hz"), block.at("f0_hz", 1)
    coarse, fine, phase = next_frame_starts(
        state["phase"], hz, following, block.started, hop_size, sample_rate
    )
    cycles = phase_in_hops(
        coarse + fine, hz, following, hop_size, sample_rate, inclusive=False
    )
    if "table" in state:
        audio = linear_lookup(cycles, state["table"])
    else:
        table = tf.repeat(tf.range(block.n_frames), hop_size)
        before = lookup(cycles[:, :, 0], block.at("wavetables"), table)
        after = lookup(cycles[:, :, 0], block.at("wavetables", 1), table)
        ramp = tf.tile(linear_ramp(hop_size), [block.n_frames])
        audio = before + ramp * (after - before)
    amplitude = _envelopes(block, "amplitudes", hop_size, "window")[:, :, 0]
    state = {
        **state,
        "position": state["position"] + block.n_frames,
        "kept": block.kept(),
        "phase": phase,
    }
    return amplitude * audio, state


def _advance(
    state: State,
    hz: tf.Tensor,
    amplitudes: tf.Tensor,
    hop_size: int,
    sample_rate: int,
    amp_resample_method: str,
) -> tuple[hops.Hops, tuple[tf.Tensor, tf.Tensor], State]:
    """Returns the hops to render, their initial phases, and the new state."""
    block = hops.Hops(
        state["kept"],
        {"hz": hz, "amplitudes": amplitudes},
        state["position"],
        look_ahead(amp_resample_method),
    )
    coarse, fine, phase = next_frame_starts(
        state["phase"],
        block.at("hz"),
        block.at("hz", 1),
        block.started,
        hop_size,
        sample_rate,
    )
    state = {
        "position": state["position"] + block.n_frames,
        "kept": block.kept(),
        "phase": phase,
    }
    return block, (coarse, fine), state


def _envelopes(block: hops.Hops, name: str, hop_size: int, method: str) -> tf.Tensor:
    """Interpolates a control, [batch, n_frames * hop_size, channels]."""
    if method == "nearest":
        return tf.repeat(block.at(name), hop_size, axis=1)
    if method == "cubic":
        weights = cubic_weights(linear_ramp(hop_size))
    else:
        ramp = window_ramp(hop_size) if method == "window" else linear_ramp(hop_size)
        weights = {0: 1.0 - ramp, 1: ramp}
    envelopes = tf.add_n(
        [
            block.at(name, offset)[:, :, tf.newaxis] * weight[:, tf.newaxis]
            for offset, weight in weights.items()
        ]
    )
    shape = [tf.shape(envelopes)[0], block.n_frames * hop_size, envelopes.shape[3]]
    return tf.reshape(envelopes, shape)
