"""Inverse synthesis: outputs, losses, and where gradients stop."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp import configurable, losses
from ddsp.training import models, nn
from ddsp.training.models import restoring

BATCH, TIME, HOP = 2, 8, 64
N_SAMPLES, N_SINUSOIDS = TIME * HOP, 3
# `exp_sigmoid` maps this to about zero, so that the noise is silent.
SILENT = -100.0


@configurable.layer(module="tests.inverse_synthesis")
class Sinusoids(nn.DictLayer):
    """Dense layer from hops of audio to raw controls, with silent noise."""

    def __init__(self, **kwargs):
        keys = ["frequencies", "amplitudes", "noise_magnitudes"]
        super().__init__(output_keys=keys, **kwargs)
        self.dense = keras.layers.Dense(N_SINUSOIDS * 65)

    def call(self, audio):
        x = self.dense(tf.reshape(audio, [-1, audio.shape[1] // HOP, HOP]))
        frequencies, amplitudes = tf.split(x, [64 * N_SINUSOIDS, N_SINUSOIDS], axis=-1)
        return frequencies, amplitudes, amplitudes[..., :2] * 0.0 + SILENT


@configurable.layer(module="tests.inverse_synthesis")
class Harmonics(nn.DictLayer):
    """Dense layer from sinusoids to f0 near 200 Hz and two harmonics."""

    def __init__(self, **kwargs):
        super().__init__(output_keys=["harm_amp", "harm_dist", "f0_hz"], **kwargs)
        self.dense = keras.layers.Dense(3)

    def call(self, sin_freqs, sin_amps):
        x = self.dense(tf.concat([sin_freqs / 8000.0, sin_amps], axis=-1))
        share = tf.nn.sigmoid(x[..., 1:2])
        return (
            tf.nn.sigmoid(x[..., 0:1]),
            tf.concat([share, 1.0 - share], axis=-1),
            200.0 + 10.0 * tf.nn.tanh(x[..., 2:3]),
        )


@configurable.layer(module="tests.inverse_synthesis")
class Distance(losses.Loss):
    """Mean absolute difference."""

    def call(self, a, b):
        return tf.reduce_mean(tf.abs(a - b))


@configurable.layer(module="tests.inverse_synthesis")
class Sets(losses.Loss):
    """Differences of the means of two sets, for two quantities."""

    def call(self, a, b, c, d):
        a, b, c, d = (tf.reduce_mean(x, axis=-1) for x in (a, b, c, d))
        return tf.reduce_mean(tf.abs(a - c)) + tf.reduce_mean(tf.abs(b - d))


class Twm(losses.Loss):
    """Takes pitch, frequencies and amplitudes."""

    def call(self, f0_candidates, freqs, amps):
        del amps
        return tf.reduce_mean(tf.abs(freqs - f0_candidates))


class Prior(losses.Loss):
    """Takes a harmonic distribution."""

    def call(self, harm_dist):
        return tf.reduce_mean(harm_dist**2)


def small(**settings):
    return models.InverseSynthesis(
        **{
            "sinusoidal_encoder": Sinusoids(),
            "harmonic_encoder": Harmonics(),
            "losses": [Distance(name="audio")],
            "reverb": False,
            "n_samples": N_SAMPLES,
            **settings,
        }
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def recordings(rng):
    audio = rng.normal(scale=0.1, size=[BATCH, N_SAMPLES])
    return {"audio": tf.constant(audio, tf.float32)}


@pytest.fixture
def notes(rng):
    def values(low, high, *shape):
        return tf.constant(rng.uniform(low, high, [BATCH, TIME, *shape]), tf.float32)

    return {
        "f0_hz": values(190.0, 210.0, 1),
        "harm_amp": values(0.1, 0.9, 1),
        "harm_dist": values(0.1, 0.9, 2),
        "sin_amps": values(0.1, 0.2, N_SINUSOIDS),
        "sin_freqs": values(100.0, 900.0, N_SINUSOIDS),
        "noise_magnitudes": tf.zeros([BATCH, TIME, 2]),
    }


def steady(frequencies, amplitudes):
    """Synthesizes stationary sinusoids as sums of sines."""
    phase = 2.0 * np.pi * np.arange(1, N_SAMPLES + 1)[:, np.newaxis] / 16000.0
    frequencies = np.asarray(frequencies, np.float64)[:, :1]
    amplitudes = np.asarray(amplitudes, np.float64)[:, :1]
    return np.sum(amplitudes * np.sin(phase * frequencies), axis=-1)


def test_sinusoids_and_harmonics_are_rendered(recordings):
    model = small()
    # A repeated hop results in constant controls.
    audio = tf.tile(recordings["audio"][:, :HOP], [1, TIME])
    outputs = model({"audio": audio})
    assert outputs["sin_freqs"].shape == [BATCH, TIME, N_SINUSOIDS]
    assert np.all(outputs["sin_freqs"] >= 20.0) and np.all(outputs["sin_amps"] > 0.0)
    # Float32 windows and phases against float64.
    np.testing.assert_allclose(
        outputs["sin_audio"],
        steady(outputs["sin_freqs"], outputs["sin_amps"]),
        atol=1e-4,
    )
    np.testing.assert_allclose(
        outputs["harm_freqs"], outputs["f0_hz"] * np.array([1.0, 2.0]), rtol=1e-6
    )
    np.testing.assert_allclose(
        outputs["harm_amps"], outputs["harm_amp"] * outputs["harm_dist"], rtol=1e-6
    )
    np.testing.assert_allclose(
        outputs["harm_audio"],
        steady(outputs["harm_freqs"], outputs["harm_amps"]),
        atol=1e-4,
    )
    assert model.get_audio_from_outputs(outputs) is outputs["harm_audio"]
    assert outputs["sinusoidal"]["signal"].shape == [BATCH, N_SAMPLES]


def test_recordings_keep_their_length(recordings):
    outputs = small()({"audio": recordings["audio"][:, : 3 * HOP]})
    assert outputs["harm_audio"].shape == outputs["sin_audio"].shape == [BATCH, 192]


def test_without_harmonics_there_are_sinusoids(recordings, notes):
    model = small(
        harmonic_encoder=None,
        sinusoidal_consistency_losses=Sets(name="sets"),
        harmonic_consistency_losses=Sets(name="pitch"),
    )
    outputs, values = model(notes, return_losses=True)
    assert set(values) == {"sin_audio", "ss_sets", "total_loss"}
    assert model.get_audio_from_outputs(outputs) is outputs["sin_audio"]
    assert "f0_hz" not in outputs
    _, values = model(recordings, return_losses=True)
    assert set(values) == {"sin_audio", "total_loss"}


def compared(**settings):
    return small(
        sinusoidal_consistency_losses=Sets(name="sets"),
        harmonic_consistency_losses=[Sets(name="pitch")],
        filtered_noise_consistency_loss=Distance(name="noise"),
        twm_loss=Twm(name="twm"),
        harmonic_distribution_prior=Prior(name="prior"),
        **settings,
    )


def sets(*sources):
    """`Sets` of (mapping, keys) pairs, in NumPy."""
    means = [[np.mean(x[key], axis=-1) for key in keys] for x, keys in sources]
    return sum(np.mean(np.abs(a - b)) for a, b in zip(*means, strict=True))


def test_synthetic_notes_are_compared_with_their_controls(notes):
    model = compared()
    outputs, values = model(notes, return_losses=True)

    def distance(a, b):
        return np.mean(np.abs(a - b))

    sinusoids, pitch = ["sin_amps", "sin_freqs"], ["harm_amp", "f0_hz"]
    expected = {
        "sin_audio": distance(outputs["audio"], outputs["sin_audio"]),
        "harm_audio": distance(outputs["audio"], outputs["harm_audio"]),
        "prior": np.mean(np.square(outputs["harm_dist"])),
        "twm": distance(outputs["sin_freqs"], outputs["f0_hz"]),
        "sets": sets((outputs, sinusoids), (outputs, ["harm_amps", "harm_freqs"])),
        "ss_sets": sets((outputs, sinusoids), (notes, sinusoids)),
        "ss_noise": distance(outputs["noise_magnitudes"], notes["noise_magnitudes"]),
        "ss_harm_pitch": sets((outputs, pitch), (notes, pitch)),
    }
    expected["total_loss"] = sum(expected.values())
    assert set(values) == set(expected)
    for name, value in values.items():
        # Summation order of float32 means.
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, err_msg=name)


def test_the_audio_of_notes_is_that_of_their_sinusoids(notes):
    notes = {key: tf.repeat(x[:, :1], TIME, axis=1) for key, x in notes.items()}
    audio = small().generate_synthetic_audio(notes)
    expected = steady(notes["sin_freqs"], notes["sin_amps"])
    np.testing.assert_allclose(audio, expected, atol=1e-4)


@pytest.mark.parametrize("order", [1, -1])
def test_a_pair_is_both_at_once(order, recordings, notes):
    model = compared()
    outputs, values = model((recordings, notes)[::order], return_losses=True)
    of_recordings, recorded = model(recordings, return_losses=True)
    _, synthetic = model(notes, return_losses=True)
    del values["total_loss"]
    assert set(values) == set(synthetic) - {"total_loss"}
    for name, value in values.items():
        source = synthetic if name.startswith("ss_") else recorded
        np.testing.assert_allclose(value, source[name], rtol=1e-5, err_msg=name)
    for key in ("f0_hz", "sin_audio", "harm_audio"):
        np.testing.assert_allclose(outputs[key], of_recordings[key], atol=1e-5)
    assert outputs["sinusoidal"]["signal"].shape == [BATCH, N_SAMPLES]


@pytest.mark.parametrize("stop_gradient", [True, False])
def test_errors_of_harmonics_leave_sinusoids_alone(stop_gradient, notes):
    model = compared(stop_gradient=stop_gradient)
    with tf.GradientTape(persistent=True) as tape:
        _, values = model(notes, return_losses=True)
    weights = model.sinusoidal_encoder.trainable_weights

    def reaches(name):
        gradients = tape.gradient(values[name], [w.value for w in weights])
        return any(g is not None and np.any(g) for g in gradients)

    assert reaches("ss_sets") and reaches("sin_audio") and reaches("twm")
    for name in ("harm_audio", "sets", "ss_harm_pitch", "prior"):
        assert reaches(name) != stop_gradient, name


def test_variables_are_named_as_the_originals(recordings):
    model = small(reverb=True, sample_rate=16000)
    model.build_variables()
    names = set(restoring.model_variables(model))
    dense = {f"{x}_encoder/dense/{w}" for x in ("sinusoidal", "harmonic") for w in "kb"}
    assert {name.replace("kernel", "k").replace("bias", "b") for name in names} == {
        *dense,
        "reverb/magnitudes",
    }
    copy = small(reverb=True, sample_rate=16000)
    copy.build_variables()
    copy.set_weights(model.get_weights())
    np.testing.assert_allclose(
        copy(recordings)["f0_hz"], model(recordings)["f0_hz"], rtol=1e-6
    )


def test_config_round_trip(recordings):
    model = small(sinusoidal_consistency_losses=Sets(name="sets"))
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(model)
    )
    outputs, values = model(recordings, return_losses=True)
    copy(recordings)
    copy.set_weights(model.get_weights())
    again, copied = copy(recordings, return_losses=True)
    # The noise of 1e-7 differs between calls.
    np.testing.assert_allclose(again["harm_audio"], outputs["harm_audio"], atol=1e-5)
    assert set(copied) == set(values)


def test_missing_features_are_named(recordings, notes):
    model = small()
    with pytest.raises(ValueError, match=r"needs the features \['audio'\].*got \['f0"):
        model({"f0_hz": notes["f0_hz"]})
    del notes["sin_freqs"]
    with pytest.raises(ValueError, match=r"\['sin_freqs'\] are missing; got"):
        model(notes)
    with pytest.raises(ValueError, match="consist of recordings and of synthetic"):
        model((recordings, recordings))
