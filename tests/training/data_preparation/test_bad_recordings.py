"""One bad file costs no other, and what became of every file is said."""

import json
import os

import numpy as np
import pytest

from ddsp.recordings import features
from ddsp.training.data import TFRecordProvider
from ddsp.training.data import manifest as manifests
from ddsp.training.data_preparation import example_plan, examples
from ddsp.training.data_preparation.prepare_tfrecord_lib import (
    prepare_tfrecord,
    summary,
)
from tests.training.data_preparation import signals

QUICK = {
    "frame_rate": 125,
    "example_secs": 1,
    "hop_secs": 1,
    "num_shards": 1,
    "viterbi": False,
}


def prepare(folder, output, **kwargs):
    return prepare_tfrecord([str(folder)], str(output), **{**QUICK, **kwargs})


def make_odd_folder(folder):
    """Two good recordings among what is none; returns what is to be said of each."""
    good = signals.tones(1.2)
    damaged = good.copy()
    damaged[8000] = 1e29
    undefined = good.copy()
    undefined[4000] = np.nan
    signals.write(folder / "good.wav", good)
    signals.write(folder / "deeper/good too.flac", signals.tones(1.2, seed=1))
    signals.write(folder / "deeper/copy.aiff", good)
    signals.write(folder / "damaged.wav", damaged, subtype="FLOAT")
    signals.write(folder / "undefined.wav", undefined, subtype="FLOAT")
    signals.write(folder / "silent.wav", 0 * good)
    signals.write(folder / "slow.wav", good, 2)
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("no audio")
    (folder / "phone.m4a").write_text("no audio")
    (folder / "lost.wav").symlink_to("missing.wav")
    (folder / "loop").symlink_to(folder)
    (folder / "labels.json").write_text("{}")
    os.mkfifo(folder / "pipe.wav")
    signals.write(folder / "x.wav", signals.tones(1.2, seed=2))
    os.rename(folder / "x.wav", os.fsencode(folder) + b"/caf\xe9.wav")
    return {
        "good.wav": "is the same recording as deeper/copy.aiff",
        "damaged.wav": "holds a sample of 1e+29 times full scale at 0.500 s",
        "undefined.wav": "holds NaN or infinite samples at 0.250 s",
        "silent.wav": "is silent",
        "slow.wav": "has a damaged header: a sample rate must be from 1,000 Hz",
        "empty.wav": "is empty (0 bytes)",
        "text.wav": "cannot be decoded: Format not recognised",
        "phone.m4a": "cannot be decoded: convert it first, for example with ffmpeg",
        "lost.wav": "is a link that leads nowhere",
        "pipe.wav": "is a named pipe, not a file",
    }


def check_odd_folder(folder, manifest, skipped):
    fates = {os.path.relpath(r["path"], folder): r for r in manifest.recordings}
    used = {name for name, r in fates.items() if r["status"] == "used"}
    assert used == {"deeper/copy.aiff", "deeper/good too.flac", "caf\udce9.wav"}
    assert fates.pop("labels.json")["status"] == "not audio"
    assert set(fates) == used | set(skipped)
    text = summary(manifest)
    for name, reason in skipped.items():
        assert fates[name]["status"] == "skipped"
        assert reason in fates[name]["reason"]
        assert f"SKIPPED: {fates[name]['reason']}" in text
    assert "caf\\xe9.wav" in text
    assert "3 of 13 recordings used" in text
    assert "Left out, not audio by their names: 1 .json." in text


@pytest.mark.parametrize("options", [(), "--runner=DirectRunner"])
def test_a_folder_of_everything(tmp_path, options):
    if options:
        pytest.importorskip("apache_beam")
    skipped = make_odd_folder(tmp_path / "in")
    output = tmp_path / "set"
    manifest = prepare(tmp_path / "in", output, pipeline_options=options)
    check_odd_folder(tmp_path / "in", manifest, skipped)
    assert manifest.splits["all"]["examples"] == 3
    assert np.isfinite(manifest.statistics["mean_loudness"])
    # As JSON, in UTF-8, too.
    path = manifests.path_for(str(output))
    assert manifests.read(path) == manifest
    with open(path, encoding="utf-8") as file:
        assert json.load(file)["recordings"] == manifest.recordings
    data = TFRecordProvider(f"{output}*", frame_rate=125)
    for example in data.get_dataset(shuffle=False):
        assert all(np.isfinite(value).all() for value in example.values())


def prepare_with(monkeypatch, tmp_path, spoil, **kwargs):
    """Prepares two recordings; what is analyzed of the second is spoilt."""
    made = features.feature_blocks

    def feature_blocks(audio, *args, **kwargs):
        blocks = list(made(audio, *args, **kwargs))
        yield from blocks[:-1]
        yield spoil(blocks[-1]) if len(blocks) > 2 else blocks[-1]

    monkeypatch.setattr(examples, "feature_blocks", feature_blocks)
    signals.write(tmp_path / "in/a.wav", signals.tones(2))
    signals.write(tmp_path / "in/b.wav", signals.tones(4))
    return prepare(tmp_path / "in", tmp_path / "set", chunk_secs=1, **kwargs)


def unreadable(block):
    raise OSError("Cannot read b.wav: flac decoder lost sync.")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda block: np.nan * block, "cannot be analyzed: `f0_hz` is NaN"),
        (unreadable, "cannot be analyzed: Cannot read b.wav: flac decoder lost sync"),
    ],
)
def test_what_fails_in_the_analysis_is_skipped_whole(
    tmp_path, monkeypatch, spoil, reason
):
    manifest = prepare_with(monkeypatch, tmp_path, spoil)
    one, two = manifest.recordings
    assert (one["status"], one["examples"]) == ("used", {"all": 2})
    assert (two["status"], two["examples"]) == ("skipped", {})
    assert two["reason"].startswith(reason)
    # Nor the examples that came before the failure.
    data = TFRecordProvider(str(tmp_path / "set*"), frame_rate=125)
    assert len(list(data.get_dataset(shuffle=False))) == 2
    assert not list(tmp_path.glob(".set*"))


def test_nothing_is_written_if_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(
        examples, "feature_blocks", lambda *args, **kwargs: map(unreadable, [0])
    )
    signals.write(tmp_path / "in/a.wav", signals.tones(2))
    with pytest.raises(ValueError, match=r"No examples are left.*lost sync"):
        prepare(tmp_path / "in", tmp_path / "set")
    assert os.listdir(tmp_path) == ["in"]


@pytest.mark.parametrize("copy", ["copy", "hard link", "link", "other container"])
def test_copies_are_not_in_both_splits(tmp_path, copy):
    folder = tmp_path / "in"
    for i in range(3):
        signals.write(folder / f"{i}.wav", signals.tones(1.2, seed=i))
    for i in range(3):
        source, target = folder / f"{i}.wav", folder / f"x{i}.wav"
        if copy == "copy":
            target.write_bytes(source.read_bytes())
        elif copy == "hard link":
            target.hardlink_to(source)
        elif copy == "link":
            target.symlink_to(source)
        else:
            signals.write(folder / f"x{i}.aiff", signals.tones(1.2, seed=i))
    manifest = prepare(folder, tmp_path / "set", eval_split_fraction=0.34)
    assert [r["status"] for r in manifest.recordings[:3]] == ["used"] * 3
    assert [r["reason"] for r in manifest.recordings[3:]] == [
        f"is the same recording as {i}.wav" for i in range(3)
    ]
    train, held_out = (
        {
            example["audio"].numpy().tobytes()
            for example in TFRecordProvider(
                str(tmp_path / f"set-{name}*"), frame_rate=125
            ).get_dataset(shuffle=False)
        }
        for name in (example_plan.TRAIN, example_plan.EVAL)
    )
    assert train and held_out and not train & held_out
