"""Files are published whole or not at all, and trouble with a disk is named."""

import errno
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from ddsp import file_errors, files, locks
from tests.training.stops import killed_after


def test_stopped_anywhere_leaves_the_old_or_the_new_text(tmp_path):
    path = tmp_path / "a.json"
    for n_calls in range(100):
        path.write_text("old")
        with killed_after(n_calls) as made:
            files.write_text(str(path), "new")
        assert path.read_text() in ("old", "new")
        if len(made) < n_calls:
            break
        files.write_text(str(path), "newer")
        assert path.read_text() == "newer"
        assert os.listdir(tmp_path) == ["a.json"]
    assert path.read_text() == "new" and n_calls > 5


def test_directories_are_exchanged_at_once(tmp_path):
    target = tmp_path / "bundle"
    for n_calls in range(100):
        target.mkdir(exist_ok=True)
        (target / "which").write_text("old")
        with killed_after(n_calls) as made, files.staged(str(target)) as temporary:
            os.mkdir(temporary)
            with open(os.path.join(temporary, "which"), "w") as file:
                file.write("new")
        assert (target / "which").read_text() in ("old", "new")
        if len(made) < n_calls:
            break
    assert (target / "which").read_text() == "new" and n_calls > 5


def test_a_block_that_raises_leaves_nothing(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    with (
        pytest.raises(KeyboardInterrupt),
        files.staged(str(path)) as temporary,
    ):
        assert temporary.endswith(".wav")
        with open(temporary, "wb") as file:
            file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a.wav"]


def test_temporaries_of_running_processes_stay(tmp_path):
    (tmp_path / ".a.1-0.tmp").touch()  # init
    (tmp_path / ".a.999999999-0.tmp.json").touch()
    (tmp_path / ".b.tmp").touch()
    files.discard_temporaries(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == [".a.1-0.tmp", ".b.tmp"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "x"), "No space left on device. Free space"),
        (OSError(errno.EROFS, "x"), "Read-only file system. Choose another place."),
        (PermissionError(errno.EACCES, "x"), "Permission denied. Change"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory"), "Not a directory."),
        (
            tf.errors.ResourceExhaustedError(None, None, "a; No space left on device"),
            "No space left on device. Free space",
        ),
        (
            tf.errors.ResourceExhaustedError(None, None, "a; Too many open files"),
            "a; Too many open files.",
        ),
    ],
)
def test_what_is_said_of_a_disk_is_true_of_it(error, message):
    with (
        pytest.raises(OSError, match="Cannot write") as caught,
        file_errors.writing("here"),
    ):
        raise error
    assert str(caught.value).startswith(f"Cannot write here: {message}")
    assert ("Free space" in str(caught.value)) == ("No space" in message)


def test_lock_names_its_holder_and_dies_with_it(tmp_path):
    path = str(tmp_path / ".lock")
    with (
        locks.exclusive(path, "training"),
        pytest.raises(FileExistsError, match=f"training.*process {os.getpid()} "),
        locks.exclusive(path, "training"),
    ):
        pass
    assert not os.listdir(tmp_path)
    program = (
        "import os, sys; from ddsp import locks\n"
        "with locks.exclusive(sys.argv[1], 'training'): os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program, path], check=True)
    assert os.path.exists(path)
    with locks.exclusive(path, "training"):
        pass
    assert not os.listdir(tmp_path)


def test_remote_paths_survive():
    path = "ram://bucket/a/b.json"
    assert files.expand_path(path) == path
    tf.io.gfile.makedirs("ram://bucket/a")
    files.write_text(path, "x")
    files.write_text(path, "y")
    with tf.io.gfile.GFile(path) as file:
        assert file.read() == "y"
    assert tf.io.gfile.listdir("ram://bucket/a") == ["b.json"]
