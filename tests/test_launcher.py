"""The commands say nothing but what they have to say."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ddsp_launcher

ROOT = Path(__file__).parents[1]


def run(*arguments, **environment):
    command = arguments[0]
    quiet = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [
            sys.executable,
            "-c",
            f"import ddsp_launcher; ddsp_launcher.{command}()",
            *arguments[1:],
        ],
        cwd=ROOT,
        env={**quiet, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_help_is_all_there_is():
    shown = run("ddsp_stream", "--help")
    assert shown.stderr == ""
    assert "--block_size" in shown.stdout


def test_a_mistake_is_one_line():
    failed = run("ddsp_run", "--mode=eval", "--restore_dir=/nowhere/at/all")
    assert failed.returncode != 0
    assert len(failed.stderr.splitlines()) == 1
    assert failed.stderr.startswith("error: ")


def test_no_line_comes_where_tensorflow_computes(tmp_path):
    """Devices are only looked for when the first operation runs."""
    written = run(
        "ddsp_generate_synthetic_dataset",
        f"--output_tfrecord_path={tmp_path / 'notes.tfrecord'}",
        "--num_examples=1",
        "--num_shards=1",
        "--n_timesteps=125",
    )
    assert written.returncode == 0, written.stderr
    assert "tensorflow" not in written.stderr.lower()
    assert "0000 " not in written.stderr  # the date of TensorFlow's own lines


def test_who_asks_for_tensorflows_lines_sees_them():
    shown = run("ddsp_stream", "--help", TF_CPP_MIN_LOG_LEVEL="0")
    assert "oneDNN" in shown.stderr


def test_what_was_held_back_is_shown_when_the_import_fails(capfd):
    def imported():
        with ddsp_launcher._without_stderr():
            os.write(2, b"the library is damaged\n")
            raise ImportError

    with pytest.raises(ImportError):
        imported()
    assert capfd.readouterr().err == "the library is damaged\n"
    with ddsp_launcher._without_stderr():
        os.write(2, b"registered twice\n")
    assert capfd.readouterr().err == ""


def test_every_command_starts_here():
    setup = (ROOT / "setup.py").read_text()
    commands = [name for name in dir(ddsp_launcher) if name.startswith("ddsp_")]
    assert len(commands) == 6
    assert all(f'"{name}",' in setup for name in commands)


def test_an_interrupt_while_tensorflow_is_imported_says_nothing():
    start = "import ddsp_launcher; print(flush=True); ddsp_launcher.ddsp_run()"
    quiet = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    with subprocess.Popen(
        [sys.executable, "-c", start],
        cwd=ROOT,
        env=quiet,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.5)  # The import takes seconds.
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert errors == ""
