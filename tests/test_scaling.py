"""Maps to amplitudes and frequencies, against closed forms."""

import librosa
import numpy as np
import pytest

from ddsp import core

X = np.random.default_rng(0).normal(0, 3, [2, 5, 12]).astype(np.float32)


def test_exp_sigmoid():
    sigmoid = 1 / (1 + np.exp(-X.astype(np.float64)))
    expected = 3 * sigmoid ** np.log(4) + 1e-3
    np.testing.assert_allclose(core.exp_sigmoid(X, 4.0, 3.0, 1e-3), expected, 1e-5)


def test_sym_exp_sigmoid_is_symmetric_and_smallest_at_zero():
    np.testing.assert_array_equal(core.sym_exp_sigmoid(X), core.sym_exp_sigmoid(-X))
    assert core.sym_exp_sigmoid(0.0) < core.sym_exp_sigmoid(0.5)


def test_log_scale():
    got = core.log_scale(np.array([-1.0, 0.0, 1.0]), 10.0, 1000.0)
    np.testing.assert_allclose(got, [10.0, 100.0, 1000.0], rtol=1e-5)


def test_soft_limit_is_the_identity_well_inside():
    np.testing.assert_allclose(core.soft_limit(500.0, 0.0, 1000.0), 500.0)
    np.testing.assert_allclose(core.soft_limit([-1e4, 1e4], 0, 100), [0, 100])


def test_softmax_frequencies_are_means_on_a_logarithmic_scale():
    logits = X.reshape(2, 5, 3, 4).astype(np.float64)
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    bins = librosa.hz_to_midi(np.geomspace(20, 8000, 4))
    got = core.frequencies_softmax(X, depth=4)
    np.testing.assert_allclose(got, librosa.midi_to_hz(weights @ bins), rtol=1e-4)


def test_one_sigmoid_spans_a_logarithmic_range():
    sigmoid = 1 / (1 + np.exp(-X.astype(np.float64)))
    got = core.frequencies_sigmoid(X, hz_min=20.0, hz_max=8000.0)
    # The width of the range is its upper end, as it was in the original.
    np.testing.assert_allclose(got, 20.0 * (7980.0 / 20.0) ** sigmoid, rtol=1e-4)


@pytest.mark.parametrize("scale", ["bark", "mel"])
def test_critical_bands_start_equally_spaced_on_their_scale(scale):
    to_scale = {"bark": core.hz_to_bark, "mel": core.hz_to_mel}[scale]
    hz = core.frequencies_critical_bands(np.zeros([1, 1, 12]), scale=scale)[0, 0]
    # `soft_limit` counts from the lower limit: it adds 20 Hz.
    steps = np.diff(to_scale(hz - 20.0))[1:-1]
    np.testing.assert_allclose(steps, steps[0], rtol=1e-2)


def test_depth_must_fit():
    with pytest.raises(ValueError, match=r"\(2, 5, 12\)"):
        core.frequencies_softmax(X, depth=5)
    with pytest.raises(ValueError, match="got 'erb'"):
        core.frequencies_critical_bands(X, scale="erb")
