"""Fault injection at the n-th call that changes the file system."""

import builtins
import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

_OS = ("rename", "replace", "remove", "unlink", "mkdir", "rmdir", "link", "symlink")
_OS_MORE = ("fsync", "truncate", "open")
_GFILE = ("rename", "remove", "rmtree", "makedirs", "mkdir", "copy")
STOP = "stop"
ERRORS = ("ENOSPC", "EROFS", "EIO")
_STATUS = 86


class Faults:
    """Counts the calls that change files, and makes one of them fail.

    Attributes:
      calls: Names of the calls so far.
    """

    def __init__(self, folder: Path, call: int | None = None, fault: str = STOP):
        """Initializes the counter.

        Args:
          folder: Only calls for paths in this directory count.
          call: Index of the call that fails, or None.
          fault: `STOP`, which exits the process, or one of `ERRORS`.
        """
        self.calls: list[str] = []
        self._folder, self._call, self._fault = os.fspath(folder), call, fault

    def install(self) -> None:
        """Patches `os`, `open` and `tf.io` of this process permanently."""
        for name in (*_OS, *_OS_MORE):
            self._patch(os, name, f"os.{name}", self._os_error)
        for name in _GFILE:
            self._patch(tf.io.gfile, name, f"gfile.{name}", _tensorflow_error)
        for owner in (builtins, io):
            self._patch(owner, "open", "open", self._os_error)
        self._patch(tf.io, "TFRecordWriter", "TFRecordWriter", _tensorflow_error)
        self._patch(tf.io.gfile, "GFile", "GFile", _tensorflow_error)
        checkpoint = tf.train.Checkpoint
        self._patch(checkpoint, "write", "Checkpoint.write", _tensorflow_error)

    def _patch(self, owner: Any, name: str, label: str, error: Callable) -> None:
        original = getattr(owner, name)

        def patched(*args: Any, **kwargs: Any) -> Any:
            if _changes(label, args, kwargs) and self._concerns(label, args):
                self._count(label, args, error)
            return original(*args, **kwargs)

        setattr(owner, name, patched)

    def _concerns(self, label: str, args: Any) -> bool:
        """Returns whether a call is for the directory; descriptors always count."""
        return label == "os.fsync" or any(
            os.fspath(x).startswith(self._folder)
            for x in args
            if isinstance(x, str | os.PathLike)
        )

    def _count(self, label: str, args: Any, error: Callable) -> None:
        self.calls.append(label)
        if len(self.calls) - 1 != self._call:
            return
        if self._fault == STOP:
            os._exit(_STATUS)
        path = next((str(x) for x in args if isinstance(x, str | os.PathLike)), "")
        raise error(self._fault, path)

    def _os_error(self, name: str, path: str) -> OSError:
        number = getattr(errno, name)
        return OSError(number, os.strerror(number), path)


def _changes(label: str, args: Any, kwargs: Any) -> bool:
    """Returns whether a call changes the file system."""
    if label in ("open", "GFile"):
        mode = kwargs.get("mode", args[1] if len(args) > 1 else "r")
        # Only paths: descriptors may be devices or pipes.
        named = bool(args) and isinstance(args[0], str | os.PathLike)
        return named and any(letter in mode for letter in "wax+")
    if label == "os.open":
        flags = kwargs.get("flags", args[1] if len(args) > 1 else 0)
        return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    return True


def _tensorflow_error(name: str, path: str) -> tf.errors.OpError:
    kind = {
        "ENOSPC": tf.errors.ResourceExhaustedError,
        "EROFS": tf.errors.FailedPreconditionError,
        "EIO": tf.errors.UnknownError,
    }[name]
    text = os.strerror(getattr(errno, name))
    return kind(None, None, f"{path}; {text}")


def stopped(code: int | None) -> bool:
    """Returns whether an exit status is that of `STOP`."""
    return code == _STATUS
