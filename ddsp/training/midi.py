"""Notes as piano rolls, `pretty_midi.PrettyMIDI` objects and MIDI files.

A piano roll is an array [n_frames, 128] of velocities in [0, 1], where 0 means silence.
Frame `i` starts at `i / frame_rate` seconds.
"""

import os
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ddsp import files
from ddsp._core import checks
from ddsp.types import ArrayLike, Midi

N_PITCHES = 128
MAX_VELOCITY = 127

# Ticks per beat. At two beats per second a tick is half a millisecond, so the common
# frame rates of 100 and 250 Hz are exact in a file.
_TICKS = 1000


def import_pretty_midi() -> ModuleType:
    """Returns the package `pretty_midi`, which is installed with the extra `midi`.

    Raises:
      ImportError: If it is not installed.

    Example:

    >>> from ddsp.training import midi
    >>> midi.import_pretty_midi().note_name_to_number("A4")
    69
    """
    try:
        import pretty_midi
    except ImportError as error:
        raise ImportError(
            "Notes need the package pretty_midi: pip install 'ddsp[midi]'."
        ) from error
    return pretty_midi


def is_midi(x: Midi | ArrayLike) -> bool:
    """Returns whether an object is a `PrettyMIDI` object, as opposed to a piano roll.

    Args:
      x: `PrettyMIDI` object or piano roll.

    Example:

    >>> from ddsp.training import midi
    >>> midi.is_midi(np.zeros([100, 128]))
    False
    """
    return hasattr(x, "instruments")


def sorted_notes(midi: Midi) -> list[Any]:
    """Returns all pitched notes, sorted by onset and then by pitch.

    Args:
      midi: A `PrettyMIDI` object.

    Returns:
      List of the `pretty_midi.Note` objects. Drums are omitted, because their numbers
      are not pitches.

    Example:

    >>> from ddsp.training import midi
    >>> song = midi.make_midi([(64, 100, 1.0, 2.0), (60, 100, 0.0, 2.0)])
    >>> [note.pitch for note in midi.sorted_notes(song)]
    [60, 64]
    """
    notes = [
        note
        for instrument in midi.instruments
        if not instrument.is_drum
        for note in instrument.notes
    ]
    return sorted(notes, key=lambda note: (note.start, note.pitch))


def make_midi(notes: Iterable[Sequence[float]]) -> Midi:
    """Returns a `PrettyMIDI` object with notes of one piano.

    Args:
      notes: Rows of pitch (0 to 127), velocity (1 to 127), start and end in seconds.

    Returns:
      The `PrettyMIDI` object.

    Raises:
      ValueError: If a note is outside these ranges, or ends before it starts.

    Example:

    >>> from ddsp.training import midi
    >>> midi.make_midi([(69, 100, 0.0, 1.5)]).get_end_time()
    1.5
    """
    pretty_midi = import_pretty_midi()
    piano = pretty_midi.Instrument(program=0)
    for pitch, velocity, start, end in notes:
        in_range = 0 <= pitch < N_PITCHES and 1 <= velocity <= MAX_VELOCITY
        if not (in_range and 0 <= start < end):
            raise ValueError(
                "A note must have a pitch from 0 to 127, a velocity from 1 to 127 and "
                f"an end after its start, got pitch={pitch}, velocity={velocity}, "
                f"start={start}, end={end}."
            )
        piano.notes.append(
            pretty_midi.Note(int(velocity), int(pitch), float(start), float(end))
        )
    midi = pretty_midi.PrettyMIDI(resolution=_TICKS, initial_tempo=120.0)
    midi.instruments.append(piano)
    return midi


def from_pianoroll(pianoroll: ArrayLike, frame_rate: float) -> Midi:
    """Converts a piano roll to notes.

    Args:
      pianoroll: Velocities in [0, 1], or a boolean mask, [n_frames, n_pitches].
        Contiguous frames of a pitch are one note.
      frame_rate: Frames per second.

    Returns:
      A `PrettyMIDI` object. The velocity of a note is 127 times the maximum over its
      frames.

    Raises:
      ValueError: If the array is not a piano roll.

    Example:

    >>> from ddsp.training import midi
    >>> roll = np.zeros([100, 128])
    >>> roll[25:75, 69] = 0.5
    >>> [note] = midi.sorted_notes(midi.from_pianoroll(roll, frame_rate=100))
    >>> note.start, note.end, note.pitch, note.velocity
    (0.25, 0.75, 69, 64)
    """
    roll = checked_pianoroll(pianoroll)
    on = np.pad(roll > 0.0, ((1, 1), (0, 0))).astype(np.int8)
    edges = np.diff(on, axis=0).T
    notes = []
    # Both are sorted by pitch and then by time, so onsets and ends correspond.
    for (pitch, start), (_, end) in zip(
        np.argwhere(edges > 0), np.argwhere(edges < 0), strict=True
    ):
        loudest = min(float(roll[start:end, pitch].max()), 1.0)
        velocity = max(1, round(loudest * MAX_VELOCITY))
        notes.append((pitch, velocity, start / frame_rate, end / frame_rate))
    return make_midi(sorted(notes, key=lambda note: (note[2], note[0])))


def to_pianoroll(
    midi: Midi, frame_rate: float, n_frames: int | None = None
) -> np.ndarray:
    """Converts notes to a piano roll.

    Args:
      midi: A `PrettyMIDI` object.
      frame_rate: Frames per second.
      n_frames: Number of frames; by default up to the end of the last note.

    Returns:
      Velocities in [0, 1], [n_frames, 128], float32. Start and end of a note are
      rounded to the nearest frame, and a note has at least one frame.

    Example:

    >>> from ddsp.training import midi
    >>> song = midi.make_midi([(69, 127, 0.25, 0.75)])
    >>> roll = midi.to_pianoroll(song, frame_rate=100, n_frames=100)
    >>> roll.shape, np.flatnonzero(roll[:, 69])[[0, -1]].tolist()
    ((100, 128), [25, 74])
    """
    notes = sorted_notes(midi)
    starts = [round(note.start * frame_rate) for note in notes]
    ends = [
        max(round(note.end * frame_rate), start + 1)
        for note, start in zip(notes, starts, strict=True)
    ]
    if n_frames is None:
        n_frames = max(ends, default=0)
    roll = np.zeros([n_frames, N_PITCHES], np.float32)
    for note, start, end in zip(notes, starts, ends, strict=True):
        frames = roll[start:end, note.pitch]
        np.maximum(frames, note.velocity / MAX_VELOCITY, out=frames)
    return roll


def checked_pianoroll(pianoroll: ArrayLike) -> np.ndarray:
    """Validates a piano roll.

    Args:
      pianoroll: Array [n_frames, n_pitches], optionally with a batch or channel axis of
        length 1.

    Returns:
      Array [n_frames, n_pitches], float32.

    Raises:
      ValueError: If it has other axes, or values that are not finite.

    Example:

    >>> from ddsp.training import midi
    >>> midi.checked_pianoroll(np.zeros([1, 100, 128])).shape
    (100, 128)
    """
    roll = np.asarray(pianoroll, np.float32)
    if roll.ndim == 3 and 1 in (roll.shape[0], roll.shape[2]):
        roll = roll[0] if roll.shape[0] == 1 else roll[:, :, 0]
    if roll.ndim != 2 or roll.shape[1] > N_PITCHES:
        raise ValueError(
            "A piano roll must be an array [n_frames, n_pitches] with at most 128 "
            f"pitches, got shape {np.shape(pianoroll)}."
        )
    if not np.all(np.isfinite(roll)):
        raise ValueError("A piano roll must be finite, got NaN or infinity.")
    return roll


def get_active_frame_indices(piano_roll: ArrayLike) -> np.ndarray:
    """Counts the frames of each note from its onset.

    Args:
      piano_roll: Array [n_frames, n_pitches], positive while a note is on.

    Returns:
      Array [n_frames, n_pitches], float32: 1 at an onset, 2 in the next frame, and so
      on; 0 in silence. The first frame is always 0, since its onset is unknown.

    Example:

    >>> from ddsp.training import midi
    >>> midi.get_active_frame_indices([[0], [1], [1], [0], [1]]).ravel().tolist()
    [0.0, 1.0, 2.0, 0.0, 1.0]
    """
    active = np.asarray(piano_roll) > 0
    checks.rank("piano_roll", active, 2)
    frames = np.arange(len(active))[:, np.newaxis]
    silent_until = np.maximum.accumulate(np.where(active, 0, frames), axis=0)
    return np.where(active, frames - silent_until, 0).astype(np.float32)


def read(path: str | os.PathLike[str]) -> Midi:
    """Reads the notes of a MIDI file.

    Args:
      path: Path of the file.

    Returns:
      A `PrettyMIDI` object with at least one pitched note.

    Raises:
      FileNotFoundError: If the file does not exist.
      ImportError: If `pretty_midi` is not installed.
      ValueError: If the file is not MIDI, or has no pitched note.

    Example:

    >>> from ddsp.training import midi
    >>> midi.write(midi.make_midi([(69, 100, 0.0, 1.5)]), tmp_path / "a.mid")
    >>> float(midi.read(tmp_path / "a.mid").get_end_time())
    1.5
    """
    pretty_midi = import_pretty_midi()
    path = files.expand_path(os.fspath(path))
    if not os.path.isfile(path):
        raise FileNotFoundError(f"The MIDI file does not exist, got {path}.")
    try:
        midi = pretty_midi.PrettyMIDI(path)
    # The parser raises errors of any type for damaged files.
    except Exception as error:
        raise ValueError(f"The file is not MIDI ({error!r}), got {path}.") from error
    if not sorted_notes(midi):
        raise ValueError(f"The MIDI file has no notes, got {path}.")
    return midi


def write(midi: Midi, path: str | os.PathLike[str]) -> None:
    """Writes notes to a MIDI file.

    Args:
      midi: A `PrettyMIDI` object.
      path: Path of the file. An existing file is replaced.

    Example:

    >>> from ddsp.training import midi
    >>> midi.write(midi.make_midi([(69, 100, 0.0, 1.5)]), tmp_path / "a.mid")
    """
    midi.write(files.expand_path(os.fspath(path)))
