"""Bundles of strangers: never run, never larger than they say, refused in one line."""

import dataclasses
import io
import json
import os
import shutil
import zipfile

import numpy as np
import pytest

import ddsp
from ddsp.playing import bundle
from ddsp.playing.bundle import arrays, bundle_manifest
from tests.training import small_run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    small_run.save_run(run)
    path = tmp_path_factory.mktemp("bundles") / "violin"
    bundle.write(path, run)
    return path


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / "copy")


def seal(folder, **changes):
    """Writes a manifest whose checksums are right, whatever the files are."""
    path = folder / "bundle.json"
    content = json.loads(path.read_text())
    content["files"] = {
        file.relative_to(folder).as_posix(): {
            "sha256": bundle_manifest.sha256(file),
            "bytes": file.stat().st_size,
        }
        for file in folder.rglob("*")
        if file.is_file() and file != path
    }
    content.update(changes)
    content["checksum"] = bundle_manifest._checksum(content)
    path.write_text(json.dumps(content))


def check_refused(folder, message):
    with pytest.raises(ValueError, match=message) as caught:
        ddsp.load(folder)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_listed_is_refused(copy):
    (copy / "extra.py").write_text("1")
    check_refused(copy, r"not listed extra\.py")
    (copy / "extra.py").unlink()
    # File managers leave this in every folder.
    (copy / ".DS_Store").write_bytes(b"x")
    assert ddsp.load(copy).check() <= 1e-6


@pytest.mark.parametrize(
    "name", ["../x", "/etc/hostname", "a/../../x", "", ".", "a//b", "C:x", "a\\b", "\n"]
)
def test_names_that_lead_out_are_refused(copy, name):
    files = json.loads((copy / "bundle.json").read_text())["files"]
    seal(copy, files={**files, name: {"sha256": "0" * 64, "bytes": 1}})
    check_refused(copy, "wrong entry 'files'")


def test_links_folders_and_devices_are_never_opened(copy, tmp_path):
    weights = copy / "weights.npz"
    shutil.move(weights, tmp_path / "weights.npz")
    weights.symlink_to(tmp_path / "weights.npz")
    check_refused(copy, r"no links or devices; got .*weights\.npz")
    weights.unlink()
    weights.mkdir()
    check_refused(copy, r"missing weights\.npz")
    weights.rmdir()
    os.mkfifo(weights)  # Reading it would wait for ever.
    check_refused(copy, r"no links or devices; got .*weights\.npz")
    weights.unlink()
    (copy / "folder").symlink_to(tmp_path)
    check_refused(copy, "no links or devices; got .*folder")


def test_a_manifest_that_is_a_link_is_none(copy, tmp_path):
    shutil.move(copy / "bundle.json", tmp_path / "bundle.json")
    (copy / "bundle.json").symlink_to(tmp_path / "bundle.json")
    check_refused(copy, "Not a bundle")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "null",
        "{",
        "[" * 100_000,
        '{"format": 3}',
        '{"format": "ddsp-bundle"}',
        '{"format": "ddsp-bundle", "format_version": 1' + "0" * 5000 + "}",
        '{"format": "ddsp-bundle", "format_version": 1}',
        "\udcff",
        '"' + "x" * 2**22 + '"',
    ],
)
def test_manifests_that_are_none(copy, text):
    (copy / "bundle.json").write_text(text, errors="surrogateescape")
    check_refused(copy, r"bundle\.json")


def wrong_entries():
    wrong = {
        "library_version": [3],
        "model": [None],
        "sample_rate": [0, -1, 1.5, True, "16000", 10**9, None],
        "frame_rate": [0, 333, [], 10**30],
        "features": ["f0_hz", [1], {}],
        "latency_samples": [-1, 0.5],
        "n_parameters": [-1, 10**30],
        "pitch_tracker": [{}, [], "crepe"],
        "license": [{}],
        "attribution": [1],
        "exports": [{}, [1]],
        "files": [[], {"a": 1}, {"a": {"sha256": 1, "bytes": 1}}, {"a": {}}],
    }
    assert wrong.keys() == {
        field.name for field in dataclasses.fields(bundle.BundleManifest)
    }
    return [(name, value) for name, values in wrong.items() for value in values]


@pytest.mark.parametrize(("name", "value"), wrong_entries())
def test_wrong_entries_of_the_manifest_are_named(copy, name, value):
    seal(copy, **{name: value})
    check_refused(copy, rf"{name}.* in bundle\.json")


def test_other_entries_of_the_manifest_are_named(copy):
    seal(copy, command="rm")
    check_refused(copy, r"unknown entries \['command'\]")
    content = json.loads((copy / "bundle.json").read_text())
    del content["command"], content["license"]
    content["checksum"] = bundle_manifest._checksum(content)
    (copy / "bundle.json").write_text(json.dumps(content))
    check_refused(copy, r"missing entries \['license'\]")


def test_a_manifest_of_another_model_is_refused(copy):
    seal(copy, sample_rate=48000, frame_rate=250)
    check_refused(copy, "not what bundle.json says")


@pytest.mark.parametrize("name", ["config.gin", "weights.npz", "test_vector.npz"])
def test_what_a_bundle_needs_is_listed(copy, name):
    (copy / name).unlink()
    seal(copy)
    check_refused(copy, f"missing .*{name}")


@pytest.mark.parametrize(
    "line", ["import os", "Autoencoder.encoder = @tf.keras.layers.TFSMLayer()"]
)
def test_configs_of_bundles_run_nothing(copy, line):
    config = copy / "config.gin"
    config.write_text(f"{config.read_text()}\n{line}\n")
    seal(copy)
    check_refused(copy, r"config\.gin.*trusted=True")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("RnnFcDecoder.rnn_channels = 10000000", "larger model"),
        ("Reverb.reverb_length = 30000000", "larger model"),
        ("Harmonic.sample_rate = 30000000", "one sample_rate|Sample rate and"),
        ("F0LoudnessPreprocessor.frame_rate = -1", "frame_rate"),
        ("Harmonic.sample_rate = 'x'", "does not describe a model"),
        ("get_model.model = @models.InverseSynthesis()", "holds an autoencoder"),
    ],
)
def test_models_are_measured_before_they_are_made(copy, line, message):
    config = copy / "config.gin"
    config.write_text(f"{config.read_text()}\n{line}\n")
    seal(copy)
    check_refused(copy, message)
    check_refused(copy, r"config\.gin")
    # The next model is not disturbed by what could not be made.
    config.write_text("\n".join(config.read_text().splitlines()[:-1]))
    seal(copy)
    assert ddsp.load(copy).check() <= 1e-6


def test_losses_in_a_config_are_left_out(copy):
    config = copy / "config.gin"
    losses = "Autoencoder.losses = [@losses.SpectralLoss()]"
    config.write_text(f"{config.read_text()}\n{losses}\n")
    seal(copy)
    assert ddsp.load(copy).model.loss_objs == []


def changed(path, **changes):
    """Writes an array file again with other arrays; None leaves one out."""
    with np.load(path) as stored:
        values = {**stored, **changes}
    np.savez(path, **{name: x for name, x in values.items() if x is not None})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(copy, value):
    weights = copy / "weights.npz"
    with np.load(weights) as stored:
        name = max(stored)
        array = stored[name].copy()
    array.flat[-1] = value
    changed(weights, **{name: array})
    seal(copy)
    check_refused(copy, rf"finite.*'{name}' of .*weights\.npz")


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32])
def test_weights_of_another_type_are_refused(copy, dtype):
    weights = copy / "weights.npz"
    with np.load(weights) as stored:
        name = max(stored)
        array = stored[name].astype(dtype)
    changed(weights, **{name: array})
    seal(copy)
    check_refused(copy, f"'{name}' is float32 in the model, got {array.dtype.name}")


def npz(**members):
    """An archive of given bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return file.getvalue()


def npy(descr, shape, data=b""):
    """An array file with a header of one's own."""
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}}}"
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


BOMB = io.BytesIO()
np.savez_compressed(BOMB, a=np.zeros(10_000_000, np.float32))
PICKLE = io.BytesIO()
np.savez(PICKLE, a=np.array([print], dtype=object))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"x" * 1000,
        BOMB.getvalue(),
        PICKLE.getvalue(),
        npz(a=b"x"),
        npz(a=npy("<f4", "(1000000000,)")),
        npz(a=npy("<f4", "(-1, -1)", b"0000")),
        npz(a=npy("<f4", "'x'")),
        npz(a=npy("<f4", "__import__('os')")),
        npz(a=npy("|O", "()")),
        npz(a=npy("<U9", "(0,)")),
    ],
)
@pytest.mark.parametrize("name", ["weights.npz", "test_vector.npz"])
def test_array_files_that_are_none(copy, name, content):
    (copy / name).write_bytes(content)
    seal(copy)
    check_refused(copy, f"cannot be read .*{name}")


def test_arrays_that_share_their_bytes_are_refused(tmp_path):
    """Each is as long as it says; together they are longer than the file."""
    path = tmp_path / "shared.npz"
    np.savez(path, a=np.zeros(1000, np.float32), b=np.zeros(1, np.float32))
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        first, _ = archive.infolist()
    start = whole.index(b"PK\x01\x02")
    middle = whole.index(b"PK\x01\x02", start + 4)
    end = whole.index(b"PK\x05\x06")
    # The directory names the first array three times.
    directory = b"".join(
        whole[start:middle].replace(b"a.npy", name)
        for name in (b"a.npy", b"b.npy", b"c.npy")
    )
    tail = bytearray(whole[end:])
    tail[8:10] = tail[10:12] = (3).to_bytes(2, "little")
    tail[12:16] = len(directory).to_bytes(4, "little")
    path.write_bytes(whole[:start] + directory + bytes(tail))
    with pytest.raises(ValueError, match="cannot be read"):
        arrays.read_headers(path)
    assert first.file_size > 4000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"expected_audio": None}, "'expected_audio' is missing"),
        ({"expected_audio": np.zeros([1, 3], np.float32)}, "'expected_audio' in"),
        ({"f0_hz": None}, "must have the features"),
        ({"f0_hz": np.zeros([1, 3, 1], np.float32)}, "'f0_hz' in"),
        ({"f0_hz": np.full([1, 128, 1], np.nan, np.float32)}, "finite"),
        ({"f0_hz": np.zeros([1, 128, 1])}, "'f0_hz' in .* float64"),
        ({"more": np.zeros([1, 128, 1], np.float32)}, "must have the features"),
        ({"noise/other": np.zeros([1, 8192], np.float32)}, "must have the features"),
    ],
)
def test_test_vectors_of_another_model_are_refused(copy, changes, message):
    changed(copy / "test_vector.npz", **changes)
    seal(copy)
    check_refused(copy, message)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"quantile_transform": 3}',
        '{"quantile_transform": {"quantiles": "x"}}',
        '{"quantile_transform": {"quantiles": [[1]], "n_quantiles": "x"}}',
    ],
)
def test_statistics_that_are_none(copy, text):
    (copy / "dataset_statistics.json").write_text(text)
    seal(copy)
    check_refused(copy, r"dataset_statistics\.json")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mean_pitch", "high"),
        ("mean_pitch", None),
        ("mean_pitch", float("nan")),
        ("mean_pitch", [1.0]),
        ("note_on_fraction", 1e400),
        ("centered", "yes"),
        ("pitch_tracker", 3),
    ],
)
def test_statistics_of_wrong_values(copy, name, value):
    path = copy / "dataset_statistics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    seal(copy)
    check_refused(copy, rf"dataset_statistics\.json.*{name}")
