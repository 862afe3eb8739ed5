"""Checkpoints that are whole or absent.

A checkpoint `ckpt-N` is its `ckpt-N.data-*` files and a `ckpt-N.index` file; it exists
where all of them do. They are written in a hidden directory beside their destination
and renamed into place, the index last, so a process killed at any moment leaves the
earlier checkpoints and at worst some files that nobody reads. Where step N is written
again, the hidden directory counts as the checkpoint until its files are in place.
"""

import contextlib
import os
import re
import time
from collections.abc import Iterator

import tensorflow as tf

from ddsp import files

_INDEX = re.compile(r"(?P<prefix>.+-(?P<step>\d+))\.index")
_DATA = re.compile(r"(?P<prefix>.+)\.data-\d{5}-of-(?P<total>\d{5})")
# Being written; and whole, on its way into place.
_TEMPORARY = re.compile(r"\.ckpt-\d+\.(tmp|whole)")
_CONFIG = re.compile(r"operative_config-(\d+)\.gin")
_POLL_SECS = 1.0


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
    prefix = path.removesuffix(".index")
    # First of all: some remote file systems take any prefix for a directory.
    if tf.io.gfile.exists(f"{prefix}.index"):
        return prefix
    if tf.io.gfile.isdir(path):
        saved = list_checkpoints(path)
        if saved:
            return saved[max(saved)]
        named = _named_without_step(path)
        if named is not None:
            return named
        raise FileNotFoundError(
            "No checkpoint in the directory: train a model into it or name another "
            f"one. Received: {path}"
        )
    raise FileNotFoundError(
        "No such checkpoint: expected a directory of checkpoints, or one checkpoint "
        f"without its suffix such as 'model/ckpt-300'. Received: {path}"
    )


def list_checkpoints(directory: str) -> dict[int, str]:
    """The checkpoints in a directory of which all files are there.

    Args:
      directory: A directory, which need not exist.

    Returns:
      Path of each checkpoint by its step, in ascending order.
    """
    names = _list(directory)
    found = {}
    for name in names:
        if name.endswith(".whole") and _TEMPORARY.fullmatch(name):
            found.update(list_checkpoints(os.path.join(directory, name)))
    for prefix in _whole(names):
        match = _INDEX.fullmatch(f"{prefix}.index")
        if match:
            found[int(match["step"])] = os.path.join(directory, prefix)
    return dict(sorted(found.items()))


def _list(directory: str) -> list[str]:
    """Names in a directory, which need not exist."""
    if not tf.io.gfile.isdir(directory):
        return []
    # Remote file systems end the names of directories in a slash.
    return [name.rstrip("/") for name in tf.io.gfile.listdir(directory)]


def _whole(names: list[str]) -> list[str]:
    """Prefixes of the checkpoints of which all files are among the names."""
    present = set(names)
    n_data: dict[tuple[str, int], int] = {}
    for name in names:
        if match := _DATA.fullmatch(name):
            key = match["prefix"], int(match["total"])
            n_data[key] = n_data.get(key, 0) + 1
    return [
        prefix
        for (prefix, total), n in n_data.items()
        if n == total and f"{prefix}.index" in present
    ]


def _named_without_step(directory: str) -> str | None:
    """The whole checkpoint that the file `checkpoint` names, or the only one.

    The file may have come from elsewhere: what it names in other directories is not
    looked at.
    """
    whole = _whole(_list(directory))
    state = None
    with contextlib.suppress(tf.errors.OpError, ValueError):
        state = tf.train.get_checkpoint_state(directory)
    name = os.path.basename(state.model_checkpoint_path) if state else ""
    if name not in whole:
        name = whole[0] if len(whole) == 1 else ""
    return os.path.join(directory, name) if name else None


def watch(directory: str, min_interval_secs: float = 0) -> Iterator[str]:
    """Paths of the latest checkpoints of a training, as they appear; never ends.

    Args:
      directory: Of the training; it need not exist yet.
      min_interval_secs: Least time between two checkpoints, seconds.

    Yields:
      The path of a checkpoint.
    """
    last = None
    while True:
        saved = list_checkpoints(directory)
        latest = saved[max(saved)] if saved else None
        if latest not in (None, last):
            start = time.monotonic()
            yield latest
            last = latest
            time.sleep(max(0.0, min_interval_secs - (time.monotonic() - start)))
        else:
            time.sleep(_POLL_SECS)


def folders_of(path: str) -> list[str]:
    """Where the files of a checkpoint's run may stand, the nearest first.

    The best checkpoint stands in a directory of its own, below the run's.

    Args:
      path: Of a checkpoint, or a directory of checkpoints.

    Returns:
      Directories; the second of them, which is one above, only for a checkpoint or a
      directory that holds one.
    """
    directory = files.expand_path(path)
    is_one = tf.io.gfile.exists(f"{directory}.index")
    if is_one or not tf.io.gfile.isdir(directory):
        directory = os.path.dirname(directory)
        holds_one = True
    else:
        holds_one = bool(list_checkpoints(directory) or _named_without_step(directory))
    if _TEMPORARY.fullmatch(os.path.basename(directory)):
        directory = os.path.dirname(directory)
    return [directory, os.path.dirname(directory)] if holds_one else [directory]


def find_config(path: str) -> str:
    """The newest operative gin config of the run that a checkpoint is of.

    Args:
      path: A checkpoint, a directory of checkpoints such as that of a training run, or
        its folder `best`.

    Returns:
      Path of an `operative_config-N.gin`.

    Raises:
      FileNotFoundError: If there is none.
    """
    for directory in folders_of(path):
        configs = {
            int(match[1]): name
            for name in _list(directory)
            if (match := _CONFIG.fullmatch(name))
        }
        if configs:
            return os.path.join(directory, configs[max(configs)])
    raise FileNotFoundError(
        "A trained model has its gin config, operative_config-N.gin, beside its "
        f"checkpoints. Received: {path}"
    )


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


def write(
    checkpoint: tf.train.Checkpoint, directory: str, step: int, keep: int | None
) -> str:
    """Writes `directory/ckpt-{step}` and removes the oldest checkpoints.

    Args:
      checkpoint: What to save.
      directory: Destination; made when missing.
      step: Number of the checkpoint.
      keep: How many checkpoints stay in the directory, >= 1; None for all.

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
        files.remove(temporary)
        tf.io.gfile.makedirs(temporary)
        checkpoint.write(os.path.join(temporary, f"ckpt-{step}"))
        _move_into_place(temporary, directory, step)
        if keep is not None:
            prune(directory, step, keep)
    except (OSError, tf.errors.OpError) as error:
        with contextlib.suppress(OSError, tf.errors.OpError):
            files.remove(temporary)
        saved = list_checkpoints(directory)
        latest = saved[max(saved)] if saved else "none"
        raise OSError(
            f"Cannot save checkpoint {path}: {files.cause(error)} The latest whole "
            f"checkpoint: {latest}"
        ) from error
    return path


def discard_incomplete(directory: str) -> None:
    """Removes what an interrupted `write` left in a directory.

    No other process may be writing checkpoints there.
    """
    names = _list(directory)
    for name in names:
        if name.endswith(".whole") and _TEMPORARY.fullmatch(name):
            _unpack(os.path.join(directory, name), directory)
    names = _list(directory)
    for name in names:
        data = _DATA.fullmatch(name)
        orphan = data and f"{data['prefix']}.index" not in names
        if _TEMPORARY.fullmatch(name) or orphan:
            files.remove(os.path.join(directory, name))
    files.discard_temporaries(directory)


def _move_into_place(temporary: str, directory: str, step: int) -> None:
    for name in tf.io.gfile.listdir(temporary):
        files.sync(os.path.join(temporary, name))
    if not tf.io.gfile.exists(os.path.join(directory, f"ckpt-{step}.index")):
        # An index must never stand beside the data of another write.
        for name in sorted(tf.io.gfile.listdir(temporary), key=_index_last):
            source = os.path.join(temporary, name)
            tf.io.gfile.rename(source, os.path.join(directory, name), overwrite=True)
        files.remove(temporary)
    else:
        whole = os.path.join(directory, f".ckpt-{step}.whole")
        files.remove(whole)
        tf.io.gfile.rename(temporary, whole)
        _unpack(whole, directory)
    files.sync(directory)


def _unpack(whole: str, directory: str) -> None:
    """Copies a whole checkpoint out of its directory, over one of the same step."""
    names = tf.io.gfile.listdir(whole)
    if _whole(names):
        for name in names:
            if name.endswith(".index"):
                files.remove(os.path.join(directory, name))
        for name in sorted(names, key=_index_last):
            with files.staged(os.path.join(directory, name)) as copy:
                tf.io.gfile.copy(os.path.join(whole, name), copy)
    files.remove(whole)


def _index_last(name: str) -> bool:
    return name.endswith(".index")


def prune(directory: str, step: int, keep: int) -> None:
    """Removes the oldest checkpoints; lists the others in the file `checkpoint`.

    Args:
      directory: Of the checkpoints.
      step: The checkpoint that was written last, which stays.
      keep: How many stay, >= 1: `step` and the newest of the others.
    """
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
