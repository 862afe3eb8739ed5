"""How the command-line programs start and how they fail."""

import io
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from absl import app, flags, logging

from ddsp._compat import messages

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# `timeout` and shells send a signal to a process and then again to its group.
_SAME_SIGNAL_SECS = 10.0
# Help of the flag --trusted of all commands that load models.
TRUSTED = (
    "Let the config of a training run import modules and name any class that gin "
    "knows. It can run any code then: only for runs whose origin you trust."
)


class UserError(Exception):
    """Something the user can mend: shown as one message, without a traceback."""


# Of the signal that asked the program to end, and when.
_received: int | None = None
_received_at = float("-inf")


def is_stopped(error: BaseException) -> bool:
    """Whether an error ends the program because a signal asked for it.

    Args:
      error: A KeyboardInterrupt, or what C code made of one in the midst of a call.
    """
    return isinstance(error, KeyboardInterrupt) or _received is not None


def run_main(main: Callable[[list[str]], None]) -> None:
    """Runs an absl program; mistakes of the user end in one line and exit code 1.

    `ValueError`, `TypeError`, `OSError` and `UserError` are what this library
    raises for bad input, TensorFlow its own, and gin a `RuntimeError`; their message
    says what to do. With `-v 1` the traceback is shown too.

    SIGINT and SIGTERM raise KeyboardInterrupt, so that what was begun is cleared away;
    they end in one line and the exit code that shells give them, 130 and 143.

    Args:
      main: Takes the positional arguments, program name first.
    """

    def guarded(argv: list[str]) -> None:
        if not flags.FLAGS["verbosity"].present:
            # TensorFlow and Keras talk of their internals at the level below.
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
            if not _is_of_user(error) or logging.get_verbosity() >= logging.DEBUG:
                raise
            print(f"error: {_message(error)}", file=sys.stderr)
            sys.exit(1)

    for number in _SIGNALS:
        # A shell starts what runs in the background with SIGINT ignored.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)
    # Names of files need not be printable.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    _help_of(main.__module__)
    app.run(guarded)


def _stop(number: int, unused_frame: Any) -> None:
    global _received, _received_at
    now = time.monotonic()
    if now - _received_at > _SAME_SIGNAL_SECS:
        _received, _received_at = number, now
        raise KeyboardInterrupt


def _is_of_user(error: BaseException) -> bool:
    """Whether an error is one that the user can mend."""
    if isinstance(error, RuntimeError):
        return _advice_on_bindings(str(error)) is not None
    of_library = isinstance(error, (ValueError, TypeError, OSError, UserError))
    return of_library or _is_of_tensorflow(error)


def _is_of_tensorflow(error: BaseException) -> bool:
    # Without importing TensorFlow, which takes seconds.
    return any(kind.__module__.startswith("tensorflow.") for kind in type(error).mro())


def _help_of(module: str) -> None:
    """Lets `--help` show a module's text and flags, not those of its launcher."""
    sys.modules["__main__"].__doc__ = sys.modules[module].__doc__
    for flag in flags.FLAGS.get_key_flags_for_module(module):
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)


def _message(error: BaseException) -> str:
    """The message of an error, without what gin and Keras add about calls."""
    if advice := _advice_on_bindings(str(error)):
        return advice
    # TensorFlow's go on with where in its graph they come from.
    if _is_of_tensorflow(error):
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
