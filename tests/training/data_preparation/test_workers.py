"""Worker processes end with the process that started them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ddsp.training.data_preparation import workers


def work(task, report):
    print(os.getpid(), flush=True)
    time.sleep(600)


def main(argv):
    workers.run(work, [1, 2], 2, lambda done: None)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143)]
)
def test_workers_end_with_their_parent(tmp_path, number, code):
    script = tmp_path / "program.py"
    script.write_text(
        "from ddsp import program\n"
        "from tests.training.data_preparation import test_workers\n"
        "if __name__ == '__main__':\n"
        "    program.run_main(test_workers.main)\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        pids = [int(process.stdout.readline()) for _ in range(2)]
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
        deadline = time.monotonic() + 5
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            assert time.monotonic() < deadline, "A worker outlives its parent."
            time.sleep(0.05)
    finally:
        for pid in (process.pid, *pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert process.returncode == code
    if number == signal.SIGTERM:
        assert errors.splitlines()[-1] == "stopped by SIGTERM"
        assert "Traceback" not in errors


def test_a_program_that_is_started_by_hand_has_no_parent_to_watch():
    assert workers._end_with_parent() is None
