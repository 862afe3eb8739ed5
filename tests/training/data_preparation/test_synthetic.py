"""Synthetic notes: what they are like, and the same whoever makes them."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from ddsp.training.data import SyntheticNotes, TFRecordProvider
from ddsp.training.data_preparation.generate_synthetic_lib import (
    generate_synthetic_dataset,
)
from ddsp.training.data_preparation.synthetic_data import NoteSettings, generate_notes

SMALL = NoteSettings(n_timesteps=50, n_harmonics=20, n_mags=9, example_secs=1.6)


def examples(n, **changes):
    """`n` examples put one behind the other."""
    settings = NoteSettings(**{"n_harmonics": 30, "n_mags": 9, **changes})
    made = [generate_notes(7, i, settings) for i in range(n)]
    return {name: np.concatenate([x[name] for x in made]) for name in made[0]}


def records(pattern):
    paths = sorted(tf.io.gfile.glob(f"{pattern}*"))
    return [r.numpy() for p in paths for r in tf.data.TFRecordDataset(p)]


def test_sinusoids_are_the_harmonics():
    notes = examples(20)
    harmonics = np.arange(1, 31)
    np.testing.assert_allclose(
        notes["sin_freqs"], notes["f0_hz"] * harmonics, rtol=1e-6
    )
    np.testing.assert_allclose(
        # Normalized twice: two roundings of float32.
        notes["sin_amps"],
        notes["harm_amp"] * notes["harm_dist"],
        rtol=1e-5,
    )
    np.testing.assert_allclose(notes["harm_dist"].sum(axis=-1), 1.0, atol=1e-5)
    assert np.all(notes["harm_dist"] >= 0.0)
    above = notes["sin_freqs"] >= 8000.0
    assert above.any()
    assert np.all(notes["sin_amps"][above] == 0.0)
    assert {x.dtype for x in notes.values()} == {np.dtype(np.float32)}


def test_levels_and_pitches_stay_in_range():
    notes = examples(20)
    assert 0.0 <= notes["harm_amp"].min() < 0.01
    assert 0.3 < notes["harm_amp"].max() <= 1.0
    assert np.all(notes["noise_magnitudes"] > 0.0)
    assert notes["noise_magnitudes"].max() <= 0.12
    sounding = notes["f0_hz"][notes["f0_hz"] > 0.0]
    # C1 to C6 and a whole tone beyond for glides and vibrato.
    assert sounding.min() > 29.0
    assert sounding.max() < 1180.0
    assert np.ptp(np.log2(sounding)) > 4.0


def test_rests_are_silent_and_as_frequent_as_asked_for():
    all_rests = examples(2, p_silent=1.0)
    assert not all_rests["f0_hz"].any()
    assert not all_rests["sin_amps"].any()
    assert all_rests["noise_magnitudes"].all()
    assert examples(2, p_silent=0.0)["f0_hz"].all()
    rests = examples(60, p_silent=0.3, min_note_length=5, max_note_length=5)
    # 1500 notes of one length: three standard deviations.
    share = np.mean(rests["f0_hz"] == 0.0)
    assert abs(share - 0.3) < 3 * np.sqrt(0.3 * 0.7 / 1500)


def test_notes_last_as_long_as_asked_for():
    notes = examples(1, min_note_length=25, max_note_length=25, p_vibrato=0.0)
    midi = 12 * np.log2(np.maximum(notes["f0_hz"][:, 0], 1.0))
    steps = np.flatnonzero(np.abs(np.diff(midi)) > 2.5) + 1
    assert set(steps) <= {25, 50, 75, 100}
    assert len(steps) >= 2


def test_vibrato_has_its_rate():
    for index in range(5):
        settings = NoteSettings(
            min_note_length=125, max_note_length=125, p_silent=0.0, p_vibrato=1.0
        )
        f0_hz = generate_notes(1, index, settings)["f0_hz"][:, 0]
        midi = 12 * np.log2(f0_hz / 440.0)
        # The pitch moves straight and slowly but for the vibrato.
        spectrum = np.abs(np.fft.rfft((midi - midi.mean()) * np.hanning(125)))
        peak_hz = np.argmax(spectrum[4:]) / 4.0 + 1.0
        assert 2.5 <= peak_hz <= 8.5


def test_examples_depend_on_seed_and_place_alone():
    first = generate_notes(1, 5, SMALL)
    generate_notes(3, 0, SMALL)
    again = generate_notes(1, 5, SMALL)
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
    for seed, index in ((1, 6), (2, 5)):
        other = generate_notes(seed, index, SMALL)
        assert not np.array_equal(first["harm_amp"], other["harm_amp"])


def test_reader_gets_what_was_made(tmp_path):
    path = str(tmp_path / "notes dir" / "n")
    manifest = generate_synthetic_dataset(path, 5, 2, random_seed=3, settings=SMALL)
    assert manifest.splits == {"all": {"examples": 5, "shards": 2}}
    assert manifest.frame_rate == 31.25
    assert manifest.synthesis["random_seed"] == 3
    source = SyntheticNotes(50, 20, 9, f"{path}*")
    assert source.n_examples == 5
    assert source.manifest == manifest
    for index, read in enumerate(source.get_dataset(shuffle=False)):
        for name, value in generate_notes(3, index, SMALL).items():
            np.testing.assert_array_equal(read[name], value)
    assert index == 4
    with pytest.raises(ValueError, match=r"`harm_dist` must have 5000.*got 1000"):
        SyntheticNotes(50, 100, 9, f"{path}*")
    with pytest.raises(ValueError, match=r"frame_rate=31\.25"):
        TFRecordProvider(f"{path}*", frame_rate=250)


def test_larger_data_begin_with_smaller_ones(tmp_path):
    for n in (3, 260):
        generate_synthetic_dataset(str(tmp_path / str(n)), n, 1, settings=SMALL)
    assert records(tmp_path / "3-") == records(tmp_path / "260-")[:3]


def test_workers_write_the_same_shards(tmp_path):
    # More than one block, so that both have work.
    generate_synthetic_dataset(str(tmp_path / "one"), 300, 3, 9, SMALL, num_workers=1)
    generate_synthetic_dataset(str(tmp_path / "two"), 300, 3, 9, SMALL, num_workers=2)
    for i in range(3):
        one, two = (
            (tmp_path / f"{name}-0000{i}-of-00003").read_bytes()
            for name in ("one", "two")
        )
        assert one == two
    assert sorted(os.listdir(tmp_path))[:2] == [
        "manifest-one.json",
        "manifest-two.json",
    ]
    assert not list(tmp_path.glob(".*"))


def test_beam_writes_the_same_records(tmp_path):
    pytest.importorskip("apache_beam")
    here = generate_synthetic_dataset(str(tmp_path / "here"), 300, 2, 9, SMALL)
    beam = generate_synthetic_dataset(
        str(tmp_path / "beam"),
        300,
        2,
        9,
        SMALL,
        pipeline_options="--runner=DirectRunner",
    )
    # Names of shards differ.
    assert len(here.shards) == len(beam.shards) == 2
    assert dataclasses.replace(here, shards={}) == dataclasses.replace(beam, shards={})
    expected = sorted(records(tmp_path / "here-"))
    assert len(expected) == 300
    assert sorted(records(tmp_path / "beam-")) == expected


def test_beam_missing_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(Exception, match=r"pip install 'ddsp\[beam\]'"):
        generate_synthetic_dataset(
            str(tmp_path / "n"), 1, settings=SMALL, pipeline_options=["--runner=x"]
        )
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"p_silent": 1.5}, "`p_silent` must be from 0 to 1, got 1.5"),
        ({"n_mags": 0}, "`n_mags` must be positive, got 0"),
        ({"min_note_length": 30}, "must not exceed `max_note_length`, got 30 and 25"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(ValueError, match=message):
        NoteSettings(**changes)


def test_bad_numbers(tmp_path):
    path = str(tmp_path / "n")
    with pytest.raises(ValueError, match="`num_examples` must be positive, got 0"):
        generate_synthetic_dataset(path, 0)
    with pytest.raises(ValueError, match="`random_seed` must be at least 0, got -1"):
        generate_synthetic_dataset(path, 1, random_seed=-1)
    assert not os.listdir(tmp_path)


def run_command(*arguments):
    module = "ddsp.commands.ddsp_generate_synthetic_dataset"
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_command(tmp_path):
    result = run_command(
        f"--output_tfrecord_path={tmp_path / 'n'}",
        "--num_examples=3",
        "--num_shards=1",
        "--n_harmonics=4",
        "--n_mags=5",
        "--random_seed=8",
    )
    assert result.returncode == 0, result.stderr
    assert "3 examples written to" in result.stdout
    read = SyntheticNotes(125, 4, 5, str(tmp_path / "n-*")).get_dataset(shuffle=False)
    settings = NoteSettings(n_harmonics=4, n_mags=5)
    expected = generate_notes(8, 0, settings)["f0_hz"]
    np.testing.assert_array_equal(next(iter(read))["f0_hz"], expected)


def test_command_fails_in_one_line(tmp_path):
    result = run_command(f"--output_tfrecord_path={tmp_path / 'n'}", "--p_vibrato=2")
    assert result.returncode == 1
    assert "error: `p_vibrato` must be from 0 to 1, got 2.0" in result.stderr
    assert "Traceback" not in result.stderr
    assert not os.listdir(tmp_path)
