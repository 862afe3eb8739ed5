"""White noise by its statistics."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from ddsp import core

N = 100_000


def test_uniform_between_minus_one_and_one():
    noise = np.asarray(core.uniform_noise(1, N, seed=1)[0], np.float64)
    assert noise.min() >= -1.0
    assert noise.max() < 1.0
    # Five standard errors of the mean and of the variance of a uniform variable.
    assert abs(noise.mean()) < 5 * np.sqrt(1 / 3 / N)
    assert abs(noise.var() - 1 / 3) < 5 * np.sqrt(4 / 45 / N)
    assert scipy.stats.kstest(noise, scipy.stats.uniform(-1, 2).cdf).pvalue > 1e-3


@pytest.mark.parametrize("seed", [0, 1, 2, 2**31 - 1])
def test_white(seed):
    noise = np.asarray(core.uniform_noise(2, N, seed=seed), np.float64)
    spectrum = np.fft.rfft(noise[0], 2 * N)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:2000] / N
    assert np.max(np.abs(correlation[1:])) < 5 / 3 / np.sqrt(N)
    across = np.fft.irfft(spectrum * np.conj(np.fft.rfft(noise[1], 2 * N))) / N
    assert np.max(np.abs(across)) < 6 / 3 / np.sqrt(N)


def test_seeds_next_to_each_other_are_independent():
    noises = [np.asarray(core.uniform_noise(1, N, seed=s)[0]) for s in range(4)]
    correlations = np.corrcoef(noises) - np.eye(4)
    assert np.max(np.abs(correlations)) < 5 / np.sqrt(N)


def test_low_bits_are_fair_too():
    noise = np.asarray(core.uniform_noise(1, N, seed=3)[0], np.float64)
    bits = ((noise + 1) * 2**23).astype(np.int64)
    for bit in range(24):
        ones = np.sum((bits >> bit) & 1)
        assert abs(ones - N / 2) < 5 * np.sqrt(N / 4)


@pytest.mark.parametrize("cut", [1, 333, 999])
def test_blocks_equal_the_whole(cut):
    whole = core.uniform_noise(3, 1000, seed=5)
    blocks = [
        core.uniform_noise(3, cut, seed=5),
        core.uniform_noise(3, 1000 - cut, seed=5, start=cut),
    ]
    np.testing.assert_array_equal(tf.concat(blocks, axis=1), whole)


def test_a_row_does_not_depend_on_the_batch():
    np.testing.assert_array_equal(
        core.uniform_noise(1, 100, seed=5), core.uniform_noise(4, 100, seed=5)[:1]
    )


def test_without_a_seed_every_call_differs_but_can_be_repeated():
    tf.random.set_seed(1)
    first, second = (core.uniform_noise(1, 100) for _ in range(2))
    assert np.max(np.abs(first - second)) > 0.1
    tf.random.set_seed(1)
    np.testing.assert_array_equal(core.uniform_noise(1, 100), first)


def test_a_graph_draws_a_seed_at_every_run():
    function = tf.function(lambda: core.uniform_noise(1, 100))
    assert np.max(np.abs(function() - function())) > 0.1


def test_compiled_equals_eager():
    compiled = tf.function(
        lambda seed: core.uniform_noise(2, 100, seed), jit_compile=True
    )
    np.testing.assert_array_equal(
        compiled(tf.constant(9)), core.uniform_noise(2, 100, 9)
    )
