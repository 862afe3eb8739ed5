"""How the command-line programs start and how they fail."""

import re
import sys
from collections.abc import Callable

from absl import app, flags, logging


class UserError(Exception):
    """Something the user can mend: shown as one message, without a traceback."""


# An error in a layer's `call`: the message in bold, then all arguments.
_OF_KERAS = re.compile(
    r"Exception encountered when calling .*?\x1b\[1m(.*?)\x1b\[0m.*", re.DOTALL
)

# What gin says when a configurable lacks a value, in several lines.
_UNBOUND = (
    re.compile(
        r"Required bindings for [`'](?P<owner>[\w.]+)[`'] not .*?: \[(?P<names>.*?)\]"
    ),
    re.compile(
        r"No values supplied by Gin or caller for arguments: \[(?P<names>.*?)\]"
        r".*?In call to configurable '(?P<owner>[\w.]+)'",
        re.DOTALL,
    ),
)


def run_main(main: Callable[[list[str]], None]) -> None:
    """Runs an absl program; mistakes of the user end in one line and exit code 1.

    `ValueError`, `TypeError`, `OSError` and `UserError` are what this library
    raises for bad input, and gin a `RuntimeError`; their message says what to do.
    With `-v 1` the traceback is shown too.

    Args:
      main: Takes the positional arguments, program name first.
    """

    def guarded(argv: list[str]) -> None:
        try:
            main(argv)
        except (ValueError, TypeError, OSError, UserError, RuntimeError) as error:
            # Only gin's runtime errors are the user's.
            foreign = isinstance(error, RuntimeError) and not _unbound(str(error))
            if foreign or logging.get_verbosity() >= logging.DEBUG:
                raise
            print(f"error: {_message(error)}", file=sys.stderr)
            sys.exit(1)

    _help_of(main.__module__)
    app.run(guarded)


def _help_of(module: str) -> None:
    """Lets `--help` show a module's text and flags, not those of its launcher."""
    sys.modules["__main__"].__doc__ = sys.modules[module].__doc__
    for flag in flags.FLAGS.get_key_flags_for_module(module):
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)


def _message(error: Exception) -> str:
    """The message of an error, without what gin and Keras add about calls."""
    if unbound := _unbound(str(error)):
        return unbound
    lines = [
        line
        for line in _OF_KERAS.sub(r"\1", str(error)).strip().splitlines()
        if not line.lstrip().startswith("In call to configurable")
    ]
    return "\n".join(lines) or type(error).__name__


def _unbound(text: str) -> str | None:
    """What to do about a value that gin lacks, if it is that what a message says."""
    for pattern in _UNBOUND:
        if match := pattern.search(text):
            names = [name.strip(" '") for name in match["names"].split(",")]
            missing = ", ".join(f"{match['owner']}.{name}" for name in names)
            return (
                f"Nothing binds {missing}: name the gin file that does (--gin_file), "
                f"or give a value (--gin_param='{match['owner']}.{names[0]} = ...')."
            )
    return None
