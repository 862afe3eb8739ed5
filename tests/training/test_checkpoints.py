"""Atomicity of checkpoints under interruptions."""

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import checkpoints
from tests.training.stops import killed_after


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
    """Makes writes fail beyond 1,000 bytes per file."""
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
    # TensorFlow's lookup of the latest checkpoint.
    assert tf.train.latest_checkpoint(str(directory)).endswith("ckpt-9")


def test_oldest_are_removed(tmp_path):
    for step in range(5):
        _write(tmp_path, step, keep=2)
    assert list(checkpoints.list_checkpoints(str(tmp_path))) == [3, 4]
    assert len(list(tmp_path.iterdir())) == 5
    # The checkpoint just written is kept, even if others have higher steps.
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


@pytest.mark.parametrize("step", [2, 1])
def test_stopped_anywhere(tmp_path, step):
    """The newest checkpoint is complete after an interruption at any file operation.

    Of step 1 there is one already: the old or the new values are found.
    """
    start, here = tmp_path / "start", tmp_path / "here"
    _write(start, 1, value=7)
    values = set()
    for n_calls in range(200):
        shutil.copytree(start, here)
        with killed_after(n_calls) as made:
            _write(here, step, value=8, keep=1)
        for cleared in (False, True):
            if cleared:
                checkpoints.discard_incomplete(str(here))
            saved = checkpoints.list_checkpoints(str(here))
            value = _read(saved[max(saved)])
            assert (value, max(saved)) in ((7, 1), (8, step))
            values.add(value)
        names = set(os.listdir(here))
        for name in names:
            assert not name.startswith(".")
            assert ".data" not in name or name.split(".")[0] + ".index" in names
        # The same without interruption.
        _write(here, step, value=9, keep=1)
        assert _read(checkpoints.find_latest(str(here))) == 9
        assert len(os.listdir(here)) == 3
        shutil.rmtree(here)
        if len(made) < n_calls:
            break
    assert values == {7, 8} and n_calls > 15


def test_an_index_alone_is_no_checkpoint(tmp_path):
    latest = _write(tmp_path, 3)
    shutil.copy(f"{latest}.index", tmp_path / "ckpt-9.index")
    (tmp_path / "ckpt-10.index").touch()
    (tmp_path / "ckpt-10.data-00000-of-00002").touch()
    assert checkpoints.find_latest(str(tmp_path)) == latest


def test_the_state_file_leads_nowhere_else(tmp_path):
    """TensorFlow follows the paths in a state file anywhere."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    state = tf.train.Checkpoint(v=tf.Variable(np.zeros(1000, np.float32)))
    other = state.write(str(outside / "model"))
    (inside / "checkpoint").write_text(f'model_checkpoint_path: "{other}"')
    assert tf.train.latest_checkpoint(str(inside)) == other
    with pytest.raises(FileNotFoundError, match="No checkpoint"):
        checkpoints.find_latest(str(inside))
    # Within the directory, it selects the checkpoint.
    for name in ("model", "another"):
        state.write(str(inside / name))
    assert checkpoints.find_latest(str(inside)) == str(inside / "model")
    (inside / "checkpoint").write_bytes(b"\xff damaged")
    with pytest.raises(FileNotFoundError, match="No checkpoint"):
        checkpoints.find_latest(str(inside))


def test_the_config_of_a_run_is_found_from_its_best(tmp_path):
    best = tmp_path / "run" / "best"
    path = _write(best, 4)
    with pytest.raises(FileNotFoundError, match="operative_config"):
        checkpoints.find_config(str(best))
    for step in (9, 10):
        (tmp_path / "run" / f"operative_config-{step}.gin").touch()
    config = str(tmp_path / "run" / "operative_config-10.gin")
    for place in (tmp_path / "run", best, path):
        assert checkpoints.find_config(str(place)) == config
    # A training in a subdirectory is a different run.
    (tmp_path / "run" / "new").mkdir()
    with pytest.raises(FileNotFoundError, match="operative_config"):
        checkpoints.find_config(str(tmp_path / "run" / "new"))


def test_checkpoints_are_watched_as_they_come(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "_POLL_SECS", 0.01)
    watched = checkpoints.watch(str(tmp_path / "run"))
    threading.Timer(0.1, _write, (tmp_path / "run", 1)).start()
    assert next(watched).endswith("ckpt-1")
    _write(tmp_path / "run", 2)
    _write(tmp_path / "run", 3)
    assert next(watched).endswith("ckpt-3")


def test_remote_directory():
    directory = "ram://bucket/run/best"
    for step in (1, 2, 2):
        path = _write(directory, step, keep=1)
    assert checkpoints.find_latest(directory) == path and _read(path) == 2
    assert checkpoints.find_latest(path) == path
    with tf.io.gfile.GFile("ram://bucket/run/operative_config-0.gin", "w") as file:
        file.write("")
    assert checkpoints.find_config(path) == "ram://bucket/run/operative_config-0.gin"
    checkpoints.discard_incomplete(directory)
    assert len(tf.io.gfile.listdir(directory)) == 3


def test_kill_while_saving(tmp_path):
    """All checkpoints are complete after killing a process that saves repeatedly."""
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
