"""Checkpoints that are whole or absent.

A checkpoint `ckpt-N` is a `ckpt-N.data-*` file and a `ckpt-N.index` file; readers
take it to exist once the index does. Both are written in a hidden directory beside
their destination and renamed into place, the index last, so a process killed at any
moment leaves the earlier checkpoints and at worst some files that nobody reads.
"""

import os
import re

import tensorflow as tf

from ddsp.training import files

_INDEX = re.compile(r"(?P<prefix>.+-(?P<step>\d+))\.index")
_DATA = re.compile(r"(?P<prefix>ckpt-\d+)\.data-\d+-of-\d+")
_TEMPORARY = re.compile(r"\.ckpt-\d+\.tmp/?")


def find_latest(path: str) -> str:
    """Path of a checkpoint, without the `.index` suffix.

    Args:
      path: A directory of checkpoints, of which the one with the highest step is
        taken, or one checkpoint (`dir/ckpt-300`, with or without `.index`).

    Returns:
      The checkpoint's path, such as `dir/ckpt-300`.

    Raises:
      FileNotFoundError: There is no such checkpoint.
    """
    path = files.expand_path(path)
    if tf.io.gfile.isdir(path):
        saved = list_checkpoints(path)
        if saved:
            return saved[max(saved)]
        latest = tf.train.latest_checkpoint(path)
        if latest is not None:
            return latest
        raise FileNotFoundError(
            "No checkpoint in the directory: train a model into it or name another "
            f"one. Received: {path}"
        )
    prefix = path.removesuffix(".index")
    if tf.io.gfile.exists(f"{prefix}.index"):
        return prefix
    raise FileNotFoundError(
        "No such checkpoint: expected a directory of checkpoints, or one checkpoint "
        f"without its suffix such as 'model/ckpt-300'. Received: {path}"
    )


def list_checkpoints(directory: str) -> dict[int, str]:
    """The checkpoints in a directory.

    Args:
      directory: A directory, which need not exist.

    Returns:
      Path of each checkpoint by its step, in ascending order.
    """
    if not tf.io.gfile.isdir(directory):
        return {}
    found = {}
    for name in tf.io.gfile.listdir(directory):
        match = _INDEX.fullmatch(name)
        if match:
            found[int(match["step"])] = os.path.join(directory, match["prefix"])
    return dict(sorted(found.items()))


def check_directory(directory: str) -> None:
    """Refuses a directory whose checkpoints could be written but not read.

    Args:
      directory: Where checkpoints are to stand.

    Raises:
      ValueError: TensorFlow would take a character of its path for a wildcard.
    """
    if re.search(r"[*?\[\]\\]", directory):
        raise ValueError(
            "TensorFlow reads no checkpoint below a path with any of * ? [ ] or a "
            f"backslash: choose another directory. Received: {directory}"
        )


def write(checkpoint: tf.train.Checkpoint, directory: str, step: int, keep: int) -> str:
    """Writes `directory/ckpt-{step}` and removes the oldest checkpoints.

    Args:
      checkpoint: What to save.
      directory: Destination; made when missing.
      step: Number of the checkpoint.
      keep: How many checkpoints stay in the directory, >= 1.

    Returns:
      The path of the checkpoint.

    Raises:
      OSError: It cannot be written, for instance because the disk is full. The
        earlier checkpoints are untouched.
    """
    path = os.path.join(directory, f"ckpt-{step}")
    temporary = os.path.join(directory, f".ckpt-{step}.tmp")
    try:
        tf.io.gfile.makedirs(directory)
        _remove_directory(temporary)
        tf.io.gfile.makedirs(temporary)
        checkpoint.write(os.path.join(temporary, f"ckpt-{step}"))
        _move_into_place(temporary, directory, path)
        _prune(directory, step, keep)
    except (OSError, tf.errors.OpError) as error:
        _remove_directory(temporary)
        saved = list_checkpoints(directory)
        latest = saved[max(saved)] if saved else "none"
        raise OSError(
            f"Cannot save checkpoint {path}: {files.reason(error)}. Free space on the "
            f"disk or choose another directory. The latest whole checkpoint: {latest}"
        ) from error
    return path


def discard_incomplete(directory: str) -> None:
    """Removes what an interrupted `write` left in a directory."""
    if not tf.io.gfile.isdir(directory):
        return
    names = tf.io.gfile.listdir(directory)
    for name in names:
        data = _DATA.fullmatch(name)
        if _TEMPORARY.fullmatch(name):
            _remove_directory(os.path.join(directory, name))
        elif data and f"{data['prefix']}.index" not in names:
            tf.io.gfile.remove(os.path.join(directory, name))


def _move_into_place(temporary: str, directory: str, path: str) -> None:
    # An index must never stand beside the data of another write.
    if tf.io.gfile.exists(f"{path}.index"):
        tf.io.gfile.remove(f"{path}.index")
    names = tf.io.gfile.listdir(temporary)
    for name in sorted(names, key=lambda name: name.endswith(".index")):
        source = os.path.join(temporary, name)
        files.sync(source)
        tf.io.gfile.rename(source, os.path.join(directory, name), overwrite=True)
    files.sync(directory)
    _remove_directory(temporary)


def _prune(directory: str, step: int, keep: int) -> None:
    """Keeps `step` and the newest of the others; lists them in `checkpoint`."""
    saved = list_checkpoints(directory)
    others = [other for other in saved if other != step]
    removed = others[: len(others) - (keep - 1)] if len(others) >= keep else []
    names = {other: os.path.basename(saved[other]) for other in saved}
    lines = [f'model_checkpoint_path: "{names[step]}"']
    lines += [
        f'all_model_checkpoint_paths: "{names[other]}"'
        for other in saved
        if other not in removed
    ]
    files.write_text(os.path.join(directory, "checkpoint"), "\n".join(lines) + "\n")
    for other in removed:
        tf.io.gfile.remove(f"{saved[other]}.index")
        for name in tf.io.gfile.listdir(directory):
            if name.startswith(f"{names[other]}.data-"):
                tf.io.gfile.remove(os.path.join(directory, name))


def _remove_directory(path: str) -> None:
    if tf.io.gfile.isdir(path):
        tf.io.gfile.rmtree(path)
