"""Note metrics, compared with `mir_eval` and closed forms."""

import mir_eval
import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import metrics, midi

RATE = 100
PLAYED = [
    (60, 100, 0.0, 0.5),
    (64, 100, 0.5, 1.0),
    (67, 100, 1.0, 2.0),
    (72, 100, 2.0, 2.5),
]
# Correct; 40 ms late; half as long; a semitone off; spurious.
FOUND = [
    (60, 90, 0.0, 0.5),
    (64, 90, 0.54, 1.0),
    (67, 90, 1.0, 1.5),
    (73, 90, 2.0, 2.5),
    (50, 90, 2.6, 2.8),
]


def values(counts):
    return counts.tp, counts.fp, counts.fn


def test_ratios():
    counts = metrics.EvalCounts(1, 3, 3)
    counts.add(metrics.EvalCounts(tp=2, fp=0, fn=1))
    assert values(counts) == (3, 3, 4)
    precision, recall = 3 / 6, 3 / 7
    assert (counts.precision, counts.recall) == pytest.approx((precision, recall))
    f1 = mir_eval.util.f_measure(precision, recall)
    assert counts.f1 == pytest.approx(f1) == pytest.approx(6 / 13)
    nothing = metrics.EvalCounts(0, 0, 0)
    assert (nothing.precision, nothing.recall, nothing.f1) == (0.0, 0.0, 0.0)


def test_intervals():
    notes = midi.make_midi(FOUND[::-1])
    intervals, pitches, velocities = metrics.sequence2intervals(notes)
    table = np.array(FOUND)
    np.testing.assert_array_equal(intervals, table[:, 2:])
    np.testing.assert_array_equal(pitches, table[:, 0])
    np.testing.assert_array_equal(velocities, table[:, 1])
    shapes = [x.shape for x in metrics.sequence2intervals(midi.make_midi([]))]
    assert shapes == [(0, 2), (0,), (0,)]


def test_notes_by_hand():
    onset, full = metrics.compute_note_metrics(
        midi.make_midi(PLAYED), midi.make_midi(FOUND)
    )
    assert values(onset) == (3, 2, 1)
    assert values(full) == (2, 3, 2)


def test_notes_of_chance_against_mir_eval():
    rng = np.random.default_rng(2)
    tables = []
    for n in (40, 50):
        starts = np.sort(rng.uniform(0.0, 3.0, n))
        ends = starts + rng.uniform(0.02, 0.3, n)
        tables.append(np.stack([rng.integers(60, 63, n), ends * 0 + 9, starts, ends]).T)
    sequences = [midi.make_midi(table) for table in tables]
    arguments = [
        x
        for table in tables
        for x in (table[:, 2:], 440.0 * 2.0 ** ((table[:, 0] - 69) / 12))
    ]
    by_onset, full = metrics.compute_note_metrics(*sequences)
    for counts, ratio in ((by_onset, None), (full, 0.2)):
        expected = mir_eval.transcription.precision_recall_f1_overlap(
            *arguments, offset_ratio=ratio
        )
        got = counts.precision, counts.recall, counts.f1
        np.testing.assert_allclose(got, expected[:3])
    assert 0 < full.tp < by_onset.tp < 40


@pytest.mark.parametrize("n_played", [0, 4])
@pytest.mark.parametrize("n_found", [0, 5])
def test_without_notes(n_played, n_found):
    onset, full = metrics.compute_note_metrics(
        midi.make_midi(PLAYED[:n_played]), midi.make_midi(FOUND[:n_found])
    )
    assert onset.tp + onset.fp == full.tp + full.fp == n_found
    assert onset.tp + onset.fn == full.tp + full.fn == n_played


def test_frames_against_mir_eval():
    rng = np.random.default_rng(3)
    rolls = [
        rng.uniform(size=[200, 3, 1]) * (rng.uniform(size=[200, 1, 1]) < p)
        for p in (0.4, 0.6)
    ]
    counts = metrics.compute_frame_metrics(*rolls)
    on, found = (roll.max(axis=(1, 2)) > 0 for roll in rolls)
    recall, false_alarm = mir_eval.melody.voicing_measures(on, found)
    assert counts.recall == pytest.approx(recall)
    assert counts.fp / np.sum(~on) == pytest.approx(false_alarm)
    assert sum(values(counts)) == np.sum(on | found)
    assert values(metrics.compute_frame_metrics(0 * rolls[0], 0 * rolls[0])) == (
        0,
        0,
        0,
    )
    with pytest.raises(ValueError, match="got 200 and 199"):
        metrics.compute_frame_metrics(rolls[0], rolls[1][1:])


def f0_of(notes, n_frames):
    """Returns the pitch of monophonic piano rolls, in Hz."""
    roll = midi.to_pianoroll(midi.make_midi(notes), RATE, n_frames)
    hz = 440.0 * 2.0 ** ((roll.argmax(axis=1) - 69) / 12)
    return np.float32(np.where(roll.max(axis=1) > 0, hz, 0.0))


def times(sequence):
    return [(n.pitch, n.start, n.end) for n in midi.sorted_notes(sequence)]


def test_alignment_moves_notes_to_their_pitch():
    measure = metrics.MidiMetrics(RATE, "x")
    notes = midi.make_midi(PLAYED)
    assert times(measure.align_midi_with_f0(notes, f0_of(PLAYED, 300))) == times(notes)
    # The recording is 30 ms late, and one note starts after a pause.
    heard = [(p, v, start + 0.03, end + 0.03) for p, v, start, end in PLAYED]
    heard[2] = (67, 100, 1.2, 2.0)
    aligned = measure.align_midi_with_f0(notes, f0_of(heard, 300)[:, np.newaxis])
    expected = [(60, 0.03, 0.5), (64, 0.53, 1.0), (67, 1.2, 2.0), (72, 2.03, 2.53)]
    np.testing.assert_allclose(times(aligned), expected)
    assert times(notes) == [(p, start, end) for p, _, start, end in PLAYED]
    # Silence, and a pitch shorter than the score, cause no shift.
    for f0_hz in (np.zeros(300), np.zeros(10)):
        assert times(measure.align_midi_with_f0(notes, f0_hz)) == times(notes)


def rolls_of(*tables, n_frames=300):
    return np.stack(
        [midi.to_pianoroll(midi.make_midi(t), RATE, n_frames) for t in tables]
    )


@pytest.mark.parametrize("form", ["midi", "roll", "tensor", "one frame more"])
def test_measures_of_a_batch(form):
    measure = metrics.MidiMetrics(RATE, "test", align_midi_with_f0=False)
    found = {
        "midi": [midi.make_midi(FOUND), midi.make_midi([])],
        "roll": rolls_of(FOUND, []),
        "tensor": tf.constant(rolls_of(FOUND, [])),
        "one frame more": rolls_of(FOUND, [], n_frames=301),
    }[form]
    controls = {"note_active_velocities": tf.constant(rolls_of(PLAYED, PLAYED[:1]))}
    measure.update_state(controls, found)
    results = measure.flush(0)
    on = [roll.any(axis=-1) for roll in rolls_of(PLAYED, PLAYED[:1])]
    heard = [roll.any(axis=-1) for roll in rolls_of(FOUND, [])]
    both = sum(np.sum(a & b) for a, b in zip(on, heard, strict=True))
    assert results == pytest.approx(
        {
            "metrics/midi/test/onset/precision": 3 / 5,
            "metrics/midi/test/onset/recall": 3 / 5,
            "metrics/midi/test/onset/f1": 3 / 5,
            "metrics/midi/test/full_note/precision": 2 / 5,
            "metrics/midi/test/full_note/recall": 2 / 5,
            "metrics/midi/test/full_note/f1": 2 / 5,
            "metrics/midi/test/frame/precision": both / np.sum(heard),
            "metrics/midi/test/frame/recall": both / np.sum(on),
            "metrics/midi/test/frame/f1": 2 * both / (np.sum(heard) + np.sum(on)),
        }
    )
    # The note vanishes.
    assert set(measure.flush(1).values()) == {0.0}


def test_alignment_before_measuring():
    late = [(p, v, start + 0.1, end + 0.1) for p, v, start, end in PLAYED[:1]]
    controls = {
        "note_active_velocities": rolls_of(PLAYED[:1]),
        "f0_hz": f0_of(late, 300)[np.newaxis, :, np.newaxis],
    }
    for align, expected in ((True, 1.0), (False, 0.0)):
        measure = metrics.MidiMetrics(RATE, "x", align_midi_with_f0=align)
        measure.update_state(controls, [midi.make_midi(late)])
        assert measure.flush(0)["metrics/midi/x/onset/f1"] == expected


def test_one_of_several_voices():
    voices = np.stack([rolls_of(PLAYED), rolls_of(FOUND)], axis=-1)
    controls = {"midi": voices, "f0_hz": f0_of(FOUND, 300)[np.newaxis]}
    measure = metrics.MidiMetrics(RATE, "x")
    measure.update_state(controls, voices, gt_key="midi", ch=1)
    assert set(measure.flush(0).values()) == {1.0}


def test_bad_input():
    measure = metrics.MidiMetrics(RATE, "x")
    rolls = rolls_of(PLAYED)
    with pytest.raises(ValueError, match=r"\['f0_hz'\], got \['midi'\]"):
        measure.update_state({"midi": rolls}, rolls, gt_key="midi")
    with pytest.raises(ValueError, match=r"'note_active_velocities', 'f0_hz'"):
        measure.update_state({}, rolls)
    plain = metrics.MidiMetrics(RATE, "x", align_midi_with_f0=False)
    with pytest.raises(ValueError, match="got 300 and 150"):
        plain.update_state({"note_active_velocities": rolls}, rolls[:, ::2])
