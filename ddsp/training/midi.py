"""Notes: piano rolls, `pretty_midi.PrettyMIDI` objects and MIDI files.

A piano roll is an array `[n_frames, 128]` of velocities in [0, 1], 0 where a pitch is
silent. Frame `i` begins `i / frame_rate` seconds into the recording.
"""

import os
from typing import Any

import numpy as np

from ddsp import files
from ddsp._core import checks

N_PITCHES = 128
MAX_VELOCITY = 127

# Of a beat, at two beats a second: half a millisecond, so that the frames of the usual
# rates, 100 and 250 a second, are exact in a file.
_TICKS = 1000


def import_pretty_midi() -> Any:
    """The package `pretty_midi`, which is installed with the extra `midi`.

    Raises:
      ImportError: It is not installed.
    """
    try:
        import pretty_midi
    except ImportError as error:
        raise ImportError(
            "Notes need the package pretty_midi: pip install 'ddsp[midi]'"
        ) from error
    return pretty_midi


def is_midi(x: Any) -> bool:
    """Whether something is a `PrettyMIDI` object, rather than a piano roll."""
    return hasattr(x, "instruments")


def sorted_notes(midi: Any) -> list[Any]:
    """All pitched notes, by onset and then by pitch.

    Args:
      midi: A `PrettyMIDI` object.

    Returns:
      A list of `pretty_midi.Note`, those of the object itself; without drums, whose
      numbers are not pitches.
    """
    notes = [
        note
        for instrument in midi.instruments
        if not instrument.is_drum
        for note in instrument.notes
    ]
    return sorted(notes, key=lambda note: (note.start, note.pitch))


def make_midi(notes: Any) -> Any:
    """A `PrettyMIDI` object of notes, on one piano.

    Args:
      notes: Rows of pitch (0 to 127), velocity (1 to 127), start and end (seconds).

    Returns:
      The `PrettyMIDI` object.

    Raises:
      ValueError: A note is outside these ranges, or ends before it starts.
    """
    pretty_midi = import_pretty_midi()
    piano = pretty_midi.Instrument(program=0)
    for pitch, velocity, start, end in notes:
        in_range = 0 <= pitch < N_PITCHES and 1 <= velocity <= MAX_VELOCITY
        if not (in_range and 0 <= start < end):
            raise ValueError(
                "A note has a pitch of 0 to 127, a velocity of 1 to 127 and an end "
                f"after its start, got pitch={pitch}, velocity={velocity}, "
                f"start={start}, end={end}."
            )
        piano.notes.append(
            pretty_midi.Note(int(velocity), int(pitch), float(start), float(end))
        )
    midi = pretty_midi.PrettyMIDI(resolution=_TICKS, initial_tempo=120.0)
    midi.instruments.append(piano)
    return midi


def from_pianoroll(pianoroll: Any, frame_rate: float) -> Any:
    """Notes of a piano roll.

    Args:
      pianoroll: `[n_frames, n_pitches]`, velocities in [0, 1], or whether a pitch
        sounds. Frames of one pitch without a gap are one note.
      frame_rate: Frames a second.

    Returns:
      A `PrettyMIDI` object. The velocity of a note is its highest, times 127.

    Raises:
      ValueError: If the array is no piano roll.
    """
    roll = checked_pianoroll(pianoroll)
    on = np.pad(roll > 0.0, ((1, 1), (0, 0))).astype(np.int8)
    edges = np.diff(on, axis=0).T
    notes = []
    # Both in the order of pitch and then of time, so the ends belong to the onsets.
    for (pitch, start), (_, end) in zip(
        np.argwhere(edges > 0), np.argwhere(edges < 0), strict=True
    ):
        loudest = min(float(roll[start:end, pitch].max()), 1.0)
        velocity = max(1, round(loudest * MAX_VELOCITY))
        notes.append((pitch, velocity, start / frame_rate, end / frame_rate))
    return make_midi(sorted(notes, key=lambda note: (note[2], note[0])))


def to_pianoroll(
    midi: Any, frame_rate: float, n_frames: int | None = None
) -> np.ndarray:
    """Piano roll of notes.

    Args:
      midi: A `PrettyMIDI` object.
      frame_rate: Frames a second.
      n_frames: Number of frames; by default until the last note ends.

    Returns:
      `[n_frames, 128]`, float32, velocities in [0, 1]. A note fills the frames from
      the one nearest to its start to that nearest to its end, at least one.
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


def checked_pianoroll(pianoroll: Any) -> np.ndarray:
    """A piano roll as an array, without axes of length 1 before or after.

    Args:
      pianoroll: `[n_frames, n_pitches]`, or with a batch or channel axis of 1.

    Raises:
      ValueError: It has other axes, or values that are not finite.
    """
    roll = np.asarray(pianoroll, np.float32)
    if roll.ndim == 3 and 1 in (roll.shape[0], roll.shape[2]):
        roll = roll[0] if roll.shape[0] == 1 else roll[:, :, 0]
    if roll.ndim != 2 or roll.shape[1] > N_PITCHES:
        raise ValueError(
            "A piano roll is an array [n_frames, n_pitches] of at most 128 pitches, "
            f"got shape {np.shape(pianoroll)}."
        )
    if not np.all(np.isfinite(roll)):
        raise ValueError("A piano roll is finite, got NaN or infinity.")
    return roll


def get_active_frame_indices(piano_roll: Any) -> np.ndarray:
    """How long each note has been on.

    Args:
      piano_roll: `[n_frames, n_pitches]`, above 0 where a pitch sounds.

    Returns:
      `[n_frames, n_pitches]`, float32: 1 in the frame of an onset, 2 in the next, and
      so on; 0 where the pitch is silent. The first frame is 0, since the onset of what
      sounds there is not known.
    """
    active = np.asarray(piano_roll) > 0
    checks.rank("piano_roll", active, 2)
    frames = np.arange(len(active))[:, np.newaxis]
    silent_until = np.maximum.accumulate(np.where(active, 0, frames), axis=0)
    return np.where(active, frames - silent_until, 0).astype(np.float32)


def read(path: str) -> Any:
    """Reads the notes of a MIDI file.

    Args:
      path: Of the file.

    Returns:
      A `PrettyMIDI` object with at least one pitched note.

    Raises:
      FileNotFoundError: There is no such file.
      ImportError: `pretty_midi` is not installed.
      ValueError: The file is not MIDI, or holds no pitched note.
    """
    pretty_midi = import_pretty_midi()
    path = files.expand_path(os.fspath(path))
    if not os.path.isfile(path):
        raise FileNotFoundError(f"No MIDI file, got {path}")
    try:
        midi = pretty_midi.PrettyMIDI(path)
    # The parser lets through whatever a broken byte leads to.
    except Exception as error:
        raise ValueError(f"Not a MIDI file ({error!r}), got {path}") from error
    if not sorted_notes(midi):
        raise ValueError(f"A MIDI file without notes, got {path}")
    return midi


def write(midi: Any, path: str) -> None:
    """Writes notes to a MIDI file.

    Args:
      midi: A `PrettyMIDI` object.
      path: Of the file, which is replaced.
    """
    midi.write(files.expand_path(os.fspath(path)))
