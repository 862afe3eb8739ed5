"""From controls of the synthesisers to notes, without training.

A recording is cut into notes by a function that marks the frames in which a note is on;
two more choose the pitch and the amplitude of each. `segment_notes` puts them together.
Controls are the outputs of a model for one recording: a dictionary with `f0_hz`,
`[n_frames]` or `[n_frames, 1]`, and, by what is used, `audio`, `[n_samples]`, or
`harmonic/controls/amplitudes`, `[n_frames]` or `[n_frames, 1]`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gin
import numpy as np
import tensorflow as tf

from ddsp import core, spectral_ops
from ddsp._core import checks
from ddsp.training import midi
from ddsp.training.midi import get_active_frame_indices as get_active_frame_indices

DEFAULT_FRAME_RATE = 250

# Two pitches further apart, in semitones, are of two notes. Below one, as a glide of a
# semitone seldom shows whole within a few frames.
_NEW_NOTE_SEMITONES = 0.75
_SILENCE_DB = -core.DB_RANGE


@gin.configurable
def segment_notes_batch(
    binarize_f: Callable[..., Any],
    pick_f0_f: Callable[..., Any],
    pick_amps_f: Callable[..., Any],
    controls_batch: Mapping[str, Any],
    frame_rate: int = DEFAULT_FRAME_RATE,
) -> list[Any]:
    """Cuts a batch of recordings into notes.

    Args:
      binarize_f: See `segment_notes`.
      pick_f0_f: See `segment_notes`.
      pick_amps_f: See `segment_notes`.
      controls_batch: Controls with a batch axis in front, `f0_hz` among them. What has
        none is handed to each recording whole.
      frame_rate: Frames a second.

    Returns:
      A `pretty_midi.PrettyMIDI` object for each recording.

    Raises:
      ImportError: `pretty_midi` is not installed.
      ValueError: There is no `f0_hz`.
    """
    batch_size = len(_control(controls_batch, "f0_hz"))
    arrays = tf.nest.map_structure(
        lambda x: np.asarray(x) if tf.is_tensor(x) else x, dict(controls_batch)
    )

    def of_example(x: Any, i: int) -> Any:
        batched = isinstance(x, np.ndarray) and x.shape[:1] == (batch_size,)
        return x[i] if batched else x

    return [
        segment_notes(
            binarize_f,
            pick_f0_f,
            pick_amps_f,
            tf.nest.map_structure(lambda x, i=i: of_example(x, i), arrays),
            frame_rate,
        )
        for i in range(batch_size)
    ]


def window_array(
    array: Any, sr: float, win_len: float, frame_step_ratio: float = 0.75, ax: int = 0
) -> np.ndarray:
    """Cuts an array into overlapping windows.

    Zeros are put before the array, as many as two windows overlap, and after it, until
    the last window is full.

    Args:
      array: Any shape.
      sr: Samples a second along `ax`.
      win_len: Length of a window, seconds.
      frame_step_ratio: From one window to the next, in windows, in (0, 1].
      ax: The axis to cut.

    Returns:
      The array with `ax` replaced by two axes, `[n_windows, window_size]`.

    Raises:
      ValueError: If a window is shorter than a sample or the ratio is out of range.
    """
    array = np.asarray(array)
    # The product of two decimal fractions may lie a little below the whole number.
    size, step, overlap = (
        int(round(sr * win_len * ratio, 6))
        for ratio in (1.0, frame_step_ratio, 1.0 - frame_step_ratio)
    )
    if step < 1 or overlap < 0:
        raise ValueError(
            "A window must be at least a sample and its step in (0, 1] windows, got "
            f"sr={sr}, win_len={win_len}, frame_step_ratio={frame_step_ratio}."
        )
    widths = [(0, 0)] * array.ndim
    widths[ax] = (overlap, 0)
    padded = np.pad(array, widths)
    return tf.signal.frame(padded, size, step, pad_end=True, axis=ax).numpy()


def segment_notes(
    binarize_f: Callable[..., Any],
    pick_f0_f: Callable[..., Any],
    pick_amps_f: Callable[..., Any],
    controls: Mapping[str, Any],
    frame_rate: int = DEFAULT_FRAME_RATE,
) -> Any:
    """Cuts a recording into notes.

    Args:
      binarize_f: From controls to whether a note is on, `[n_frames]`. A note lasts as
        long as it is on.
      pick_f0_f: From controls, `start` and `stop` (frames) to the pitch of a note, Hz.
      pick_amps_f: Likewise to its amplitude, linear.
      controls: See the module.
      frame_rate: Frames a second.

    Returns:
      A `pretty_midi.PrettyMIDI` object. Velocities run from 1 at -80 dB to 127 at an
      amplitude of 1, linearly in decibels.

    Raises:
      ImportError: `pretty_midi` is not installed.
    """
    notes = []
    for start, stop in _runs(binarize_f(controls)):
        f0_hz = pick_f0_f(controls, start=start, stop=stop)
        amplitude = pick_amps_f(controls, start=start, stop=stop)
        pitch = np.clip(np.round(_midi(f0_hz)), 0, midi.N_PITCHES - 1)
        level = np.clip(1.0 - _decibels(amplitude) / _SILENCE_DB, 0.0, 1.0)
        velocity = np.round(1.0 + level * (midi.MAX_VELOCITY - 1))
        notes.append((int(pitch), int(velocity), start / frame_rate, stop / frame_rate))
    return midi.make_midi(notes)


@gin.register
def mean_f0(controls: Mapping[str, Any], start: int, stop: int) -> float:
    """Mean pitch of the frames from `start` to before `stop`, Hz."""
    return float(np.mean(_curve(controls, "f0_hz")[start:stop]))


@gin.register
def median_f0(controls: Mapping[str, Any], start: int, stop: int) -> float:
    """Median pitch of the frames from `start` to before `stop`, Hz."""
    return float(np.median(_curve(controls, "f0_hz")[start:stop]))


@gin.register
def median_amps(controls: Mapping[str, Any], start: int, stop: int) -> float:
    """Median amplitude of the frames from `start` to before `stop`, linear."""
    return float(np.median(_amplitudes(controls)[start:stop]))


def remove_short(
    is_on_vec: Any, min_samples: int = 20, glue_back: bool = False
) -> np.ndarray:
    """Removes short notes.

    Args:
      is_on_vec: `[n_frames]`, whether a note is on.
      min_samples: Notes with fewer frames are short.
      glue_back: Join a short note to the one before it instead, by filling the gap
        between them. Without one before it, it is removed too.

    Returns:
      `[n_frames]`, bool.
    """
    is_on = np.array(is_on_vec, bool).reshape(-1)
    end_before = None
    for start, stop in _runs(is_on):
        if stop - start >= min_samples:
            end_before = stop
        elif glue_back and end_before is not None:
            is_on[end_before:stop] = True
            end_before = stop
        else:
            is_on[start:stop] = False
    return is_on


def pad_for_frame(vec: Any, mode: str, frame_width: int, axis: int = 0) -> np.ndarray:
    """Repeats the ends of an array, so that there is a window for each of its values.

    Args:
      vec: Any shape, not empty along `axis`.
      mode: Where in its window a value lies: `'front'` for windows that end at it,
        `'center'` or `'end'` for windows that start at it.
      frame_width: Size of a window.
      axis: Axis to pad.

    Returns:
      The array with `frame_width - 1` more values along `axis`.

    Raises:
      ValueError: If the mode is unknown, the width below 1, or the array empty.
    """
    vec = np.asarray(vec)
    checks.positive("frame_width", frame_width)
    before = {"front": frame_width - 1, "center": frame_width // 2, "end": 0}
    checks.one_of("mode", mode, before)
    if not vec.shape[axis]:
        raise ValueError(f"There must be values to pad, got shape {vec.shape}.")
    widths = [(0, 0)] * vec.ndim
    widths[axis] = (before[mode], frame_width - 1 - before[mode])
    return np.pad(vec, widths, mode="edge")


@gin.register
def amp_pooled_outliers(
    controls: Mapping[str, Any],
    frame_width: int = 80,
    num_devs: float = 2,
    pad_mode: str = "center",
) -> np.ndarray:
    """Marks frames whose amplitude does not dip.

    Args:
      controls: With `harmonic/controls/amplitudes`.
      frame_width: Frames with which one is compared.
      num_devs: A dip lies more than this many standard deviations of them below their
        mean, in log-amplitude.
      pad_mode: Where among them the frame lies, see `pad_for_frame`.

    Returns:
      `[n_frames]`, bool. Frames of at most -80 dB are not marked.
    """
    level = _decibels(_amplitudes(controls)) - _SILENCE_DB
    return _does_not_dip(level, frame_width, num_devs, pad_mode)


@gin.register
def strided_freq_change(
    controls: Mapping[str, Any],
    frame_widths: Sequence[int] = (2, 4, 8, 16, 32),
    pad_mode: str = "front",
) -> np.ndarray:
    """Marks frames in which the pitch neither changes nor is absent.

    Args:
      controls: With `f0_hz`.
      frame_widths: The pitch changes where it moves by a semitone within one of these
        windows, in frames. A change is left to the first that shows it.
      pad_mode: Where in its window a frame lies, see `pad_for_frame`.

    Returns:
      `[n_frames]`, bool.
    """
    f0_hz = _curve(controls, "f0_hz")
    pitch = _midi(f0_hz)
    steady = np.ones(len(f0_hz), bool)
    for width in frame_widths if len(f0_hz) else ():
        windows = _windows(pitch, width, pad_mode)
        moved = np.abs(windows[:, -1] - windows[:, 0]) > _NEW_NOTE_SEMITONES
        steady &= ~(moved & _windows(steady, width, pad_mode).all(axis=-1))
    return steady & (f0_hz > 0)


@gin.register
def power_pooled_outliers(
    controls: Mapping[str, Any],
    frame_width: int = 80,
    num_devs: float = 2.5,
    pad_mode: str = "center",
    sample_rate: int = 16000,
    frame_rate: int = DEFAULT_FRAME_RATE,
) -> np.ndarray:
    """Marks frames whose power does not dip.

    Args:
      controls: With `audio`, and with `f0_hz`, which gives the number of frames.
      frame_width: Frames with which one is compared.
      num_devs: A dip lies more than this many standard deviations of them below their
        mean, in decibels.
      pad_mode: Where among them the frame lies, see `pad_for_frame`.
      sample_rate: Of the audio, samples a second.
      frame_rate: Of the pitch, frames a second.

    Returns:
      `[n_frames]`, bool. Frames of at most -80 dB are not marked.

    Raises:
      ValueError: If audio and pitch differ in length by more than 20 frames.
    """
    audio = np.asarray(_control(controls, "audio"), np.float32).reshape(-1)
    power_db = spectral_ops.compute_power(
        audio, sample_rate, frame_rate, frame_size=256
    )
    # Centred frames are one more than those of features that are not.
    power_db = spectral_ops.pad_or_trim_to_expected_length(
        power_db, len(_curve(controls, "f0_hz")), pad_value=_SILENCE_DB
    )
    return _does_not_dip(power_db - _SILENCE_DB, frame_width, num_devs, pad_mode)


@gin.register
def midi_heuristic(controls: Mapping[str, Any]) -> np.ndarray:
    """Marks the frames of notes by pitch and amplitude.

    A note is pitched, keeps its pitch, does not dip in amplitude and lasts at least ten
    frames.

    Args:
      controls: With `f0_hz` and `harmonic/controls/amplitudes`.

    Returns:
      `[n_frames]`, bool.
    """
    is_on = strided_freq_change(controls) & amp_pooled_outliers(controls)
    return remove_short(is_on, min_samples=10)


@gin.register
def midi_heuristic_power(controls: Mapping[str, Any]) -> np.ndarray:
    """Marks the frames of notes as `midi_heuristic`, by power instead of amplitude.

    Args:
      controls: With `f0_hz` and `audio`.

    Returns:
      `[n_frames]`, bool.
    """
    is_on = strided_freq_change(controls) & power_pooled_outliers(controls)
    return remove_short(is_on, min_samples=10)


def _does_not_dip(
    level: np.ndarray, frame_width: int, num_devs: float, pad_mode: str
) -> np.ndarray:
    """Marks levels that are positive and not far below those around them."""
    level = np.asarray(level, np.float64)
    if not level.size:
        return np.zeros(0, bool)
    windows = _windows(level, frame_width, pad_mode)
    lowest = windows.mean(axis=-1) - num_devs * windows.std(axis=-1)
    return (level >= lowest) & (level > 0.0)


def _windows(x: np.ndarray, width: int, pad_mode: str) -> np.ndarray:
    """The window around each value, `[n, width]`."""
    padded = pad_for_frame(x, pad_mode, width)
    return np.lib.stride_tricks.sliding_window_view(padded, width)


def _runs(is_on: Any) -> list[tuple[int, int]]:
    """First frame of each stretch that is on, and the first after it."""
    padded = np.pad(np.asarray(is_on, bool).reshape(-1), 1).astype(np.int8)
    edges = np.flatnonzero(np.diff(padded))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _control(controls: Mapping[str, Any], *path: str) -> Any:
    value: Any = controls
    for key in path:
        if key not in value:
            raise ValueError(
                f"Notes need the control {'/'.join(path)!r}, got {sorted(controls)}."
            )
        value = value[key]
    return value


def _curve(controls: Mapping[str, Any], *path: str) -> np.ndarray:
    """A control of one recording, `[n_frames]`."""
    value = np.asarray(_control(controls, *path), np.float64)
    if value.size != value.shape[0] or value.ndim > 2:
        raise ValueError(
            f"The control {'/'.join(path)!r} of one recording must be [n_frames] or "
            f"[n_frames, 1], got shape {value.shape}."
        )
    return value.reshape(-1)


def _amplitudes(controls: Mapping[str, Any]) -> np.ndarray:
    return _curve(controls, "harmonic", "controls", "amplitudes")


def _midi(f0_hz: Any) -> np.ndarray:
    return np.asarray(core.hz_to_midi(f0_hz))


def _decibels(amplitude: Any) -> np.ndarray:
    """Level of a linear amplitude, dB; silence at the lowest, not at infinity."""
    floor = 10.0 ** (_SILENCE_DB / 20.0)
    return 20.0 * np.log10(np.maximum(np.asarray(amplitude, np.float64), floor))
