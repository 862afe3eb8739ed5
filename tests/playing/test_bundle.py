"""Bundles: written, read back, damaged, refused."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import ddsp
from ddsp.playing import bundle, timbre_transfer
from ddsp.training import models
from tests.training import small_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A training run with statistics, its weights random."""
    folder = tmp_path_factory.mktemp("a run")
    small_run.save_run(folder)
    return folder


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    """A bundle; not to be changed."""
    path = tmp_path_factory.mktemp("bundles") / "a violin"
    bundle.write(path, run, license="CC BY 4.0", attribution="Ana Müller, violin")
    return path


@pytest.fixture
def copy(made, tmp_path):
    """A bundle to be changed."""
    return Path(shutil.copytree(made, tmp_path / "copy"))


def edit(path, **changes):
    """Changes entries of the manifest, without its checksum."""
    manifest = path / "bundle.json"
    content = {**json.loads(manifest.read_text()), **changes}
    manifest.write_text(json.dumps(content))


def test_a_bundle_plays_what_the_run_plays(run, made):
    trained = models.load(run)
    features = {
        "f0_hz": np.linspace(200.0, 400.0, 40, dtype=np.float32)[np.newaxis],
        "loudness_db": np.linspace(-40.0, -10.0, 40, dtype=np.float32)[np.newaxis],
    }

    def play(model):
        # The noise is drawn from TensorFlow's generator, seeded here.
        tf.random.set_seed(5)
        return model(features, training=False, n_samples=2560)["audio_synth"]

    expected = play(trained)
    actual = play(ddsp.load(made).model)
    # The same weights through the same operations.
    np.testing.assert_array_equal(actual, expected)
    assert np.std(actual) > 1e-4


def test_the_test_vector_is_what_the_offline_model_plays(made):
    """Without noise and with the latency cut off, streamed audio is the offline."""
    loaded = ddsp.load(made)
    vector = loaded.test_vector
    assert set(vector.noise) == {"filtered_noise"}
    assert np.max(np.abs(vector.noise["filtered_noise"])) <= 1.0
    outputs = loaded.model(vector.features, training=False, n_samples=128 * 64)
    wet = loaded.model.processor_group.reverb(outputs["harmonic"]["signal"])
    silent = {name: np.zeros_like(x) for name, x in vector.noise.items()}
    streamed = bundle.vector.synthesize(loaded.model, vector.features, silent)
    lag = loaded.info.latency_samples
    assert lag > 0
    np.testing.assert_array_equal(streamed[:, :lag], 0.0)
    # Streaming promises 1e-5.
    np.testing.assert_allclose(streamed[:, lag:], wet[:, :-lag], atol=1e-5)


def test_check_sees_other_weights(made):
    loaded = ddsp.load(made)
    assert loaded.check() <= 1e-6
    weights = loaded.model.decoder.get_weights()
    loaded.model.decoder.set_weights([1.1 * w for w in weights])
    assert loaded.check() > 1e-4


def test_what_a_bundle_says(made):
    loaded = ddsp.load(str(made))
    info = loaded.info
    assert (info.sample_rate, info.frame_rate, info.hop_size) == (16000, 250, 64)
    assert info.license == "CC BY 4.0"
    assert info.attribution == "Ana Müller, violin"
    assert info.library_version == ddsp.__version__
    assert info.features == ["f0_hz", "loudness_db"]
    assert info.pitch_tracker["model"] == "full"
    assert info.pitch_tracker["centered"]
    assert info.exports == []
    assert loaded.statistics["mean_pitch"] == 62.0
    card = (made / "README.md").read_text(encoding="utf-8")
    for expected in ("CC BY 4.0", "Ana Müller", "ddsp.load", "16000 Hz", "full"):
        assert expected in card


def test_a_bundle_has_no_more_than_playing_needs(made):
    config = (made / "config.gin").read_text()
    assert "train." not in config
    assert "SpectralLoss" not in config
    assert "exp_sigmoid.exponent = 9.0" in config
    assert ddsp.load(made).model.loss_objs == []
    assert not [file.name for file in made.iterdir() if "tmp" in file.name]


def test_the_test_vector_lies_where_the_model_was_trained(made):
    features = ddsp.load(made).test_vector.features
    midi = 69.0 + 12.0 * np.log2(features["f0_hz"] / 440.0)
    assert np.mean(midi) == pytest.approx(62.0, abs=0.2)
    assert np.max(features["loudness_db"]) == pytest.approx(-18.0, abs=0.1)


def test_loading_in_a_fresh_process_with_one_import(made):
    code = (
        "import sys, ddsp\n"
        "assert 'ddsp.training' not in sys.modules\n"
        f"print(ddsp.load({str(made)!r}).check())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) <= 1e-6


@pytest.mark.parametrize("place", [0.0, 0.5, 0.999])
def test_a_damaged_byte_is_found_in_every_file(copy, place):
    names = [path.name for path in copy.iterdir()]
    assert len(names) == 8
    for name in names:
        whole = (copy / name).read_bytes()
        damaged = bytearray(whole)
        damaged[int(place * len(whole))] ^= 1
        (copy / name).write_bytes(damaged)
        with pytest.raises(ValueError, match=name.replace(".", r"\.")):
            ddsp.load(copy)
        (copy / name).write_bytes(whole)
    assert ddsp.load(copy).check() <= 1e-6


def test_a_missing_file_is_named(copy):
    (copy / "weights.npz").unlink()
    (copy / "test_vector.wav").write_bytes(b"")
    message = r"missing weights\.npz; damaged test_vector\.wav"
    with pytest.raises(ValueError, match=message):
        ddsp.load(copy)


def test_other_versions_are_refused(copy):
    edit(copy, format_version=2, library_version="9.1.0")
    with pytest.raises(ValueError, match=r"version 1, not 2 .*ddsp 9\.1\.0; upgrade"):
        ddsp.load(copy)
    edit(copy, format_version="new")
    with pytest.raises(ValueError, match="no release"):
        ddsp.load(copy)


def test_a_manifest_that_was_edited_is_refused(copy):
    edit(copy, license="public domain")
    with pytest.raises(ValueError, match=r"damaged.*bundle\.json"):
        ddsp.load(copy)
    edit(copy, format="zip")
    with pytest.raises(ValueError, match="another format"):
        ddsp.load(copy)


def test_what_is_no_bundle_is_refused(tmp_path, run):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        ddsp.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="ddsp_export"):
        ddsp.load(run)


def test_weights_that_do_not_fit_are_refused(copy):
    """The files are whole by their checksums, but not of one model."""
    with np.load(copy / "weights.npz") as stored:
        weights = dict(stored)
    name = min(weights)
    weights[name] = np.zeros(3, np.float32)
    np.savez(copy / "weights.npz", **weights)
    info = bundle.bundle_manifest.read(made_up := str(copy))
    bundle.bundle_manifest.write(info, copy)
    with pytest.raises(
        ValueError, match=rf"weights\.npz.*'{name}' must have shape.*\(3,\)"
    ):
        ddsp.load(made_up)
    del weights[name]
    np.savez(copy / "weights.npz", **weights)
    bundle.bundle_manifest.write(info, copy)
    with pytest.raises(ValueError, match=f"missing .*{name}"):
        ddsp.load(made_up)


def test_a_run_without_statistics_is_refused(run, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(run, bare)
    (bare / "dataset_statistics.json").unlink()
    path = tmp_path / "out" / "bundle"
    with pytest.raises(ValueError, match=r"compute_dataset_statistics.*--noneed_stat"):
        bundle.write(path, bare)
    assert not path.parent.exists()
    bundle.write(path, bare, need_statistics=False)
    loaded = ddsp.load(path)
    assert loaded.statistics is None
    assert loaded.info.license.startswith("unknown")
    assert loaded.info.pitch_tracker["model"] == "tiny"
    assert not loaded.info.pitch_tracker["centered"]


def test_interrupted_writing_leaves_nothing(run, tmp_path):
    path = tmp_path / "bundle"
    with pytest.raises(KeyboardInterrupt), bundle.create(path, run):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_interrupted_writing_leaves_the_bundle_that_was_there(run, copy):
    before = {file.name: file.read_bytes() for file in copy.iterdir()}
    with pytest.raises(KeyboardInterrupt), bundle.create(copy, run) as draft:
        assert draft.folder != copy
        raise KeyboardInterrupt
    assert {file.name: file.read_bytes() for file in copy.iterdir()} == before
    assert list(copy.parent.iterdir()) == [copy]


def test_what_a_killed_export_left_is_cleared(run, tmp_path):
    # No process has this number.
    left = tmp_path / f".bundle.{2**22 + 1}-0.tmp"
    left.mkdir()
    (left / "half.npz").write_bytes(b"half")
    bundle.write(tmp_path / "bundle", run)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert ddsp.load(tmp_path / "bundle").check() <= 1e-6


def test_two_at_once_are_both_whole(run, tmp_path):
    path = tmp_path / "bundle"
    with bundle.create(path, run, license="first"):
        bundle.write(path, run, license="second")
        assert ddsp.load(path).info.license == "second"
    assert ddsp.load(path).info.license == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_trouble_with_the_disk_names_the_destination(run, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    path = tmp_path / "bundle"
    with pytest.raises(OSError, match=f"Cannot write {path}: No space left on device"):
        bundle.write(path, run)
    assert not list(tmp_path.iterdir())


def test_a_bundle_replaces_a_bundle_alone(run, copy, tmp_path):
    (tmp_path / "music").mkdir()
    bundle.write(tmp_path / "music", run)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("dear")
    with pytest.raises(ValueError, match="letters"):
        bundle.write(tmp_path / "letters", run)
    assert (tmp_path / "letters" / "dear.txt").read_text() == "dear"
    bundle.write(copy, run, license="mine")
    assert ddsp.load(copy).info.license == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy", "letters", "music"]


def test_a_bundle_of_a_bundle_keeps_what_is_known(made, tmp_path):
    bundle.write(tmp_path / "again", made, attribution="A. Müller")
    again, first = ddsp.load(tmp_path / "again"), ddsp.load(made)
    assert again.info.license == "CC BY 4.0"
    assert again.info.attribution == "A. Müller"
    assert again.info.pitch_tracker == first.info.pitch_tracker
    for name in ("weights.npz", "config.gin", "test_vector.npz"):
        assert again.info.files[name] == first.info.files[name]


def test_exports_become_part_of_the_bundle(run, tmp_path):
    path = tmp_path / "bundle"
    with bundle.create(path, run) as draft:
        (draft.folder / "web").mkdir()
        (draft.folder / "web" / "index.html").write_text("hello")
        draft.add_export({"form": "web", "difference": 1.5e-7, "bytes": 5})
    loaded = ddsp.load(path)
    assert loaded.info.exports[0]["form"] == "web"
    assert loaded.info.files["web/index.html"]["bytes"] == 5
    assert "| web | 1.5e-07 | 5 |" in (path / "README.md").read_text()
    (path / "web" / "index.html").write_text("hallo")
    with pytest.raises(ValueError, match=r"damaged web/index\.html"):
        ddsp.load(path)


def test_timbre_transfer_takes_a_bundle(made):
    model, statistics = timbre_transfer.load_model(str(made))
    assert isinstance(model, models.Autoencoder)
    assert statistics["mean_pitch"] == 62.0
