"""Small and read-only file systems in a private mount namespace.

They require permission to mount, or user namespaces, and vanish with the process.
"""

import ctypes
import os
from pathlib import Path

_NEW_NAMESPACE, _NEW_USER = 0x00020000, 0x10000000
_READ_ONLY, _REMOUNT, _RECURSIVE, _PRIVATE = 1, 32, 16384, 1 << 18


def enter() -> None:
    """Moves this process to a private mount namespace.

    Raises:
      OSError: If the system does not permit it.
    """
    user, group = os.getuid(), os.getgid()
    if user == 0:
        _call("unshare", _NEW_NAMESPACE)
    else:
        _call("unshare", _NEW_NAMESPACE | _NEW_USER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _mount(None, "/", None, _RECURSIVE | _PRIVATE, None)


def small(folder: Path, n_bytes: int, n_files: int = 1000) -> None:
    """Mounts an in-memory file system of limited size at a directory.

    Raises:
      OSError: If it cannot be mounted.
    """
    options = f"size={max(n_bytes, 4096)},nr_inodes={n_files}"
    _mount("tmpfs", str(folder), "tmpfs", 0, options)


def make_read_only(folder: Path) -> None:
    """Remounts the file system at a directory read-only.

    Raises:
      OSError: If it cannot be remounted.
    """
    _mount("tmpfs", str(folder), "tmpfs", _REMOUNT | _READ_ONLY, None)


def available() -> bool:
    """Returns whether a child of this process can mount, by trying."""
    pid = os.fork()
    if pid == 0:
        try:
            enter()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def _mount(
    source: str | None, target: str, kind: str | None, flags: int, options: str | None
) -> None:
    texts = [None if x is None else x.encode() for x in (source, target, kind)]
    data = None if options is None else options.encode()
    _call("mount", *texts, ctypes.c_ulong(flags), data)


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
