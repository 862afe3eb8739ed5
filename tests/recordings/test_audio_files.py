"""Audio files found by name, in folders and by pattern."""

import os

import numpy as np
import pytest
import soundfile

from ddsp import files
from ddsp.recordings import audio_files
from tests.training.data_preparation import signals


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(folder, *patterns, **kwargs):
    """Names from the folder on of the audio that is found."""
    patterns = [os.path.join(folder, pattern) for pattern in patterns or [""]]
    audio = audio_files.find_audio(patterns, **kwargs).audio
    return [os.path.relpath(path, folder) for path in audio]


def test_patterns_folders_and_odd_names(tmp_path):
    touch(tmp_path, "Übung №1, à gauche.wav", "take [2].wav", "tiefer/c.WAV")
    touch(tmp_path, ".ipynb_checkpoints/x.wav", "notes.txt")
    both = ["take [2].wav", "Übung №1, à gauche.wav"]
    assert found(tmp_path, "*.wav") == both
    assert found(tmp_path) == ["take [2].wav", "tiefer/c.WAV", both[1]]
    assert found(tmp_path, "**/*.WAV") == ["tiefer/c.WAV"]
    assert found(tmp_path, both[0], *both, "*.wav") == both


def test_folders_are_walked(tmp_path):
    touch(tmp_path, "b.wav", "x/y/z/a.flac", "x.wav/c.ogg", ".hidden/d.wav", "._b.wav")
    touch(tmp_path, "__MACOSX/e.wav", "x/.ipynb_checkpoints/f.wav", "x/out/g.wav")
    expected = ["b.wav", "x/out/g.wav", "x/y/z/a.flac", "x.wav/c.ogg"]
    assert sorted(found(tmp_path)) == sorted(expected)
    assert sorted(found(tmp_path, "*")) == sorted(expected)
    assert found(tmp_path, "x", without=str(tmp_path / "x/out")) == ["x/y/z/a.flac"]


def test_loops_of_links_are_walked_once(tmp_path):
    touch(tmp_path, "in/sub/a.wav")
    # Two of them: glob would follow them in all 2**40 orders.
    for name in ("one", "two"):
        (tmp_path / "in/sub" / name).symlink_to(tmp_path / "in")
    (tmp_path / "in/loop.wav").symlink_to("loop.wav")
    (tmp_path / "in/nowhere.wav").symlink_to("missing.wav")
    expected = ["in/loop.wav", "in/nowhere.wav", "in/sub/a.wav"]
    assert found(tmp_path, "in") == expected
    assert found(tmp_path, "in/**/*.wav") == expected
    assert found(tmp_path, "in/**/") == expected
    assert found(tmp_path, "in/nowhere.wav") == ["in/nowhere.wav"]


def test_linked_folders_are_followed(tmp_path):
    touch(tmp_path, "elsewhere/a.wav")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/link").symlink_to(tmp_path / "elsewhere")
    assert found(tmp_path / "in") == ["link/a.wav"]


def test_what_is_no_audio_is_listed(tmp_path):
    touch(tmp_path, "a.wav", "b.m4a", "c.raw", "labels.json", "x/LICENSE")
    result = audio_files.find_audio([str(tmp_path)])
    # What may be sound is looked at, so that what to do is said.
    assert [os.path.basename(path) for path in result.audio] == [
        "a.wav",
        "b.m4a",
        "c.raw",
    ]
    assert [os.path.basename(path) for path in result.others] == [
        "labels.json",
        "LICENSE",
    ]
    # A file that is named is looked at, whatever its name is.
    named = audio_files.find_audio([str(tmp_path), str(tmp_path / "x/LICENSE")])
    assert [os.path.basename(path) for path in named.others] == ["labels.json"]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    touch(tmp_path, "a.wav", "locked/b.wav")
    scan = os.scandir

    def refuse(path):
        if os.path.basename(path) == "locked":
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    # As root, the tests may list every folder.
    monkeypatch.setattr(os, "scandir", refuse)
    result = audio_files.find_audio([str(tmp_path)])
    assert result.audio == [str(tmp_path / "a.wav")]
    assert result.unlisted == {
        str(tmp_path / "locked"): "cannot be listed: Permission denied"
    }
    with pytest.raises(FileNotFoundError, match="locked cannot be listed: Perm"):
        audio_files.find_audio([str(tmp_path / "locked")])


def test_names_that_are_not_utf8(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).touch()
    assert found(tmp_path) == ["caf\udce9.wav"]
    assert found(tmp_path, "c*.wav") == ["caf\udce9.wav"]
    assert files.printable("in/caf\udce9\n é.wav") == "in/caf\\xe9\\n é.wav"


@pytest.mark.parametrize("pattern", ["missing.wav", "*.flac", "."])
def test_no_match(tmp_path, pattern):
    signals.write(tmp_path / ".ipynb_checkpoints/x.wav", np.ones(9))
    with pytest.raises(FileNotFoundError, match="No audio file matches"):
        audio_files.find_audio([str(tmp_path / pattern)])


def test_what_exists_is_no_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("NAME", "other")
    for name in ("$NAME.wav", "other.wav"):
        (tmp_path / name).touch()
    path = str(tmp_path / "$NAME.wav")
    assert audio_files.find_audio([path]).audio == [path]
    (tmp_path / "$NAME.wav").unlink()
    assert audio_files.find_audio([path]).audio == [str(tmp_path / "other.wav")]


def test_brackets_are_explained(tmp_path):
    touch(tmp_path, "take [2].wav", "take 2.wav")
    # The name of a file is that file.
    assert found(tmp_path, "take [2].wav") == ["take [2].wav"]
    assert found(tmp_path, "take [[]2].w*") == ["take [2].wav"]
    with pytest.raises(FileNotFoundError, match=r"Brackets are part of a pattern"):
        found(tmp_path, "take [3].wav")


def test_suffixes_are_those_that_libsndfile_reads():
    """Every format that has a usual extension, and no other."""
    assert {".wav", ".flac", ".mp3", ".opus", ".w64", ".caf", ".aifc", ".au"} <= set(
        audio_files.AUDIO_SUFFIXES
    )
    assert set(audio_files._SUFFIXES_OF) <= set(soundfile.available_formats())


@pytest.mark.parametrize("name", ["it's.m4a", "a.AAC", "a.raw"])
def test_advice(name):
    assert "ffmpeg" in audio_files.advice(f"in/{name}")
    assert "in/" not in audio_files.advice(f"in/{name}")


def test_no_advice_for_what_can_be_decoded():
    assert audio_files.advice("a.wav") is None
