"""Locks on directories and outputs: one writer at a time."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator

from absl import logging

from ddsp import file_errors, files

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


@contextlib.contextmanager
def exclusive(path: str, purpose: str) -> Iterator[None]:
    """Holds a lock while the block runs.

    The operating system releases the lock when the process ends, even if it is killed.
    Remote paths and file systems without locks are not locked.

    Args:
      path: Lock file, removed at the end. Its directory must exist.
      purpose: Purpose of the lock for messages, such as "preparing data/violin".

    Raises:
      FileExistsError: If another process holds the lock. The message names it.
      OSError: If the file cannot be created.

    Example:

    >>> from ddsp import locks
    >>> with locks.exclusive(str(tmp_path / ".lock"), "training"):
    ...     with locks.exclusive(str(tmp_path / ".lock"), "training"):
    ...         pass
    Traceback (most recent call last):
    FileExistsError: Another process is training: wait for it, stop it or choose ...
    """
    if fcntl is None or files.is_remote(path):
        yield
        return
    with file_errors.writing(os.path.dirname(path)):
        descriptor = _acquire(path, purpose)
    try:
        yield
    finally:
        # Removed before the release, so that the next holder does not lose its file.
        try:
            with contextlib.suppress(OSError):
                os.remove(path)
        finally:
            os.close(descriptor)


def _acquire(path: str, purpose: str) -> int:
    """Opens and locks a file; returns its descriptor."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace")
            os.close(descriptor)
            raise FileExistsError(
                f"Another process is {purpose}: wait for it, stop it or choose "
                f"another place, got {holder or 'a process that just started'}."
            ) from None
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                os.close(descriptor)
                raise
            logging.warning("No lock on this file system: %s", path)
        if _is_at(descriptor, path):
            break
        # The last holder has removed the file since it was opened.
        os.close(descriptor)
    holder = f"process {os.getpid()} on {socket.gethostname()}"
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode(), 0)
    except OSError:
        os.remove(path)
        os.close(descriptor)
        raise
    return descriptor


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
