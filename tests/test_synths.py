"""Synthesizers: what their controls mean and how they sound."""

import numpy as np
import pytest

from ddsp import core, synths

FRAMES = np.random.default_rng(0).standard_normal([2, 20, 9]).astype(np.float32)
F0 = np.full([2, 20, 1], 440.0, np.float32)


def test_harmonic_controls_are_scaled_and_shares_sum_to_one():
    controls = synths.Harmonic(n_samples=320).get_controls(FRAMES[..., :1], FRAMES, F0)
    np.testing.assert_allclose(
        np.sum(controls["harmonic_distribution"], axis=-1), 1.0, rtol=1e-5
    )
    sigmoid = 1 / (1 + np.exp(-FRAMES[..., :1].astype(np.float64)))
    expected = 2 * sigmoid ** np.log(10) + 1e-7
    np.testing.assert_allclose(controls["amplitudes"], expected, rtol=1e-5)


def test_harmonics_above_nyquist_get_no_share():
    high = np.full([2, 20, 1], 3000.0, np.float32)
    controls = synths.Harmonic().get_controls(FRAMES[..., :1], FRAMES, high)
    shares = np.asarray(controls["harmonic_distribution"])
    assert np.all(shares[..., 2:] == 0.0)
    np.testing.assert_allclose(shares[..., :2].sum(-1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("n_samples", [1600, 3200])
def test_noise_has_the_level_of_its_filter(n_samples):
    synth = synths.FilteredNoise(
        n_samples=n_samples, window_size=0, scale_fn=None, seed=1
    )
    audio = np.asarray(synth(np.full([2, 10, 33], 0.5, np.float32)))
    # Uniform noise has variance 1/3; 3200 samples or more: four standard errors.
    np.testing.assert_allclose(np.std(audio), 0.5 * np.sqrt(1 / 3), rtol=0.05)


def test_noise_differs_from_call_to_call_without_a_seed():
    synth = synths.FilteredNoise(n_samples=320)
    assert np.max(np.abs(synth(FRAMES) - synth(FRAMES))) > 0


def test_a_wavetable_of_a_sine_is_a_sine():
    table = np.sin(2 * np.pi * np.arange(2048) / 2048)
    synth = synths.Wavetable(n_samples=3200, scale_fn=None)
    audio = synth(np.ones([2, 20, 1]), np.tile(table, (2, 1)), F0)
    expected = np.sin(2 * np.pi * 440 * np.arange(3200) / 16000)
    # Linear interpolation in a table of 2048: (2 pi / 2048)^2 / 8 at most.
    np.testing.assert_allclose(audio[0], expected, atol=2e-5)


def test_sinusoids_above_nyquist_are_silent():
    synth = synths.Sinusoidal(freq_scale_fn=None)
    hz = np.tile(np.float32([100.0, 7999.0, 8000.0]), (2, 20, 1))
    controls = synth.get_controls(FRAMES[..., :3], hz)
    assert np.all(np.asarray(controls["amplitudes"])[..., 2] == 0.0)
    assert np.all(np.asarray(controls["amplitudes"])[..., :2] > 0.0)


def test_samples_pass_through():
    samples = FRAMES[..., :1]
    np.testing.assert_array_equal(synths.TensorToAudio()(samples), samples[..., 0])
    with pytest.raises(ValueError, match=r"\(2, 20\)"):
        synths.TensorToAudio().get_controls(samples[..., 0])


@pytest.mark.parametrize("bad", [{"n_samples": 0}, {"sample_rate": -1}])
def test_refused_settings(bad):
    with pytest.raises(ValueError, match=f"got {next(iter(bad.values()))}"):
        synths.Harmonic(**bad)


def test_core_scale_functions_are_the_defaults():
    # A layer keeps the bindings of a function, and the function itself.
    assert synths.Harmonic().scale_fn.function is core.exp_sigmoid
    assert synths.Sinusoidal().freq_scale_fn.function is core.frequencies_sigmoid
