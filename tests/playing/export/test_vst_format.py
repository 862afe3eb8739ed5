"""What plug-ins load: the TFLite file, its metadata, and the reverb."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ddsp import playing, version
from ddsp.playing import export
from ddsp.playing.export import vst_format
from tests.playing import vst_run

STATISTICS = {
    "mean_min_pitch_note": 57.0,
    "mean_max_pitch_note": 69.0,
    "mean_min_power_note": -50.0,
    "mean_max_power_note": -20.0,
}
METADATA = {
    **STATISTICS,
    "mean_min_pitch_note_hz": 220.0,
    "mean_max_pitch_note_hz": 440.0,
    "version": version.__version__,
    "num_harmonics": 5,
    "num_noise_amps": 9,
    "frame_rate": 50,
    "frame_size": 1024,
    "sample_rate": 16000,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Directory of a run, and the model as it was saved."""
    directory = tmp_path_factory.mktemp("run")
    return directory, vst_run.save_run(directory)


@pytest.fixture(scope="module")
def plugin(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plug in")
    paths = vst_format.write_plugin(run[0], folder, STATISTICS, name="Flute")
    assert sorted(paths) == sorted(map(str, folder.iterdir()))
    return folder


def test_files_are_those_that_plugins_look_for(plugin):
    assert {path.name for path in plugin.iterdir()} == {
        "Flute.tflite",
        "metadata.json",
        "reverb_ir_16000_hz.wav",
        "reverb_ir_44100_hz.wav",
    }


def test_tensors_have_the_names_that_plugins_look_for(plugin):
    interpreter_module = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = interpreter_module.Interpreter(str(plugin / "Flute.tflite"))
    inputs = {x["name"]: list(x["shape"]) for x in interpreter.get_input_details()}
    outputs = {x["name"]: list(x["shape"]) for x in interpreter.get_output_details()}
    assert inputs == {
        "call_f0_scaled:0": [1],
        "call_pw_scaled:0": [1],
        "call_state:0": [7],
    }
    assert outputs == {
        "StatefulPartitionedCall:0": [1],
        "StatefulPartitionedCall:1": [5],
        "StatefulPartitionedCall:2": [9],
        "StatefulPartitionedCall:3": [7],
    }


def test_metadata_lies_in_the_file_and_beside_it(plugin):
    text = (plugin / "metadata.json").read_text()
    with zipfile.ZipFile(plugin / "Flute.tflite") as archive:
        assert archive.read("metadata.json").decode() == text
    content = json.loads(text)
    assert content.pop("export_time").startswith("20")
    assert content == pytest.approx(METADATA)


def test_response_is_the_one_of_the_reverb(run, plugin):
    response, rate = soundfile.read(plugin / "reverb_ir_16000_hz.wav")
    assert rate == 16000
    assert response[0] == 0.0
    reverb = run[1].processor_group.reverb
    click = np.zeros([1, 400], np.float32)
    click[0, 0] = 1.0
    heard = reverb(click)[0] - click[0]
    assert len(response) == len(heard)
    # Noise in the response is drawn anew: what stays is its level, which 400 samples
    # tell to some 10 %.
    assert np.std(response[1:]) == pytest.approx(np.std(heard[1:]), rel=0.5)


def test_response_at_another_rate_is_as_loud(plugin):
    tones = {}
    for rate in (16000, 44100):
        response, _ = soundfile.read(plugin / f"reverb_ir_{rate}_hz.wav")
        t = np.arange(len(response)) / rate
        # The transform of the response at 1 kHz is the gain of a tone there.
        tones[rate] = abs(np.sum(response * np.exp(-2j * np.pi * 1000.0 * t)))
    assert tones[44100] == pytest.approx(tones[16000], rel=0.01)


def test_exported_modules_equal_python(run, tmp_path):
    rng = np.random.default_rng(0)
    runtime = export.find_runtime("tflite")
    for name in ("vst_stateless_predict_controls", "vst_synthesize"):
        form = vst_format.module_form(name, run[0])
        assert form.noise == (["white_noise"] if "white_noise" in form.inputs else [])
        calls = [
            {
                key: rng.uniform(0.1, 0.9, spec.shape).astype(np.float32)
                for key, spec in form.inputs.items()
                if key not in form.state
            }
            for _ in range(3)
        ]
        path = runtime.write(form, tmp_path)
        comparison = export.compare(form, path, runtime, calls)
        assert comparison.difference <= 1e-4
    assert form.samples_per_call == 320


def test_module_with_its_form(run):
    form = vst_format.module_form("vst_stateless_predict_controls", run[0])
    inputs = {key: np.full(spec.shape, 0.5) for key, spec in form.inputs.items()}
    inputs = {key: x.astype(np.float32) for key, x in inputs.items()}
    outputs = form.function(**inputs)
    module = playing.VSTStatelessPredictControls(run[0])
    assert list(outputs) == ["amps", "hd", "noise", "state"]
    for x, expected in zip(outputs.values(), module(**inputs), strict=True):
        np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-6)


def test_a_model_without_reverb_has_no_response(run, tmp_path):
    model = playing.AutoencoderInference(run[0], 0.2)
    with pytest.raises(ValueError, match="one trained reverb"):
        vst_format.write_impulse_response(model, tmp_path)


def test_bad_input_is_refused(run, tmp_path):
    with pytest.raises(FileNotFoundError, match="dataset_statistics"):
        vst_format.write_plugin(run[0], tmp_path)
    with pytest.raises(ValueError, match="mean_max_power_note"):
        vst_format.metadata(
            run[1], {k: v for k, v in STATISTICS.items() if "max_pow" not in k}
        )
    with pytest.raises(ValueError, match="got 'vst_synth'"):
        vst_format.module_form("vst_synth", run[0])
    assert not list(Path(tmp_path).iterdir())
