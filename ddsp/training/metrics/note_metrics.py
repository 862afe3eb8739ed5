"""Metrics of note transcription: precision, recall and F1 of notes and frames."""

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import core
from ddsp.training import midi
from ddsp.types import ArrayLike, Midi, Tensors


@dataclasses.dataclass
class EvalCounts:
    """Counts of true positives, false positives and false negatives.

    Ratios of empty counts are 0, as in `mir_eval`.

    Attributes:
      tp: True positives.
      fp: False positives.
      fn: False negatives.

    Example:

    >>> from ddsp.training import metrics
    >>> counts = metrics.EvalCounts(tp=6, fp=2, fn=4)
    >>> counts.precision, counts.recall
    (0.75, 0.6)
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
        """Share of predicted items that are correct."""
        return self.tp / max(self.tp + self.fp, 1)

    @property
    def recall(self) -> float:
        """Share of reference items that are predicted."""
        return self.tp / max(self.tp + self.fn, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.tp / max(2 * self.tp + self.fp + self.fn, 1)


def sequence2intervals(sequence: Midi) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns notes in the form of `mir_eval.transcription`.

    Args:
      sequence: A `pretty_midi.PrettyMIDI` object.

    Returns:
      Start and end times in seconds, [n_notes, 2]; MIDI pitches, [n_notes]; velocities
      from 0 to 127, [n_notes]. Sorted by onset.

    Example:

    >>> from ddsp.training import metrics, midi
    >>> intervals, pitches, velocities = metrics.sequence2intervals(
    ...     midi.make_midi([(69, 100, 0.5, 1.0)])
    ... )
    >>> intervals.tolist(), pitches.tolist(), velocities.tolist()
    ([[0.5, 1.0]], [69.0], [100.0])
    """
    notes = midi.sorted_notes(sequence)
    table = np.array(
        [(note.start, note.end, note.pitch, note.velocity) for note in notes], float
    ).reshape(-1, 4)
    return table[:, :2], table[:, 2], table[:, 3]


def compute_note_metrics(
    gt_sequence: Midi, pred_sequence: Midi
) -> tuple[EvalCounts, EvalCounts]:
    """Compares notes with reference notes.

    Notes match by the defaults of `mir_eval.transcription` (Bay, Ehmann and Downie,
    "Evaluation of Multiple-F0 Estimation and Tracking Systems", ISMIR 2009): the pitch
    within 50 cents, the onset within 50 ms, the end within 50 ms or 20% of the note.

    Args:
      gt_sequence: Reference, a `pretty_midi.PrettyMIDI` object.
      pred_sequence: Prediction, a `pretty_midi.PrettyMIDI` object.

    Returns:
      Counts of notes that match by pitch and onset, and by pitch, onset and end.

    Example:

    >>> from ddsp.training import metrics, midi
    >>> reference = midi.make_midi([(69, 100, 0.0, 1.0)])
    >>> prediction = midi.make_midi([(69, 100, 0.0, 0.5)])
    >>> by_onset, with_end = metrics.compute_note_metrics(reference, prediction)
    >>> by_onset.f1, with_end.f1
    (1.0, 0.0)
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


def compute_frame_metrics(
    gt_pianoroll: ArrayLike, pred_pianoroll: ArrayLike
) -> EvalCounts:
    """Compares the frames with an active note, of any pitch, with a reference.

    Args:
      gt_pianoroll: Reference, [n_frames, n_pitches].
      pred_pianoroll: Prediction, [n_frames, n_pitches].

    Returns:
      Counts of frames.

    Raises:
      ValueError: If the numbers of frames differ.

    Example:

    >>> from ddsp.training import metrics
    >>> reference, prediction = np.zeros([2, 4, 128])
    >>> reference[:2, 69] = prediction[1:, 69] = 1.0
    >>> metrics.compute_frame_metrics(reference, prediction)
    EvalCounts(tp=1, fp=2, fn=1)
    """
    on, predicted = (
        (midi.checked_pianoroll(roll) > 0).any(axis=1)
        for roll in (gt_pianoroll, pred_pianoroll)
    )
    if on.size != predicted.size:
        raise ValueError(
            "Piano rolls must have the same number of frames to be compared, got "
            f"{on.size} and {predicted.size}."
        )
    return EvalCounts(
        tp=int(np.sum(on & predicted)),
        fp=int(np.sum(~on & predicted)),
        fn=int(np.sum(on & ~predicted)),
    )


class MidiMetrics:
    """Precision, recall and F1 of notes over the batches of an evaluation.

    Example:

    >>> from ddsp.training import metrics
    >>> notes = metrics.MidiMetrics(250, tag="notes", align_midi_with_f0=False)
    >>> roll = np.zeros([1, 100, 128])
    >>> roll[:, 20:80, 69] = 1.0
    >>> notes.update_state({"note_active_velocities": roll}, roll)
    >>> notes.flush(step=0)["metrics/midi/notes/onset/f1"]
    1.0
    """

    def __init__(
        self, frames_per_second: float, tag: str, align_midi_with_f0: bool = True
    ):
        """Initializes the metrics.

        Args:
          frames_per_second: Frame rate of piano rolls and f0.
          tag: Group of the metrics in the summaries.
          align_midi_with_f0: Whether to align the onsets and ends of the reference
            notes with the f0 before the comparison.
        """
        self.tag = tag
        self._frames_per_second = frames_per_second
        self._align_midi_with_f0 = align_midi_with_f0
        self._reset()

    def _reset(self) -> None:
        self.note_counts = EvalCounts(0, 0, 0)
        self.note_offset_counts = EvalCounts(0, 0, 0)
        self.frame_counts = EvalCounts(0, 0, 0)

    def align_midi_with_f0(self, gt_sequence: Midi, f0: ArrayLike) -> Midi:
        """Aligns notes with the f0 of a recording.

        A note starts at the first frame between the end of the previous note and its
        own end in which the f0, rounded to a semitone, equals its pitch. It ends at the
        last such frame before the next note. Notes without such a frame do not move.

        Args:
          gt_sequence: A monophonic `pretty_midi.PrettyMIDI` object.
          f0: f0 of the recording in Hz, [n_frames] or [n_frames, 1].

        Returns:
          The aligned notes, as a new object.
        """
        rate = self._frames_per_second
        pitch = np.round(np.asarray(core.hz_to_midi(f0))).reshape(-1)
        aligned = copy.deepcopy(gt_sequence)
        notes = midi.sorted_notes(aligned)
        for i, note in enumerate(notes):
            earliest = round(notes[i - 1].end * rate) if i > 0 else 0
            frames = _frames_of(pitch, note.pitch, earliest, round(note.end * rate))
            if frames.size:
                note.start = frames[0] / rate
            is_last = i == len(notes) - 1
            latest = pitch.size if is_last else round(notes[i + 1].start * rate)
            frames = _frames_of(pitch, note.pitch, round(note.start * rate), latest)
            if frames.size:
                note.end = (frames[-1] + 1) / rate
        return aligned

    def update_state(
        self,
        controls_batch: Tensors,
        pred_seq_batch: np.ndarray | tf.Tensor | Sequence[Midi],
        gt_key: str = "note_active_velocities",
        ch: int | None = None,
    ) -> None:
        """Adds a batch to the counts.

        Args:
          controls_batch: Features or outputs with the reference under `gt_key`, piano
            rolls [batch, n_frames, 128], and `f0_hz` to align it with.
          pred_seq_batch: Predictions: piano rolls or `pretty_midi.PrettyMIDI` objects.
          gt_key: Name of the reference.
          ch: Index of the voice, if piano rolls have a fourth axis.

        Raises:
          ValueError: If a feature is missing, or piano rolls differ by more than one
            frame.
        """
        needed = [gt_key, *(["f0_hz"] if self._align_midi_with_f0 else [])]
        missing = [key for key in needed if key not in controls_batch]
        if missing:
            raise ValueError(
                f"Note metrics need the features {missing}, got "
                f"{sorted(controls_batch)}."
            )
        rolls = np.asarray(controls_batch[gt_key])
        predictions = pred_seq_batch
        if ch is not None:
            rolls = rolls[..., ch]
            predictions = np.asarray(pred_seq_batch)[..., ch]
        for i, (roll, prediction) in enumerate(zip(rolls, predictions, strict=True)):
            f0_hz = controls_batch["f0_hz"][i] if self._align_midi_with_f0 else None
            self._update_example(midi.checked_pianoroll(roll), prediction, f0_hz)

    def _update_example(
        self,
        roll: np.ndarray,
        prediction: Midi | ArrayLike,
        f0_hz: ArrayLike | None,
    ) -> None:
        rate = self._frames_per_second
        reference = midi.from_pianoroll(roll, rate)
        if f0_hz is not None:
            reference = self.align_midi_with_f0(reference, f0_hz)
        if midi.is_midi(prediction):
            predicted_roll = midi.to_pianoroll(prediction, rate, len(roll))
        else:
            predicted_roll = midi.checked_pianoroll(prediction)
            prediction = midi.from_pianoroll(predicted_roll, rate)
        by_onset, with_end = compute_note_metrics(reference, prediction)
        self.note_counts.add(by_onset)
        self.note_offset_counts.add(with_end)
        # Centered features have one more frame than others.
        n_frames = min(len(roll), len(predicted_roll))
        if abs(len(roll) - len(predicted_roll)) <= 1:
            roll, predicted_roll = roll[:n_frames], predicted_roll[:n_frames]
        self.frame_counts.add(compute_frame_metrics(roll, predicted_roll))

    def flush(self, step: int) -> dict[str, float]:
        """Writes the metrics to the summaries and resets the counts.

        Args:
          step: Training step.

        Returns:
          Precision, recall and F1 by name: of notes that match by onset (`onset`) and
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


def _frames_of(pitch: np.ndarray, note: int, start: int, stop: int) -> np.ndarray:
    """Returns the frames in [start, stop) whose pitch is that of a note."""
    return max(start, 0) + np.flatnonzero(pitch[max(start, 0) : stop] == note)
