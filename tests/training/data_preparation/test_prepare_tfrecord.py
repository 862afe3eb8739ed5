"""The whole preparation: what it writes, and that failures leave nothing behind."""

import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from ddsp import spectral_ops
from ddsp.training import postprocessing
from ddsp.training.data import TFRecordProvider
from ddsp.training.data_preparation import writer
from ddsp.training.data_preparation.prepare_tfrecord_lib import (
    prepare_tfrecord,
    summary,
)
from tests.training.data_preparation import signals

QUICK = {"frame_rate": 125, "example_secs": 1, "hop_secs": 0.6, "num_shards": 2}


def prepare(patterns, output, **kwargs):
    patterns = [patterns] if isinstance(patterns, str) else patterns
    return prepare_tfrecord(patterns, str(output), **{**QUICK, **kwargs})


def read(pattern, **kwargs):
    data = TFRecordProvider(str(pattern), frame_rate=125, **kwargs)
    dataset = data.get_dataset(shuffle=False)
    return [{k: v.numpy() for k, v in example.items()} for example in dataset]


def assert_same(expected, found):
    """Equal audio; features equal but for the rounding of other thread counts."""
    assert len(expected) == len(found) > 0
    for one, two in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one["audio"], two["audio"])
        for name in ("f0_hz", "f0_confidence", "loudness_db"):
            np.testing.assert_allclose(one[name], two[name], rtol=1e-3, atol=1e-3)


@pytest.fixture(scope="module")
def violin(tmp_path_factory):
    """One recording of 4 s and what is prepared of it without Viterbi."""
    folder = tmp_path_factory.mktemp("violin")
    audio = signals.tones(4)
    path = signals.write(folder / "a.wav", audio, subtype="FLOAT")
    manifest = prepare(path, folder / "data/v.tfrecord", viterbi=False, chunk_secs=2)
    return folder, audio, manifest


def test_examples_are_windows_of_the_recording(violin):
    folder, audio, manifest = violin
    examples = read(folder / "data/v*")
    assert manifest.splits == {"all": {"examples": 6, "shards": 2}}
    f0_hz, confidence = spectral_ops.compute_f0(
        audio, 125, viterbi=False, padding="same"
    )
    loudness = spectral_ops.compute_loudness(
        audio, frame_rate=125, n_fft=512, padding="same"
    )
    assert len(examples) == 6
    for example, start in zip(examples, range(0, 376, 75), strict=True):
        samples = slice(start * 128, start * 128 + 16000)
        frames = slice(start, start + 125)
        np.testing.assert_array_equal(example["audio"], audio[samples])
        np.testing.assert_array_equal(example["audio_16k"], audio[samples])
        # Float32 rounding in batches of other sizes.
        np.testing.assert_allclose(example["f0_hz"], f0_hz[frames], rtol=1e-4)
        np.testing.assert_allclose(
            example["f0_confidence"], confidence[frames], atol=1e-4
        )
        np.testing.assert_allclose(example["loudness_db"], loudness[frames], atol=1e-3)


def test_manifest_tells_what_it_is(violin):
    folder, _, manifest = violin
    data = TFRecordProvider(str(folder / "data/v*"), frame_rate=125)
    assert data.manifest == manifest
    assert manifest.features == {
        "audio": 16000,
        "audio_16k": 16000,
        "f0_hz": 125,
        "f0_confidence": 125,
        "loudness_db": 125,
    }
    assert manifest.pitch_tracker == {
        "name": "crepe",
        "model": "tiny",
        "viterbi": False,
    }
    assert manifest.recordings == [
        {
            "path": str(folder / "a.wav"),
            "status": "used",
            "reason": None,
            "seconds": 4.0,
            "sample_rate": 16000,
            "channels": 1,
            "examples": {"all": 6},
            "warnings": [],
        }
    ]
    statistics = postprocessing.statistics_from_dict(manifest.statistics)
    # The notes are MIDI 69, 72 and 76.
    assert 69 < statistics["mean_pitch"] < 76
    assert not list((folder / "data").glob(".*"))


def test_other_rates_hold_the_16k_version_too(tmp_path):
    audio = signals.tones(2.5, 48000)
    path = signals.write(tmp_path / "a.wav", audio, 48000, subtype="FLOAT")
    manifest = prepare(path, tmp_path / "v", sample_rate=48000, center=True)
    assert manifest.features["audio"] == 48000
    assert manifest.features["audio_16k"] == 16000
    assert manifest.features["f0_hz"] == 126
    for given in ({"sample_rate": 48000}, {}):
        examples = read(tmp_path / "v*", **given)
        np.testing.assert_array_equal(examples[1]["audio"], audio[28800:76800])
    with pytest.raises(ValueError, match=r"sample_rate=16000.*sample_rate=48000"):
        read(tmp_path / "v*", sample_rate=16000)


def test_rate_that_fifty_does_not_divide(tmp_path):
    path = signals.write(tmp_path / "a.wav", signals.tones(1.2, 11025), 11025)
    manifest = prepare(path, tmp_path / "v", sample_rate=11025, frame_rate=25)
    assert manifest.features["audio"] == 11025
    assert np.isfinite(manifest.statistics["mean_power"])


def test_every_file_has_its_fate_in_the_summary(tmp_path):
    signals.write(tmp_path / "in/good.wav", signals.tones(1.2))
    signals.write(tmp_path / "in/short.wav", signals.tones(0.7))
    signals.write(tmp_path / "in/tiny.wav", signals.tones(0.2))
    signals.write(tmp_path / "in/silent.wav", np.zeros(30000))
    (tmp_path / "in/broken.wav").write_bytes(b"")
    manifest = prepare(str(tmp_path / "in"), tmp_path / "v", num_shards=1)
    fates = {os.path.basename(r["path"]): r for r in manifest.recordings}
    assert {n for n, r in fates.items() if r["status"] == "used"} == {
        "good.wav",
        "short.wav",
    }
    assert "filled up with silence" in fates["short.wav"]["warnings"][0]
    short = read(tmp_path / "v-*")[1]
    assert np.all(short["audio"][11200:] == 0) and short["audio"][11199] != 0
    text = summary(manifest)
    for line in (
        "broken.wav     0.00    0  SKIPPED: is empty (0 bytes)",
        "tiny.wav       0.20    0  SKIPPED: is shorter than half an example",
        "silent.wav     1.88    0  SKIPPED: is silent",
        "2 of 5 recordings used",
    ):
        assert line in text


def test_nothing_usable_writes_nothing(tmp_path):
    path = signals.write(tmp_path / "a.wav", np.zeros(30000))
    with pytest.raises(ValueError, match="None of the audio files can be used"):
        prepare(path, tmp_path / "data/v")
    assert os.listdir(tmp_path) == ["a.wav"]


def test_recordings_that_are_all_too_short_name_the_flag(tmp_path):
    path = signals.write(tmp_path / "a.wav", signals.tones(0.3))
    with pytest.raises(ValueError, match=r"--example_secs.*got 1 s.*of 0\.30 s"):
        prepare(path, tmp_path / "v")


def test_evaluation_split_shares_no_audio(tmp_path):
    # Every sample differs from every other, so that a shared one shows.
    audio = (np.arange(8 * 16000) / (8 * 16000)).astype(np.float32)
    path = signals.write(tmp_path / "a.wav", audio, subtype="FLOAT")
    manifest = prepare(path, tmp_path / "v", eval_split_fraction=0.25)
    train = read(tmp_path / "v-train*")
    held_out = read(tmp_path / "v-eval*")
    assert [manifest.splits[s]["examples"] for s in ("train", "eval")] == [
        len(train),
        len(held_out),
    ]
    heard = np.concatenate([example["audio"] for example in train])
    kept = np.concatenate([example["audio"] for example in held_out])
    assert not np.intersect1d(heard, kept).size


def test_an_earlier_run_is_replaced(tmp_path):
    path = signals.write(tmp_path / "a.wav", signals.tones(1.2))
    prepare(path, tmp_path / "v", num_shards=3)
    prepare(path, tmp_path / "v", num_shards=2)
    assert sorted(p.name for p in tmp_path.glob("v*")) == [
        "v-00000-of-00002",
        "v-00001-of-00002",
    ]
    assert len(read(tmp_path / "v*")) == 1


def test_foreign_shards_are_not_mixed_in(tmp_path):
    path = signals.write(tmp_path / "a.wav", signals.tones(1.2))
    foreign = tmp_path / "v-00000-of-00007"
    foreign.write_bytes(b"")
    with pytest.raises(FileExistsError, match="v-00000-of-00007"):
        prepare(path, tmp_path / "v")
    assert foreign.exists()


def test_full_disk_leaves_nothing(tmp_path):
    path = signals.write(tmp_path / "in/a.wav", signals.tones(2))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores the signal; a write beyond the limit fails as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"Cannot write .*File too large. Free space"):
            prepare(path, tmp_path / "data/v")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path) == ["in"]


def test_full_device_is_reported():
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    with (
        pytest.raises(OSError, match="No space left"),
        writer.record_writer("/dev/full") as records,
    ):
        for _ in range(100):
            records.write(b"x" * 10_000)


def test_interrupted_run_is_cleared_away(tmp_path):
    path = signals.write(tmp_path / "a.wav", signals.tones(1.2))
    # The lock shows that it is a leftover, though process 1 is running.
    left = tmp_path / ".v.1-0.tmp"
    left.mkdir()
    (left / "part-000000-all").write_bytes(b"half")
    prepare(path, tmp_path / "v")
    assert not left.exists()


@pytest.mark.parametrize("path", ["data/", ""])
def test_output_needs_a_name(path):
    with pytest.raises(ValueError, match="must end in a name"):
        writer.Output(path, 10, ("all",))


def run_command(*arguments):
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "ddsp.commands.ddsp_prepare_tfrecord",
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_command_with_two_workers_writes_the_same(tmp_path):
    for seed, name in enumerate(("Geige, Übung 1", "b")):
        signals.write(tmp_path / f"in/{name}.wav", signals.tones(1.2, seed=seed))
    result = run_command(
        f"--output_tfrecord_path={tmp_path / 'out dir' / 'v'}",
        "--frame_rate=125",
        "--example_secs=1",
        "--hop_secs=0.6",
        "--num_shards=2",
        "--noviterbi",
        "--num_workers=2",
        str(tmp_path / "in"),
    )
    assert result.returncode == 0, result.stderr
    assert "2 of 2 recordings used" in result.stdout
    prepare(str(tmp_path / "in"), tmp_path / "v", viterbi=False)
    assert_same(read(tmp_path / "v-*"), read(tmp_path / "out dir/v-*"))


def test_command_fails_in_one_line(tmp_path):
    result = run_command(
        f"--input_audio_filepatterns={tmp_path}/*.wav",
        f"--output_tfrecord_path={tmp_path}/v",
    )
    assert result.returncode == 1
    assert "error: No audio file matches" in result.stderr
    assert "Traceback" not in result.stderr
    assert os.listdir(tmp_path) == []


def test_beam_writes_the_same_records(tmp_path):
    pytest.importorskip("apache_beam")
    for i in range(3):
        signals.write(tmp_path / f"in/{i}.wav", signals.tones(1.7, seed=i))
    signals.write(tmp_path / "in/silent.wav", np.zeros(30000))
    here = prepare(str(tmp_path / "in"), tmp_path / "here", eval_split_fraction=0.3)
    beam = prepare(
        str(tmp_path / "in"),
        tmp_path / "beam",
        eval_split_fraction=0.3,
        pipeline_options="--runner=DirectRunner",
    )
    for split in ("train", "eval"):
        expected, found = (
            sorted(
                read(tmp_path / f"{name}-{split}-*"),
                key=lambda example: example["audio"].tobytes(),
            )
            for name in ("here", "beam")
        )
        assert_same(expected, found)
    assert beam.recordings == here.recordings
    assert beam.splits == here.splits
    assert not list(tmp_path.glob(".*"))


def test_beam_missing_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    path = signals.write(tmp_path / "a.wav", signals.tones(1.2))
    with pytest.raises(Exception, match=r"pip install 'ddsp\[beam\]'"):
        prepare(path, tmp_path / "v", pipeline_options=["--runner=DirectRunner"])
    assert os.listdir(tmp_path) == ["a.wav"]
