"""Delay lines, against numpy.interp."""

import numpy as np
import pytest

from ddsp import core

AUDIO = np.random.default_rng(0).standard_normal([2, 300]).astype(np.float32)


@pytest.mark.parametrize("delay", [0.0, 1.0, 7.5, 30.25, 62.9])
def test_a_steady_delay(delay):
    phase = np.full([2, 300, 1], delay / 64, np.float32)
    got = core.variable_length_delay(phase, AUDIO, max_length=64)
    silence = np.zeros(64)
    for row in range(2):
        padded = np.concatenate([silence, AUDIO[row]])
        expected = np.interp(np.arange(300) + 64 - delay, np.arange(364), padded)
        np.testing.assert_allclose(got[row], expected, atol=2e-5)


def test_a_moving_delay():
    delay = np.random.default_rng(1).uniform(0, 62, [2, 300, 1])
    got = core.variable_length_delay(delay / 64, AUDIO, max_length=64)
    for row in range(2):
        padded = np.concatenate([np.zeros(64), AUDIO[row]])
        at = np.arange(300) + 64 - delay[row, :, 0]
        expected = np.interp(at, np.arange(364), padded)
        np.testing.assert_allclose(got[row], expected, atol=5e-5)
