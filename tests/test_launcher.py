"""The commands say nothing but what they have to say."""

import os
import signal
import subprocess
import sys
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


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_while_importing_is_one_line(number, code):
    program = (
        "import os, signal, ddsp_launcher\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def imported(name):\n"
        f"    os.kill(os.getpid(), {number})\n"
        "    signal.sigtimedwait([], 60)\n"
        "ddsp_launcher.importlib.import_module = imported\n"
        "ddsp_launcher.ddsp_run()\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == code
    assert ended.stderr == f"stopped by {signal.Signals(number).name}\n"
