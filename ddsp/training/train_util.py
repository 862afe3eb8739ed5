"""Names of the original module: the training loop, its devices and its files.

They are defined in `ddsp.training.loop`, `ddsp.training.devices`,
`ddsp.training.run_directory` and `ddsp.training.checkpoints`.
"""

import os
import re

import tensorflow as tf

from ddsp.files import expand_path
from ddsp.training import checkpoints
from ddsp.training.devices import get_strategy, set_precision
from ddsp.training.loop import train
from ddsp.training.run_directory import write_gin_config, write_statistics

__all__ = [
    "expand_path",
    "get_latest_checkpoint",
    "get_latest_file",
    "get_latest_operative_config",
    "get_strategy",
    "set_precision",
    "train",
    "write_gin_config",
    "write_statistics",
]


def get_latest_file(
    dir_path: str, prefix: str = "operative_config-", suffix: str = ".gin"
) -> str:
    """Returns the file with the highest number in its name.

    Args:
      dir_path: Directory.
      prefix: Part of the name before the number.
      suffix: Part of the name after the number.

    Returns:
      Path of the file.

    Raises:
      FileNotFoundError: If there is none.

    Example:

    >>> from ddsp.training import train_util
    >>> for step in (9, 10):
    ...     (tmp_path / f"operative_config-{step}.gin").touch()
    >>> train_util.get_latest_file(str(tmp_path))
    '...operative_config-10.gin'
    """
    dir_path = expand_path(dir_path)
    pattern = re.compile(re.escape(prefix) + r"(\d+)" + re.escape(suffix))
    names = tf.io.gfile.listdir(dir_path) if tf.io.gfile.isdir(dir_path) else []
    numbers = {int(m[1]): name for name in names if (m := pattern.fullmatch(name))}
    if not numbers:
        raise FileNotFoundError(
            f"The directory has no file '{prefix}<number>{suffix}', got {dir_path}."
        )
    return os.path.join(dir_path, numbers[max(numbers)])


def get_latest_checkpoint(checkpoint_path: str) -> str:
    """Returns the path of a checkpoint; see `checkpoints.find_latest`.

    Args:
      checkpoint_path: Directory of checkpoints, whose latest one is taken, or one
        checkpoint (`dir/ckpt-300`).

    Returns:
      Path of the checkpoint without suffix.

    Raises:
      FileNotFoundError: If there is no checkpoint.

    Example:

    >>> from ddsp.training import train_util
    >>> _ = tf.train.Checkpoint(x=tf.Variable(1.0)).write(str(tmp_path / "ckpt-3"))
    >>> train_util.get_latest_checkpoint(str(tmp_path))
    '...ckpt-3'
    """
    return checkpoints.find_latest(checkpoint_path)


def get_latest_operative_config(restore_dir: str) -> str:
    """Returns the gin config that a model was trained with.

    Args:
      restore_dir: Model directory, its folder `best`, or a checkpoint in either.

    Returns:
      Path of the newest `operative_config-N.gin`.

    Raises:
      FileNotFoundError: If there is none.

    Example:

    >>> from ddsp.training import train_util
    >>> train_util.write_gin_config(None, str(tmp_path), step=7)
    >>> train_util.get_latest_operative_config(str(tmp_path))
    '...operative_config-7.gin'
    """
    return checkpoints.find_config(restore_dir)
