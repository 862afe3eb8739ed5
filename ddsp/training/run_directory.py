"""The directory of a training run: its lock, summaries, gin config and statistics.

The checkpoints in it are described in `ddsp.training.checkpoints`.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import gin
import tensorflow as tf

from ddsp import file_errors, files, locks
from ddsp.training import checkpoints, postprocessing
from ddsp.training.data.provider import DamagedDataError, naming_damage
from ddsp.types import Provider

# Folder of the checkpoint with the lowest validation loss.
BEST_DIR = "best"
# Enough for the statistics of a data set without a manifest.
_MAX_STATISTICS_EXAMPLES = 1000


@contextlib.contextmanager
def opened(save_dir: str) -> Iterator[None]:
    """Creates and locks the directory for the duration of the block.

    Files that an interrupted run left incomplete are removed.

    Args:
      save_dir: Model directory.

    Raises:
      FileExistsError: If another training writes to it.
      OSError: If it cannot be created or written.

    Example:

    >>> from ddsp.training import run_directory
    >>> with run_directory.opened(str(tmp_path / "model")):
    ...     (tmp_path / "model" / ".training.lock").exists()
    True
    """
    files.make_directory(save_dir)
    lock = os.path.join(save_dir, ".training.lock")
    with locks.exclusive(lock, f"training in {save_dir}"):
        for directory in (save_dir, os.path.join(save_dir, BEST_DIR)):
            checkpoints.discard_incomplete(directory)
        yield


def make_writer(save_dir: str, name: str) -> tf.summary.SummaryWriter:
    """Returns a writer of TensorBoard summaries.

    Args:
      save_dir: Model directory.
      name: Folder in `save_dir/summaries`.

    Raises:
      OSError: If the folder cannot be created.

    Example:

    >>> from ddsp.training import run_directory
    >>> with run_directory.make_writer(str(tmp_path), "train").as_default():
    ...     _ = tf.summary.scalar("loss", 3.0, step=1)
    """
    directory = os.path.join(save_dir, "summaries", name)
    with file_errors.writing(directory):
        return tf.summary.create_file_writer(directory)


def write_gin_config(
    summary_writer: tf.summary.SummaryWriter | None, save_dir: str, step: int
) -> None:
    """Saves the operative gin config as `operative_config-{step}.gin`.

    Args:
      summary_writer: Receives the config as text; None for no summary.
      save_dir: Model directory; created if missing.
      step: Training step.

    Raises:
      OSError: If the file cannot be written.

    Example:

    >>> from ddsp.training import train_util
    >>> train_util.write_gin_config(None, str(tmp_path), step=0)
    >>> [path.name for path in tmp_path.iterdir()]
    ['operative_config-0.gin']
    """
    config = gin.operative_config_str()
    files.make_directory(save_dir)
    files.write_text(os.path.join(save_dir, f"operative_config-{step}.gin"), config)
    if summary_writer is not None:
        with summary_writer.as_default():
            # TensorBoard renders Markdown, where four spaces mark verbatim text.
            text = "\n".join(f"    {line}" for line in config.splitlines())
            tf.summary.text("gin_config", text, step)
        summary_writer.flush()


def write_statistics(data_provider: Provider, save_dir: str) -> None:
    """Writes `dataset_statistics.json` if it does not exist yet.

    The statistics come from the manifest of the data set if it has them, otherwise
    from at most 1,000 examples.

    Args:
      data_provider: Training data.
      save_dir: Model directory.

    Raises:
      DamagedDataError: If an example cannot be read.
      OSError: If the file cannot be written.

    Example:

    >>> from ddsp.training import train_util
    >>> train_util.write_statistics(ddsp.testing.tiny_provider(), str(tmp_path))
    >>> [path.name for path in tmp_path.iterdir()]
    ['dataset_statistics.json']
    """
    path = os.path.join(save_dir, postprocessing.STATISTICS_FILE)
    if tf.io.gfile.exists(path):
        return
    manifest = getattr(data_provider, "manifest", None)
    try:
        if manifest is not None and manifest.statistics:
            statistics = postprocessing.statistics_from_dict(manifest.statistics)
        else:
            with naming_damage(data_provider):
                statistics = postprocessing.compute_dataset_statistics(
                    _FirstExamples(data_provider, _MAX_STATISTICS_EXAMPLES)
                )
    except DamagedDataError:
        raise
    except ValueError as error:
        print(f"No statistics of the data are written: {error}")
        return
    # Timbre transfer analyzes audio with the settings of the training data.
    statistics["centered"] = bool(manifest is not None and manifest.center)
    if manifest is not None:
        statistics["pitch_tracker"] = manifest.pitch_tracker
    postprocessing.save_dataset_statistics(statistics, save_dir)


class _FirstExamples:
    """The first examples of a data provider."""

    def __init__(self, data_provider: Provider, n_examples: int):
        self.sample_rate = data_provider.sample_rate
        self.frame_rate = data_provider.frame_rate
        self._data_provider = data_provider
        self._n_examples = n_examples

    def get_batch(self, batch_size: int, *args: Any, **kwargs: Any) -> tf.data.Dataset:
        batches = self._data_provider.get_batch(batch_size, *args, **kwargs)
        return batches.take(self._n_examples // batch_size)
