"""Runs functions in forked processes, which may crash, hang or exhaust memory.

The parent has imported TensorFlow but not used it, so that its thread pools do not
exist and children can use it. A child starts in milliseconds, a new interpreter in
seconds.
"""

import contextlib
import multiprocessing
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from campaigns.outcomes import CRASH, HANG, MEMORY, TRACEBACK, Outcome

_FORK = multiprocessing.get_context("fork")
# Maximum growth of the address space of a child.
_MAX_SPACE_BYTES = 16 * 2**30
_GRACE_SECS = 10.0


class ChildError(RuntimeError):
    """A function failed in a child process, or the process died."""


def call(function: Callable[..., Any], *arguments: Any, seconds: float = 300.0) -> Any:
    """Calls a function in a child process.

    Args:
      function: The function.
      *arguments: Its arguments.
      seconds: Time limit.

    Returns:
      The result, which must be picklable.

    Raises:
      ChildError: If the function raises, the process dies, or the time limit expires.
    """
    receiver, sender = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_answer, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        if not receiver.poll(seconds):
            raise ChildError(f"{function.__name__} took more than {seconds:.0f} s.")
        ok, value = receiver.recv()
    except EOFError as error:
        process.join(_GRACE_SECS)
        raise ChildError(
            f"{function.__name__} ended its process, exit code {process.exitcode}."
        ) from error
    finally:
        end(process)
    if not ok:
        raise ChildError(f"{function.__name__} failed:\n{value}")
    return value


def _answer(sender: Any, function: Callable[..., Any], arguments: Any) -> None:
    try:
        answer = True, function(*arguments)
    except Exception:
        answer = False, traceback.format_exc()
    sender.send(answer)
    _leave()


def _leave() -> None:
    """Exits a child without running the exit handlers of the parent."""
    os._exit(0)


def end(process: Any) -> None:
    """Kills a child if it is running, and waits for it."""
    if process.is_alive():
        process.kill()
    process.join(_GRACE_SECS)


class Worker:
    """Child process that judges one case after the other.

    If the child dies or hangs, the case fails and the next one gets a new child.
    """

    def __init__(
        self,
        function: Callable[..., Outcome],
        log: Path,
        seconds: float,
        megabytes: float,
    ):
        """Initializes the worker; the child starts with the first case.

        Args:
          function: Judges a case.
          log: File for the output of the child.
          seconds: Time limit of a case.
          megabytes: Limit of the memory growth in a case.
        """
        self._function = function
        self._log = log
        self._seconds = seconds
        self._megabytes = megabytes
        self._process: Any = None
        self._pipe: Any = None

    def __call__(self, *arguments: Any) -> Outcome:
        """Judges a case."""
        if self._process is None:
            self._start()
        start = time.monotonic()
        try:
            self._pipe.send(arguments)
            while not self._pipe.poll(0.5):
                if time.monotonic() - start > self._seconds:
                    self.close()
                    return Outcome(HANG, f"timeout after {self._seconds:.0f} s")
            return self._pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._process.join(_GRACE_SECS)
            code = self._process.exitcode
            self.close()
            name = signal.Signals(-code).name if code and code < 0 else code
            return Outcome(CRASH, f"the process ended: {name}; {self._log_tail()}")

    def _log_tail(self) -> str:
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return " / ".join(text.strip().splitlines()[-3:])[-500:]

    def _start(self) -> None:
        self._pipe, theirs = _FORK.Pipe()
        self._process = _FORK.Process(target=self._serve, args=(self._pipe, theirs))
        self._process.start()
        theirs.close()

    def _serve(self, ours: Any, theirs: Any) -> None:
        ours.close()
        redirect(self._log, self._log)
        limit_space()
        while True:
            try:
                arguments = theirs.recv()
            except EOFError:
                _leave()
            theirs.send(self._judged(arguments))

    def _judged(self, arguments: Any) -> Outcome:
        before = _reset_peak()
        try:
            outcome = self._function(*arguments)
        except MemoryError as error:
            return Outcome(MEMORY, repr(error))
        except Exception:
            # An error outside the calls that the campaign judges.
            return Outcome(TRACEBACK, traceback.format_exc()[-1500:])
        grown = _peak() - before
        if grown > self._megabytes and not outcome.failed:
            return Outcome(MEMORY, f"used {grown:.0f} MB; {outcome.detail}")
        return outcome

    def close(self) -> None:
        """Terminates the child."""
        if self._process is not None:
            self._pipe.close()
            end(self._process)
            self._process = None


@contextlib.contextmanager
def worker(*arguments: Any) -> Iterator[Worker]:
    """Creates a `Worker`, and closes it at the end."""
    made = Worker(*arguments)
    try:
        yield made
    finally:
        made.close()


def redirect(out: Path, err: Path) -> None:
    """Redirects stdout and stderr to files, and stdin from the null device."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for descriptor, path in ((1, out), (2, err)):
        file = os.open(path, flags, 0o644)
        os.dup2(file, descriptor)
        os.close(file)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def limit_space() -> None:
    """Limits the address space of the process."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    space = pages * resource.getpagesize() + _MAX_SPACE_BYTES
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (space, hard))


def _reset_peak() -> float:
    """Resets the peak of resident memory; returns the current value in MB."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> float:
    return status_megabytes("VmHWM")


def status_megabytes(name: str) -> float:
    """Returns a size from `/proc/self/status`, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0
