"""Start, errors and signals of the command-line programs."""

import io
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from absl import app, flags, logging

from ddsp._compat import messages

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# `timeout` and shells send a signal to the process and again to its group.
_SAME_SIGNAL_SECS = 10.0
# Help of the flag --trusted in all commands that load models.
TRUSTED = (
    "Allow the config of a training run to import modules and name any class that gin "
    "knows. Such a config can run any code: only for runs whose origin you trust."
)


class UserError(Exception):
    """Error that the user can correct, shown as one message without a traceback.

    Example:

    >>> from ddsp.program import UserError
    >>> raise UserError("install apache-beam")
    Traceback (most recent call last):
    ddsp.program.UserError: install apache-beam
    """


# The signal that asked the program to end, and the time it arrived.
_received: int | None = None
_received_at = float("-inf")


def is_stopped(error: BaseException) -> bool:
    """Whether an error ends the program because of a signal.

    Args:
      error: The error. C code may turn a KeyboardInterrupt into an error of its own.

    Returns:
      Whether the program was asked to end.

    Example:

    >>> from ddsp import program
    >>> program.is_stopped(KeyboardInterrupt()), program.is_stopped(ValueError())
    (True, False)
    """
    return isinstance(error, KeyboardInterrupt) or _received is not None


def run_main(main: Callable[[list[str]], None]) -> None:
    """Runs an absl program and reports errors of the user in one line.

    Bad input raises `ValueError`, `TypeError`, `OSError` or `UserError` here, and other
    errors in TensorFlow and gin. The program then prints the message and exits with
    code 1; with `-v 1` it also shows the traceback.

    SIGINT and SIGTERM raise KeyboardInterrupt, so that temporary files are removed. The
    program prints one line and exits with the code that shells use, 130 or 143.

    Args:
      main: Function of the positional arguments, with the program name first.

    Example:

    >>> from ddsp import program
    >>> def main(argv):
    ...     raise program.UserError("no audio files")
    >>> program.run_main(main)  # doctest: +SKIP
    error: no audio files
    """

    def guarded(argv: list[str]) -> None:
        if not flags.FLAGS["verbosity"].present:
            # Below this level TensorFlow and Keras log their internals.
            logging.set_verbosity(logging.WARNING)
        try:
            main(argv)
        except (Exception, KeyboardInterrupt) as error:
            if is_stopped(error):
                number = _received or signal.SIGINT
                name = signal.Signals(number).name
                done = error.args if isinstance(error, KeyboardInterrupt) else ()
                print(": ".join([f"stopped by {name}", *done]), file=sys.stderr)
                sys.exit(128 + number)
            if not _is_user_error(error) or logging.get_verbosity() >= logging.DEBUG:
                raise
            print(f"error: {_message(error)}", file=sys.stderr)
            sys.exit(1)

    for number in _SIGNALS:
        # Shells start background processes with SIGINT ignored.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)
    # Names of files may not be printable.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    _set_help(main.__module__)
    app.run(guarded)


def _stop(number: int, unused_frame: Any) -> None:
    global _received, _received_at
    now = time.monotonic()
    if now - _received_at > _SAME_SIGNAL_SECS:
        _received, _received_at = number, now
        raise KeyboardInterrupt


def _is_user_error(error: BaseException) -> bool:
    """Whether the user can correct the cause of an error."""
    if isinstance(error, RuntimeError):
        return _advice_on_bindings(str(error)) is not None
    of_library = isinstance(error, (ValueError, TypeError, OSError, UserError))
    return of_library or _is_tensorflow_error(error)


def _is_tensorflow_error(error: BaseException) -> bool:
    # Importing TensorFlow takes seconds.
    return any(kind.__module__.startswith("tensorflow.") for kind in type(error).mro())


def _set_help(module: str) -> None:
    """Makes `--help` show a module's text and flags, not those of its launcher."""
    sys.modules["__main__"].__doc__ = sys.modules[module].__doc__
    for flag in flags.FLAGS.get_key_flags_for_module(module):
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)


def _message(error: BaseException) -> str:
    """Returns the message of an error, without additions of gin and Keras."""
    if advice := _advice_on_bindings(str(error)):
        return advice
    # TensorFlow appends the place in its graph.
    if _is_tensorflow_error(error):
        return str(getattr(error, "message", error)).strip().splitlines()[0]
    return messages.cause(str(error)) or type(error).__name__


def _advice_on_bindings(text: str) -> str | None:
    """Rewrites gin's error about a missing value as advice."""
    missing = messages.missing_bindings(text)
    if not missing:
        return None
    return (
        f"No gin file binds {', '.join(missing)}: name one that does (--gin_file), or "
        f"set a value (--gin_param='{missing[0]} = ...')."
    )
