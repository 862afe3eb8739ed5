"""Data providers: older records, synthetic notes, NSynth, URMP, and mixtures."""

import builtins

import gin
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from ddsp.training import data, postprocessing
from tests.training.test_data import FRAMES, RATE, provider, write_manifest, write_shard

RNG = np.random.default_rng(0)
SIZES = {
    "f0_hz": (5, 1),
    "harm_amp": (5, 1),
    "harm_dist": (5, 3),
    "sin_amps": (5, 3),
    "sin_freqs": (5, 3),
    "noise_magnitudes": (5, 4),
}


def write_records(path, records):
    """Writes dictionaries of float arrays and of bytes."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            features = {}
            for name, value in record.items():
                if isinstance(value, bytes):
                    kind = {"bytes_list": tf.train.BytesList(value=[value])}
                else:
                    floats = tf.train.FloatList(value=np.ravel(value))
                    kind = {"float_list": floats}
                features[name] = tf.train.Feature(**kind)
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return str(path)


def note():
    return {k: RNG.uniform(size=s).astype(np.float32) for k, s in SIZES.items()}


def piece(n_frames, instrument=b"vn"):
    """Example of URMP: one note with an onset in the second frame."""
    rolls = np.zeros([4, n_frames, 128], np.float32)
    rolls[:2, 1:, 60] = [[1.0], [0.5]]
    rolls[2, 1, 60] = rolls[3, -1, 60] = 1.0
    names = (
        "note_active_frame_indices",
        "note_active_velocities",
        "note_onsets",
        "note_offsets",
    )
    return {
        "audio": RNG.uniform(size=n_frames * 64),
        "f0_hz": np.full(n_frames, 261.6),
        "f0_confidence": np.ones(n_frames),
        "loudness_db": np.full(n_frames, -20.0),
        "power_db": np.full(n_frames, -30.0),
        "instrument_id": instrument,
        "recording_id": b"1",
        **dict(zip(names, rolls, strict=True)),
    }


def batch(source, size=1, **kwargs):
    return next(iter(source.get_batch(size, shuffle=False, **kwargs)))


def test_older_records_are_read_without_the_16k_audio(tmp_path):
    path = write_shard(tmp_path / "a", audio_16k=32000)
    legacy = data.LegacyTFRecordProvider(path, 2, RATE, FRAMES)
    assert {k: tuple(v.shape) for k, v in batch(legacy, 2).items()} == {
        "audio": (2, 2000),
        "f0_hz": (2, 100),
        "f0_confidence": (2, 100),
        "loudness_db": (2, 100),
    }


def test_older_records_obey_their_manifest(tmp_path):
    path = write_shard(tmp_path / "set-00000-of-00001")
    write_manifest(tmp_path)
    legacy = data.LegacyTFRecordProvider(path, sample_rate=RATE, frame_rate=FRAMES)
    assert batch(legacy)["audio"].shape == [1, 2000]
    with pytest.raises(ValueError, match=r"Provider\.frame_rate=25.*frame_rate=50"):
        data.LegacyTFRecordProvider(path, sample_rate=RATE, frame_rate=25)


def test_feature_that_older_records_lack_is_named(tmp_path):
    path = write_records(tmp_path / "a", [{"audio": np.zeros(2000)}])
    with pytest.raises(ValueError, match=r"needs.*f0_hz.*got \['audio'\]"):
        data.LegacyTFRecordProvider(path, 2, RATE, FRAMES)
    path = write_shard(tmp_path / "b", frames=25)
    with pytest.raises(ValueError, match=r"`f0_hz` must have 100 values.*got 50"):
        data.LegacyTFRecordProvider(path, 2, RATE, FRAMES)


def test_synthetic_notes_come_back_as_written(tmp_path):
    notes = [note() for _ in range(3)]
    path = write_records(tmp_path / "a", notes)
    source = data.SyntheticNotes(5, 3, 4, path)
    assert source.n_examples == 3
    assert source.frame_rate == 250
    read = list(source.get_dataset(shuffle=False))
    for expected, got in zip(notes, read, strict=True):
        assert set(got) == set(SIZES)
        for name, value in expected.items():
            np.testing.assert_array_equal(got[name], value)


def test_synthetic_notes_of_other_sizes_are_refused(tmp_path):
    path = write_records(tmp_path / "set-00000-of-00001", [note()])
    with pytest.raises(ValueError, match=r"`harm_dist` must have 10.*got 15"):
        data.SyntheticNotes(5, 2, 4, path)
    lengths = {name: int(np.prod(shape)) for name, shape in SIZES.items()}
    write_manifest(
        tmp_path,
        features=lengths,
        frame_rate=1.25,
        sample_rate=16000,
        splits={"all": {"examples": 1, "shards": 1}},
    )
    assert data.SyntheticNotes(5, 3, 4, path).n_examples == 1
    with pytest.raises(ValueError, match=r"`noise_magnitudes` must have 45.*got 20"):
        data.SyntheticNotes(5, 3, 9, path)
    with pytest.raises(ValueError, match=r"SyntheticNotes\.sample_rate=48000"):
        data.SyntheticNotes(5, 3, 4, path, sample_rate=48000)
    with pytest.raises(ValueError, match="`n_mags` must be positive, got 0"):
        data.SyntheticNotes(5, 3, 0, path)
    with pytest.raises(FileNotFoundError, match=r"got file_pattern=.*nothing\*"):
        data.SyntheticNotes(5, 3, 4, str(tmp_path / "nothing*"))
    with pytest.raises(ValueError, match="SyntheticNotes needs a `file_pattern`"):
        data.SyntheticNotes(5, 3, 4)


def test_synthetic_notes_set_aside_by_their_names(tmp_path):
    path = write_records(tmp_path / "n-train-00000-of-00001", [note(), note()])
    write_records(tmp_path / "n-eval-00000-of-00001", [note()])
    validation = data.SyntheticNotes(5, 3, 4, path).validation
    assert isinstance(validation, data.SyntheticNotes)
    assert validation.n_examples == 1


@pytest.mark.parametrize(
    ("key", "suffix", "pattern"),
    [
        ("tpt", None, "urmp_tpt_solo_ddsp_conditioning_train.tfrecord*"),
        ("all", None, "all_instruments_train.tfrecord*"),
        ("vn", "batched", "urmp_vn_solo_ddsp_conditioning_train_batched.tfrecord*"),
    ],
)
def test_urmp_finds_its_files(tmp_path, key, suffix, pattern):
    write_records(tmp_path / pattern.replace("*", "-00000-of-00001"), [piece(1000)])
    source = data.Urmp(str(tmp_path), key, suffix=suffix)
    assert source.default_file_pattern == str(tmp_path / pattern)
    assert batch(source)["loudness_db"].shape == [1, 1000]


def test_urmp_says_what_it_cannot_find(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"urmp_vc_solo.*_test"):
        data.Urmp(str(tmp_path), "vc", split="test")
    with pytest.raises(ValueError, match=r"instrument_key.*'sax'.*got 'kazoo'"):
        data.Urmp(str(tmp_path), "kazoo")
    write_shard(
        tmp_path / "all_instruments_train.tfrecord", secs=4, rate=16000, frames=250
    )
    with pytest.raises(ValueError, match=r"UrmpMidi needs.*note_onsets.*recording_id"):
        data.UrmpMidi(str(tmp_path), "all")


def test_urmp_gives_notes_by_frame(tmp_path):
    pieces = [piece(1000), piece(1000, b"tba"), piece(1000, b"kazoo")]
    write_records(tmp_path / "all_instruments_test.tfrecord-0", pieces)
    read = batch(data.UrmpMidi(str(tmp_path), "all", "test"), 3)
    np.testing.assert_array_equal(read["instrument_id"], [0, 12, -1])
    assert read["f0_hz"].shape == read["loudness_db"].shape == [3, 1000, 1]
    assert read["note_active_velocities"].shape == [3, 1000, 128]
    np.testing.assert_array_equal(read["midi"][0], [0, *[60] * 999])
    np.testing.assert_array_equal(read["onsets"][0], np.arange(1000) == 1)
    np.testing.assert_array_equal(read["offsets"][0], np.arange(1000) == 999)
    assert read["recording_id"][0] == b"1"


def test_whole_recordings_of_urmp_keep_their_lengths(tmp_path):
    pieces = [piece(700), piece(300)]
    write_records(tmp_path / "all_instruments_train_unbatched.tfrecord-0", pieces)
    source = data.UrmpMidiUnsegmented(str(tmp_path), "all", suffix="unbatched")
    batches = list(source.get_batch(1, repeats=1))
    assert sorted(b["midi"].shape[1] for b in batches) == [300, 700]
    first = next(iter(source.get_dataset(shuffle=False)))
    np.testing.assert_array_equal(first["audio"], np.float32(pieces[0]["audio"]))
    assert first["f0_confidence"].shape == first["power_db"].shape == [700]
    with pytest.raises(ValueError, match=r"batch_size=1, or UrmpMidi.*got 2"):
        source.get_batch(2)


@pytest.fixture
def two_sources(tmp_path):
    one = provider(write_shard(tmp_path / "a", n=4))
    two = provider(write_shard(tmp_path / "b", n=8, first=10))
    return one, two


def numbers(examples):
    return sorted(np.ravel(examples["audio"][:, 0]).astype(int))


def test_zipped_batches_go_side_by_side(two_sources):
    zipped = data.ZippedProvider(two_sources)
    pairs = list(zipped.get_batch(2, shuffle=False, repeats=1))
    assert [numbers(a) for a, _ in pairs] == [[0, 1], [2, 3]]
    assert [numbers(b) for _, b in pairs] == [[10, 11], [12, 13]]
    a, b = next(iter(zipped.get_dataset(shuffle=False)))
    assert a["audio"][0] == 0
    assert b["audio"][0] == 10
    # The shorter data set repeats until the longer one ends.
    endless = zipped.get_batch(2, shuffle=False).take(4)
    assert [numbers(b)[0] for _, b in endless] == [10, 12, 14, 16]


def test_zipped_batches_have_the_sizes_of_their_ratios(two_sources):
    zipped = data.ZippedProvider(two_sources, [1, 2])
    one, two = batch(zipped, 9)
    assert len(one["audio"]) == 3
    assert len(two["audio"]) == 6
    with pytest.raises(ValueError, match=r"shares.*\[0, 1\].*got batch_size=2"):
        zipped.get_batch(2)


def test_zipped_data_have_no_statistics(two_sources):
    with pytest.raises(
        ValueError, match=r"several zipped ones, got batches of type tuple"
    ):
        postprocessing.compute_dataset_statistics(data.ZippedProvider(two_sources))


def test_mixed_examples_follow_the_odds(two_sources):
    mixed = data.MixedProvider(two_sources, [1, 3], seed=1)
    assert mixed.n_examples == 12
    once = mixed.get_batch(12, repeats=1)
    assert numbers(next(iter(once))) == [*range(4), *range(10, 18)]
    firsts = []
    for seed in range(60):
        mixed = data.MixedProvider(two_sources, [1, 3], seed=seed)
        first = next(iter(mixed.get_dataset(shuffle=False)))
        firsts.append(first["audio"][0] >= 10)
    # Three standard deviations of 60 draws with odds of 3 in 4.
    assert abs(np.mean(firsts) - 0.75) < 3 * np.sqrt(0.75 * 0.25 / 60)


def test_seed_reaches_every_provider(two_sources):
    def order(seed):
        mixed = data.MixedProvider(two_sources, seed=seed)
        return [int(b["audio"][0, 0]) for b in mixed.get_batch(1, repeats=2)]

    assert order(3) == order(3)
    assert order(3) != order(4)


def test_providers_that_do_not_match_are_refused(tmp_path, two_sources):
    other = provider(write_shard(tmp_path / "c", secs=2, frames=25), frame_rate=25)
    for cls in (data.ZippedProvider, data.MixedProvider):
        with pytest.raises(ValueError, match=r"same `frame_rate`, got.*50.*25"):
            cls([two_sources[0], other])
        with pytest.raises(ValueError, match=r"each of the 2 providers, got \[1\]"):
            cls(two_sources, [1])
        with pytest.raises(ValueError, match=r"positive, got \[1, 0\]"):
            cls(two_sources, [1, 0])
        with pytest.raises(ValueError, match=r"at least one provider.*got \[\]"):
            cls([])
    fewer = provider(write_shard(tmp_path / "d"), features=["audio"])
    with pytest.raises(ValueError, match="same features"):
        data.MixedProvider([two_sources[0], fewer]).get_dataset()


def test_saved_dataset(tmp_path):
    audio = RNG.uniform(size=[3, 20]).astype(np.float32)
    tf.data.Dataset.from_tensor_slices({"audio": audio}).save(str(tmp_path / "saved"))
    source = data.ExperimentalDataProvider(str(tmp_path / "saved"), RATE, FRAMES)
    read = batch(source, 3)
    np.testing.assert_array_equal(read["audio"], audio)
    with pytest.raises(FileNotFoundError, match=r"got data_dir=.*none"):
        data.ExperimentalDataProvider(
            str(tmp_path / "none"), RATE, FRAMES
        ).get_dataset()


@pytest.fixture
def nsynth(tmp_path):
    """Data set in the NSynth format with two short notes."""
    scalar = tfds.features.Scalar(tf.int64)
    features = {
        "audio": tfds.features.Tensor(shape=[64], dtype=tf.float32),
        "f0": {
            "hz": tfds.features.Tensor(shape=[4], dtype=tf.float32),
            "confidence": tfds.features.Tensor(shape=[4], dtype=tf.float32),
        },
        "loudness": {"db": tfds.features.Tensor(shape=[4], dtype=tf.float32)},
        "pitch": scalar,
        "instrument": {"label": scalar, "family": scalar, "source": scalar},
    }
    notes = [
        {
            "audio": np.full(64, i, np.float32),
            "f0": {
                "hz": np.full(4, 100 + i, np.float32),
                "confidence": np.full(4, 0.5, np.float32),
            },
            "loudness": {"db": np.full(4, -i, np.float32)},
            "pitch": 60 + i,
            "instrument": {"label": i, "family": 2, "source": 1},
        }
        for i in range(2)
    ]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="notes",
        version="1.0.0",
        config="full",
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": list(enumerate(notes))},
        data_dir=tmp_path,
    )
    return str(tmp_path)


def test_nsynth_under_the_usual_names(nsynth):
    source = data.NSynthTfds("notes/full:1.0.0", data_dir=nsynth)
    read = batch(source, 2)
    assert {k: tuple(v.shape) for k, v in read.items()} == {
        "audio": (2, 64),
        "f0_hz": (2, 4),
        "f0_confidence": (2, 4),
        "loudness_db": (2, 4),
        "pitch": (2,),
        "instrument": (2,),
        "instrument_family": (2,),
        "instrument_source": (2,),
    }
    # TensorFlow Datasets shuffles the examples.
    assert sorted(read["pitch"].numpy()) == [60, 61]
    np.testing.assert_array_equal(
        read["f0_hz"][:, 0] - 100.0, tf.cast(read["pitch"] - 60, tf.float32)
    )
    np.testing.assert_array_equal(read["instrument_family"], [2, 2])
    bare = data.NSynthTfds(
        "notes/full:1.0.0", data_dir=nsynth, include_note_labels=False
    )
    assert set(batch(bare)) == {"audio", "f0_hz", "f0_confidence", "loudness_db"}
    raw = data.TfdsProvider("notes/full:1.0.0", "train[:1]", nsynth, RATE, FRAMES)
    labels = [int(x["instrument"]["label"]) for x in raw.get_dataset()]
    assert len(labels) == 1
    assert labels[0] in (0, 1)


def test_nsynth_that_is_not_there_is_named(tmp_path):
    source = data.NSynthTfds(data_dir=str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"gansynth_subset.*download=True"):
        source.get_dataset()


def test_nsynth_without_pitch_is_refused(nsynth, monkeypatch):
    import tensorflow_datasets

    load = tensorflow_datasets.load

    def without_pitch(*args, **kwargs):
        return load(*args, **kwargs).map(
            lambda x: {name: x[name] for name in x if name != "f0"}
        )

    monkeypatch.setattr(tensorflow_datasets, "load", without_pitch)
    with pytest.raises(ValueError, match=r"needs.*'f0/hz'.*lacks, got \['audio'"):
        data.NSynthTfds("notes/full:1.0.0", data_dir=nsynth).get_dataset()


def test_nsynth_names_the_extra_it_needs(monkeypatch):
    import_module = builtins.__import__

    def without_tfds(name, *args, **kwargs):
        if name == "tensorflow_datasets":
            raise ImportError("none")
        return import_module(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_tfds)
    with pytest.raises(ImportError, match=r"ddsp\[nsynth\]"):
        data.NSynthTfds(data_dir="/nowhere").get_dataset()


def test_configs_compose_providers(tmp_path):
    notes = write_records(tmp_path / "notes", [note()])
    audio = write_shard(tmp_path / "audio", secs=4, rate=16000, frames=250)
    gin.clear_config()
    try:
        gin.parse_config(
            f"""
            data.SyntheticNotes.file_pattern = '{notes}'
            data.SyntheticNotes.n_timesteps = 5
            data.SyntheticNotes.n_harmonics = 3
            data.SyntheticNotes.n_mags = 4
            train_data/TFRecordProvider.file_pattern = '{audio}'
            train_data/ZippedProvider.data_providers = [
                @data.SyntheticNotes(), @train_data/data.TFRecordProvider(),
            ]
            training.provider = @train_data/data.ZippedProvider()
            """,
            skip_unknown=True,
        )
        with gin.config_scope("train_data"):
            zipped = gin.get_configurable("data.ZippedProvider")()
        notes_read, recorded = batch(zipped)
        assert notes_read["sin_amps"].shape == [1, 5, 3]
        assert recorded["audio"].shape == [1, 64000]
    finally:
        gin.clear_config()
