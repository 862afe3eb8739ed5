"""Wavetables, against numpy.interp and closed forms."""

import numpy as np
import pytest

from ddsp import core

RNG = np.random.default_rng(0)


def test_lookup_interpolates_and_wraps():
    table = RNG.standard_normal(50).astype(np.float32)
    phase = RNG.uniform(-3, 3, [1, 400, 1]).astype(np.float32)
    at = phase[0, :, 0].astype(np.float64) % 1 * 50
    expected = np.interp(at, np.arange(51), np.append(table, table[0]))
    got = core.linear_lookup(phase, table[np.newaxis])
    # The phase is rounded to 1e-7, times 50 samples and their slope.
    np.testing.assert_allclose(got[0], expected, atol=5e-5)
    tables = np.tile(table, (1, 400, 1))
    np.testing.assert_allclose(core.linear_lookup(phase, tables), got, atol=1e-6)


def test_a_table_is_a_sum_of_cosines():
    shares = RNG.uniform(0, 1, [2, 3, 5]).astype(np.float32)
    cosines = np.cos(2 * np.pi * np.outer(np.arange(1, 6), np.arange(256)) / 256)
    got = core.harmonic_distribution_to_wavetable(shares, 256)
    np.testing.assert_allclose(got, shares @ cosines, atol=1e-5)


@pytest.mark.parametrize("hop", [64, 160])
def test_synthesis_sounds_at_the_frequency(hop):
    n = 100 * hop
    table = np.cos(2 * np.pi * np.arange(2048) / 2048)[np.newaxis]
    hz, ones = np.full([1, 100, 1], 500.0), np.ones([1, 100, 1])
    got = core.wavetable_synthesis(hz, ones, table, n)[0]
    expected = np.cos(2 * np.pi * 500 * np.arange(n) / 16000)
    np.testing.assert_allclose(got, expected, atol=2e-5)
