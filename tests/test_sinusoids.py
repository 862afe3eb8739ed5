"""Banks of independent sinusoids, against float64."""

import numpy as np
import pytest

from ddsp import core

SAMPLE_RATE = 16000


def test_sinusoids_sound_at_their_frequencies_and_not_above_nyquist():
    hz = np.array([300.0, 1234.0, 7999.0, 8000.0, 9000.0])
    amplitudes = np.array([0.1, 0.2, 0.3, 0.5, 0.5])
    audio = core.sinusoidal_synthesis(
        np.tile(hz, (1, 10, 1)), np.tile(amplitudes, (1, 10, 1)), n_samples=SAMPLE_RATE
    )
    spectrum = np.abs(np.fft.rfft(audio[0])) / (SAMPLE_RATE / 2)
    np.testing.assert_allclose(spectrum[[300, 1234, 7999]], amplitudes[:3], atol=1e-3)
    np.testing.assert_allclose(np.sum(spectrum**2), np.sum(amplitudes[:3] ** 2), 1e-2)


def test_the_bank_sums_or_does_not():
    rng = np.random.default_rng(0)
    hz = rng.uniform(100, 7000, [2, 500, 3]).astype(np.float32)
    amplitudes = rng.uniform(0, 1, [2, 500, 3]).astype(np.float32)
    phase = np.cumsum(hz.astype(np.float64), axis=1) * 2 * np.pi / SAMPLE_RATE
    expected = amplitudes * np.sin(phase)
    each = core.oscillator_bank(hz, amplitudes, sum_sinusoids=False)
    np.testing.assert_allclose(each, expected, atol=1e-5)
    for angular in (False, True):
        audio = core.oscillator_bank(hz, amplitudes, use_angular_cumsum=angular)
        np.testing.assert_allclose(audio, expected.sum(-1), atol=2e-5)


def test_refused_ranks():
    flat, cube = np.zeros([2, 10]), np.zeros([2, 10, 1])
    for function in (core.oscillator_bank, core.sinusoidal_synthesis):
        for arguments in ((flat, cube), (cube, flat)):
            with pytest.raises(ValueError, match=r"\(2, 10\)"):
                function(*arguments)
