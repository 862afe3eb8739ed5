"""Whether the shards that are to be read are all there and belong together."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable

import tensorflow as tf

from ddsp.training.data import manifest as manifests
from ddsp.training.data import shards

_NUMBERED = re.compile(r"(?P<stem>.*)-(?P<index>\d{5,})-of-(?P<total>\d{5,})")
_MEND = "Prepare or copy the data again"


def check(paths: Iterable[str], whole_sets: bool) -> dict[str, int]:
    """Refuses shards that are damaged, missing, doubled or of different sets.

    Args:
      paths: The shards that are to be read.
      whole_sets: Whether shards that no manifest lists have to be all that their
        names count, each with records of its own.

    Returns:
      {shard: number of its records}.

    Raises:
      ValueError: If something is wrong; the shard is named.
      OSError: If a file cannot be read.
    """
    by_manifest = defaultdict(list)
    without = []
    for path in paths:
        manifest_path = manifests.find_for_shard(path)
        if manifest_path is None:
            without.append(path)
        else:
            by_manifest[manifest_path].append(path)
    counts = {}
    for manifest_path, members in by_manifest.items():
        counts.update(_check_against(manifest_path, members))
        _check_strangers(manifest_path, without)
    if whole_sets:
        _check_numbers(without)
        _check_doubles(without)
    return counts | {path: shards.count_records(path) for path in without}


def _check_against(path: str, members: list[str]) -> dict[str, int]:
    """Compares all shards of the splits that are read with their manifest."""
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
                f"The shards of {path} hold {n_examples} examples in the split "
                f"'{split}', and the manifest says {counts['examples']}. {_MEND}."
            )
    if wanted:
        raise ValueError(
            f"{os.path.join(directory, min(wanted))} is none of the shards that the "
            f"manifest {path} lists: remove it, or name the files more closely."
        )
    return {member: found[member] for member in members}


def _check_shard(path: str, entry: dict | None, manifest_path: str) -> int:
    """Number of records in a shard, which must be as its manifest says."""
    if not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
        raise ValueError(
            f"The shard {path} is missing; the manifest {manifest_path} lists it. "
            f"{_MEND}."
        )
    if entry is None:
        return shards.count_records(path)
    # Says so where the file is no longer whole.
    if shards.describe(path) == entry:
        return entry["records"]
    raise ValueError(
        f"The shard {path} is not the one that the manifest {manifest_path} "
        f"describes: it was damaged, or is of another data set. {_MEND}."
    )


def _check_strangers(manifest_path: str, without: list[str]) -> None:
    """Refuses files that are read with a set because their names begin as its do."""
    start = os.path.join(
        os.path.dirname(manifest_path), manifests.set_name(manifest_path)
    )
    for path in without:
        if path.startswith(start):
            raise ValueError(
                f"{path} is none of the shards that the manifest {manifest_path} "
                "lists: remove it, or name the files more closely."
            )


def _check_numbers(paths: list[str]) -> None:
    """Refuses numbered shards of which some are missing or which count differently."""
    totals: dict[str, str] = {}
    for path in paths:
        match = _NUMBERED.fullmatch(path)
        if not match:
            continue
        total = totals.setdefault(match["stem"], match["total"])
        if total != match["total"]:
            raise ValueError(
                f"Shards of two data sets have the same name, of {total} and of "
                f"{match['total']}: remove one set, or name the files more closely, "
                f"got {path}."
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
                f"The shard {stem}-{missing:05d}-of-{total} is missing: copy it again; "
                "to go on without, give `file_pattern` as a list of the files."
            )


def _check_doubles(paths: list[str]) -> None:
    """Refuses files that hold the same records."""
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
                    f"{path} holds the same records as {other}: remove one of them, or "
                    "name the files more closely."
                )
