"""Error messages of gin and Keras, which surround the cause with other text."""

import re

# Keras 3.7 to 3.15, an error in a layer's `call`: the message in bold, then all
# arguments.
_KERAS = re.compile(
    r"Exception encountered when calling .*?\x1b\[1m(.*?)\x1b\[0m.*", re.DOTALL
)

# gin-config 0.5.0, a configurable without a required value: several lines.
_MISSING_BINDINGS = (
    re.compile(
        r"Required bindings for [`'](?P<owner>[\w.]+)[`'] not .*?: \[(?P<names>.*?)\]"
    ),
    re.compile(
        r"No values supplied by Gin or caller for arguments: \[(?P<names>.*?)\]"
        r".*?In call to configurable '(?P<owner>[\w.]+)'",
        re.DOTALL,
    ),
)


def cause(text: str) -> str:
    """Strips a message of what Keras and gin add about calls.

    Args:
      text: Message of an error.

    Returns:
      The cause, which may have several lines.

    Example:

    >>> from ddsp._compat import messages
    >>> messages.cause("wrong value\\n  In call to configurable 'Harmonic'")
    'wrong value'
    """
    lines = _KERAS.sub(r"\1", text).strip().splitlines()
    return "\n".join(
        line
        for line in lines
        if not line.lstrip().startswith("In call to configurable")
    )


def one_line(error: Exception) -> str:
    """Returns the cause of an error in one line.

    Example:

    >>> from ddsp._compat import messages
    >>> messages.one_line(ValueError("two\\nlines"))
    'two lines'
    """
    return " ".join(cause(str(error)).split())


def missing_bindings(text: str) -> list[str]:
    """Names the arguments whose values gin lacks.

    Args:
      text: Message of an error.

    Returns:
      Names such as 'Trainer.model'; empty if the message is about something else.

    Example:

    >>> from ddsp._compat import messages
    >>> messages.missing_bindings(
    ...     "Required bindings for `train` not provided in config: ['batch_size']"
    ... )
    ['train.batch_size']
    """
    for pattern in _MISSING_BINDINGS:
        if match := pattern.search(text):
            names = [name.strip(" '") for name in match["names"].split(",")]
            return [f"{match['owner']}.{name}" for name in names]
    return []
