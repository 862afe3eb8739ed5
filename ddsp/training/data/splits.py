"""Training and evaluation shards, told apart by their names.

With an evaluation split, `ddsp_prepare_tfrecord` writes `<name>-train-00000-of-00010`
and `<name>-eval-00000-of-00010`.
"""

import glob
import re

import tensorflow as tf

_SHARD = re.compile(r"(?P<stem>.*)-(?P<split>train|eval)-\d{5,}-of-\d{5,}")


def without_evaluation(paths: list[str]) -> list[str]:
    """Removes evaluation shards from a list that also contains training shards.

    Args:
      paths: Paths of shards, such as all matches of `<name>*`.

    Returns:
      Paths of the shards to train on. Evaluation shards remain if the list has no
      training shards of the same data set.

    Example:

    >>> from ddsp.training.data import splits
    >>> splits.without_evaluation(
    ...     ["a-train-00000-of-00001", "a-eval-00000-of-00001"])
    ['a-train-00000-of-00001']
    """
    training_stems = _stems(paths, "train")
    return [
        path
        for path in paths
        if not (match := _SHARD.fullmatch(path))
        or match["split"] == "train"
        or match["stem"] not in training_stems
    ]


def evaluation_shards(paths: list[str]) -> list[str]:
    """Finds the evaluation shards that belong to training shards.

    Args:
      paths: Paths of training shards.

    Returns:
      Paths, sorted; empty without an evaluation split.

    Example:

    >>> from ddsp.training.data import splits
    >>> (tmp_path / "a-eval-00000-of-00001").touch()
    >>> found = splits.evaluation_shards([str(tmp_path / "a-train-00000-of-00001")])
    >>> [path.rpartition("/")[2] for path in found]
    ['a-eval-00000-of-00001']
    """
    return sorted(
        path
        for stem in _stems(paths, "train")
        for path in tf.io.gfile.glob(f"{glob.escape(stem)}-eval-*-of-*")
    )


def _stems(paths: list[str], split: str) -> set[str]:
    matches = map(_SHARD.fullmatch, paths)
    return {match["stem"] for match in matches if match and match["split"] == split}
