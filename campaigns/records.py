"""Corrupt and malicious shards, read as in training."""

import json
import shutil
import struct
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from campaigns import drawing, material
from campaigns.campaign import Campaign
from campaigns.drawing import Case
from campaigns.outcomes import SURVIVED, WRONG_DATA, Outcome, from_error

_FEATURES = ("audio", "audio_16k", "f0_hz", "f0_confidence", "loudness_db")
_VALUES = ("nan", "inf", "-inf", "1e30", "-1e30")
_FEATURE_CHANGES = (
    "remove",
    "rename",
    "shorten",
    "lengthen",
    "empty",
    "int64",
    "bytes",
)
_SHARDS = (
    "missing", "empty", "garbage", "folder", "loop", "doubled", "renumbered",
    "of another rate", "of another length", "manifest missing", "all missing",
    "link to a device",
)  # fmt: skip
_RECORDS = ("drop", "append", "empty", "text", "huge length", "other example")


def cases(n: int, seed: int, base: Path) -> list[Case]:
    """Draws mutations of bytes, records, features and shards."""
    del base
    shard = st.integers(0, 1)
    edits = st.lists(drawing.byte_edits(), min_size=1, max_size=3)
    position = st.integers(0, 3)
    return drawing.draw(
        st.one_of(
            *[
                st.fixed_dictionaries(
                    {
                        "kind": st.just("bytes"),
                        "shard": shard,
                        "edits": edits,
                        "manifest": st.booleans(),
                    }
                )
            ]
            * 2,
            st.fixed_dictionaries(
                {
                    "kind": st.just("feature"),
                    "shard": shard,
                    "record": position,
                    "feature": st.sampled_from(_FEATURES),
                    "change": st.sampled_from(_FEATURE_CHANGES),
                }
            ),
            st.fixed_dictionaries(
                {
                    "kind": st.just("value"),
                    "shard": shard,
                    "record": position,
                    "feature": st.sampled_from(["audio", "f0_hz", "loudness_db"]),
                    "value": st.sampled_from(_VALUES),
                    "at": drawing.fractions(),
                }
            ),
            st.fixed_dictionaries(
                {
                    "kind": st.just("record"),
                    "shard": shard,
                    "record": position,
                    "change": st.sampled_from(_RECORDS),
                }
            ),
            st.fixed_dictionaries(
                {
                    "kind": st.just("shard"),
                    "shard": shard,
                    "change": st.sampled_from(_SHARDS),
                }
            ),
        ),
        n,
        seed,
    )


def prepare(base: Path) -> None:
    """Writes a data set with two shards, and digests of its examples."""
    paths = material.write_recordings(base / "recordings", 3, 1.25)
    (base / "set").mkdir()
    material.prepare(paths, base / "set" / "set.tfrecord")
    (base / "other").mkdir()
    material.prepare(
        paths, base / "other" / "set.tfrecord", example_secs=0.8, hop_secs=0.4
    )
    (base / "look.json").write_text(
        json.dumps(material.read(str(base / "set" / "set.tfrecord*")))
    )


def judge(case: Case, base: Path, folder: Path) -> Outcome:
    """Reads a mutated data set."""
    place = folder / "set"
    shutil.copytree(base / "set", place)
    _change(case, base, place)
    try:
        seen = material.read(str(place / "set.tfrecord*"))
    except Exception as error:
        return from_error(error, "set.tfrecord")
    known = json.loads((base / "look.json").read_text())
    if seen == known:
        return Outcome(SURVIVED, "reads the same")
    if not case.get("manifest", True) and set(seen) <= set(known):
        # The number of records is only known from a manifest.
        return Outcome(SURVIVED, "reads complete records")
    return Outcome(WRONG_DATA, "reads other examples")


def _change(case: Case, base: Path, place: Path) -> None:
    path = place / f"set.tfrecord-{case['shard']:05d}-of-00002"
    match case["kind"]:
        case "bytes":
            data = path.read_bytes()
            for edit in case["edits"]:
                data = drawing.edit_bytes(data, edit)
            path.write_bytes(data)
            if not case["manifest"] and data:
                # Without it, only the checksums of the records protect the data.
                (place / "manifest-set.tfrecord.json").unlink()
        case "shard":
            _change_shard(case["change"], base, place, path)
        case _:
            records = list(_records(path))
            position = case["record"] % len(records)
            if case["kind"] == "record":
                _change_record(case["change"], records, position)
            else:
                records[position] = _changed_example(case, records[position])
            _write(path, records)


def _change_shard(change: str, base: Path, place: Path, path: Path) -> None:
    if change == "manifest missing":
        (place / "manifest-set.tfrecord.json").unlink()
        return
    if change == "all missing":
        for shard in place.glob("set.tfrecord*"):
            shard.unlink()
        return
    data = path.read_bytes()
    if change == "doubled":
        path.with_name(f"{path.name}-copy").write_bytes(data)
        return
    if change == "renumbered":
        path.rename(path.with_name("set.tfrecord-00007-of-00002"))
        return
    path.unlink()
    match change:
        case "empty":
            path.write_bytes(b"")
        case "garbage":
            path.write_bytes(b"no records " * 1000)
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "link to a device":
            path.symlink_to("/dev/zero")
        case "of another rate" | "of another length":
            shutil.copy(base / "other" / path.name, path)


def _change_record(change: str, records: list[bytes], position: int) -> None:
    match change:
        case "drop":
            del records[position]
        case "append":
            records.append(records[position])
        case "empty":
            records[position] = b""
        case "text":
            records[position] = b"no example"
        case "huge length":
            records[position] = records[position][:8] + b"\xff" * 16
        case "other example":
            records[position] = b""
            records.append(b"")


def _changed_example(case: Case, record: bytes) -> bytes:
    import tensorflow as tf

    example = tf.train.Example.FromString(record)
    features = example.features.feature
    name = case["feature"] if case["feature"] in features else "audio"
    values = list(features[name].float_list.value)
    if case["kind"] == "value":
        at = round(case["at"] * (len(values) - 1))
        features[name].float_list.value[at] = float(case["value"])
        return example.SerializeToString()
    del features[name].float_list.value[:]
    match case["change"]:
        case "remove":
            del features[name]
        case "rename":
            del features[name]
            features["renamed"].float_list.value.extend(values)
        case "shorten":
            features[name].float_list.value.extend(values[:-1])
        case "lengthen":
            features[name].float_list.value.extend([*values, 0.0])
        case "int64":
            features[name].int64_list.value.extend([0] * len(values))
        case "bytes":
            features[name].bytes_list.value.append(b"x")
    return example.SerializeToString()


def _records(path: Path) -> Any:
    """Yields the records of an intact shard."""
    data, position = path.read_bytes(), 0
    while position < len(data):
        (length,) = struct.unpack_from("<Q", data, position)
        yield data[position + 12 : position + 12 + length]
        position += length + 16


def _write(path: Path, records: list[bytes]) -> None:
    """Writes records with valid checksums."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


CAMPAIGN = Campaign(
    about="corrupt and malicious shards",
    cases=cases,
    prepare=prepare,
    judge=judge,
    full=400,
    short=20,
    seconds=30.0,
    megabytes=500.0,
    group=lambda case: case["kind"],
)
