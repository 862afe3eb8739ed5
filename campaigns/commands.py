"""Runs and stops the commands of the library."""

import contextlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ddsp_launcher
from campaigns import isolation
from campaigns.outcomes import HANG, LOST, ORPHAN, REFUSED, TRACEBACK, Outcome

_FORK = multiprocessing.get_context("fork")
_POLL_SECS = 0.002
# Time for the children of a killed command to exit.
_ORPHAN_SECS = 15.0
# Startup messages of TensorFlow, and warnings.
_LOG_LINE = re.compile(r"^([IWE]\d{4} |WARNING|To enable|warning: |\d{4}-\d\d-)")

Argv = Sequence[str]


class Command:
    """A running command."""

    def __init__(self, argv: Argv, log: Path, real: bool = False):
        """Starts the command.

        Args:
          argv: Name of the command and its arguments.
          log: Prefix of the two files that receive its output.
          real: Whether to start a new interpreter instead of forking.
        """
        self.argv = list(argv)
        self._out, self._err = log.with_suffix(".out"), log.with_suffix(".err")
        for path in (self._out, self._err):
            path.unlink(missing_ok=True)
            path.touch()
        self.seconds = 0.0
        self._start = time.monotonic()
        self._process: Any
        if real:
            self._process = _spawn(self.argv, self._out, self._err)
        else:
            self._process = _FORK.Process(
                target=_run, args=(self.argv, self._out, self._err)
            )
            self._process.start()
        self.pid: int = self._process.pid

    @property
    def code(self) -> int | None:
        """Exit status: negative for a signal, None while running."""
        if isinstance(self._process, subprocess.Popen):
            return self._process.poll()
        return self._process.exitcode

    def wait(self, seconds: float) -> int | None:
        """Waits for the command; returns the exit status, or None on timeout."""
        end = time.monotonic() + seconds
        while self.code is None and time.monotonic() < end:
            time.sleep(_POLL_SECS)
        self.seconds = time.monotonic() - self._start
        return self.code

    def send(self, number: int) -> None:
        """Sends a signal to the command, not to its children."""
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    @property
    def text(self) -> str:
        """The output on stderr."""
        return self._err.read_text(errors="replace")

    def message(self) -> list[str]:
        """Returns the lines of the error, or else all output except log lines."""
        lines = [
            line
            for line in re.split(r"[\r\n]+", self.text)
            if line.strip() and not _LOG_LINE.match(line) and "%|" not in line
        ]
        errors = [i for i, line in enumerate(lines) if "error:" in line.lower()]
        return lines[errors[0] :] if errors else lines

    def orphans(self) -> list[int]:
        """Returns the processes of its session that outlive it."""
        end = time.monotonic() + _ORPHAN_SECS
        while (left := session(self.pid)) and time.monotonic() < end:
            time.sleep(0.05)
        return left

    def end(self) -> None:
        """Kills the command and its children."""
        self.send(signal.SIGKILL)
        self.wait(5.0)
        for pid in session(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _spawn(argv: Argv, out: Path, err: Path) -> subprocess.Popen:
    start = f"import ddsp_launcher; ddsp_launcher.{argv[0]}()"
    command = [sys.executable, "-c", start, *argv[1:]]
    with out.open("a") as out_file, err.open("a") as err_file:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out_file,
            stderr=err_file,
            start_new_session=True,
        )


def _run(argv: Argv, out: Path, err: Path) -> None:
    os.setsid()
    isolation.redirect(out, err)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.argv = list(argv)
    getattr(ddsp_launcher, argv[0])()


def session(leader: int) -> list[int]:
    """Returns the processes of a session, except zombies."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):
            text = (Path("/proc") / name / "stat").read_text()
            # The process name in parentheses can contain any character.
            state, _, _, session = text.rpartition(")")[2].split()[:4]
            if int(session) == leader and state not in "ZX":
                found.append(int(name))
    return found


@contextlib.contextmanager
def running(argv: Argv, log: Path, real: bool = False) -> Iterator[Command]:
    """Runs a command, and kills it and its children at the end."""
    command = Command(argv, log, real)
    try:
        yield command
    finally:
        command.end()


def finish(argv: Argv, log: Path, seconds: float = 300.0) -> Command:
    """Runs a command and waits for it.

    Raises:
      RuntimeError: If the command fails or takes too long.
    """
    with running(argv, log) as command:
        if command.wait(seconds) != 0:
            raise RuntimeError(
                f"{' '.join(argv)} ended with {command.code}: {command.text[-1500:]}"
            )
        return command


def judge_end(command: Command, *, interrupted: bool = False) -> Outcome | None:
    """Returns the failure in how a command ended, or None.

    Args:
      command: The command, after `wait`.
      interrupted: Whether a signal interrupted it, so that it needs no reason.
    """
    if command.code is None:
        return Outcome(HANG, f"{command.argv[0]} does not end: {command.text[-300:]}")
    if "Traceback (most recent call last)" in command.text:
        return Outcome(TRACEBACK, command.text[-1500:])
    lines = command.message()
    if command.code > 0 and len(lines) != 1 and not interrupted:
        return Outcome(TRACEBACK, f"{len(lines)} lines: " + "\n".join(lines)[-1000:])
    if command.code < 0 and not interrupted:
        return Outcome(LOST, f"ended by signal {-command.code}: {command.text[-500:]}")
    if left := command.orphans():
        return Outcome(ORPHAN, f"{len(left)} processes outlive {command.argv[0]}")
    return None


def refusal(command: Command) -> Outcome:
    """Returns the outcome of a command that refused its input."""
    return Outcome(REFUSED, " ".join(command.message())[-300:])
