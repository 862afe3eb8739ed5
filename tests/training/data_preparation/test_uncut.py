"""Preparation without cutting, chunks or features, as the original's arguments say."""

import numpy as np
import pytest

from ddsp.recordings.analysis_settings import Settings
from ddsp.recordings.audio_io import Recording
from ddsp.training.data import TFRecordProvider
from ddsp.training.data_preparation import example_plan
from ddsp.training.data_preparation.prepare_tfrecord_lib import (
    prepare_tfrecord,
    summary,
)
from tests.training.data_preparation import signals


def prepare(tmp_path, *seconds, sample_rate=16000, **kwargs):
    """Prepares recordings of these lengths; also returns their audio."""
    audio = [
        signals.tones(length, sample_rate, seed=i) for i, length in enumerate(seconds)
    ]
    paths = [
        signals.write(tmp_path / f"{i}.wav", x, sample_rate, subtype="FLOAT")
        for i, x in enumerate(audio)
    ]
    settings = {"num_shards": 1, "viterbi": False, "sample_rate": sample_rate}
    output = str(tmp_path / "set")
    return prepare_tfrecord(paths, output, **{**settings, **kwargs}), audio


def examples_of(tmp_path):
    data = TFRecordProvider(str(tmp_path / "set*"))
    return list(data.get_dataset(shuffle=False).as_numpy_iterator())


@pytest.mark.parametrize("nothing", [None, 0])
def test_whole_recordings(tmp_path, nothing):
    manifest, audio = prepare(tmp_path, 0.5, example_secs=nothing, chunk_secs=nothing)
    assert manifest.example_secs is None
    assert manifest.features["audio"] == 8000
    assert manifest.features["f0_hz"] == 125
    assert manifest.statistics["n_examples"] == 1
    assert summary(manifest).endswith("1 examples.")
    data = TFRecordProvider(str(tmp_path / "set*"))
    batch = next(iter(data.get_batch(1)))
    np.testing.assert_array_equal(batch["audio"][0], audio[0])


def test_whole_recordings_of_different_lengths(tmp_path):
    manifest, audio = prepare(tmp_path, 0.5, 0.3, example_secs=None, chunk_secs=None)
    assert set(manifest.features.values()) == {None}
    assert not manifest.statistics
    for example, x in zip(examples_of(tmp_path), audio, strict=True):
        np.testing.assert_array_equal(example["audio"], x)
        assert len(example["f0_hz"]) == len(x) // 64
    data = TFRecordProvider(str(tmp_path / "set*"))
    with pytest.raises(ValueError, match=r"different lengths.*got batch_size=2"):
        data.get_batch(2)
    assert len(list(data.get_batch(1, repeats=1))) == 2


def test_chunks_are_examples_without_example_secs(tmp_path):
    manifest, audio = prepare(tmp_path, 0.6, example_secs=None, chunk_secs=0.2)
    assert manifest.splits["all"]["examples"] == 3
    joined = np.concatenate([example["audio"] for example in examples_of(tmp_path)])
    np.testing.assert_array_equal(joined, audio[0])


def test_results_do_not_depend_on_chunks(tmp_path):
    cut = {"example_secs": 0.2, "hop_secs": 0.2, "num_shards": None}
    whole, _ = prepare(tmp_path, 0.6, chunk_secs=None, **cut)
    assert whole.features["audio"] == 3200
    assert whole.splits["all"] == {"examples": 3, "shards": 10}
    at_once = examples_of(tmp_path)
    prepare(tmp_path, 0.6, chunk_secs=0.1, **cut)
    for one, other in zip(at_once, examples_of(tmp_path), strict=True):
        for name, values in one.items():
            # Rounding in batches of other sizes.
            np.testing.assert_allclose(other[name], values, rtol=1e-3, atol=1e-3)


def test_audio_alone(tmp_path):
    manifest, audio = prepare(
        tmp_path,
        0.5,
        sample_rate=44100,
        frame_rate=None,
        example_secs=0.2,
        hop_secs=0.1,
    )
    # 44,100 and 16,000 have a grid of 100 frames a second in common.
    assert manifest.features == {"audio": 8820, "audio_16k": 3200}
    assert manifest.frame_rate is None
    assert not manifest.pitch_tracker
    data = TFRecordProvider(str(tmp_path / "set*"), sample_rate=44100, frame_rate=100)
    first, second, *_ = data.get_dataset(shuffle=False).as_numpy_iterator()
    np.testing.assert_array_equal(first["audio"], audio[0][:8820])
    np.testing.assert_array_equal(second["audio"], audio[0][4410:13230])


def test_split_of_recordings_that_are_not_cut(tmp_path):
    kwargs = {"example_secs": None, "chunk_secs": None, "frame_rate": None}
    with pytest.raises(ValueError, match=r"got 0\.2 and 1 recordings"):
        prepare(tmp_path, 0.5, eval_split_fraction=0.2, **kwargs)
    manifest, _ = prepare(tmp_path, 0.5, 0.5, eval_split_fraction=0.5, **kwargs)
    assert [split["examples"] for split in manifest.splits.values()] == [1, 1]


def test_recordings_too_long_for_one_example():
    settings = Settings(example_secs=None)
    too_long = Recording("/long.wav", 16000, 1, 16000 * 10_000)
    with pytest.raises(ValueError, match=r"too long for one example \(10000 s\)"):
        example_plan.plan_recordings([too_long], settings)
