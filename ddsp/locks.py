"""One writer at a time: locks on directories and outputs."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator

from absl import logging

from ddsp import files

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


@contextlib.contextmanager
def exclusive(path: str, purpose: str) -> Iterator[None]:
    """Holds a lock file while the block runs.

    The operating system frees the lock when the process ends, however it ends. On
    remote paths, and where the file system has no locks, there is none.

    Args:
      path: Of the lock file, which is removed at the end. Its directory must exist.
      purpose: What the lock is for, such as "preparing data/violin".

    Raises:
      FileExistsError: If another process, which is named, holds it.
      OSError: If the file cannot be made.
    """
    if fcntl is None or files.is_remote(path):
        yield
        return
    with files.writing(os.path.dirname(path)):
        descriptor = _acquire(path, purpose)
    try:
        yield
    finally:
        # Before it is free: who takes it next must not find its file removed.
        try:
            with contextlib.suppress(OSError):
                os.remove(path)
        finally:
            os.close(descriptor)


def _acquire(path: str, purpose: str) -> int:
    """Descriptor of the file at `path`, locked."""
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
        # Its last holder removed it meanwhile.
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
