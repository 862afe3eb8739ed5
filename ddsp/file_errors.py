"""Errors of a disk, reported with the path and what to do."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator

import tensorflow as tf

_FULL = "Free space on the disk or choose another place."
_FORBIDDEN = "Change its permissions or choose another place."
_ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: "Choose another place.",
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
}


@contextlib.contextmanager
def writing(path: str, *also: type[Exception]) -> Iterator[None]:
    """Turns errors of a disk into one OSError that names the path.

    Args:
      path: The file or directory being written.
      *also: Further types of errors, such as those of a library that writes audio.

    Raises:
      OSError: If the block raises such an error. It says why `path` cannot be written
        and what to do.

    Example:

    >>> import errno
    >>> from ddsp import file_errors
    >>> with file_errors.writing("here"):
    ...     raise OSError(errno.ENOSPC, "")
    Traceback (most recent call last):
    OSError: Cannot write here: No space left on device. Free space on the disk or...
    """
    try:
        yield
    except (OSError, tf.errors.OpError, *also) as error:
        # An OSError without a number comes from this library and is complete.
        if isinstance(error, OSError) and error.errno is None:
            raise
        raise OSError(f"Cannot write {path}: {cause(error)}") from error


def cause(error: Exception) -> str:
    """Says why a file operation failed, and what to do about it where that is known.

    Args:
      error: Error of the operating system or of TensorFlow.

    Returns:
      One or two sentences.

    Example:

    >>> import errno
    >>> from ddsp import file_errors
    >>> file_errors.cause(OSError(errno.EROFS, ""))
    'Read-only file system. Choose another place.'
    """
    text = reason(error)
    for number, advice in _ADVICE.items():
        if getattr(error, "errno", None) == number or os.strerror(number) in text:
            return f"{os.strerror(number)}. {advice}"
    return f"{text.rstrip('.')}."


def reason(error: Exception) -> str:
    """Returns the line of an operating-system or TensorFlow error that says why.

    Args:
      error: The exception.

    Example:

    >>> from ddsp import file_errors
    >>> error = tf.errors.NotFoundError(None, None, "no such file\\ndetails")
    >>> file_errors.reason(error)
    'no such file'
    """
    message = str(
        getattr(error, "message", None) or getattr(error, "strerror", None) or error
    )
    message = message.strip() or repr(error)
    # TensorFlow adds the operation and the data set before and after the message.
    return re.sub(
        r"\{\{.*?\}\}\s*|\s*\[Op:.*?\]|Error in user-defined function passed to \S+ "
        r"transformation with iterator: \S+: ",
        "",
        message.splitlines()[0],
    )
