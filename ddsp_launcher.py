"""Starts the commands without TensorFlow's start-up lines on the screen.

TensorFlow writes them when it is imported, and `import ddsp` imports it: whatever is to
keep them away has to run before, and so stands outside the package. Set
TF_CPP_MIN_LOG_LEVEL to see them.
"""

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# Descriptor of the error stream, wherever number 2 leads meanwhile.
_screen = 2


def ddsp_run() -> None:
    """Trains, evaluates or samples."""
    _launch("ddsp.commands.ddsp_run")


def ddsp_export() -> None:
    """Exports a trained model."""
    _launch("ddsp.commands.ddsp_export")


def ddsp_stream() -> None:
    """Plays a model in real time."""
    _launch("ddsp.commands.ddsp_stream")


def ddsp_timbre_transfer() -> None:
    """Plays recordings with a model."""
    _launch("ddsp.commands.ddsp_timbre_transfer")


def ddsp_prepare_tfrecord() -> None:
    """Prepares recordings for training."""
    _launch("ddsp.commands.ddsp_prepare_tfrecord")


def ddsp_generate_synthetic_dataset() -> None:
    """Writes a data set of synthetic notes."""
    _launch("ddsp.commands.ddsp_generate_synthetic_dataset")


def _launch(module: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)
    if _LOG_LEVEL not in os.environ:
        # What goes wrong in TensorFlow is an exception as well.
        os.environ[_LOG_LEVEL] = "3"
        with _without_stderr():
            importlib.import_module("tensorflow")
    importlib.import_module(module).console_entry_point()


def _stop(number: int, unused_frame: Any) -> None:
    """Ends the program while it is importing; nothing has been begun yet."""
    os.write(_screen, f"stopped by {signal.Signals(number).name}\n".encode())
    os._exit(128 + number)


def _end_with_parent() -> None:
    """Ends a worker process with the program that started it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _without_stderr() -> Iterator[None]:
    """Holds back what is written to the error stream, shown only if the body fails.

    Libraries that are registered twice say so before any log level is read.
    """
    global _screen
    sys.stderr.flush()
    _screen = screen = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(screen, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(screen, 2)
            _screen = 2
            os.close(screen)


# Workers import the program that started them before anything that takes long.
threading.Thread(target=_end_with_parent, daemon=True).start()
