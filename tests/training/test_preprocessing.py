"""Preprocessors, compared with their definitions in NumPy."""

import keras
import numpy as np
import pytest

from ddsp import spectral_ops
from ddsp.training import preprocessing


@pytest.fixture
def features():
    rng = np.random.default_rng(0)
    return {
        "f0_hz": rng.uniform(100, 900, size=[2, 20]).astype(np.float32),
        "loudness_db": rng.uniform(-80, 0, size=[2, 20]).astype(np.float32),
        "audio": rng.normal(scale=0.1, size=[2, 1280]).astype(np.float32),
    }


def test_scalings_follow_their_definitions():
    db = np.linspace(-80, 0, 9)
    np.testing.assert_allclose(preprocessing.scale_db(db), np.linspace(0, 1, 9))
    np.testing.assert_allclose(preprocessing.inv_scale_db(np.linspace(0, 1, 9)), db)
    f0_hz = np.geomspace(30, 8000, 9).astype(np.float32)
    midi = 69 + 12 * np.log2(f0_hz.astype(np.float64) / 440)
    scaled = preprocessing.scale_f0_hz(f0_hz)
    np.testing.assert_allclose(scaled, midi / 127, rtol=1e-5)
    # Rounding errors of the scaled value are multiplied by 127 / 12 octaves.
    np.testing.assert_allclose(preprocessing.inv_scale_f0_hz(scaled), f0_hz, rtol=1e-5)


def test_at_least_3d():
    assert preprocessing.at_least_3d(np.zeros([2, 5])).shape == [2, 5, 1]
    assert preprocessing.at_least_3d(np.zeros([2, 5, 3])).shape == [2, 5, 3]


def test_loudness_preprocessor_interpolates_and_scales(features):
    layer = preprocessing.F0LoudnessPreprocessor(time_steps=40, compute_loudness=False)
    outputs = layer(features)
    # Each frame lasts two steps; the last one is held.
    positions = np.arange(40) / 2
    for key in ("f0_hz", "loudness_db"):
        expected = [np.interp(positions, np.arange(20), x) for x in features[key]]
        np.testing.assert_allclose(outputs[key][..., 0], expected, rtol=1e-5)
    np.testing.assert_allclose(
        outputs["ld_scaled"], outputs["loudness_db"] / 80 + 1, atol=1e-6
    )
    midi = 69 + 12 * np.log2(outputs["f0_hz"] / 440)
    np.testing.assert_allclose(outputs["f0_scaled"], midi / 127, rtol=1e-5)


def test_loudness_is_computed_where_there_is_audio(features):
    layer = preprocessing.F0LoudnessPreprocessor(time_steps=None)
    outputs = layer(features)
    computed = spectral_ops.compute_loudness(features["audio"], 16000, 250)
    # 21 centered frames become 20 steps: only the first is unchanged.
    np.testing.assert_allclose(
        outputs["loudness_db"][:, 0, 0], computed[:, 0], atol=1e-4
    )
    assert outputs["loudness_db"].shape == [2, 20, 1]

    without_audio = {k: features[k] for k in ("f0_hz", "loudness_db")}
    given = layer(without_audio)["loudness_db"][..., 0]
    np.testing.assert_array_equal(given, features["loudness_db"])


def test_time_steps_of_the_call_come_first(features):
    layer = preprocessing.F0LoudnessPreprocessor(time_steps=40)
    assert layer(features, time_steps=10)["f0_scaled"].shape == [2, 10, 1]
    assert layer(features, time_steps=10)["ld_scaled"].shape == [2, 10, 1]


def test_power_preprocessor(features):
    layer = preprocessing.F0PowerPreprocessor(time_steps=20)
    given = layer(f0_hz=features["f0_hz"], power_db=features["loudness_db"])
    np.testing.assert_array_equal(given["pw_db"][..., 0], features["loudness_db"])
    np.testing.assert_allclose(given["pw_scaled"], given["pw_db"] / 80 + 1, atol=1e-6)

    # Noise of standard deviation 0.1 has a power of -20 dB; a frame of 64 samples
    # estimates it to about 10 * log10(1 + sqrt(2 / 64)) = 0.7 dB.
    computed = layer(f0_hz=features["f0_hz"], audio=features["audio"])["pw_db"]
    assert abs(np.mean(computed[:, 1:-1]) + 20) < 0.5

    with pytest.raises(ValueError, match="requires `power_db` or `audio`"):
        layer(f0_hz=features["f0_hz"])


def test_causal_levels_hear_nothing_later_than_their_hop(features):
    """Frame i of a causal level is the valid frame that ends with hop i."""
    f0_hz, audio = features["f0_hz"], features["audio"]
    loudness = preprocessing.F0LoudnessPreprocessor(time_steps=None, padding="causal")
    power = preprocessing.F0PowerPreprocessor(
        time_steps=None, frame_size=256, padding="causal"
    )
    for layer, key, size, compute in (
        (loudness, "loudness_db", 512, spectral_ops.compute_loudness),
        (power, "pw_db", 256, spectral_ops.compute_power),
    ):
        inputs = {"f0_hz": f0_hz, "audio": audio}
        if key == "loudness_db":
            inputs[key] = features[key]
        computed = layer(inputs)[key]
        assert computed.shape == [2, 20, 1]
        for frame in (9, 19):
            heard = audio[:, (frame + 1) * 64 - size : (frame + 1) * 64]
            expected = compute(heard, 16000, 250, size, padding="valid")[:, 0]
            np.testing.assert_allclose(computed[:, frame, 0], expected, atol=1e-4)
        again = type(layer).from_config(layer.get_config())
        assert again.padding == "causal"

    with pytest.raises(ValueError, match="`padding` must be one of"):
        preprocessing.F0LoudnessPreprocessor(padding="future")
    with pytest.raises(ValueError, match="at least as long as a hop"):
        preprocessing.F0PowerPreprocessor(sample_rate=48000, padding="causal")


def test_rates_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="divide"):
        preprocessing.F0LoudnessPreprocessor(frame_rate=252)


def test_features_stay_in_float32_under_mixed_precision(features):
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        outputs = preprocessing.F0LoudnessPreprocessor(time_steps=None)(features)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert {str(x.dtype.name) for x in outputs.values()} == {"float32"}
    np.testing.assert_array_equal(outputs["f0_hz"][..., 0], features["f0_hz"])


def note(n_samples, hz=440.0):
    t = np.arange(n_samples) / 16000.0
    return (0.3 * np.sin(2.0 * np.pi * hz * t)).astype(np.float32)[np.newaxis]


def test_online_features_are_measured_in_the_audio():
    layer = preprocessing.OnlineF0PowerPreprocessor(
        frame_rate=50, crepe_saved_model_path="tiny"
    )
    audio = note(8000)
    outputs = layer({"audio": audio})
    # Centered frames: one more than hops.
    assert outputs["f0_hz"].shape == [1, 26, 1]
    assert outputs["f0_confidence"].shape == [1, 26]
    expected = spectral_ops.compute_power(
        audio, frame_rate=50, frame_size=1024, padding="center"
    )
    np.testing.assert_allclose(outputs["pw_db"][0, :, 0], expected[0], atol=1e-4)
    np.testing.assert_allclose(
        outputs["pw_scaled"], outputs["pw_db"] / 80.0 + 1.0, atol=1e-5
    )
    # Bins of the tracker are 20 cents wide; edge frames are half silent.
    cents = 1200.0 * np.log2(outputs["f0_hz"][0, 2:-2, 0] / 440.0)
    assert np.max(np.abs(cents)) < 20.0
    notes = 69.0 + 12.0 * np.log2(outputs["f0_hz"] / 440.0)
    np.testing.assert_allclose(outputs["f0_scaled"], notes / 127.0, atol=1e-5)


@pytest.mark.parametrize("viterbi", [False, True])
def test_online_pitch_is_the_pitch_of_spectral_ops(viterbi):
    layer = preprocessing.OnlineF0PowerPreprocessor(
        50, crepe_saved_model_path="tiny", viterbi=viterbi
    )
    audio = note(4800, 330.0) + note(4800, 1234.0) / 3.0
    outputs = layer({"audio": audio})
    f0_hz, confidence = spectral_ops.compute_f0(
        audio, frame_rate=50, viterbi=viterbi, padding="center"
    )
    np.testing.assert_allclose(outputs["f0_hz"][:, :, 0], f0_hz, rtol=1e-4)
    np.testing.assert_allclose(outputs["f0_confidence"], confidence, atol=1e-4)


def test_online_features_may_be_given():
    layer = preprocessing.OnlineF0PowerPreprocessor(
        50, compute_f0=False, compute_power=False, crepe_saved_model_path=None
    )
    rng = np.random.default_rng(0)
    given = {
        "f0_hz": rng.uniform(100.0, 400.0, [2, 11]),
        "f0_confidence": rng.uniform(0.0, 1.0, [2, 11]),
        "pw_db": rng.uniform(-60.0, 0.0, [2, 11]),
    }
    given = {key: x.astype(np.float32) for key, x in given.items()}
    audio = np.zeros([2, 3200], np.float32)
    outputs = layer({"audio": audio, **given})
    np.testing.assert_array_equal(outputs["f0_hz"][:, :, 0], given["f0_hz"])
    np.testing.assert_array_equal(outputs["pw_db"][:, :, 0], given["pw_db"])
    outputs = layer({"audio": audio, **given}, time_steps=7)
    np.testing.assert_array_equal(outputs["f0_hz"][:, :, 0], given["f0_hz"][:, :7])
    with pytest.raises(ValueError, match=r"'pw_db'"):
        layer({"audio": audio, "f0_hz": given["f0_hz"], "f0_confidence": audio[:, :11]})
    with pytest.raises(ValueError, match=r"11 frames.*got 9"):
        layer({"audio": audio, **{key: x[:, :9] for key, x in given.items()}})


def test_online_preprocessor_prefers_audio_at_its_rate():
    layer = preprocessing.OnlineF0PowerPreprocessor(50, crepe_saved_model_path="tiny")
    audio = note(3200)
    expected = layer({"audio": audio})
    outputs = layer({"audio": np.zeros([1, 9600], np.float32), "audio_16k": audio})
    for key, x in expected.items():
        np.testing.assert_array_equal(outputs[key], x)


def test_online_preprocessor_refuses_bad_settings():
    with pytest.raises(ValueError, match="crepe_saved_model_path=None"):
        preprocessing.OnlineF0PowerPreprocessor(crepe_saved_model_path=None)
    with pytest.raises(ValueError, match="middle"):
        preprocessing.OnlineF0PowerPreprocessor(
            compute_f0=False, crepe_saved_model_path=None, padding="middle"
        )
    with pytest.raises(ValueError, match="300"):
        preprocessing.OnlineF0PowerPreprocessor(
            300, compute_f0=False, crepe_saved_model_path=None
        )


def test_loudness_on_another_scale():
    """Loudness range of the first models of the original: 120 dB, not 80."""
    preprocessor = preprocessing.F0LoudnessPreprocessor(
        time_steps=None, compute_loudness=False, db_range=120.0
    )
    loudness_db = np.float32([[-120.0, -60.0, 0.0]])
    outputs = preprocessor(
        {"loudness_db": loudness_db, "f0_hz": np.ones_like(loudness_db)}
    )
    np.testing.assert_allclose(
        outputs["ld_scaled"][0, :, 0], [0.0, 0.5, 1.0], atol=1e-6
    )
    with pytest.raises(ValueError, match="db_range"):
        preprocessing.F0LoudnessPreprocessor(db_range=0.0)


def test_silence_measured_on_another_scale():
    preprocessor = preprocessing.F0LoudnessPreprocessor(time_steps=None, db_range=120.0)
    outputs = preprocessor(
        {
            "loudness_db": np.zeros([1, 4], np.float32),
            "f0_hz": np.ones([1, 4], np.float32),
            "audio": np.zeros([1, 256], np.float32),
        }
    )
    np.testing.assert_allclose(outputs["loudness_db"], -120.0)
    np.testing.assert_allclose(outputs["ld_scaled"], 0.0, atol=1e-6)
