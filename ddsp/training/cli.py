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


def run_main(main: Callable[[list[str]], None]) -> None:
    """Runs an absl program; mistakes of the user end in one line and exit code 1.

    `ValueError`, `TypeError`, `OSError` and `UserError` are what this library
    raises for bad input; their message says what to do. With `-v 1` the traceback
    is shown too.

    Args:
      main: Takes the positional arguments, program name first.
    """

    def guarded(argv: list[str]) -> None:
        try:
            main(argv)
        except (ValueError, TypeError, OSError, UserError) as error:
            if logging.get_verbosity() >= logging.DEBUG:
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
    lines = [
        line
        for line in _OF_KERAS.sub(r"\1", str(error)).strip().splitlines()
        if not line.lstrip().startswith("In call to configurable")
    ]
    return "\n".join(lines) or type(error).__name__
