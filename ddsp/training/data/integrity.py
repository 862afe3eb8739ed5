"""Integrity checks of TFRecord shards, made before they are read."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable

import tensorflow as tf

from ddsp.training.data import manifest as manifests
from ddsp.training.data import shards

_NUMBERED = re.compile(r"(?P<stem>.*)-(?P<index>\d{5,})-of-(?P<total>\d{5,})")
_ADVICE = "prepare or copy the data again"


def check(paths: Iterable[str], whole_sets: bool) -> dict[str, int]:
    """Checks that shards are undamaged, complete, distinct and of one data set.

    Args:
      paths: Paths of the shards to read.
      whole_sets: Whether shards without a manifest must be complete, according to
        the numbers in their names, and have different contents.

    Returns:
      Number of records of each shard, by path.

    Raises:
      ValueError: If a check fails. The message names the shard.
      OSError: If a file cannot be read.

    Example:

    >>> from ddsp.training.data import integrity
    >>> path = str(tmp_path / "a.tfrecord-00000-of-00001")
    >>> with tf.io.TFRecordWriter(path) as writer:
    ...     writer.write(tf.train.Example().SerializeToString())
    >>> integrity.check([path], whole_sets=True) == {path: 1}
    True
    """
    by_manifest = defaultdict(list)
    unlisted = []
    for path in paths:
        manifest_path = manifests.find_for_shard(path)
        if manifest_path is None:
            unlisted.append(path)
        else:
            by_manifest[manifest_path].append(path)
    counts = {}
    for manifest_path, members in by_manifest.items():
        counts.update(_check_listed(manifest_path, members))
        _check_unlisted(manifest_path, unlisted)
    if whole_sets:
        _check_complete(unlisted)
        _check_distinct(unlisted)
    return counts | {path: shards.count_records(path) for path in unlisted}


def _check_listed(path: str, members: list[str]) -> dict[str, int]:
    """Compares all shards of the splits to read with their manifest."""
    manifest = manifests.read(path)
    directory = os.path.dirname(path)
    set_name = manifests.set_name(path)
    wanted = {os.path.basename(member) for member in members}
    found: dict[str, int] = {}
    for split, counts in manifest.splits.items():
        names = manifests.shard_names(set_name, split, counts["shards"])
        if not wanted.intersection(names):
            continue
        wanted.difference_update(names)
        counts_of = {
            shard: _check_shard(shard, manifest.shards.get(name), path)
            for name in names
            for shard in [os.path.join(directory, name)]
        }
        found.update(counts_of)
        n_examples = sum(counts_of.values())
        if n_examples != counts["examples"]:
            raise ValueError(
                f"The split '{split}' must have {counts['examples']} examples "
                f"according to the manifest {path}: {_ADVICE}, got {n_examples}."
            )
    if wanted:
        raise _not_listed(path, os.path.join(directory, min(wanted)))
    return {member: found[member] for member in members}


def _check_shard(path: str, entry: dict | None, manifest_path: str) -> int:
    """Compares a shard with its manifest and returns its number of records."""
    if not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
        raise ValueError(
            f"A shard listed in the manifest {manifest_path} is missing: {_ADVICE}, "
            f"got no file {path}."
        )
    if entry is None:
        return shards.count_records(path)
    # Raises an error of its own for a truncated file.
    if shards.describe(path) == entry:
        return entry["records"]
    raise ValueError(
        f"A shard does not match the manifest {manifest_path}; it is damaged or "
        f"belongs to another data set: {_ADVICE}, got {path}."
    )


def _not_listed(manifest_path: str, shard: str) -> ValueError:
    return ValueError(
        f"The manifest {manifest_path} does not list every matching file: remove the "
        f"others or use a narrower file pattern, got {shard}."
    )


def _check_unlisted(manifest_path: str, unlisted: list[str]) -> None:
    """Refuses files whose names start like those of a set but that it does not list."""
    start = os.path.join(
        os.path.dirname(manifest_path), manifests.set_name(manifest_path)
    )
    for path in unlisted:
        if path.startswith(start):
            raise _not_listed(manifest_path, path)


def _check_complete(paths: list[str]) -> None:
    """Refuses numbered shards that are incomplete or whose totals differ."""
    totals: dict[str, str] = {}
    for path in paths:
        match = _NUMBERED.fullmatch(path)
        if not match:
            continue
        total = totals.setdefault(match["stem"], match["total"])
        if total != match["total"]:
            raise ValueError(
                f"Two data sets have the same name, one of {total} shards and one of "
                f"{match['total']}: remove one or use a narrower file pattern, got "
                f"{path}."
            )
    for stem, total in totals.items():
        directory, name = os.path.split(stem)
        n_shards = int(total)
        present = {
            int(match["index"])
            for entry in tf.io.gfile.listdir(directory)
            if (match := _NUMBERED.fullmatch(entry))
            and (match["stem"], match["total"]) == (name, total)
            and not tf.io.gfile.isdir(os.path.join(directory, entry))
        }
        missing = next((i for i in range(n_shards) if i not in present), None)
        if missing is not None:
            raise ValueError(
                "A shard is missing: copy it again, or pass `file_pattern` as a list "
                "of files to continue without it, got no file "
                f"{stem}-{missing:05d}-of-{total}."
            )


def _check_distinct(paths: list[str]) -> None:
    """Refuses files with the same contents."""
    by_size = defaultdict(list)
    for path in paths:
        by_size[shards.size(path)].append(path)
    for length, same in by_size.items():
        if not length or len(same) == 1:
            continue
        seen: dict[str, str] = {}
        for path in same:
            other = seen.setdefault(shards.fingerprint(path), path)
            if other != path:
                raise ValueError(
                    "Two files contain the same records: remove one or use a narrower "
                    f"file pattern, got {other} and {path}."
                )
