"""Heuristics that detect notes in the controls of synthesizers, without training.

`segment_notes` combines three functions: one marks the frames in which a note is on,
two others choose the pitch and the amplitude of each note.

Controls are the outputs of a model for one recording: a dictionary with `f0_hz`,
[n_frames] or [n_frames, 1], and depending on the heuristic `audio`, [n_samples], or
`harmonic/controls/amplitudes`, [n_frames] or [n_frames, 1].
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import gin
import numpy as np
import tensorflow as tf

from ddsp import core, spectral_ops
from ddsp.training import midi
from ddsp.training.frame_windows import pad_for_frame as pad_for_frame
from ddsp.training.frame_windows import remove_short, runs, windows
from ddsp.training.frame_windows import window_array as window_array
from ddsp.training.midi import get_active_frame_indices as get_active_frame_indices
from ddsp.types import ArrayLike, Midi

DEFAULT_FRAME_RATE = 250

# Named tensors or arrays, possibly nested.
Controls: TypeAlias = Mapping[str, Any]

# A larger change of pitch, in semitones, starts a new note. It is less than a semitone
# because a few frames rarely contain the whole step.
_NEW_NOTE_SEMITONES = 0.75
_SILENCE_DB = -core.DB_RANGE


@gin.configurable
def segment_notes_batch(
    binarize_f: Callable[[Controls], ArrayLike],
    pick_f0_f: Callable[..., float],
    pick_amps_f: Callable[..., float],
    controls_batch: Controls,
    frame_rate: int = DEFAULT_FRAME_RATE,
) -> list[Midi]:
    """Detects the notes of a batch of recordings.

    Args:
      binarize_f: See `segment_notes`.
      pick_f0_f: See `segment_notes`.
      pick_amps_f: See `segment_notes`.
      controls_batch: Controls with a leading batch axis, including `f0_hz`. Values
        without a batch axis are the same for all recordings.
      frame_rate: Frames per second.

    Returns:
      A `pretty_midi.PrettyMIDI` object per recording.

    Raises:
      ImportError: If `pretty_midi` is not installed.
      ValueError: If there is no `f0_hz`.

    Example:

    >>> from ddsp.training import heuristics
    >>> ones = np.ones([2, 100])
    >>> amplitudes = {"harmonic": {"controls": {"amplitudes": ones}}}
    >>> notes = heuristics.segment_notes_batch(
    ...     heuristics.midi_heuristic,
    ...     heuristics.mean_f0,
    ...     heuristics.median_amps,
    ...     {"f0_hz": 440.0 * ones, **amplitudes},
    ... )
    >>> len(notes), notes[0].instruments[0].notes[0].pitch
    (2, 69)
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


def segment_notes(
    binarize_f: Callable[[Controls], ArrayLike],
    pick_f0_f: Callable[..., float],
    pick_amps_f: Callable[..., float],
    controls: Controls,
    frame_rate: int = DEFAULT_FRAME_RATE,
) -> Midi:
    """Detects the notes of a recording.

    Args:
      binarize_f: Function from controls to a mask, [n_frames], that is True while a
        note is on.
      pick_f0_f: Function from controls and the frames `start` and `stop` to the f0 of a
        note in Hz.
      pick_amps_f: Function from controls and the frames `start` and `stop` to the
        amplitude of a note.
      controls: Controls of one recording; see the module.
      frame_rate: Frames per second.

    Returns:
      A `pretty_midi.PrettyMIDI` object. The velocity is linear in decibels, from 1 at
      -80 dB to 127 at an amplitude of 1.

    Raises:
      ImportError: If `pretty_midi` is not installed.

    Example:

    >>> from ddsp.training import heuristics
    >>> controls = {
    ...     "f0_hz": np.repeat([440.0, 0.0, 220.0], 100),
    ...     "harmonic": {"controls": {"amplitudes": np.ones(300)}},
    ... }
    >>> midi = heuristics.segment_notes(
    ...     heuristics.midi_heuristic,
    ...     heuristics.mean_f0,
    ...     heuristics.median_amps,
    ...     controls,
    ... )
    >>> [note.pitch for note in midi.instruments[0].notes]
    [69, 57]
    """
    notes = []
    for start, stop in runs(binarize_f(controls)):
        f0_hz = pick_f0_f(controls, start=start, stop=stop)
        amplitude = pick_amps_f(controls, start=start, stop=stop)
        pitch = np.clip(np.round(_midi(f0_hz)), 0, midi.N_PITCHES - 1)
        level = np.clip(1.0 - _decibels(amplitude) / _SILENCE_DB, 0.0, 1.0)
        velocity = np.round(1.0 + level * (midi.MAX_VELOCITY - 1))
        notes.append((int(pitch), int(velocity), start / frame_rate, stop / frame_rate))
    return midi.make_midi(notes)


@gin.register
def mean_f0(controls: Controls, start: int, stop: int) -> float:
    """Returns the mean f0 in Hz of the frames in [start, stop).

    Args:
      controls: Controls with `f0_hz`.
      start: First frame.
      stop: Frame after the last one.

    Args:
      controls: Controls with `f0_hz`.
      start: First frame.
      stop: Frame after the last one.

    Example:

    >>> from ddsp.training import heuristics
    >>> heuristics.mean_f0({"f0_hz": np.array([0.0, 220.0, 440.0])}, start=1, stop=3)
    330.0
    """
    return float(np.mean(_curve(controls, "f0_hz")[start:stop]))


@gin.register
def median_f0(controls: Controls, start: int, stop: int) -> float:
    """Returns the median f0 in Hz of the frames in [start, stop).

    Args:
      controls: Controls with `f0_hz`.
      start: First frame.
      stop: Frame after the last one.

    Args:
      controls: Controls with `f0_hz`.
      start: First frame.
      stop: Frame after the last one.

    Example:

    >>> from ddsp.training import heuristics
    >>> f0_hz = np.array([220.0, 220.0, 440.0])
    >>> heuristics.median_f0({"f0_hz": f0_hz}, start=0, stop=3)
    220.0
    """
    return float(np.median(_curve(controls, "f0_hz")[start:stop]))


@gin.register
def median_amps(controls: Controls, start: int, stop: int) -> float:
    """Returns the median amplitude of the frames in [start, stop).

    Args:
      controls: Controls with `harmonic/controls/amplitudes`.
      start: First frame.
      stop: Frame after the last one.

    Args:
      controls: Controls with `harmonic/controls/amplitudes`.
      start: First frame.
      stop: Frame after the last one.

    Example:

    >>> from ddsp.training import heuristics
    >>> controls = {"harmonic": {"controls": {"amplitudes": np.array([0.1, 0.5])}}}
    >>> heuristics.median_amps(controls, start=0, stop=2)
    0.3
    """
    return float(np.median(_amplitudes(controls)[start:stop]))


@gin.register
def amp_pooled_outliers(
    controls: Controls,
    frame_width: int = 80,
    num_devs: float = 2,
    pad_mode: str = "center",
) -> np.ndarray:
    """Marks frames whose amplitude is not an outlier below the frames around it.

    Args:
      controls: Controls with `harmonic/controls/amplitudes`.
      frame_width: Number of frames in the window to compare with.
      num_devs: Number of standard deviations below the mean of the window, in dB, at
        which a frame is an outlier.
      pad_mode: Position of the window; see `pad_for_frame`.

    Returns:
      Mask, [n_frames], bool. It is False for frames of -80 dB or less.

    Example:

    >>> from ddsp.training import heuristics
    >>> amplitudes = np.array([1.0, 1.0, 0.1, 1.0, 1.0, 1.0, 1.0, 1.0])
    >>> controls = {"harmonic": {"controls": {"amplitudes": amplitudes}}}
    >>> heuristics.amp_pooled_outliers(controls, frame_width=8).astype(int)
    array([1, 1, 0, 1, 1, 1, 1, 1])
    """
    level = _decibels(_amplitudes(controls)) - _SILENCE_DB
    return _is_no_outlier(level, frame_width, num_devs, pad_mode)


@gin.register
def strided_freq_change(
    controls: Controls,
    frame_widths: Sequence[int] = (2, 4, 8, 16, 32),
    pad_mode: str = "front",
) -> np.ndarray:
    """Marks voiced frames in which the pitch does not change.

    Args:
      controls: Controls with `f0_hz`.
      frame_widths: Window sizes in frames. The pitch changes if it moves by about a
        semitone within a window. Only the first window that detects a change counts.
      pad_mode: Position of the window; see `pad_for_frame`.

    Returns:
      Mask, [n_frames], bool.

    Example:

    >>> from ddsp.training import heuristics
    >>> f0_hz = np.array([0.0, 440.0, 440.0, 440.0, 220.0, 220.0])
    >>> heuristics.strided_freq_change({"f0_hz": f0_hz}).astype(int)
    array([0, 0, 1, 1, 0, 1])
    """
    f0_hz = _curve(controls, "f0_hz")
    pitch = _midi(f0_hz)
    steady = np.ones(len(f0_hz), bool)
    for width in frame_widths if len(f0_hz) else ():
        pitches = windows(pitch, width, pad_mode)
        moved = np.abs(pitches[:, -1] - pitches[:, 0]) > _NEW_NOTE_SEMITONES
        steady &= ~(moved & windows(steady, width, pad_mode).all(axis=-1))
    return steady & (f0_hz > 0)


@gin.register
def power_pooled_outliers(
    controls: Controls,
    frame_width: int = 80,
    num_devs: float = 2.5,
    pad_mode: str = "center",
    sample_rate: int = 16000,
    frame_rate: int = DEFAULT_FRAME_RATE,
) -> np.ndarray:
    """Marks frames whose power is not an outlier below the frames around it.

    Args:
      controls: Controls with `audio`, and with `f0_hz`, which determines the number of
        frames.
      frame_width: Number of frames in the window to compare with.
      num_devs: Number of standard deviations below the mean of the window, in dB, at
        which a frame is an outlier.
      pad_mode: Position of the window; see `pad_for_frame`.
      sample_rate: Sample rate of the audio, in Hz.
      frame_rate: Frames per second of the f0.

    Returns:
      Mask, [n_frames], bool. It is False for frames of -80 dB or less.

    Raises:
      ValueError: If audio and f0 differ in length by more than 20 frames.

    Example:

    >>> from ddsp.training import heuristics
    >>> controls = {"audio": np.zeros(640), "f0_hz": np.full(11, 440.0)}
    >>> bool(heuristics.power_pooled_outliers(controls).any())
    False
    """
    audio = np.asarray(_control(controls, "audio"), np.float32).reshape(-1)
    power_db = spectral_ops.compute_power(
        audio, sample_rate, frame_rate, frame_size=256
    )
    # Centered features have one more frame than others.
    power_db = spectral_ops.pad_or_trim_to_expected_length(
        power_db, len(_curve(controls, "f0_hz")), pad_value=_SILENCE_DB
    )
    return _is_no_outlier(power_db - _SILENCE_DB, frame_width, num_devs, pad_mode)


@gin.register
def midi_heuristic(controls: Controls) -> np.ndarray:
    """Marks the frames of notes by f0 and amplitude.

    Notes are voiced, have a steady pitch and no dips in amplitude, and last for ten
    frames or more.

    Args:
      controls: Controls with `f0_hz` and `harmonic/controls/amplitudes`.

    Returns:
      Mask, [n_frames], bool.

    Example:

    >>> from ddsp.training import heuristics
    >>> controls = {
    ...     "f0_hz": np.repeat([0.0, 440.0], 20),
    ...     "harmonic": {"controls": {"amplitudes": np.ones(40)}},
    ... }
    >>> int(np.flatnonzero(heuristics.midi_heuristic(controls))[0])
    21
    """
    is_on = strided_freq_change(controls) & amp_pooled_outliers(controls)
    return remove_short(is_on, min_samples=10)


@gin.register
def midi_heuristic_power(controls: Controls) -> np.ndarray:
    """Marks the frames of notes by f0 and power; see `midi_heuristic`.

    Args:
      controls: Controls with `f0_hz` and `audio`.

    Returns:
      Mask, [n_frames], bool.

    Example:

    >>> from ddsp.training import heuristics
    >>> controls = {"audio": np.zeros(640), "f0_hz": np.full(11, 440.0)}
    >>> bool(heuristics.midi_heuristic_power(controls).any())
    False
    """
    is_on = strided_freq_change(controls) & power_pooled_outliers(controls)
    return remove_short(is_on, min_samples=10)


def _is_no_outlier(
    level: np.ndarray, frame_width: int, num_devs: float, pad_mode: str
) -> np.ndarray:
    """Marks levels that are positive and not far below the mean of their window."""
    level = np.asarray(level, np.float64)
    if not level.size:
        return np.zeros(0, bool)
    levels = windows(level, frame_width, pad_mode)
    lowest = levels.mean(axis=-1) - num_devs * levels.std(axis=-1)
    return (level >= lowest) & (level > 0.0)


def _control(controls: Controls, *path: str) -> Any:
    value: Any = controls
    for key in path:
        if key not in value:
            raise ValueError(
                f"Notes need the control {'/'.join(path)!r}, got {sorted(controls)}."
            )
        value = value[key]
    return value


def _curve(controls: Controls, *path: str) -> np.ndarray:
    """Returns a control of one recording, [n_frames]."""
    value = np.asarray(_control(controls, *path), np.float64)
    if value.size != value.shape[0] or value.ndim > 2:
        raise ValueError(
            f"The control {'/'.join(path)!r} of one recording must be [n_frames] or "
            f"[n_frames, 1], got shape {value.shape}."
        )
    return value.reshape(-1)


def _amplitudes(controls: Controls) -> np.ndarray:
    return _curve(controls, "harmonic", "controls", "amplitudes")


def _midi(f0_hz: ArrayLike) -> np.ndarray:
    return np.asarray(core.hz_to_midi(f0_hz))


def _decibels(amplitude: ArrayLike) -> np.ndarray:
    """Converts linear amplitude to dB, at least -80."""
    floor = 10.0 ** (_SILENCE_DB / 20.0)
    return 20.0 * np.log10(np.maximum(np.asarray(amplitude, np.float64), floor))
