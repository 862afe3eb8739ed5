"""Harmonics: their frequencies and shares, against NumPy."""

import numpy as np

from ddsp import core

RNG = np.random.default_rng(0)
F0 = RNG.uniform(100, 1500, [2, 10, 1]).astype(np.float32)
SHARES = RNG.uniform(0.1, 1, [2, 10, 12]).astype(np.float32)


def test_frequencies_are_multiples():
    expected = F0 * np.arange(1, 13)
    np.testing.assert_allclose(core.get_harmonic_frequencies(F0, 12), expected, 1e-6)


def test_normalized_shares_sum_to_one_below_nyquist():
    kept = SHARES * (F0 * np.arange(1, 13) < 8000)
    expected = kept / kept.sum(-1, keepdims=True)
    got = core.normalize_harmonics(SHARES, F0, 16000)
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    np.testing.assert_array_equal(core.normalize_harmonics(0 * SHARES), 0 * SHARES)


def test_to_sinusoids_and_back():
    amplitude = RNG.uniform(0.1, 1, [2, 10, 1]).astype(np.float32)
    amps, hz = core.harmonic_to_sinusoidal(amplitude, SHARES, F0)
    level, shares = core.sinusoidal_to_harmonic(amps, hz, F0, n_harmonics=12)
    np.testing.assert_allclose(level, amplitude, rtol=1e-4)
    expected = core.normalize_harmonics(SHARES, F0, 16000)
    np.testing.assert_allclose(shares, expected, atol=1e-5)


def test_a_sinusoid_between_harmonics_belongs_to_none():
    amps, hz = np.ones([1, 1, 1]), np.full([1, 1, 1], 150.0)
    level, _ = core.sinusoidal_to_harmonic(amps, hz, np.full([1, 1, 1], 100.0))
    assert float(level[0, 0, 0]) < 1e-9
