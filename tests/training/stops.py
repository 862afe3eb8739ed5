"""Simulation of processes that die at a given file-system call."""

import contextlib
import os

import pytest
import tensorflow as tf

_CALLS = {
    tf.io.gfile: [
        *("GFile", "copy", "exists", "glob", "isdir", "listdir", "makedirs"),
        *("remove", "rename", "rmtree", "stat"),
    ],
    tf.io: ["TFRecordWriter"],
    os: ["fsync", "link", "makedirs", "open", "remove", "rename", "replace", "rmdir"],
}


class Killed(BaseException):
    """The process is dead: this and every later file-system call fails."""


@contextlib.contextmanager
def killed_after(n_calls: int):
    """Makes the file-system calls of the block fail after a given number.

    Yields:
      A list that grows by the name of each call that was made.
    """
    made: list[str] = []

    def counted(name, original):
        def call(*args, **kwargs):
            if len(made) >= n_calls:
                raise Killed
            made.append(name)
            return original(*args, **kwargs)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for module, names in _CALLS.items():
            for name in names:
                patch.setattr(module, name, counted(name, getattr(module, name)))
        with contextlib.suppress(Killed):
            yield made
