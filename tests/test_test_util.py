"""Test signals, against their closed form."""

import numpy as np
import pytest

from ddsp import test_util


def test_sinusoid():
    audio = test_util.gen_np_sinusoid(1000.0, 0.5, 16000, 0.1)
    assert audio.shape == (1600,)
    spectrum = np.fft.rfft(audio) / 800
    # 100 whole cycles: all energy in bin 100, as a sine (minus a quarter turn).
    np.testing.assert_allclose(spectrum[100], -0.5j, atol=1e-12)
    np.testing.assert_allclose(np.delete(spectrum, 100), 0.0, atol=1e-12)


def test_batch_of_sinusoids():
    rows = test_util.gen_np_batched_sinusoids(440.0, 1.0, 8000, 0.5, 3)
    assert rows.shape == (3, 4000)
    np.testing.assert_array_equal(
        rows, [test_util.gen_np_sinusoid(440.0, 1.0, 8000, 0.5)] * 3
    )


def test_sample_rate_must_be_positive():
    with pytest.raises(ValueError, match="positive, got 0"):
        test_util.gen_np_sinusoid(440.0, 1.0, 0, 1.0)
