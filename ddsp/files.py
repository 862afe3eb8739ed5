"""Paths, and the publication of files: whole or not at all.

Output is written under a hidden temporary name in the directory of its destination,
synchronized with the disk and renamed. A process killed on the way leaves the old
output and at worst a temporary, which the next write to the same destination removes.

- `staged`: one file or directory.
- `workspace` and `publish`: several files that belong together.
- `write_text`: a text file.
"""

import contextlib
import ctypes
import errno
import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from ddsp.file_errors import writing

# Where results go when no directory is named, as in the original.
DEFAULT_DIR = "/tmp/ddsp"

_TEMPORARY = re.compile(r"\.(?P<stem>.*)\.(?P<pid>\d+)-\d+\.tmp(\.[^.]*)?")
# File systems limit the length of a name.
_STEM_LENGTH = 40
_counter = itertools.count()
_in_use: set[str] = set()


def expand_path(file_path: str) -> str:
    """Returns a path in absolute form, with `~` and `$VARIABLES` expanded.

    Args:
      file_path: A local path, or a remote one (`gs://...`), in which only variables are
        expanded.

    Returns:
      The path.

    Example:

    >>> from ddsp import files
    >>> files.expand_path("gs://bucket/run")
    'gs://bucket/run'
    """
    expanded = os.path.expanduser(os.path.expandvars(file_path))
    return expanded if is_remote(expanded) else os.path.abspath(expanded)


def is_remote(path: str) -> bool:
    """Whether TensorFlow reaches `path` through a network file system.

    Args:
      path: Path or URL.

    Example:

    >>> from ddsp import files
    >>> files.is_remote("gs://bucket/run"), files.is_remote("/tmp/run")
    (True, False)
    """
    return "://" in path


def make_directory(path: str) -> None:
    """Creates a directory and its parents where they are missing.

    Args:
      path: The directory.

    Raises:
      OSError: If it cannot be created.

    Example:

    >>> from ddsp import files
    >>> files.make_directory(str(tmp_path / "a" / "b"))
    >>> (tmp_path / "a" / "b").is_dir()
    True
    """
    with writing(path):
        tf.io.gfile.makedirs(path)


def write_text(path: str, text: str) -> None:
    """Writes a text file, whole or not at all.

    Args:
      path: Destination; the directory must exist.
      text: The content.

    Raises:
      OSError: If the file cannot be written. An old file stays as it was.

    Example:

    >>> from ddsp import files
    >>> files.write_text(str(tmp_path / "a.txt"), "hello")
    >>> (tmp_path / "a.txt").read_text()
    'hello'
    """
    with (
        staged(path) as temporary,
        writing(path),
        tf.io.gfile.GFile(temporary, "w") as file,
    ):
        file.write(text)


@contextlib.contextmanager
def staged(path: str) -> Iterator[str]:
    """Stages a file or directory, which moves into place when the block ends.

    Args:
      path: Destination; its directory must exist. An old file is replaced in one step,
        an old directory too where the system can exchange two.

    Yields:
      The path to write to, with the suffix of `path`. It is removed when the block
      raises.

    Raises:
      OSError: If it cannot be moved into place. What was at `path` stays as it was.

    Example:

    >>> from ddsp import files
    >>> with files.staged(str(tmp_path / "a.npy")) as temporary:
    ...     np.save(temporary, np.zeros(3))
    >>> [path.name for path in tmp_path.iterdir()]
    ['a.npy']
    """
    home, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    with _temporary(home, stem, suffix) as temporary:
        yield temporary
        with writing(path):
            move(temporary, path)


@contextlib.contextmanager
def workspace(directory: str, stem: str, *, locked: bool = False) -> Iterator[str]:
    """Creates a hidden directory for files that `publish` moves into place.

    Args:
      directory: Destination of the files, which must exist.
      stem: Names the output among others in the directory.
      locked: Whether the caller holds a lock on the output. All other workspaces of
        `stem` are leftovers then, even on remote paths or by processes that seem alive.

    Yields:
      The path of the hidden directory. It is removed at the end, with what is in it.

    Raises:
      OSError: If it cannot be created.

    Example:

    >>> from ddsp import files
    >>> with files.workspace(str(tmp_path), "set") as folder:
    ...     for name in ("data", "index"):
    ...         files.write_text(f"{folder}/{name}", name)
    ...     files.publish(folder, str(tmp_path), ["data", "index"])
    >>> sorted(path.name for path in tmp_path.iterdir())
    ['data', 'index']
    """
    with _temporary(directory, stem, locked=locked) as folder:
        with writing(os.path.join(directory, stem)):
            tf.io.gfile.makedirs(folder)
        yield folder


def publish(
    folder: str,
    directory: str,
    names: Sequence[str],
    *,
    before: Callable[[], None] = lambda: None,
) -> None:
    """Moves finished files of a workspace into place, one after the other.

    Readers must take the last file, or what `before` writes, as the sign of whether the
    others are complete.

    Args:
      folder: From `workspace`.
      directory: Destination.
      names: Names of the files, in the order in which they move.
      before: Called when all files are on the disk, before the first one moves.

    Example: see `workspace`.
    """
    for name in names:
        sync(os.path.join(folder, name))
    before()
    for name in names:
        source = os.path.join(folder, name)
        tf.io.gfile.rename(source, os.path.join(directory, name), overwrite=True)
    sync(directory)


@contextlib.contextmanager
def _temporary(
    directory: str, stem: str, suffix: str = "", *, locked: bool = False
) -> Iterator[str]:
    """Yields an unused hidden path, and removes what is there at the end."""
    stem = stem[:_STEM_LENGTH]
    discard_temporaries(directory, stem, locked=locked)
    temporary = os.path.join(
        directory, f".{stem}.{os.getpid()}-{next(_counter)}.tmp{suffix}"
    )
    _in_use.add(temporary)
    try:
        yield temporary
    finally:
        _in_use.discard(temporary)
        # An error here must not hide that of the block; the next write removes it.
        with contextlib.suppress(OSError, tf.errors.OpError):
            remove(temporary)


def move(source: str, destination: str) -> None:
    """Moves a finished file or directory into place and synchronizes it with the disk.

    Args:
      source: The file or directory.
      destination: Path on the same file system, which is replaced.

    Example:

    >>> from ddsp import files
    >>> _ = (tmp_path / "a").write_text("hello")
    >>> files.move(str(tmp_path / "a"), str(tmp_path / "b"))
    >>> [path.name for path in tmp_path.iterdir()]
    ['b']
    """
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
    """Exchanges two paths in one step where Linux can; returns whether it did."""
    function = getattr(ctypes.CDLL(None), "renameat2", None)
    if function is None or is_remote(a):
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return function(here, os.fsencode(a), here, os.fsencode(b), exchange) == 0


def remove(path: str) -> None:
    """Removes a file or a directory, if it exists.

    Args:
      path: Path of the file or directory.

    Example:

    >>> from ddsp import files
    >>> files.remove(str(tmp_path / "missing"))
    """
    if tf.io.gfile.isdir(path) and not os.path.islink(path):
        tf.io.gfile.rmtree(path)
    elif tf.io.gfile.exists(path):
        tf.io.gfile.remove(path)


def discard_temporaries(
    directory: str, stem: str | None = None, *, locked: bool = False
) -> None:
    """Removes the temporaries of killed processes.

    Args:
      directory: Directory to search.
      stem: Stem of the output; None for all.
      locked: Whether the caller holds a lock on the output. Otherwise temporaries of
        running processes and on remote paths stay.

    Example:

    >>> from ddsp import files
    >>> (tmp_path / ".a.999999999-0.tmp").touch()
    >>> files.discard_temporaries(str(tmp_path))
    >>> list(tmp_path.iterdir())
    []
    """
    if (is_remote(directory) and not locked) or not tf.io.gfile.isdir(directory or "."):
        return
    for name in tf.io.gfile.listdir(directory or "."):
        # Remote file systems end the names of directories in a slash.
        match = _TEMPORARY.fullmatch(name.rstrip("/"))
        if not match or stem not in (None, match["stem"]):
            continue
        path = os.path.join(directory, match[0])
        if path not in _in_use and (locked or not _is_other_process(int(match["pid"]))):
            with contextlib.suppress(OSError, tf.errors.OpError):
                remove(path)


def _is_other_process(pid: int) -> bool:
    """Whether another process with this number is running."""
    try:
        if pid == os.getpid():
            return False
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def sync(path: str) -> None:
    """Synchronizes a local file or directory with the disk, against a loss of power.

    Args:
      path: Path of the file or directory.

    Example:

    >>> from ddsp import files
    >>> files.sync(str(tmp_path))
    """
    if is_remote(path):
        return
    descriptor = os.open(path or ".", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems cannot synchronize directories.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def check_utf8(path: str) -> None:
    r"""Refuses an output path that TensorFlow's file functions cannot take.

    Args:
      path: The path.

    Raises:
      ValueError: If it is not UTF-8.

    Example:

    >>> from ddsp import files
    >>> files.check_utf8("caf\udce9.wav")
    Traceback (most recent call last):
    ValueError: The output path must be UTF-8, got caf\xe9.wav.
    """
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(
            f"The output path must be UTF-8, got {printable(path)}."
        ) from None


def printable(path: str) -> str:
    r"""Returns a path as one line of text for terminals and files.

    Args:
      path: Path as the operating system returns it. Names may contain line breaks and
        bytes that are not UTF-8.

    Returns:
      The path, with an escape for each character that cannot be printed.

    Example:

    >>> from ddsp import files
    >>> files.printable("caf\udce9.wav")
    'caf\\xe9.wav'
    """
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
