"""How near the notes found in a recording are to those that were played."""

import copy
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import core
from ddsp.training import midi


@dataclasses.dataclass
class EvalCounts:
    """Counts of what was found and missed.

    Ratios without anything to count are 0, as in `mir_eval`.

    Attributes:
      tp: Found, rightly.
      fp: Found, wrongly.
      fn: Missed.
    """

    tp: int
    fp: int
    fn: int

    def add(self, other: "EvalCounts") -> None:
        """Adds other counts to these."""
        self.tp += other.tp
        self.fp += other.fp
        self.fn += other.fn

    @property
    def precision(self) -> float:
        """Share of what was found that is right."""
        return self.tp / max(self.tp + self.fp, 1)

    @property
    def recall(self) -> float:
        """Share of what there is that was found."""
        return self.tp / max(self.tp + self.fn, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.tp / max(2 * self.tp + self.fp + self.fn, 1)


def sequence2intervals(sequence: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Notes as `mir_eval.transcription` takes them.

    Args:
      sequence: A `pretty_midi.PrettyMIDI` object.

    Returns:
      By onset: starts and ends, `[n_notes, 2]`, seconds; MIDI pitches, `[n_notes]`; and
      velocities, 0 to 127, `[n_notes]`.
    """
    notes = midi.sorted_notes(sequence)
    table = np.array(
        [(note.start, note.end, note.pitch, note.velocity) for note in notes], float
    ).reshape(-1, 4)
    return table[:, :2], table[:, 2], table[:, 3]


def compute_note_metrics(
    gt_sequence: Any, pred_sequence: Any
) -> tuple[EvalCounts, EvalCounts]:
    """Counts the notes that were found.

    As `mir_eval.transcription` does by default (Bay, Ehmann and Downie, "Evaluation of
    Multiple-F0 Estimation and Tracking Systems", ISMIR 2009): the pitch within 50
    cents, the onset within 50 ms, the end within 50 ms or a fifth of the note.

    Args:
      gt_sequence: What was played, a `pretty_midi.PrettyMIDI` object.
      pred_sequence: What was found, another.

    Returns:
      The counts by pitch and onset, and by pitch, onset and end.
    """
    from mir_eval import transcription, util

    gt_intervals, gt_pitches, _ = sequence2intervals(gt_sequence)
    intervals, pitches, _ = sequence2intervals(pred_sequence)

    def count(**options: Any) -> EvalCounts:
        found = len(
            transcription.match_notes(
                gt_intervals,
                util.midi_to_hz(gt_pitches),
                intervals,
                util.midi_to_hz(pitches),
                **options,
            )
        )
        return EvalCounts(found, len(pitches) - found, len(gt_pitches) - found)

    return count(offset_ratio=None), count()


def compute_frame_metrics(gt_pianoroll: Any, pred_pianoroll: Any) -> EvalCounts:
    """Counts the frames in which a note is rightly found to sound, of any pitch.

    Args:
      gt_pianoroll: What was played, `[n_frames, n_pitches]`.
      pred_pianoroll: What was found, likewise.

    Returns:
      The counts of frames.

    Raises:
      ValueError: If the numbers of frames differ.
    """
    on, found = (
        (midi.checked_pianoroll(roll) > 0).any(axis=1)
        for roll in (gt_pianoroll, pred_pianoroll)
    )
    if on.size != found.size:
        raise ValueError(
            "Piano rolls to compare have the same number of frames, got "
            f"{on.size} and {found.size}."
        )
    return EvalCounts(
        tp=int(np.sum(on & found)),
        fp=int(np.sum(~on & found)),
        fn=int(np.sum(on & ~found)),
    )


class MidiMetrics:
    """Precision, recall and F measure of notes, over the batches of an evaluation."""

    def __init__(
        self, frames_per_second: float, tag: str, align_midi_with_f0: bool = True
    ):
        """Constructor.

        Args:
          frames_per_second: Rate of piano rolls and pitch.
          tag: Group under which the measures are logged.
          align_midi_with_f0: Whether to move the onsets and ends of what was played to
            where the pitch says that they are, before they are compared.
        """
        self.tag = tag
        self._frames_per_second = frames_per_second
        self._align_midi_with_f0 = align_midi_with_f0
        self._reset()

    def _reset(self) -> None:
        self.note_counts = EvalCounts(0, 0, 0)
        self.note_offset_counts = EvalCounts(0, 0, 0)
        self.frame_counts = EvalCounts(0, 0, 0)

    def align_midi_with_f0(self, gt_sequence: Any, f0: Any) -> Any:
        """Moves notes to where their pitch is heard.

        A note starts where its pitch, rounded to a semitone, is first heard between the
        end of the note before and its own end; it ends where its pitch is last heard
        before the next note. A pitch that is not heard moves nothing.

        Args:
          gt_sequence: A `pretty_midi.PrettyMIDI` object of a single voice.
          f0: Pitch of the recording, `[n_frames]` or `[n_frames, 1]`, Hz.

        Returns:
          The moved notes, in an object of their own.
        """
        rate = self._frames_per_second
        heard = np.round(np.asarray(core.hz_to_midi(f0))).reshape(-1)
        aligned = copy.deepcopy(gt_sequence)
        notes = midi.sorted_notes(aligned)
        for i, note in enumerate(notes):
            earliest = round(notes[i - 1].end * rate) if i > 0 else 0
            frames = _frames_of(heard, note.pitch, earliest, round(note.end * rate))
            if frames.size:
                note.start = frames[0] / rate
            is_last = i == len(notes) - 1
            latest = heard.size if is_last else round(notes[i + 1].start * rate)
            frames = _frames_of(heard, note.pitch, round(note.start * rate), latest)
            if frames.size:
                note.end = (frames[-1] + 1) / rate
        return aligned

    def update_state(
        self,
        controls_batch: Any,
        pred_seq_batch: Any,
        gt_key: str = "note_active_velocities",
        ch: int | None = None,
    ) -> None:
        """Takes one more batch into the counts.

        Args:
          controls_batch: Features or outputs, with what was played under `gt_key`, as
            piano rolls `[batch, n_frames, 128]`, and `f0_hz` to align it with.
          pred_seq_batch: What was found: piano rolls, or `pretty_midi.PrettyMIDI`
            objects.
          gt_key: Name of what was played.
          ch: Which of the voices, where piano rolls have a fourth axis.

        Raises:
          ValueError: If a feature is missing, or piano rolls differ by more than one
            frame.
        """
        needed = [gt_key, *(["f0_hz"] if self._align_midi_with_f0 else [])]
        missing = [key for key in needed if key not in controls_batch]
        if missing:
            raise ValueError(
                f"Measures of notes need the features {missing}, got "
                f"{sorted(controls_batch)}."
            )
        rolls = np.asarray(controls_batch[gt_key])
        found_batch = pred_seq_batch
        if ch is not None:
            rolls = rolls[..., ch]
            found_batch = np.asarray(pred_seq_batch)[..., ch]
        for i, (roll, found) in enumerate(zip(rolls, found_batch, strict=True)):
            f0_hz = controls_batch["f0_hz"][i] if self._align_midi_with_f0 else None
            self._update_example(midi.checked_pianoroll(roll), found, f0_hz)

    def _update_example(self, roll: np.ndarray, found: Any, f0_hz: Any) -> None:
        rate = self._frames_per_second
        played = midi.from_pianoroll(roll, rate)
        if f0_hz is not None:
            played = self.align_midi_with_f0(played, f0_hz)
        if midi.is_midi(found):
            found_roll = midi.to_pianoroll(found, rate, len(roll))
        else:
            found_roll = midi.checked_pianoroll(found)
            found = midi.from_pianoroll(found_roll, rate)
        by_onset, with_end = compute_note_metrics(played, found)
        self.note_counts.add(by_onset)
        self.note_offset_counts.add(with_end)
        # Centred frames are one more than those of features that are not.
        n_frames = min(len(roll), len(found_roll))
        if abs(len(roll) - len(found_roll)) <= 1:
            roll, found_roll = roll[:n_frames], found_roll[:n_frames]
        self.frame_counts.add(compute_frame_metrics(roll, found_roll))

    def flush(self, step: int) -> dict[str, float]:
        """Logs the measures and starts the counts afresh.

        Args:
          step: Training step.

        Returns:
          Precision, recall and F measure by their logged names: of notes by `onset` and
          by onset and end (`full_note`), and of frames (`frame`).
        """
        counts = {
            "onset": self.note_counts,
            "full_note": self.note_offset_counts,
            "frame": self.frame_counts,
        }
        results = {
            f"metrics/midi/{self.tag}/{name}/{measure}": float(getattr(count, measure))
            for name, count in counts.items()
            for measure in ("f1", "precision", "recall")
        }
        for tag, value in results.items():
            tf.summary.scalar(tag, value, step)
        self._reset()
        return results


def _frames_of(heard: np.ndarray, pitch: int, start: int, stop: int) -> np.ndarray:
    """The frames from `start` to before `stop` in which a pitch is heard."""
    return max(start, 0) + np.flatnonzero(heard[max(start, 0) : stop] == pitch)
