"""A whole model at a fixed length, with and without its reverb."""

import numpy as np
import pytest
import tensorflow as tf

from ddsp import core, effects, playing, processors, synths
from ddsp.playing import reverbs
from tests.playing import vst_run

LENGTH = 0.2  # seconds: ten hops, eleven frames with the one that is cropped
N_SAMPLES = 3200


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Directory of a run, and the model as it was saved."""
    directory = tmp_path_factory.mktemp("run")
    return directory, vst_run.save_run(directory)


@pytest.fixture(scope="module")
def dry(run):
    return playing.AutoencoderInference(run[0], LENGTH, verbose=False)


@pytest.fixture(scope="module")
def wet(run):
    return playing.AutoencoderInference(run[0], LENGTH, False, verbose=False)


def test_outputs_are_the_models(run, dry):
    features = vst_run.batch()
    outputs = dry(features)
    expected = run[1](features, training=False)
    assert outputs["audio_synth"].shape == [1, N_SAMPLES]
    for key in ("amps", "harmonic_distribution", "noise_magnitudes"):
        np.testing.assert_allclose(outputs[key], expected[key], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        outputs["harmonic"]["signal"], expected["harmonic"]["signal"], atol=1e-4
    )
    assert "reverb" not in outputs
    assert "reverb" in expected


def test_what_fed_the_reverb_is_what_is_heard(dry):
    outputs = dry(vst_run.batch())
    np.testing.assert_array_equal(
        outputs["audio_synth"], outputs["add"]["signal"][:, :N_SAMPLES]
    )


def test_a_reverb_that_stays_is_the_same_at_every_call(wet):
    group = wet.processor_group
    click = np.zeros([1, 400], np.float32)
    click[0, 0] = 1.0
    first, second = group.reverb(click), group.reverb(click)
    np.testing.assert_array_equal(first, second)
    assert np.max(np.abs(first - click)) > 0.0
    assert "reverb" in wet(vst_run.batch())


def exported(model, folder, name):
    model.save_model(str(folder))
    loaded = tf.saved_model.load(str(folder))
    return loaded, loaded.signatures[name]


def inputs_of(signature):
    features = vst_run.batch()
    specs = signature.structured_input_signature[1]
    return {
        name: tf.constant(features[name][0])
        for name in specs
        if name in features  # all but the noise
    }, specs


@pytest.mark.parametrize("remove_reverb", [True, False])
def test_saved_model_with_given_noise(run, dry, wet, tmp_path, remove_reverb):
    model = dry if remove_reverb else wet
    loaded, signature = exported(model, tmp_path, "call_with_noise")
    inputs, specs = inputs_of(signature)
    assert {name: spec.shape.as_list() for name, spec in specs.items()} == {
        "audio": [N_SAMPLES],
        "f0_hz": [11],
        "f0_confidence": [11],
        "white_noise": [11 * 320],
    }
    noise = np.random.default_rng(1).uniform(-1.0, 1.0, [11 * 320]).astype(np.float32)
    audio = signature(**inputs, white_noise=tf.constant(noise))["audio_synth"]
    # The processors one by one, by the calls that take audio of any kind.
    controls = model(vst_run.batch())
    magnitudes = model.processor_group.filtered_noise.get_controls(
        controls["noise_magnitudes"]
    )["magnitudes"]
    filtered = core.frequency_filter(noise[np.newaxis], magnitudes)
    expected = controls["harmonic"]["signal"] + filtered
    if not remove_reverb:
        expected = model.processor_group.reverb(expected)
    np.testing.assert_allclose(audio, expected[:, :N_SAMPLES], atol=1e-4)
    assert loaded is not None


def test_saved_model_draws_noise_of_its_own(dry, tmp_path):
    loaded, signature = exported(dry, tmp_path, "serving_default")
    inputs, _ = inputs_of(signature)
    first, second = (signature(**inputs)["audio_synth"] for _ in range(2))
    expected = dry(vst_run.batch())
    harmonic = expected["harmonic"]["signal"][:, :N_SAMPLES]
    noise = [np.asarray(x) - harmonic for x in (first, second)]
    level = np.std(expected["filtered_noise"]["signal"])
    for x in noise:
        assert np.std(x) == pytest.approx(level, rel=0.2)
    assert np.std(noise[0] - noise[1]) > 0.5 * level
    assert loaded is not None


def test_length_is_in_whole_frames(run):
    model = playing.AutoencoderInference(run[0], 0.07, verbose=False)
    # 1120 samples are three hops and a half.
    assert model.n_samples == 960
    assert model.n_frames == 4


@pytest.mark.parametrize("seconds", [0, -1.0, 0.01])
def test_bad_length_is_refused(run, seconds):
    with pytest.raises(ValueError, match=f"length_seconds.*{seconds}"):
        playing.AutoencoderInference(run[0], seconds)


def test_without_reverbs_keeps_the_order():
    group = processors.ProcessorGroup(
        [
            (synths.TensorToAudio(name="a"), ["x"]),
            (effects.ExpDecayReverb(trainable=True, name="r"), ["a/signal"]),
            (effects.Reverb(trainable=True, name="s"), ["r/signal"]),
            (processors.Add(name="b"), ["s/signal", "a/signal"]),
        ]
    )
    x = np.arange(4.0, dtype=np.float32).reshape(1, 4, 1)
    dry = reverbs.without_reverbs(group)
    np.testing.assert_allclose(dry({"x": x}), 2.0 * x[:, :, 0])
    assert [name for name, *_ in dry.dag] == ["a", "b"]
    only = processors.ProcessorGroup([(effects.Reverb(trainable=True), ["x"])])
    with pytest.raises(ValueError, match="have other processors than reverbs, got"):
        reverbs.without_reverbs(only)
