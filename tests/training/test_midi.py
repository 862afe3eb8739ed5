"""Piano rolls, notes and MIDI files against each other and against `mido`."""

import sys

import mido
import numpy as np
import pytest

from ddsp.training import heuristics, midi

RATE = 250
# Pitch, velocity, first frame, and the first after the end. The last two overlap.
NOTES = [(60, 127, 0, 50), (60, 1, 60, 61), (72, 64, 100, 400), (0, 90, 200, 250)]


def made_roll(n_frames=500):
    roll = np.zeros([n_frames, 128], np.float32)
    for pitch, velocity, start, end in NOTES:
        roll[start:end, pitch] = velocity / 127
    return roll


def rows(notes):
    return [(n.pitch, n.velocity, n.start, n.end) for n in midi.sorted_notes(notes)]


def test_notes_of_a_pianoroll_and_back():
    roll = made_roll()
    notes = midi.from_pianoroll(roll, RATE)
    expected = [(p, v, start / RATE, end / RATE) for p, v, start, end in NOTES]
    np.testing.assert_allclose(rows(notes), expected)
    np.testing.assert_allclose(midi.to_pianoroll(notes, RATE, 500), roll, rtol=1e-6)
    assert midi.to_pianoroll(notes, RATE).shape == (400, 128)
    np.testing.assert_array_equal(
        midi.to_pianoroll(notes, RATE, 120), midi.to_pianoroll(notes, RATE)[:120]
    )


def test_every_frame_comes_back():
    """Times such as 29 / 100 lie a little below the frame when multiplied again."""
    for rate in (100, 250, 172.265625):
        notes = midi.make_midi([(60, 127, k / rate, (k + 1) / rate) for k in range(99)])
        assert midi.to_pianoroll(notes, rate).sum(axis=1).tolist() == [1.0] * 99


def test_silence():
    notes = midi.from_pianoroll(np.zeros([10, 128]), RATE)
    assert rows(notes) == []
    assert midi.to_pianoroll(notes, RATE, 10).tolist() == np.zeros([10, 128]).tolist()
    assert midi.to_pianoroll(notes, RATE).shape == (0, 128)


def test_booleans_are_loud_and_a_batch_of_one_is_taken():
    notes = midi.from_pianoroll(made_roll()[np.newaxis, :60] > 0, RATE)
    assert rows(notes) == [(60, 127, 0.0, 50 / RATE)]


def test_file_is_exact_at_the_usual_rates(tmp_path):
    path = tmp_path / "a file.mid"
    midi.write(midi.from_pianoroll(made_roll(), RATE), path)
    np.testing.assert_allclose(
        midi.to_pianoroll(midi.read(path), RATE, 500), made_roll(), rtol=1e-6
    )
    # Another reader finds the same pitches, at the same times.
    time, onsets = 0.0, []
    for message in mido.MidiFile(path):
        time += message.time
        if message.type == "note_on" and message.velocity > 0:
            onsets.append((message.note, message.velocity, time))
    expected = [(p, v, start / RATE) for p, v, start, _ in NOTES]
    np.testing.assert_allclose(onsets, expected)


def test_drums_have_no_pitch(tmp_path):
    notes = midi.make_midi([(60, 100, 0.0, 1.0)])
    notes.instruments[0].is_drum = True
    assert midi.sorted_notes(notes) == []
    midi.write(notes, tmp_path / "drums.mid")
    with pytest.raises(ValueError, match=r"has no notes, got .*drums\.mid"):
        midi.read(tmp_path / "drums.mid")


def test_bad_files(tmp_path):
    midi.write(midi.make_midi([]), tmp_path / "empty.mid")
    with pytest.raises(ValueError, match=r"has no notes, got .*empty\.mid"):
        midi.read(tmp_path / "empty.mid")
    (tmp_path / "text.mid").write_text("no music")
    with pytest.raises(ValueError, match=r"The file is not MIDI .*text\.mid"):
        midi.read(tmp_path / "text.mid")
    (tmp_path / "nothing.mid").write_bytes(b"")
    with pytest.raises(ValueError, match="The file is not MIDI"):
        midi.read(tmp_path / "nothing.mid")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        midi.read(tmp_path / "nowhere.mid")


@pytest.mark.parametrize(
    "note", [(128, 1, 0, 1), (60, 0, 0, 1), (60, 128, 0, 1), (60, 1, 1, 1)]
)
def test_bad_notes(note):
    with pytest.raises(ValueError, match="got pitch="):
        midi.make_midi([note])


def test_bad_pianorolls():
    with pytest.raises(ValueError, match=r"got shape \(2, 3, 4\)"):
        midi.from_pianoroll(np.zeros([2, 3, 4]), RATE)
    with pytest.raises(ValueError, match=r"got shape \(128, 1000\)"):
        midi.from_pianoroll(np.zeros([128, 1000]), RATE)
    with pytest.raises(ValueError, match="got NaN"):
        midi.from_pianoroll(np.full([2, 128], np.nan), RATE)


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pretty_midi", None)
    with pytest.raises(ImportError, match=r"ddsp\[midi\]"):
        midi.make_midi([])


def test_active_frame_indices():
    roll = np.array([[1, 0], [1, 0], [0, 0.3], [1, 0.3], [1, 0.3], [0, 0]])
    indices = heuristics.get_active_frame_indices(roll)
    # By the recurrence that defines them.
    expected = np.zeros_like(roll)
    for i in range(1, len(roll)):
        expected[i] = (expected[i - 1] + 1) * (roll[i] > 0)
    np.testing.assert_array_equal(indices, expected)
    assert expected.max() == 3
    assert not heuristics.get_active_frame_indices(np.zeros([3, 2])).any()
