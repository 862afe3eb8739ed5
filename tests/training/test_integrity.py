"""Errors about corrupt, missing and foreign shards and malicious manifests."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import checkpoints, postprocessing, train_util
from ddsp.training.data import TFRecordProvider, integrity
from tests.training import small_run, tiny
from tests.training.data_preparation import test_writer as writing

RATE = writing.RATE


@pytest.fixture
def prepared(tmp_path):
    """A data set of two splits with two shards each."""
    writing.prepare(tmp_path / "v", [1, 2, 3], ("train", "eval"), 2)
    return tmp_path


def provider(pattern):
    return TFRecordProvider(pattern, example_secs=1, sample_rate=RATE, frame_rate=10)


def refused(folder, pattern="v*"):
    """Returns the error message that refuses the data before it is read."""
    with pytest.raises(ValueError) as caught:
        provider(str(folder / pattern))
    message = str(caught.value).split("\n  In call to configurable")[0]
    assert "\n" not in message and len(message) < 600
    return message


SHARD = "v-train-00001-of-00002"


def damage(name):
    def apply(folder):
        path = folder / SHARD
        other = folder / "v-train-00000-of-00002"
        if name == "missing":
            path.unlink()
        elif name == "directory":
            path.unlink()
            path.mkdir()
        elif name == "empty":
            path.write_bytes(b"")
        elif name == "truncated":
            path.write_bytes(path.read_bytes()[:-3])
        elif name == "doubled":
            shutil.copy(other, path)
        elif name == "record repeated":
            path.write_bytes(path.read_bytes() * 2)
        elif name == "of another set":
            writing.prepare(folder / "w", [7, 8, 9], ("train", "eval"), 2)
            shutil.move(folder / "w-train-00001-of-00002", path)
        elif name == "first byte":
            path.write_bytes(b"x" + path.read_bytes()[1:])
        elif name == "value":
            whole = bytearray(path.read_bytes())
            whole[-20] ^= 1
            path.write_bytes(whole)

    return apply


@pytest.mark.parametrize(
    "name",
    [
        *("missing", "directory", "empty", "truncated", "doubled"),
        *("record repeated", "of another set", "first byte", "value"),
    ],
)
def test_a_shard_that_is_not_as_prepared_is_named(prepared, name):
    damage(name)(prepared)
    assert SHARD in refused(prepared, "v*")
    # The other split is not affected.
    assert provider(str(prepared / "v-eval*")).n_examples == 3


@pytest.mark.parametrize(
    "name", ["v-train-00002-of-00003", f"{SHARD}.bak", f"{SHARD} (copy)", "v-old"]
)
def test_a_file_that_is_read_too_is_named(prepared, name):
    shutil.copy(prepared / SHARD, prepared / name)
    assert name in refused(prepared)
    assert provider(str(prepared / "v-train-?????-of-00002")).n_examples == 3


def test_a_lost_evaluation_split_is_named(prepared):
    for path in prepared.glob("v-eval*"):
        path.unlink()
    with pytest.raises(ValueError, match="evaluation split are missing"):
        _ = provider(str(prepared / "v*")).validation


def test_data_without_a_manifest(prepared):
    """Data set of the original, without a manifest."""
    (prepared / "manifest-v.json").unlink()
    assert provider(str(prepared / "v*")).n_examples == 3
    shutil.copy(prepared / SHARD, prepared / "v-train-copy")
    assert "the same records" in refused(prepared)
    (prepared / "v-train-copy").unlink()
    (prepared / SHARD).rename(prepared / "elsewhere")
    assert f"got no file {prepared / SHARD}" in refused(prepared)
    # An explicit list of files is not checked.
    assert provider([str(prepared / "v-train-00000-of-00002")]).n_examples == 2
    (prepared / "elsewhere").rename(prepared / "v-train-00002-of-00003")
    assert "Two data sets" in refused(prepared)


def changed(**changes):
    def change(content):
        return json.dumps({**content, **changes})

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda content: "",
        lambda content: "[" * 100_000,
        lambda content: '{"a":' * 100_000,
        lambda content: "1" * 10_000,
        lambda content: "null",
        lambda content: b"\xff\xfe".decode("latin1"),
        lambda content: json.dumps({k: v for k, v in content.items() if k != "splits"}),
        changed(format=[]),
        changed(unknown=1),
        changed(sample_rate=10**12),
        changed(sample_rate=True),
        changed(sample_rate="16000"),
        changed(sample_rate=-1),
        changed(frame_rate=float("nan")),
        changed(frame_rate=float("inf")),
        changed(frame_rate=0),
        changed(example_secs=10**400),
        changed(example_secs=1e300),
        changed(features={"audio": 10**12}),
        changed(features={"audio": -1}),
        changed(features={"audio": 2.5}),
        changed(features=[["audio", 100]]),
        changed(features={"audio": RATE, **{str(i): 2**28 for i in range(9)}}),
        changed(features={"audio": RATE, "f0_hz": 10}),
        changed(splits={"all": {"examples": 3, "shards": 10**9}}),
        changed(splits={"../../etc": {"examples": 3, "shards": 2}}),
        changed(splits={"train": 3, "eval": {}}),
        changed(splits={}),
        changed(shards={SHARD: 1}),
        changed(shards={SHARD: {"bytes": 0, "records": 0, "fingerprint": 3}}),
        changed(statistics=[]),
        changed(center=None),
        changed(unfinished=["../v"]),
        changed(unfinished=3),
    ],
)
def test_hostile_manifests_are_refused_in_one_line(prepared, change):
    path = prepared / "manifest-v.json"
    path.write_text(change(json.loads(path.read_text())))
    assert "manifest-v.json" in refused(prepared)


def test_counts_of_an_older_manifest_are_checked(prepared):
    """Manifest without entries of the shards."""
    path = prepared / "manifest-v.json"
    content = json.loads(path.read_text())
    del content["shards"]
    path.write_text(json.dumps(content))
    assert provider(str(prepared / "v*")).n_examples == 3
    shard = prepared / SHARD
    shard.write_bytes(shard.read_bytes() * 2)
    assert "got 4" in refused(prepared)


def _record(**features):
    values = {"audio": np.zeros(tiny.N_SAMPLES), "f0_hz": np.full(5, 220.0)}
    values |= {"f0_confidence": np.ones(5), "loudness_db": np.zeros(5), **features}
    return writing.serialize(
        {name: np.float32(v) for name, v in values.items() if v is not None}
    )


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        ({"f0_hz": None}, "f0_hz"),
        ({"f0_hz": np.full(6, 220.0)}, "f0_hz"),
        ({"audio": np.zeros(3)}, "audio"),
        ({"audio": np.full(tiny.N_SAMPLES, np.nan)}, "`audio` has NaN"),
        ({"loudness_db": np.full(5, -np.inf)}, "`loudness_db` has Inf"),
        ({"f0_hz": np.full(5, -1e30)}, "`f0_hz` is not between 0 and 16000"),
        ({"f0_hz": np.full(5, 1e30)}, "`f0_hz` is not between 0 and 16000"),
        ({"audio": np.full(tiny.N_SAMPLES, -1e30)}, "`audio` is not between"),
        ({"loudness_db": np.full(5, 1e30)}, "`loudness_db` is not between"),
        (b"no example", "parse"),
        (None, "corrupted record"),
    ],
)
def test_a_bad_record_is_named_when_it_is_read(tmp_path, bad, fault):
    path = tmp_path / "v-00001-of-00002"
    for name in ("v-00000-of-00002", path.name):
        with tf.io.TFRecordWriter(str(tmp_path / name)) as writer:
            for i in range(6):
                audio = np.full(tiny.N_SAMPLES, i / 10 + len(name))
                record = _record(audio=audio)
                if i == 4 and name == path.name and isinstance(bad, dict):
                    record = _record(**bad)
                elif i == 4 and name == path.name and isinstance(bad, bytes):
                    record = bad
                writer.write(record)
    if bad is None:
        content = bytearray(path.read_bytes())
        content[len(content) * 9 // 12] ^= 1
        path.write_bytes(content)
    data = TFRecordProvider(
        str(tmp_path / "v*"), example_secs=tiny.N_SAMPLES / tiny.SAMPLE_RATE
    )
    message = f"Record 4 of {path} is damaged: "
    with pytest.raises(ValueError, match=message) as caught:
        train_util.train(
            data,
            tiny.make_trainer(),
            batch_size=4,
            num_steps=50,
            save_dir=str(tmp_path / "run"),
        )
    text = str(caught.value).split("\n  In call to configurable")[0]
    assert fault in text and "\n" not in text and "{{" not in text
    assert "Iterator" not in text and len(text) < 400
    assert not checkpoints.list_checkpoints(str(tmp_path / "run"))
    # The same during training, with existing statistics.
    manifest = SimpleNamespace(
        statistics=postprocessing.statistics_to_dict(small_run.STATISTICS),
        center=False,
        pitch_tracker={},
    )
    data._manifest = manifest
    with pytest.raises(ValueError, match=rf"Training stopped at step \d+: {message}"):
        train_util.train(
            data,
            tiny.make_trainer(),
            batch_size=4,
            num_steps=50,
            save_dir=str(tmp_path / "run"),
        )


def test_nothing_to_check():
    assert integrity.check([], whole_sets=True) == {}
