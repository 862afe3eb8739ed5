"""Reading of examples: in the format of the original, with a manifest, corrupt."""

import json

import gin
import numpy as np
import pytest
import tensorflow as tf

from ddsp.training.data import Manifest, TFRecordProvider
from ddsp.training.data import manifest as manifests

RATE, FRAMES = 1000, 50


def write_shard(path, n=3, first=0, secs=2, rate=RATE, frames=FRAMES, **extra):
    """Writes records in the format of the original, with distinct values."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for i in range(first, first + n):
            values = {
                "audio": np.full(secs * rate, i),
                "f0_hz": np.full(secs * frames, 100.0 + i),
                "f0_confidence": np.full(secs * frames, 0.5),
                "loudness_db": np.full(secs * frames, -float(i)),
                **{name: np.full(length, i) for name, length in extra.items()},
            }
            features = {
                name: tf.train.Feature(float_list=tf.train.FloatList(value=value))
                for name, value in values.items()
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return str(path)


def write_manifest(directory, name="set", **changes):
    features = {"audio": 2000, "f0_hz": 100, "f0_confidence": 100, "loudness_db": 100}
    values = {
        "sample_rate": RATE,
        "frame_rate": FRAMES,
        "example_secs": 2.0,
        "hop_secs": 1.0,
        "center": False,
        "features": features,
        "pitch_tracker": {"name": "crepe", "model": "tiny", "viterbi": True},
        "splits": {"all": {"examples": 3, "shards": 1}},
        "statistics": {},
        "recordings": [],
    }
    manifest = Manifest(**{**values, **changes})
    manifest.write(manifests.path_for(str(directory / name)))
    return manifest


def provider(pattern, **kwargs):
    settings = {"example_secs": 2, "sample_rate": RATE, "frame_rate": FRAMES}
    return TFRecordProvider(str(pattern), **{**settings, **kwargs})


def numbers(dataset):
    """Returns the indices of the examples, in order."""
    return [
        int(i)
        for batch in dataset
        for i in np.reshape(batch["audio"], [-1, 2 * RATE])[:, 0]
    ]


@pytest.fixture
def shards(tmp_path):
    for k in range(2):
        write_shard(tmp_path / f"set-0000{k}-of-00002", first=10 * k)
    return tmp_path / "set*"


def test_reads_records_of_the_original(shards):
    data = provider(shards)
    assert data.n_examples == 6
    assert data.get_feature_length(False) == 100
    assert data.get_feature_length(True) == 101
    batch = next(iter(data.get_batch(2, shuffle=False)))
    assert {name: tuple(x.shape) for name, x in batch.items()} == {
        "audio": (2, 2000),
        "f0_hz": (2, 100),
        "f0_confidence": (2, 100),
        "loudness_db": (2, 100),
    }
    assert all(x.dtype == tf.float32 for x in batch.values())
    np.testing.assert_array_equal(batch["f0_hz"][:, 0], [100, 110])


def test_unshuffled_order_deals_the_shards_in_turn(shards):
    assert numbers(provider(shards).get_dataset(shuffle=False)) == [0, 10, 1, 11, 2, 12]


def test_every_example_once_a_pass(shards):
    dataset = provider(shards).get_batch(4, repeats=2, drop_remainder=False)
    assert sorted(numbers(dataset)) == sorted([0, 1, 2, 10, 11, 12] * 2)


def test_seed_makes_the_order_reproducible(shards):
    def order(seed):
        return numbers(provider(shards, seed=seed).get_batch(2, repeats=5))

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1)[:6] != order(1)[6:12]


def test_audio_of_16k_has_both_names(tmp_path):
    write_shard(tmp_path / "a", rate=16000)
    at_16k = {"sample_rate": 16000}
    batch = next(iter(provider(tmp_path / "a", **at_16k).get_batch(2)))
    np.testing.assert_array_equal(batch["audio_16k"], batch["audio"])
    chosen = provider(tmp_path / "a", features=["audio", "f0_hz"], **at_16k)
    assert set(next(iter(chosen.get_dataset()))) == {"audio", "f0_hz"}


def test_optional_and_selected_features(tmp_path):
    path = write_shard(tmp_path / "a", audio_16k=32000)
    assert provider(path).features_dict["audio_16k"].shape == [32000]
    assert list(provider(path, features=["f0_hz"]).features_dict) == ["f0_hz"]
    with pytest.raises(ValueError, match="no feature 'power_db'"):
        provider(path, features=["power_db"])


def test_centered_records(tmp_path):
    path = write_shard(tmp_path / "a", f0_hz=101, f0_confidence=101, loudness_db=101)
    for given in ({"centered": True}, {}):
        assert provider(path, **given).features_dict["f0_hz"].shape == [101]
    with pytest.raises(ValueError, match=r"100 values.*centered=False.*got 101"):
        provider(path, centered=False)


def test_record_of_another_rate_is_named(tmp_path):
    path = write_shard(tmp_path / "a", rate=1600)
    with pytest.raises(ValueError, match=r"/a must.*got 3200 \(1600 per second"):
        provider(path)


def test_frame_rate_must_divide(shards):
    with pytest.raises(ValueError, match="nearest"):
        provider(shards, frame_rate=60)


def test_files_that_do_not_belong_together(tmp_path):
    write_shard(tmp_path / "a")
    write_shard(tmp_path / "b", audio_16k=32000)
    with pytest.raises(ValueError, match="same features"):
        provider(tmp_path / "*")


def test_truncated_shard_is_named(tmp_path):
    path = tmp_path / "set-00000-of-00001"
    write_shard(path)
    whole = path.read_bytes()
    for size in (len(whole) - 1, len(whole) // 2, 5):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="set-00000-of-00001 is truncated"):
            provider(path)


def test_foreign_file(tmp_path):
    (tmp_path / "a").write_bytes(b"RIFF" + bytes(range(200)))
    with pytest.raises(ValueError, match="not a TFRecord file"):
        provider(tmp_path / "a")
    with tf.io.TFRecordWriter(str(tmp_path / "a")) as writer:
        writer.write(b"\xff not an example")
    with pytest.raises(ValueError, match=r"no readable tf.train.Example"):
        provider(tmp_path / "a")


def test_nothing_to_read(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"file_pattern='.*set\*'"):
        provider(tmp_path / "set*")
    with pytest.raises(ValueError, match="needs a `file_pattern`"):
        TFRecordProvider()
    tf.io.TFRecordWriter(str(tmp_path / "set")).close()
    with pytest.raises(ValueError, match="have no examples"):
        provider(tmp_path / "set*")


def test_empty_shard_among_others(tmp_path):
    write_shard(tmp_path / "set-00000-of-00002")
    tf.io.TFRecordWriter(str(tmp_path / "set-00001-of-00002")).close()
    assert provider(tmp_path / "set*").n_examples == 3


def test_batch_larger_than_the_data(shards):
    with pytest.raises(ValueError, match=r"6 examples.*batch_size=7"):
        provider(shards).get_batch(7, repeats=1)
    assert len(numbers(provider(shards).get_batch(7, repeats=1, drop_remainder=False)))
    with pytest.raises(ValueError, match="batch_size"):
        provider(shards).get_batch(0)


def test_manifest_overrides_lengths(tmp_path):
    write_shard(tmp_path / "set-00000-of-00001")
    manifest = write_manifest(tmp_path)
    data = provider(tmp_path / "*", example_secs=4, centered=True)
    assert data.manifest == manifest
    assert data.features_dict["audio"].shape == [2000]
    assert data.get_feature_length(False) == 100


def test_manifest_covers_its_splits(tmp_path):
    for split in ("train", "eval"):
        write_shard(tmp_path / f"set-{split}-00000-of-00001")
    counts = {"examples": 3, "shards": 1}
    write_manifest(tmp_path, splits={"train": counts, "eval": counts})
    assert provider(tmp_path / "set-eval*").manifest is not None
    write_shard(tmp_path / "other-train-00000-of-00001")
    assert provider(tmp_path / "other*").manifest is None


@pytest.mark.parametrize("name", ["sample_rate", "frame_rate"])
def test_manifest_of_another_rate_names_both(tmp_path, name):
    write_shard(tmp_path / "set-00000-of-00001")
    features = {"audio": 1000} if name == "sample_rate" else {"audio": 2000}
    write_manifest(tmp_path, **{name: 500, "features": features})
    with pytest.raises(ValueError, match=f"{name}=.*{name}=500.*manifest-set"):
        provider(tmp_path / "set*")


def test_unreadable_manifest_is_named(tmp_path):
    write_shard(tmp_path / "set-00000-of-00001")
    path = tmp_path / "manifest-set.json"
    for content in ("{", "[]", json.dumps({"format": 99})):
        path.write_text(content)
        with pytest.raises(ValueError, match=r"read the manifest.*manifest-set\.json"):
            provider(tmp_path / "set*")


def test_gin_names_it_as_the_original(shards):
    @gin.configurable(module="test_data")
    def consume(data_provider=None):
        return data_provider

    try:
        gin.parse_config(f"""
            test_data.consume.data_provider = @data.TFRecordProvider()
            TFRecordProvider.file_pattern = '{shards}'
            TFRecordProvider.example_secs = 2
            TFRecordProvider.sample_rate = {RATE}
            TFRecordProvider.frame_rate = {FRAMES}
        """)
        assert consume().n_examples == 6
    finally:
        gin.clear_config()
