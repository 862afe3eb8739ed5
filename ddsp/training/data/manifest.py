"""Manifest of a set of TFRecord shards: their contents and origin.

The manifest is a JSON file next to the shards. Its name starts with `manifest-`, so
that the usual pattern of the shards, `name*`, does not match it.
"""

import dataclasses
import json
import os
import re
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from ddsp import file_errors, files
from ddsp.training.data import schema

_FORMAT = 1
# Key of a manifest that only marks a set as unfinished.
_UNFINISHED = "unfinished"
# Enough for some 500,000 recordings.
_MAX_BYTES = 2**28
_SHARD_SUFFIX = re.compile(r"-\d{5,}-of-\d{5,}$")
# Names of the splits: one for all examples, or two with an evaluation split.
ALL = "all"
SPLITS = ("train", "eval")


@dataclasses.dataclass(frozen=True)
class Manifest:
    """Contents of a set of shards.

    Attributes:
      sample_rate: Samples per second of `audio`.
      frame_rate: Frames per second of the features; None without features.
      example_secs: Length of an example in seconds; None for whole recordings.
      hop_secs: Seconds between the starts of examples in a recording.
      center: Whether frame `i` is centered on time `i / frame_rate`, which adds one
        frame, or starts there.
      features: Length of each float feature, by name; None if it differs between
        examples.
      pitch_tracker: Name, model and whether Viterbi decoding was used; empty if pitch
        was not tracked.
      splits: Numbers of `examples` and `shards` of each split: 'all', or 'train' and
        'eval'.
      statistics: Statistics of the training examples as plain numbers and lists, for
        `postprocessing.statistics_from_dict`; may be empty.
      recordings: One entry per input file: `path`, `status` ('used', 'skipped' or
        'not audio'), `reason`, `seconds`, `sample_rate`, `channels`, `examples` per
        split and `warnings`. Empty for synthetic data.
      synthesis: Settings and seed of synthetic data, else None.
      shards: Length in `bytes`, number of `records` and `fingerprint` of each shard,
        by name; see `shards.describe`. Empty in older manifests.

    Example:

    >>> from ddsp.training.data import manifest
    >>> found = manifest.Manifest(
    ...     sample_rate=16000, frame_rate=250, example_secs=4.0, hop_secs=1.0,
    ...     center=True, features={"audio": 64000}, pitch_tracker={},
    ...     splits={"all": {"examples": 1, "shards": 1}}, statistics={}, recordings=[])
    >>> path = str(tmp_path / "manifest-violin.tfrecord.json")
    >>> found.write(path)
    >>> manifest.read(path) == found
    True
    """

    sample_rate: int
    frame_rate: float | None
    example_secs: float | None
    hop_secs: float
    center: bool
    features: dict[str, int | None]
    pitch_tracker: dict[str, Any]
    splits: dict[str, dict[str, int]]
    statistics: dict[str, Any]
    recordings: list[dict[str, Any]]
    synthesis: dict[str, Any] | None = None
    shards: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def write(self, path: str) -> None:
        """Writes the JSON file atomically.

        Raises:
          OSError: If it cannot be written.
        """
        content = {"format": _FORMAT, **dataclasses.asdict(self)}
        text = json.dumps(content, indent=1, ensure_ascii=False)
        # File names need not be UTF-8: other bytes become JSON escapes.
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
        files.write_text(path, text)


def shard_names(set_name: str, split: str, num_shards: int) -> list[str]:
    """Returns names such as `violin.tfrecord-train-00003-of-00010`.

    Args:
      set_name: Name of the data set, such as `violin.tfrecord`.
      split: `'all'`, `'train'` or `'eval'`.
      num_shards: Number of shards.

    Example:

    >>> from ddsp.training.data import manifest
    >>> manifest.shard_names("violin.tfrecord", "train", 2)
    ['violin.tfrecord-train-00000-of-00002', 'violin.tfrecord-train-00001-of-00002']
    """
    stem = set_name if split == ALL else f"{set_name}-{split}"
    return [f"{stem}-{i:05d}-of-{num_shards:05d}" for i in range(num_shards)]


def write_unfinished(path: str, shards: Iterable[str]) -> None:
    """Marks a data set as unfinished while its shards are moved into place.

    Args:
      path: Path of the manifest, which is replaced.
      shards: Names of all shards that may belong to the old or the new set.

    Raises:
      OSError: If it cannot be written.

    Example:

    >>> from ddsp.training.data import manifest
    >>> path = str(tmp_path / "manifest-violin.tfrecord.json")
    >>> manifest.write_unfinished(path, ["violin.tfrecord-00000-of-00001"])
    >>> manifest.owned_shards(path)
    {'violin.tfrecord-00000-of-00001'}
    """
    content = {"format": _FORMAT, _UNFINISHED: sorted(shards)}
    files.write_text(path, json.dumps(content, indent=1, ensure_ascii=False))


def owned_shards(path: str) -> set[str]:
    """Returns the names of the shards of a data set, finished or not.

    Args:
      path: Path of the manifest.

    Raises:
      ValueError: If the file is not a manifest.

    Example:

    >>> from ddsp.training.data import manifest
    >>> manifest.owned_shards(str(tmp_path / "manifest-violin.tfrecord.json"))
    set()
    """
    if not tf.io.gfile.exists(path):
        return set()
    content = _load(path)
    if _UNFINISHED in content:
        # These files may be removed, so only names of shards are accepted.
        stem = re.escape(set_name(path))
        shard = re.compile(rf"{stem}(-({'|'.join(SPLITS)}))?{_SHARD_SUFFIX.pattern}")
        return set(filter(shard.fullmatch, content[_UNFINISHED]))
    return {
        name
        for split, counts in _parse(path, content).splits.items()
        for name in shard_names(set_name(path), split, counts["shards"])
    }


def read(path: str) -> Manifest:
    """Reads a manifest.

    Args:
      path: Path of the manifest.

    Raises:
      ValueError: If it is not a manifest of a known format, or the set is unfinished.

    Example:

    >>> from ddsp.training.data import manifest
    >>> path = str(tmp_path / "manifest-violin.tfrecord.json")
    >>> manifest.write_unfinished(path, [])
    >>> manifest.read(path)
    Traceback (most recent call last):
    ...
    ValueError: The preparation of this data set was stopped before it was complete...
    """
    content = _load(path)
    if _UNFINISHED in content:
        raise ValueError(
            "The preparation of this data set was stopped before it was complete: run "
            f"the same command again, got the unfinished {path}."
        )
    return _parse(path, content)


def _load(path: str) -> dict[str, Any]:
    """Returns the JSON object in a file of a known format."""
    try:
        size = tf.io.gfile.stat(path).length
        if size > _MAX_BYTES:
            raise ValueError(f"too large: {size} bytes")
        with tf.io.gfile.GFile(path, "r") as file:
            content = json.loads(file.read())
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
        found = content.pop("format", None)
        if found != _FORMAT:
            raise ValueError(f"unknown format {found!r:.40}, expected {_FORMAT}")
        unfinished = content.get(_UNFINISHED, [])
        if not isinstance(unfinished, list) or not all(map(_is_name, unfinished)):
            raise ValueError(f"`{_UNFINISHED}` is not a list of names")
    except (ValueError, RecursionError, tf.errors.OpError) as error:
        raise _unreadable(path, error) from error
    return content


def _parse(path: str, content: dict[str, Any]) -> Manifest:
    try:
        schema.check(content)
        return Manifest(**content)
    except (ValueError, TypeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception) -> ValueError:
    return ValueError(
        f"Cannot read the manifest {path}: prepare or copy the data again, got: "
        f"{file_errors.reason(error):.200}."
    )


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and os.path.basename(value) == value


def path_for(output_tfrecord_path: str) -> str:
    """Returns the path of the manifest of the shards `<output_tfrecord_path>-...`.

    Args:
      output_tfrecord_path: Common start of the paths of the shards.

    Example:

    >>> from ddsp.training.data import manifest
    >>> manifest.path_for("data/violin.tfrecord")
    'data/manifest-violin.tfrecord.json'
    """
    directory, name = os.path.split(output_tfrecord_path)
    return os.path.join(directory, f"manifest-{name}.json")


def set_name(manifest_path: str) -> str:
    """Returns the common start of the names of the shards of a data set.

    Args:
      manifest_path: Path of the manifest.

    Example:

    >>> from ddsp.training.data import manifest
    >>> manifest.set_name("data/manifest-violin.tfrecord.json")
    'violin.tfrecord'
    """
    return (
        os.path.basename(manifest_path).removeprefix("manifest-").removesuffix(".json")
    )


def find_for_shard(shard_path: str) -> str | None:
    """Returns the path of the manifest of a shard, or None.

    Args:
      shard_path: Path of the shard.

    Example:

    >>> from ddsp.training.data import manifest
    >>> manifest.find_for_shard(str(tmp_path / "violin.tfrecord-00000-of-00001"))
    """
    stem = _SHARD_SUFFIX.sub("", shard_path)
    stems = [stem] + [
        stem.removesuffix(f"-{split}") for split in SPLITS if stem.endswith(f"-{split}")
    ]
    for candidate in map(path_for, stems):
        if tf.io.gfile.exists(candidate):
            return candidate
    return None
