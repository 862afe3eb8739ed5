"""Bundles with other forms of the model in them, and the command that writes them."""

import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import ddsp
from ddsp.playing import export
from ddsp.playing.export import exporting
from ddsp.training import postprocessing
from tests.playing import vst_run
from tests.training import small_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    small_run.save_run(folder)
    return folder


@pytest.fixture(scope="module")
def plugin_run(tmp_path_factory):
    """A run of the plug-ins' config, whose reverb is of noise."""
    folder = tmp_path_factory.mktemp("plugin run")
    vst_run.save_run(folder)
    ranges = dict.fromkeys(("mean_min_pitch_note", "mean_max_pitch_note"), 60.0)
    ranges |= dict.fromkeys(("mean_min_power_note", "mean_max_power_note"), -30.0)
    statistics = {**small_run.STATISTICS, **ranges}
    postprocessing.save_dataset_statistics(statistics, str(folder))
    return folder


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "ddsp.commands.ddsp_export", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_from_run_to_bundle(run, tmp_path):
    path = tmp_path / "a flute"
    done = command(
        f"--model={run}",
        f"--output={path}",
        "--formats=saved_model,tflite,onnx",
        "--block_frames=8",
        "--license=CC0",
        "--attribution=Ana",
    )
    assert done.returncode == 0, done.stderr
    assert "Writing and comparing stream for onnx" in done.stderr
    heading, *rows, last = done.stdout.splitlines()
    assert heading.split()[:2] == ["form", "runtime"]
    assert [row.split()[:2] for row in rows] == [
        ["stream", name] for name in ("saved_model", "tflite", "onnx")
    ]
    assert all(float(row.split()[2]) <= 1e-4 for row in rows)
    assert last == str(path)
    loaded = ddsp.load(path)
    assert loaded.check() <= 1e-6
    assert loaded.info.license == "CC0"
    assert [x["runtime"] for x in loaded.info.exports] == [
        "saved_model",
        "tflite",
        "onnx",
    ]
    card = (path / "README.md").read_text()
    for record in loaded.info.exports:
        assert record["difference"] <= 1e-4
        assert record["real_time_factor"] > 0.0
        assert record["size_bytes"] > 1000
        assert f"| {record['path']} |" in card
    # The bundle vouches for the exported files too.
    assert "tflite/stream.tflite" in loaded.info.files
    exported = path / "onnx" / "stream.onnx"
    content = bytearray(exported.read_bytes())
    content[len(content) // 2] ^= 1
    exported.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged onnx/stream\.onnx"):
        ddsp.load(path)


def test_the_command_says_what_is_wrong(run, tmp_path):
    done = command("--model", run, "--save_dir", tmp_path / "out", "--formats=exe")
    assert done.returncode == 1
    assert "error: `format` must be one of ['saved_model'" in done.stderr
    assert "got 'exe'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_every_form_is_compared(run, tmp_path):
    told = []
    comparisons = exporting.export_model(
        tmp_path / "bundle",
        run,
        ["saved_model"],
        [*exporting.FORMS, "stream"],
        block_frames=16,
        progress=told.append,
    )
    assert [x.form for x in comparisons] == ["stream", "whole", "decoder", "level"]
    assert max(x.difference for x in comparisons) <= 1e-4
    assert len(told) == 6
    assert exporting.table(comparisons).splitlines()[2].startswith("whole    saved_m")


def test_blocks_that_do_not_divide_the_test_vector(run, tmp_path):
    (comparison,) = exporting.export_model(
        tmp_path / "bundle", run, ["saved_model"], block_frames=50
    )
    assert comparison.difference <= 1e-4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tfjs"], "--formats=web"),
        (["--inference_model=autoencoder"], "--formats=saved_model.*--forms=whole"),
        (["--inference_model=streaming_f0_pw"], r"--forms=stream \(block by block\)"),
        (["--name=a/b"], "file name, got 'a/b'"),
    ],
)
def test_flags_of_the_original_say_what_replaces_them(
    run, tmp_path, arguments, message
):
    done = command(f"--model={run}", f"--output={tmp_path / 'out'}", *arguments)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "error: " in line]
    assert re.search(message, line)
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_command_line_of_the_original_exports_the_plugin(plugin_run, tmp_path):
    done = command(
        "--name=My_Instrument",
        f"--model_path={plugin_run}",
        f"--save_dir={tmp_path / 'out'}",
        "--inference_model=vst_stateless_predict_controls",
        "--tflite",
        "--notfjs",
    )
    assert done.returncode == 0, done.stderr
    model = tmp_path / "out" / "vst" / "My_Instrument.tflite"
    with zipfile.ZipFile(model) as archive:
        assert archive.namelist() == ["metadata.json"]


def test_plugins_get_their_files(plugin_run, tmp_path):
    path = tmp_path / "bundle"
    comparisons = exporting.export_model(path, plugin_run, ["vst"])
    assert {x.form for x in comparisons} == {
        "vst_extract_features",
        "vst_predict_controls",
        "vst_stateless_predict_controls",
        "vst_synthesize",
        "vst_synthesize_harmonic",
        "vst_synthesize_noise",
    }
    assert max(x.difference for x in comparisons) <= 1e-4
    names = {file.name for file in (path / "vst").iterdir()}
    assert {"model.tflite", "metadata.json", "reverb_ir_16000_hz.wav"} <= names
    # The noise of the reverb is drawn once, not whenever the bundle is opened.
    loaded = ddsp.load(path)
    assert loaded.check() <= 1e-6
    # A bundle is exported as a run is.
    again = exporting.export_model(tmp_path / "again", path, ["saved_model"])
    assert again[0].difference <= 1e-4


def test_plugins_play_from_power(run, tmp_path):
    with pytest.raises(ValueError, match="Plug-ins play from"):
        exporting.export_model(tmp_path / "bundle", run, ["vst"])
    assert not list(tmp_path.iterdir())


def test_unknown_things_are_refused_before_anything_is_read(tmp_path):
    def refused(message, **arguments):
        with pytest.raises(ValueError, match=message):
            exporting.export_model(tmp_path / "out", tmp_path / "no run", **arguments)

    refused("saved_model.*vst.*got 'mp3'", formats=["tflite", "mp3"])
    refused("stream.*got 'loop'", form_names=["loop"])
    refused("block_frames.*positive.*got 0", block_frames=0)
    refused("at most as many, got block_frames=129", block_frames=129)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("tflite", "ai_edge_litert"),
        ("vst", "ai_edge_litert"),
        ("onnx", "onnxruntime"),
        ("onnx", "tf2onnx"),
    ],
)
def test_a_runtime_that_is_not_installed(name, module, tmp_path, monkeypatch):
    for found in [x for x in sys.modules if x.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, found)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'ddsp\[export\]'"):
        exporting.export_model(tmp_path / "out", tmp_path / "no run", [name])
    assert not list(tmp_path.iterdir())


def test_a_form_that_differs_is_an_error_and_leaves_nothing(run, tmp_path, monkeypatch):
    load = export.SavedModel.load

    def off(self, path):
        call = load(self, path)

        def wrong(inputs):
            outputs = call(inputs)
            return {**outputs, "audio": outputs["audio"] + np.float32(2e-4)}

        return wrong

    monkeypatch.setattr(export.SavedModel, "load", off)
    with pytest.raises(RuntimeError, match=r"saved_model.*'stream'.*got 2\.\de-04"):
        exporting.export_model(tmp_path / "b", run, ["saved_model"], block_frames=64)
    assert not list(tmp_path.iterdir())


def test_long_hops_play_as_a_whole(plugin_run, tmp_path):
    """A reverb of many partitions in a block would be a loop within a loop."""
    (comparison,) = exporting.export_model(
        tmp_path / "bundle", plugin_run, ["onnx"], ["whole"]
    )
    assert comparison.difference <= 1e-4
