"""Forms against the model itself, in Python."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp import spectral_ops
from ddsp.playing.export import Form, play_in_python
from ddsp.playing.export.model_forms import (
    cut,
    decoder_form,
    level_form,
    offline_form,
    streaming_form,
)
from ddsp.playing.export.state import NamedState
from ddsp.training import models, preprocessing
from tests.playing.export import small

N_FRAMES = 12


@pytest.fixture(scope="module")
def harmonics():
    """A model whose audio is the same at each call: without noise."""
    return small.model(noise=False)


def _audio(form, n_frames=N_FRAMES, hop_size=64):
    calls = cut(form, small.features(n_frames), small.noise(n_frames * hop_size))
    played = play_in_python(form, calls).outputs
    return np.concatenate([outputs["audio"] for outputs in played], axis=1)


def _called(model, n_frames=N_FRAMES):
    features = {key: tf.constant(x) for key, x in small.features(n_frames).items()}
    outputs = model(features, training=False, n_samples=n_frames * model.hop_size)
    return model.get_audio_from_outputs(outputs).numpy()


# The blocks of a stream agree with the whole to 1e-5 of the peak, which is about 1.
@pytest.mark.parametrize("n_frames", [1, 4])
def test_stream_equals_a_call_of_the_model(harmonics, n_frames):
    audio = _audio(streaming_form(harmonics, n_frames))
    late = harmonics.processor_group.latency_samples
    expected = _called(harmonics)
    assert np.max(np.abs(expected)) > 0.01
    np.testing.assert_array_equal(audio[:, :late], 0.0)
    np.testing.assert_allclose(
        audio[:, late:], expected[:, : audio.shape[1] - late], atol=1e-5
    )


@pytest.mark.parametrize("n_frames", [5, 12, 13])
def test_whole_equals_a_call_of_the_model(harmonics, n_frames):
    audio = _audio(offline_form(harmonics, n_frames), n_frames)
    np.testing.assert_allclose(audio, _called(harmonics, n_frames), atol=1e-5)


def test_noise_is_what_is_given():
    model = small.model()
    group, hop_size = model.processor_group, model.hop_size
    form = streaming_form(model, 4)
    assert form.noise == ["noise_filtered_noise"]
    encoded = model.encode(
        {k: tf.constant(x) for k, x in small.features(N_FRAMES).items()},
        training=False,
        n_samples=N_FRAMES * hop_size,
    )
    expected, _ = group.step(
        {**encoded, **model.decoder(encoded)},
        group.initial_state(1),
        {k: tf.constant(x) for k, x in small.noise(N_FRAMES * hop_size).items()},
    )
    np.testing.assert_allclose(_audio(form), expected, atol=1e-5)


def test_power_is_an_input_of_models_of_power():
    model = small.model(preprocessor=preprocessing.F0PowerPreprocessor)
    assert "power_db" in streaming_form(model).inputs
    assert "loudness_db" not in streaming_form(model).inputs


def test_decoder_form_equals_the_decoder(harmonics):
    form = decoder_form(harmonics, 3)
    played = play_in_python(form, cut(form, small.features(N_FRAMES))).outputs
    features = small.features(N_FRAMES)
    expected = harmonics.decoder(
        harmonics.preprocessor({k: tf.constant(x) for k, x in features.items()})
    )
    for name in ("amps", "harmonic_distribution"):
        actual = np.concatenate([outputs[name] for outputs in played], axis=1)
        np.testing.assert_allclose(actual, expected[name], atol=1e-5)


def test_level_form_equals_the_loudness_of_the_whole(harmonics):
    audio = small.noise(N_FRAMES * 64)["filtered_noise"]
    form = level_form(harmonics, 4)
    played = play_in_python(form, cut(form, {"audio": audio})).outputs
    actual = np.concatenate([x["loudness_db"] for x in played], axis=1)[..., 0]
    # Centered frames of 512 samples reach 256 ahead: four hops, one of which is there.
    expected = spectral_ops.compute_loudness(audio)[:, : N_FRAMES - 3]
    np.testing.assert_allclose(actual[:, 3:], expected, atol=1e-4)


def test_state_holds_what_moves_and_is_heard(harmonics):
    def step(inputs, state):
        total = state["a b"]["total"] + inputs["x"] * state["gain"]
        last = inputs["x"]
        return {"y": total}, {
            "a b": {"total": total},
            "gain": state["gain"],
            "empty": state["empty"],
            "unheard": state["unheard"] + last,
        }

    start = {
        "a b": {"total": tf.constant([1.0])},
        "gain": tf.constant(2.0),
        "empty": tf.zeros([1, 0]),
        "unheard": tf.zeros([1]),
    }
    state = NamedState(step, {"x": tf.TensorSpec([1])}, start)
    assert list(state.start) == ["state_a_b_total"]
    outputs = state.step(x=tf.constant([3.0]), state_a_b_total=tf.constant([1.0]))
    assert outputs["y"].numpy() == outputs["state_a_b_total"].numpy() == [7.0]


def test_the_spectra_of_a_response_are_no_state(harmonics):
    names = [name for name in streaming_form(harmonics).state if "response" in name]
    assert not names


def test_a_model_with_an_encoder_is_refused():
    model = models.Autoencoder(encoder=keras.layers.Identity())
    with pytest.raises(ValueError, match="got encoder=<Identity"):
        streaming_form(model)


def test_calls_that_do_not_fit_are_refused(harmonics):
    form = streaming_form(harmonics, 4)
    with pytest.raises(ValueError, match="whole blocks"):
        cut(form, small.features(N_FRAMES + 1))
    with pytest.raises(ValueError, match="f0_hz"):
        cut(form, {"loudness_db": np.zeros([1, 4, 1], np.float32)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a b"}, "letters"),
        ({"inputs": {"x": tf.TensorSpec([None])}}, "fixed shapes"),
        ({"noise": ["n"]}, "Noise"),
        ({"state": {"x": np.zeros(3, np.float32)}}, "state `x`"),
    ],
)
def test_forms_that_cannot_be_exported_are_refused(changes, message):
    arguments = {
        "name": "form",
        "function": lambda x: {"y": x},
        "inputs": {"x": tf.TensorSpec([2])},
    }
    with pytest.raises(ValueError, match=message):
        Form(**{**arguments, **changes})


def test_state_that_is_not_returned_is_refused():
    form = Form(
        name="form",
        function=lambda x: {"y": x},
        inputs={"x": tf.TensorSpec([2])},
        state={"x": np.zeros(2, np.float32)},
    )
    with pytest.raises(ValueError, match="State must be an input and an output"):
        _ = form.graph
