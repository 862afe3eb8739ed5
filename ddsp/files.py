"""Paths, and the one way to publish a file: whole or not at all.

What is written goes to a hidden temporary name beside its destination, is forced to
the disk and renamed into place. A process killed on the way leaves the old file and at
worst a temporary one, which the next write to the same place removes.
"""

import contextlib
import ctypes
import errno
import itertools
import os
import re
from collections.abc import Iterator

import tensorflow as tf

# Where results go when no directory is named, as in the original.
DEFAULT_DIR = "/tmp/ddsp"

_TEMPORARY = re.compile(r"\.(?P<stem>.*)\.(?P<pid>\d+)-\d+\.tmp(\.[^.]*)?")
# File systems limit the length of a name.
_STEM_LENGTH = 40
_counter = itertools.count()
_in_use: set[str] = set()

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


def expand_path(file_path: str) -> str:
    """Absolute form of a path: `~` and `$VARIABLES` replaced.

    Args:
      file_path: A local path, or a remote one (`gs://...`), which is only stripped
        of its variables.

    Returns:
      The path.
    """
    expanded = os.path.expanduser(os.path.expandvars(file_path))
    return expanded if is_remote(expanded) else os.path.abspath(expanded)


def is_remote(path: str) -> bool:
    """Whether TensorFlow reaches `path` through a network file system."""
    return "://" in path


def write_text(path: str, text: str) -> None:
    """Writes a text file, whole or not at all.

    Args:
      path: Destination; the directory must exist.
      text: The content.

    Raises:
      OSError: The file cannot be written. What stood at `path` is untouched.
    """
    with (
        staged(path) as temporary,
        writing(path),
        tf.io.gfile.GFile(temporary, "w") as file,
    ):
        file.write(text)


@contextlib.contextmanager
def staged(path: str) -> Iterator[str]:
    """A file or directory to write, which takes its place when the block ends.

    Args:
      path: Destination; its directory must exist. An old file is replaced at once,
        an old directory too where the system can exchange two.

    Yields:
      The path to write to, with the suffix of `path`. When the block raises, nothing
      is left of it.

    Raises:
      OSError: It cannot be moved into place. What stood at `path` is untouched.
    """
    home, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    stem = stem[:_STEM_LENGTH]
    discard_temporaries(home, stem)
    temporary = os.path.join(
        home, f".{stem}.{os.getpid()}-{next(_counter)}.tmp{suffix}"
    )
    _in_use.add(temporary)
    try:
        yield temporary
        with writing(path):
            move(temporary, path)
    finally:
        _in_use.discard(temporary)
        remove(temporary)


def move(source: str, destination: str) -> None:
    """Moves a finished file or directory into place and forces it to the disk."""
    is_directory = tf.io.gfile.isdir(source)
    for folder, _, names in os.walk(source) if is_directory else ():
        for name in names:
            sync(os.path.join(folder, name))
    sync(source)
    if is_directory and tf.io.gfile.exists(destination):
        _replace_directory(source, destination)
    else:
        tf.io.gfile.rename(source, destination, overwrite=True)
    sync(os.path.dirname(destination))


def _replace_directory(source: str, destination: str) -> None:
    if _exchange(source, destination):
        remove(source)
        return
    aside = f"{source}.old"
    tf.io.gfile.rename(destination, aside)
    try:
        tf.io.gfile.rename(source, destination)
    except BaseException:
        tf.io.gfile.rename(aside, destination)
        raise
    remove(aside)


def _exchange(a: str, b: str) -> bool:
    """Exchanges two paths in one step, where Linux can; returns whether it did."""
    function = getattr(ctypes.CDLL(None), "renameat2", None)
    if function is None or is_remote(a):
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return function(here, os.fsencode(a), here, os.fsencode(b), exchange) == 0


def remove(path: str) -> None:
    """Removes a file or a directory, if it is there."""
    if tf.io.gfile.isdir(path) and not os.path.islink(path):
        tf.io.gfile.rmtree(path)
    elif tf.io.gfile.exists(path):
        tf.io.gfile.remove(path)


def discard_temporaries(directory: str, stem: str | None = None) -> None:
    """Removes what killed processes left of files that they were writing.

    Args:
      directory: Where to look; remote ones are left alone.
      stem: Of the file that was written; by default any.
    """
    if is_remote(directory) or not os.path.isdir(directory or "."):
        return
    for name in os.listdir(directory or "."):
        match = _TEMPORARY.fullmatch(name)
        if not match or stem not in (None, match["stem"]):
            continue
        path = os.path.join(directory, name)
        if path not in _in_use and not _is_of_another(int(match["pid"])):
            with contextlib.suppress(OSError, tf.errors.OpError):
                remove(path)


def _is_of_another(pid: int) -> bool:
    """Whether another process of this number is running."""
    try:
        if pid == os.getpid():
            return False
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Reports what goes wrong with a disk as one OSError.

    Args:
      path: The file or directory to name.

    Raises:
      OSError: It says why `path` cannot be written, and what to do.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        # Without a number it comes from reading or from here, and says so.
        if isinstance(error, OSError) and error.errno is None:
            raise
        raise OSError(f"Cannot write {path}: {cause(error)}") from error


def cause(error: Exception) -> str:
    """Why a file operation failed, and what to do about it where that is known."""
    text = reason(error)
    for number, advice in _ADVICE.items():
        if getattr(error, "errno", None) == number or os.strerror(number) in text:
            return f"{os.strerror(number)}. {advice}"
    return f"{text.rstrip('.')}."


def sync(path: str) -> None:
    """Forces a local file or directory to the disk, against a loss of power."""
    if is_remote(path):
        return
    descriptor = os.open(path or ".", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems cannot do this for directories.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def reason(error: Exception) -> str:
    """The one line of an operating-system or TensorFlow error that says why."""
    message = str(
        getattr(error, "message", None) or getattr(error, "strerror", None) or error
    )
    message = message.strip() or repr(error)
    # TensorFlow says before and after which operation, and of which data set, it was.
    return re.sub(
        r"\{\{.*?\}\}\s*|\s*\[Op:.*?\]|Error in user-defined function passed to \S+ "
        r"transformation with iterator: \S+: ",
        "",
        message.splitlines()[0],
    )


def check_utf8(path: str) -> None:
    """Refuses a path to write to that TensorFlow's file functions cannot take.

    Raises:
      ValueError: If it is not UTF-8.
    """
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(
            f"The path to write to must be UTF-8, got {printable(path)}."
        ) from None


def printable(path: str) -> str:
    r"""A path as one line of text that every terminal and file takes.

    Args:
      path: As the operating system gives it: names need be neither UTF-8 nor free of
        line breaks.

    Returns:
      The path, where what cannot be printed is written as an escape.

    Example:
      >>> printable("caf\udce9.wav")
      'caf\\xe9.wav'
    """
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
