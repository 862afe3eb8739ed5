"""Modules that plug-ins call, against the layers of the model that they are of."""

import gin
import numpy as np
import pytest
import tensorflow as tf

from ddsp import core, pitch, playing, spectral_ops
from ddsp.training import preprocessing
from tests.playing import vst_run

N_FRAMES = 12
HOP = 320


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Directory of a run, and the model as it was saved."""
    directory = tmp_path_factory.mktemp("run")
    return directory, vst_run.save_run(directory)


@pytest.fixture(scope="module")
def features():
    """Scaled pitch and power of some frames, [1, n_frames, 1]."""
    rng = np.random.default_rng(5)
    return {
        key: rng.uniform(0.4, 0.8, [1, N_FRAMES, 1]).astype(np.float32)
        for key in ("f0_scaled", "pw_scaled")
    }


@pytest.fixture(scope="module")
def controls(run, features):
    """Controls of the frames: by the decoder and the synthesizers, all at once."""
    _, model = run
    outputs = model.decoder(features)
    group = model.processor_group
    f0_hz = preprocessing.inv_scale_f0_hz(features["f0_scaled"])
    harmonic = group.harmonic.get_controls(
        outputs["amps"], outputs["harmonic_distribution"], f0_hz
    )
    noise = group.filtered_noise.get_controls(outputs["noise_magnitudes"])
    return {
        "amps": harmonic["amplitudes"][0].numpy(),
        "hd": harmonic["harmonic_distribution"][0].numpy(),
        "f0": np.asarray(f0_hz)[0],
        "noise": noise["magnitudes"][0].numpy(),
    }


def frame_inputs(controls, i):
    """Arguments of `VSTSynthesizeHarmonic` for the hop from frame i to the next."""
    inputs = {key: controls[key][i + 1] for key in ("amps", "hd", "f0")}
    return {**inputs, **{f"prev_{key}": controls[key][i] for key in inputs}}


def harmonic_frames(module, controls):
    """Audio of all hops, the phase carried on."""
    phase, hops = np.zeros(1, np.float32), []
    for i in range(N_FRAMES - 1):
        audio, phase = module(**frame_inputs(controls, i), prev_phase=phase)
        hops.append(audio)
    return np.concatenate(hops)


def test_features_are_of_the_frame(run):
    module = playing.VSTExtractFeatures(run[0])
    t = np.arange(1024) / 16000.0
    audio = (0.3 * np.sin(2.0 * np.pi * 440.0 * t)).astype(np.float32)
    f0_hz, f0_scaled, pw_db, pw_scaled = (float(x[0]) for x in module(audio))
    power = spectral_ops.compute_power(
        audio[np.newaxis], frame_size=1024, frame_rate=50, padding="valid"
    )
    assert pw_db == pytest.approx(float(power[0, 0]), abs=1e-4)
    # A sine's power is half its squared amplitude, but for the cycle cut at the end.
    assert pw_db == pytest.approx(10.0 * np.log10(0.3**2 / 2.0), abs=0.1)
    # Bins of the tracker are 20 cents wide.
    assert abs(1200.0 * np.log2(f0_hz / 440.0)) < 20.0
    assert f0_scaled == pytest.approx(69.0 / 127.0 + np.log2(f0_hz / 440.0) * 12 / 127)
    assert pw_scaled == pytest.approx(pw_db / 80.0 + 1.0, abs=1e-5)


def test_pitch_is_the_trackers(run):
    module = playing.VSTExtractFeatures(run[0], crepe_saved_model_path="tiny")
    rng = np.random.default_rng(0)
    audio = rng.normal(size=1024).astype(np.float32) * 0.1
    tracker = pitch.load("tiny")
    frame = audio[np.newaxis]
    cents = pitch.activations_to_cents(tracker(frame)[np.newaxis])
    expected = float(pitch.cents_to_hz(cents)[0, 0])
    assert float(module(audio)[0][0]) == pytest.approx(expected, rel=1e-4)


def test_frames_with_their_state_are_the_whole_sequence(run, features, controls):
    module = playing.VSTStatelessPredictControls(run[0])
    state = np.zeros(7, np.float32)
    for i in range(N_FRAMES):
        f0_scaled, pw_scaled = (features[k][0, i] for k in ("f0_scaled", "pw_scaled"))
        amps, hd, noise, state = module(f0_scaled, pw_scaled, state)
        for name, x in (("amps", amps), ("hd", hd), ("noise", noise)):
            # Sums of seven products in another order.
            np.testing.assert_allclose(x, controls[name][i], rtol=1e-5, atol=1e-6)


def test_the_state_stays_finite(run):
    module = playing.VSTStatelessPredictControls(run[0])
    for bad in np.float32([np.nan, np.inf, 3e38, -3e38]):
        outputs = module(bad[np.newaxis], bad[np.newaxis], np.zeros(7, np.float32))
        assert all(np.all(np.isfinite(y)) for y in outputs)


def test_without_a_state_every_frame_is_the_first(run, features, controls):
    module = playing.VSTPredictControls(run[0])
    first = {key: x[0, 0] for key, x in features.items()}
    for _ in range(2):
        outputs = module(**first)
        for name, x in zip(("amps", "hd", "noise"), outputs, strict=True):
            np.testing.assert_allclose(x, controls[name][0], rtol=1e-5, atol=1e-6)


def test_hops_of_harmonics_are_the_whole(run, controls):
    module = playing.VSTSynthesizeHarmonic(run[0])
    audio = harmonic_frames(module, controls)
    whole = core.harmonic_synthesis(
        controls["f0"][np.newaxis],
        controls["amps"][np.newaxis],
        harmonic_distribution=controls["hd"][np.newaxis],
        n_samples=N_FRAMES * HOP,
        amp_resample_method="linear",
    )[0, : len(audio)]
    # A phase of float32 is rounded once a frame, by 2e-7 turns at most.
    peak = np.max(np.abs(whole))
    assert peak > 0.1
    np.testing.assert_allclose(audio, whole, atol=1e-4 * peak)


def test_another_hop_lasts_longer(run, controls):
    module = playing.VSTSynthesizeHarmonic(run[0], new_hop_size=2 * HOP)
    audio, phase = module(
        **frame_inputs(controls, 0), prev_phase=np.zeros(1, np.float32)
    )
    assert audio.shape == [2 * HOP]
    before, after = controls["f0"][0, 0], controls["f0"][1, 0]
    hz = before + (after - before) * np.arange(1, 2 * HOP + 1) / (2 * HOP)
    turns = np.sum(hz, dtype=np.float64) / 16000.0
    # Half a sample's step of frequency: the sum is over the samples' ends.
    assert np.cos(float(phase[0])) == pytest.approx(np.cos(2 * np.pi * turns), abs=0.1)


def test_noise_is_filtered_as_by_the_whole_filter(run, controls):
    module = playing.VSTSynthesizeNoise(run[0])
    rng = np.random.default_rng(2)
    white = rng.uniform(-1.0, 1.0, HOP).astype(np.float32)
    for magnitudes in controls["noise"][:3]:
        audio = module(magnitudes, white)
        expected = core.frequency_filter(white[np.newaxis], magnitudes[np.newaxis])[0]
        np.testing.assert_allclose(audio, expected, atol=1e-6)
    drawn, again = module(magnitudes), module(magnitudes)
    assert np.max(np.abs(drawn - again)) > 0.1 * np.max(np.abs(drawn))
    # The same filter, so the same level: 320 samples tell it to some 20 %.
    assert 0.5 < np.std(drawn) / np.std(audio) < 2.0


def test_synthesis_is_harmonics_and_noise(run, controls):
    module = playing.VSTSynthesize(run[0])
    inputs = {**frame_inputs(controls, 3), "prev_phase": np.ones(1, np.float32)}
    white = np.linspace(-1.0, 1.0, HOP, dtype=np.float32)
    noise = {"noise": controls["noise"][4], "white_noise": white}
    audio, phase = module(**inputs, **noise)
    harmonic, expected_phase = playing.VSTSynthesizeHarmonic(run[0])(**inputs)
    filtered = playing.VSTSynthesizeNoise(run[0])(**noise)
    np.testing.assert_allclose(audio, harmonic + filtered, atol=1e-6)
    np.testing.assert_allclose(phase, expected_phase)


INPUTS = {
    "VSTExtractFeatures": {"audio": [1024]},
    "VSTPredictControls": {"f0_scaled": [1], "pw_scaled": [1]},
    "VSTStatelessPredictControls": {"f0_scaled": [1], "pw_scaled": [1], "state": [7]},
    "VSTSynthesize": {
        "amps": [1],
        "prev_amps": [1],
        "hd": [5],
        "prev_hd": [5],
        "f0": [1],
        "prev_f0": [1],
        "noise": [9],
        "prev_phase": [1],
    },
    "VSTSynthesizeHarmonic": {
        "amps": [1],
        "prev_amps": [1],
        "hd": [5],
        "prev_hd": [5],
        "f0": [1],
        "prev_f0": [1],
        "prev_phase": [1],
    },
    "VSTSynthesizeNoise": {"noise": [9]},
}


@pytest.mark.parametrize("name", INPUTS)
def test_saved_models_have_the_originals_signature(run, tmp_path, name):
    module = getattr(playing, name)(run[0])
    module.save_model(str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    signature = loaded.signatures["call"]
    specs = signature.structured_input_signature[1]
    assert {key: spec.shape.as_list() for key, spec in specs.items()} == INPUTS[name]
    noisy = "call_with_noise" in loaded.signatures
    if noisy:
        signature = loaded.signatures["call_with_noise"]
        specs = signature.structured_input_signature[1]
    rng = np.random.default_rng(4)
    inputs = {
        key: tf.constant(rng.uniform(0.1, 0.9, spec.shape), tf.float32)
        for key, spec in specs.items()
    }
    outputs, expected = signature(**inputs), tf.nest.flatten(module(**inputs))
    assert len(outputs) == len(expected)
    for i, x in enumerate(expected):
        np.testing.assert_allclose(outputs[f"output_{i}"], x, rtol=1e-4, atol=1e-5)


def test_gin_is_left_as_it_was(run):
    gin.parse_config("exp_sigmoid.max_value = 3.0")
    playing.VSTStatelessPredictControls(run[0])
    assert gin.query_parameter("exp_sigmoid.max_value") == 3.0
    with pytest.raises(ValueError, match="RnnFcDecoder"):
        gin.query_parameter("RnnFcDecoder.ch")


def test_a_checkpoint_may_be_named_itself(run, features):
    first = [x[0, 0] for x in features.values()]
    a = playing.VSTPredictControls(run[0])(*first)
    b = playing.VSTPredictControls(str(run[0] / "ckpt-0"))(*first)
    np.testing.assert_array_equal(a[1], b[1])


def test_the_operative_config_is_added_to_gins(run):
    gin.parse_config("another_scope/exp_sigmoid.max_value = 3.0")
    playing.parse_operative_config(run[0])
    assert gin.query_parameter("RnnFcDecoder.ch") == 6
    assert gin.query_parameter("another_scope/exp_sigmoid.max_value") == 3.0


def test_bad_input_is_refused(run, tmp_path):
    module = playing.VSTPredictControls(run[0])
    with pytest.raises(ValueError, match=r"shape \(1,\).*\(2,\)"):
        module(np.zeros(2, np.float32), np.zeros(1, np.float32))
    with pytest.raises(ValueError, match=r"floating point.*int64"):
        module(np.zeros(1, np.int64), np.zeros(1, np.float32))
    with pytest.raises(FileNotFoundError, match="got"):
        playing.VSTPredictControls(tmp_path / "none")
    with pytest.raises(ValueError, match=r"new_hop_size.*-1"):
        playing.VSTSynthesizeNoise(run[0], new_hop_size=-1)


def test_models_of_other_features_are_refused(tmp_path):
    vst_run.save_run(tmp_path, ["OnlineF0PowerPreprocessor.frame_size = 512"])
    with pytest.raises(ValueError, match="frame_size=512"):
        playing.VSTExtractFeatures(tmp_path)
