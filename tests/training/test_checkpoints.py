"""Checkpoints are whole or absent, whatever interrupts their writing."""

import contextlib
import os
import resource
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import checkpoints


def test_unreadable_directory_is_refused():
    with pytest.raises(ValueError, match=r"reads no checkpoint.*a\[1\]"):
        checkpoints.check_directory("a[1]")
    checkpoints.check_directory("a (1) ü")


def _write(directory, step, value=None, keep=100):
    state = tf.train.Checkpoint(
        v=tf.Variable(np.full(1000, step if value is None else value, np.float32))
    )
    return checkpoints.write(state, str(directory), step, keep)


def _read(path):
    state = tf.train.Checkpoint(v=tf.Variable(np.zeros(1000, np.float32)))
    state.read(path).assert_consumed()
    return float(state.v[0])


@contextlib.contextmanager
def _full_disk():
    """Makes writing fail beyond 1,000 bytes a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_written_and_found(tmp_path):
    directory = tmp_path / "wörk {1} of 2"
    paths = [_write(directory, step) for step in (2, 10, 9)]
    assert [os.path.basename(path) for path in paths] == ["ckpt-2", "ckpt-10", "ckpt-9"]
    assert list(checkpoints.list_checkpoints(str(directory))) == [2, 9, 10]
    latest = checkpoints.find_latest(str(directory))
    assert latest.endswith("ckpt-10") and _read(latest) == 10
    assert _read(checkpoints.find_latest(f"{paths[0]}.index")) == 2
    # TensorFlow's own way to find the last one written.
    assert tf.train.latest_checkpoint(str(directory)).endswith("ckpt-9")


def test_oldest_are_removed(tmp_path):
    for step in range(5):
        _write(tmp_path, step, keep=2)
    assert list(checkpoints.list_checkpoints(str(tmp_path))) == [3, 4]
    assert len(list(tmp_path.iterdir())) == 5
    # The one just written stays, even if others have higher steps.
    _write(tmp_path, 1, keep=1)
    assert list(checkpoints.list_checkpoints(str(tmp_path))) == [1]


def test_same_step_is_replaced(tmp_path):
    _write(tmp_path, 3, value=1)
    assert _read(_write(tmp_path, 3, value=2)) == 2


@pytest.mark.parametrize("missing", ["", "model", "model/ckpt-4"])
def test_nothing_found(tmp_path, missing):
    with pytest.raises(FileNotFoundError, match="No"):
        checkpoints.find_latest(str(tmp_path / missing))


def test_full_disk_leaves_the_previous_one(tmp_path):
    first = _write(tmp_path, 1)
    before = sorted(os.listdir(tmp_path))
    with (
        _full_disk(),
        pytest.raises(OSError, match=r"Cannot save .*ckpt-2.*latest.*ckpt-1"),
    ):
        _write(tmp_path, 2)
    assert sorted(os.listdir(tmp_path)) == before
    assert checkpoints.find_latest(str(tmp_path)) == first and _read(first) == 1


@pytest.mark.parametrize("call", range(9))
def test_interrupted_anywhere(tmp_path, monkeypatch, call):
    """Whatever file operation is the last one, what is found is whole."""
    _write(tmp_path, 1)
    operations = ("makedirs", "rmtree", "rename", "remove")
    n_calls = 0

    def interrupted(original):
        def operation(*args, **kwargs):
            nonlocal n_calls
            n_calls += 1
            if n_calls > call:
                raise KeyboardInterrupt
            return original(*args, **kwargs)

        return operation

    with monkeypatch.context() as patch:
        for name in operations:
            patch.setattr(tf.io.gfile, name, interrupted(getattr(tf.io.gfile, name)))
        with contextlib.suppress(KeyboardInterrupt):
            _write(tmp_path, 2, keep=1)
    for step, path in checkpoints.list_checkpoints(str(tmp_path)).items():
        assert _read(path) == step
    assert checkpoints.list_checkpoints(str(tmp_path))

    checkpoints.discard_incomplete(str(tmp_path))
    names = set(os.listdir(tmp_path))
    for name in names:
        assert not name.startswith(".ckpt")
        assert ".data" not in name or name.split(".")[0] + ".index" in names


def test_kill_while_saving(tmp_path):
    """A process that saves without end is killed: all checkpoints are whole."""
    program = (
        "import sys, numpy as np, tensorflow as tf\n"
        "from ddsp.training import checkpoints\n"
        "v = tf.Variable(np.zeros(1000, np.float32))\n"
        "step = 0\n"
        "while True:\n"
        "    step += 1\n"
        "    v.assign(np.full(1000, step, np.float32))\n"
        "    checkpoints.write(tf.train.Checkpoint(v=v), sys.argv[1], step, keep=5)\n"
        "    if step == 20: print('saving', flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert process.stdout.readline() == b"saving\n"
    finally:
        process.kill()
        process.communicate(timeout=60)
    checkpoints.discard_incomplete(str(tmp_path))
    saved = checkpoints.list_checkpoints(str(tmp_path))
    assert max(saved) >= 20
    for step, path in saved.items():
        assert _read(path) == step
