"""Effects, against scipy's convolution and closed forms."""

import numpy as np
import pytest
import scipy.signal

from ddsp import effects

AUDIO = np.random.default_rng(0).standard_normal([2, 500]).astype(np.float32)
IR = np.random.default_rng(1).standard_normal([2, 80]).astype(np.float32)


@pytest.mark.parametrize("add_dry", [True, False])
@pytest.mark.parametrize("ir", [IR, IR[..., np.newaxis]])
def test_reverb_is_convolution_less_the_direct_sound(add_dry, ir):
    tail = IR.astype(np.float64)
    tail[:, 0] = 0.0
    expected = scipy.signal.fftconvolve(AUDIO, tail, axes=1)[:, :500] + add_dry * AUDIO
    got = effects.Reverb(add_dry=add_dry)(AUDIO, ir)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_a_fresh_reverb_is_nearly_dry_and_learns():
    reverb = effects.Reverb(trainable=True, reverb_length=100)
    np.testing.assert_allclose(reverb(AUDIO), AUDIO, atol=1e-3)
    assert [tuple(v.shape) for v in reverb.trainable_variables] == [(100,)]


def test_controls_may_be_asked_for_before_the_first_call():
    reverb = effects.Reverb(trainable=True, reverb_length=100)
    assert reverb.get_controls(AUDIO)["ir"].shape == (1, 100)


def test_freezing_keeps_what_was_learned():
    reverb = effects.Reverb(trainable=True, reverb_length=100)
    expected = reverb(AUDIO)
    reverb.trainable = False
    assert not reverb.trainable_variables
    np.testing.assert_array_equal(reverb(AUDIO), expected)


@pytest.mark.parametrize(
    "cls", [effects.Reverb, effects.ExpDecayReverb, effects.FilteredNoiseReverb]
)
def test_without_weights_the_response_must_be_given(cls):
    with pytest.raises(ValueError, match=r"not trainable.*got"):
        cls(reverb_length=100).get_controls(AUDIO)


def test_exponential_decay():
    reverb = effects.ExpDecayReverb(reverb_length=20000, scale_fn=abs, seed=1)
    gain, decay = np.array([[0.5]], np.float32), np.array([[1.0]], np.float32)
    ir = np.asarray(reverb.get_controls(AUDIO, gain, decay)["ir"])[0]
    rms = np.sqrt(np.mean(ir.reshape(20, 1000).astype(np.float64) ** 2, axis=1))
    time = (np.arange(20) + 0.5) / 20
    expected = 0.5 * np.sqrt(1 / 3) * np.exp(-(2 + np.e) * time)
    # 1000 samples of noise each: three standard errors.
    np.testing.assert_allclose(rms, expected, rtol=0.06)


def test_mod_delay_at_rest_is_a_delay():
    delay = effects.ModDelay(
        center_ms=10.0,
        depth_ms=5.0,
        add_dry=False,
        gain_scale_fn=None,
        phase_scale_fn=None,
    )
    ones = np.ones([2, 500, 1], np.float32)
    got = np.asarray(delay(AUDIO, 0.5 * ones, 0.0 * ones))
    np.testing.assert_allclose(got[:, 160:], 0.5 * AUDIO[:, :-160], atol=1e-4)
    np.testing.assert_array_equal(got[:, :160], 0.0)


def test_refused_delays():
    with pytest.raises(ValueError, match=r"center_ms=1.0, depth_ms=-2.0"):
        effects.ModDelay(center_ms=1.0, depth_ms=-2.0)


def test_a_filter_of_ones_passes_everything():
    fir = effects.FIRFilter(window_size=65, scale_fn=None)
    got = fir(AUDIO, np.ones([2, 5, 65], np.float32))
    np.testing.assert_allclose(got, AUDIO, atol=0.02)
