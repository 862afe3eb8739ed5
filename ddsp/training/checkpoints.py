"""Checkpoints, published whole or not at all.

A checkpoint `ckpt-N` consists of `ckpt-N.data-*` files and a `ckpt-N.index` file, and
exists only if all of them do. They are published with the index last, so a process
killed at any moment leaves the earlier checkpoints and at worst some files that are not
read. If step N is written again, a hidden directory `.ckpt-N.whole` counts as the
checkpoint until its files are in place.
"""

import contextlib
import os
import re
import time
from collections.abc import Iterator

import tensorflow as tf

from ddsp import file_errors, files

_INDEX = re.compile(r"(?P<prefix>.+-(?P<step>\d+))\.index")
_DATA = re.compile(r"(?P<prefix>.+)\.data-\d{5}-of-(?P<total>\d{5})")
# Being written (by earlier releases without a process number), or being moved.
_TEMPORARY = re.compile(r"\.ckpt-\d+\.((\d+-\d+\.)?tmp|whole)")
_CONFIG = re.compile(r"operative_config-(\d+)\.gin")
_POLL_SECS = 1.0


def find_latest(path: str) -> str:
    """Finds the checkpoint with the highest step.

    Args:
      path: A directory of checkpoints, or one checkpoint (`dir/ckpt-300`, with or
        without `.index`).

    Returns:
      The checkpoint's path without the `.index` suffix, such as `dir/ckpt-300`.

    Raises:
      FileNotFoundError: If there is no checkpoint.

    Example:

    >>> from ddsp.training import checkpoints
    >>> for name in ("ckpt-9", "ckpt-10"):
    ...     _ = tf.train.Checkpoint(x=tf.Variable(0.0)).write(str(tmp_path / name))
    >>> checkpoints.find_latest(str(tmp_path)).rpartition("/")[2]
    'ckpt-10'
    """
    path = files.expand_path(path)
    prefix = path.removesuffix(".index")
    # Checked first, since some remote file systems take any prefix for a directory.
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
            f"one, got {path!r}."
        )
    raise FileNotFoundError(
        "No such checkpoint: expected a directory of checkpoints, or one checkpoint "
        f"without its suffix such as 'model/ckpt-300', got {path!r}."
    )


def list_checkpoints(directory: str) -> dict[int, str]:
    """Lists the complete checkpoints in a directory.

    Args:
      directory: A directory, which need not exist.

    Returns:
      {step: path}, in ascending order.

    Example:

    >>> from ddsp.training import checkpoints
    >>> checkpoints.list_checkpoints(str(tmp_path / "missing"))
    {}
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
    """Lists the names in a directory, which need not exist."""
    if not tf.io.gfile.isdir(directory):
        return []
    # Remote file systems end the names of directories in a slash.
    return [name.rstrip("/") for name in tf.io.gfile.listdir(directory)]


def _whole(names: list[str]) -> list[str]:
    """Returns the prefixes of the checkpoints whose files are all among the names."""
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
    """Finds the checkpoint that the file `checkpoint` names, or the only one.

    The file may come from another machine: paths in other directories are ignored.
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
    """Waits for new checkpoints of a training, without end.

    Args:
      directory: Directory of the run, which need not exist yet.
      min_interval_secs: Minimum time between two checkpoints, in seconds.

    Yields:
      The path of the latest checkpoint, whenever there is a new one.

    Example:

    >>> from ddsp.training import checkpoints
    >>> path = tf.train.Checkpoint(x=tf.Variable(0.0)).write(str(tmp_path / "ckpt-1"))
    >>> next(checkpoints.watch(str(tmp_path))) == path
    True
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
    """Lists the directories that may hold the other files of a checkpoint's run.

    The best checkpoint is in a directory of its own, below that of the run.

    Args:
      path: A checkpoint, or a directory of checkpoints.

    Returns:
      The nearest directory; and its parent, if there is a checkpoint.

    Example:

    >>> from ddsp.training import checkpoints
    >>> checkpoints.folders_of("/runs/violin/best/ckpt-300")
    ['/runs/violin/best', '/runs/violin']
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
    """Finds the newest operative gin config of a run.

    Args:
      path: Directory of the run, its folder `best`, or a checkpoint in either.

    Returns:
      Path of an `operative_config-N.gin`.

    Raises:
      FileNotFoundError: If there is no config.

    Example:

    >>> from ddsp.training import checkpoints
    >>> for step in (9, 10):
    ...     (tmp_path / f"operative_config-{step}.gin").touch()
    >>> checkpoints.find_config(str(tmp_path)).rpartition("/")[2]
    'operative_config-10.gin'
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
        "The directory of a trained model must hold its gin config, "
        f"operative_config-N.gin, got none for {path!r}."
    )


def check_directory(directory: str) -> None:
    """Refuses a directory whose checkpoints could be written but not read.

    Args:
      directory: Destination of checkpoints.

    Raises:
      ValueError: If its path has a character that TensorFlow takes for a wildcard.

    Example:

    >>> from ddsp.training import checkpoints
    >>> checkpoints.check_directory("run[1]")
    Traceback (most recent call last):
    ValueError: TensorFlow reads no checkpoint ... directory, got 'run[1]'.
    """
    if re.search(r"[*?\[\]\\]", directory):
        raise ValueError(
            "TensorFlow reads no checkpoint below a path with any of * ? [ ] or a "
            f"backslash: choose another directory, got {directory!r}."
        )


def write(
    checkpoint: tf.train.Checkpoint, directory: str, step: int, keep: int | None
) -> str:
    """Writes `directory/ckpt-{step}` and removes the oldest checkpoints.

    Args:
      checkpoint: The objects to save.
      directory: Destination, created if missing.
      step: Number of the checkpoint.
      keep: Number of checkpoints to keep in the directory, ≥ 1; None for all.

    Returns:
      The path of the checkpoint.

    Raises:
      OSError: If it cannot be written, for example because the disk is full. The
        earlier checkpoints stay as they were.

    Example:

    >>> from ddsp.training import checkpoints
    >>> state = tf.train.Checkpoint(x=tf.Variable(0.0))
    >>> for step in (1, 2):
    ...     path = checkpoints.write(state, str(tmp_path), step, keep=1)
    >>> list(checkpoints.list_checkpoints(str(tmp_path)))
    [2]
    """
    name = f"ckpt-{step}"
    path = os.path.join(directory, name)
    try:
        tf.io.gfile.makedirs(directory)
        with files.workspace(directory, name) as folder:
            checkpoint.write(os.path.join(folder, name))
            _publish(folder, directory, name)
        if keep is not None:
            prune(directory, step, keep)
    except (OSError, tf.errors.OpError) as error:
        saved = list_checkpoints(directory)
        latest = saved[max(saved)] if saved else "none"
        raise OSError(
            f"Cannot save checkpoint {path}: {file_errors.cause(error)} The latest "
            f"complete checkpoint is {latest}."
        ) from error
    return path


def discard_incomplete(directory: str) -> None:
    """Completes or removes what an interrupted `write` left in a directory.

    Args:
      directory: Directory of checkpoints. No other process may be writing to it.

    Example:

    >>> from ddsp.training import checkpoints
    >>> (tmp_path / ".ckpt-4.17-0.tmp").mkdir()
    >>> checkpoints.discard_incomplete(str(tmp_path))
    >>> list(tmp_path.iterdir())
    []
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


def _publish(folder: str, directory: str, name: str) -> None:
    """Moves a checkpoint from a workspace into place."""
    if not tf.io.gfile.exists(os.path.join(directory, f"{name}.index")):
        names = sorted(tf.io.gfile.listdir(folder), key=_is_index)
        files.publish(folder, directory, names)
    else:
        # An index must never be beside the data of another write.
        whole = os.path.join(directory, f".{name}.whole")
        files.move(folder, whole)
        _unpack(whole, directory)
        files.sync(directory)


def _unpack(whole: str, directory: str) -> None:
    """Moves a complete checkpoint into place, over one of the same step."""
    names = tf.io.gfile.listdir(whole)
    if _whole(names):
        for name in names:
            if name.endswith(".index"):
                files.remove(os.path.join(directory, name))
        for name in sorted(names, key=_is_index):
            with files.staged(os.path.join(directory, name)) as copy:
                tf.io.gfile.copy(os.path.join(whole, name), copy)
    files.remove(whole)


def _is_index(name: str) -> bool:
    return name.endswith(".index")


def prune(directory: str, step: int, keep: int) -> None:
    """Removes the oldest checkpoints and lists the others in the file `checkpoint`.

    Args:
      directory: Directory of the checkpoints.
      step: Step of the last checkpoint written, which is kept.
      keep: Number of checkpoints to keep, ≥ 1: `step` and the newest of the others.

    Example:

    >>> from ddsp.training import checkpoints
    >>> state = tf.train.Checkpoint(x=tf.Variable(0.0))
    >>> for step in (1, 2, 3):
    ...     path = checkpoints.write(state, str(tmp_path), step, keep=None)
    >>> checkpoints.prune(str(tmp_path), step=1, keep=2)
    >>> list(checkpoints.list_checkpoints(str(tmp_path)))
    [1, 3]
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
