"""Every runtime against Python."""

import json

import numpy as np
import pytest
import tensorflow as tf

from ddsp.playing import export
from ddsp.playing.export import Form, compare, find_runtime
from ddsp.playing.export.model_forms import (
    cut,
    level_form,
    offline_form,
    streaming_form,
)
from tests.playing.export import small

FORMATS = ["saved_model", "tflite", "onnx", pytest.param("web", marks=small.NEEDS_WEB)]


@pytest.fixture(scope="module", params=[64, 320])
def stream(request):
    """A model's streaming form, and the calls that play six blocks."""
    hop_size = request.param
    model = small.model(hop_size)
    form = streaming_form(model, 2)
    return form, cut(form, small.features(12), small.noise(12 * hop_size))


def _counter() -> Form:
    """Adds what it is given, with names that a runtime might change."""

    def function(step, x, count):
        gain = tf.constant([1.0, 10.0])
        # As phases are kept: whole numbers modulo another, of any sign.
        wrapped = tf.math.floormod(count - 7 * step, tf.constant(2**40, tf.int64))
        return {
            "zzz": x * gain,
            "audio": tf.cast(wrapped, tf.float32),
            "count": wrapped,
        }

    return Form(
        name="counter",
        function=function,
        inputs={
            "x": tf.TensorSpec([2]),
            "step": tf.TensorSpec([], tf.int64),
            "count": tf.TensorSpec([3], tf.int64),
        },
        state={"count": np.array([0, 5, 2**40 - 1])},
        sample_rate=1000,
        samples_per_call=2,
    )


# Five orders of magnitude below full scale would do; sums in another order differ by
# some 1e-6.
@pytest.mark.parametrize("name", FORMATS)
def test_stream_plays_as_in_python(stream, name, tmp_path):
    form, calls = stream
    runtime = find_runtime(name)
    path = runtime.write(form, tmp_path)
    compared = compare(form, path, runtime, calls)
    assert compared.difference <= 1e-4
    assert compared.size_bytes > 10000
    assert compared.real_time_factor > 0.0


@pytest.mark.parametrize("name", FORMATS)
def test_whole_and_level_play_as_in_python(name, tmp_path):
    model = small.model()
    features = {**small.features(24), "audio": small.noise(24 * 64)["filtered_noise"]}
    runtime = find_runtime(name)
    for form in (offline_form(model, 24), level_form(model, 4)):
        calls = cut(form, features, small.noise(24 * 64))
        path = runtime.write(form, tmp_path / form.name)
        assert compare(form, path, runtime, calls).difference <= 1e-4


@pytest.mark.parametrize("name", FORMATS)
def test_names_dtypes_and_whole_numbers_are_kept(name, tmp_path):
    runtime = find_runtime(name)
    path = runtime.write(_counter(), tmp_path)
    inputs = {
        "x": np.array([1.0, 2.0], np.float32),
        "step": np.array(1),
        "count": np.array([0, 5, 2**40 - 1]),
    }
    outputs = runtime.run(path, inputs)
    assert set(outputs) == {"zzz", "audio", "count"}
    np.testing.assert_array_equal(outputs["zzz"], [1.0, 20.0])
    np.testing.assert_array_equal(outputs["count"], [2**40 - 7, 2**40 - 2, 2**40 - 8])
    assert outputs["count"].dtype == np.int64


@pytest.mark.parametrize("name", FORMATS)
def test_a_description_lies_beside_the_file(stream, name, tmp_path):
    form, _ = stream
    find_runtime(name).write(form, tmp_path)
    described = json.loads((tmp_path / "stream.json").read_text())
    assert {x["name"]: tuple(x["shape"]) for x in described["inputs"]} == {
        name: tuple(spec.shape) for name, spec in form.inputs.items()
    }
    roles = {x["name"]: x["role"] for x in described["inputs"]}
    assert roles["f0_hz"] == "control"
    assert roles["noise_filtered_noise"] == "noise"
    assert {k for k, role in roles.items() if role == "state"} == set(form.state)


def test_a_difference_is_an_error(tmp_path):
    form, other = _counter(), _counter()
    runtime = find_runtime("saved_model")
    path = runtime.write(form, tmp_path)
    calls = [{"x": np.ones(2, np.float32), "step": np.array(1)}]
    assert compare(form, path, runtime, calls).difference == 0.0
    other = Form(
        name=form.name,
        function=lambda **x: {**form.function(**x), "zzz": x["x"] * [1.0, 10.001]},
        inputs=form.inputs,
        state=form.state,
    )
    with pytest.raises(RuntimeError, match=r"got 1\.0e-03"):
        compare(other, path, runtime, calls)
    expected = [{"zzz": np.array([1.0, np.nan], np.float32)}]
    with pytest.raises(RuntimeError, match="nan"):
        compare(form, path, runtime, calls, expected)


def test_wrong_calls_are_refused(tmp_path):
    form, runtime = _counter(), find_runtime("saved_model")
    with pytest.raises(ValueError, match="takes"):
        compare(form, str(tmp_path), runtime, [{"x": np.ones(2, np.float32)}])
    with pytest.raises(ValueError, match="one call"):
        compare(form, str(tmp_path), runtime, [])


def test_unknown_formats_are_refused():
    with pytest.raises(ValueError, match=r"saved_model.*got 'mp3'"):
        find_runtime("mp3")


@pytest.mark.parametrize("name", ["tflite", "onnx"])
def test_a_missing_package_names_the_extra(name, tmp_path, monkeypatch):
    def missing(module):
        raise ModuleNotFoundError(f"No module named {module!r}")

    monkeypatch.setattr(export.runtime.importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"pip install 'ddsp\[export\]'"):
        find_runtime(name).write(_counter(), tmp_path)


@pytest.mark.parametrize("name", ["tflite", "onnx"])
def test_operations_that_a_format_lacks_are_refused(name, tmp_path):
    form = Form(
        name="form",
        function=lambda x: {"y": tf.linalg.cholesky(tf.reshape(x, [2, 2]))},
        inputs={"x": tf.TensorSpec([4])},
    )
    with pytest.raises(ValueError, match="operations"):
        find_runtime(name).write(form, tmp_path)
