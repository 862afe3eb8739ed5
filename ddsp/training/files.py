"""Paths, and text files that are there whole or not at all."""

import os
import re

import tensorflow as tf

# Where results go when no directory is named, as in the original.
DEFAULT_DIR = "/tmp/ddsp"


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
    """Writes a text file under a temporary name and renames it into place.

    Args:
      path: Destination; the directory must exist.
      text: The content.

    Raises:
      OSError: The file cannot be written. What stood at `path` is untouched.
    """
    temporary = os.path.join(
        os.path.dirname(path), f".{os.path.basename(path)}.{os.getpid()}.tmp"
    )
    try:
        with tf.io.gfile.GFile(temporary, "w") as file:
            file.write(text)
        sync(temporary)
        tf.io.gfile.rename(temporary, path, overwrite=True)
    except (OSError, tf.errors.OpError) as error:
        if tf.io.gfile.exists(temporary):
            tf.io.gfile.remove(temporary)
        raise OSError(
            f"Cannot write {path}: {reason(error)}. Is the disk full or read-only?"
        ) from error


def sync(path: str) -> None:
    """Forces a local file or directory to the disk, against a loss of power."""
    if is_remote(path):
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def reason(error: Exception) -> str:
    """The one line of an operating-system or TensorFlow error that says why."""
    message = str(getattr(error, "message", None) or error).strip() or repr(error)
    # TensorFlow puts the name of the operation before and after.
    return re.sub(r"\{\{.*?\}\}\s*|\s*\[Op:.*?\]", "", message.splitlines()[0])
