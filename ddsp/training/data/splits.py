"""Which shards are for training and which are set aside, by their names.

`ddsp_prepare_tfrecord` with an evaluation split writes `<name>-train-00000-of-00010`
and beside it `<name>-eval-00000-of-00010`.
"""

import glob
import re

import tensorflow as tf

_SHARD = re.compile(r"(?P<stem>.*)-(?P<split>train|eval)-\d{5,}-of-\d{5,}")


def without_evaluation(paths: list[str]) -> list[str]:
    """Leaves out the shards that are set aside from others in the list.

    Args:
      paths: Shards, such as all that `<name>*` matches.

    Returns:
      Those to train on; shards of an evaluation split alone stay as they are.
    """
    trained_on = _stems(paths, "train")
    return [
        path
        for path in paths
        if not (match := _SHARD.fullmatch(path))
        or match["split"] == "train"
        or match["stem"] not in trained_on
    ]


def evaluation_shards(paths: list[str]) -> list[str]:
    """The shards that were set aside when those for training were written.

    Args:
      paths: Shards for training.

    Returns:
      Paths, sorted; none if there is no evaluation split.
    """
    return sorted(
        path
        for stem in _stems(paths, "train")
        for path in tf.io.gfile.glob(f"{glob.escape(stem)}-eval-*-of-*")
    )


def _stems(paths: list[str], split: str) -> set[str]:
    matches = map(_SHARD.fullmatch, paths)
    return {match["stem"] for match in matches if match and match["split"] == split}
