"""Values and gradients at zero, below it, and far out."""

import numpy as np
import pytest
import tensorflow as tf

from ddsp import core
from ddsp._core import safety

EXTREMES = tf.constant([0.0, -0.0, 1e-30, -1e-30, 1e-8, 1.0, -1.0, 1e30, -1e30])


@pytest.mark.parametrize(
    "function",
    [
        core.safe_log,
        core.logb,
        core.log10,
        core.safe_sqrt,
        core.gradient_reversal,
        core.nan_to_num,
        lambda x: core.safe_divide(x, 0.0),
        core.exp_sigmoid,
        core.sym_exp_sigmoid,
    ],
)
def test_values_and_gradients_are_finite(function):
    with tf.GradientTape() as tape:
        tape.watch(EXTREMES)
        y = function(EXTREMES)
    assert np.all(np.isfinite(y))
    assert np.all(np.isfinite(tape.gradient(y, EXTREMES)))


def test_ordinary_values_are_ordinary():
    x = np.random.default_rng(0).uniform(0.01, 100.0, 200)
    np.testing.assert_allclose(core.safe_log(x), np.log(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(core.log10(x), np.log10(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(core.logb(x, 3.0), np.log(x) / np.log(3), 1e-5, 1e-6)
    np.testing.assert_allclose(core.safe_sqrt(x), np.sqrt(x), rtol=1e-6)
    np.testing.assert_allclose(core.safe_divide(1.0, x), 1 / x, rtol=1e-6)


def test_values_at_zero():
    np.testing.assert_allclose(core.safe_log([0.0, -3.0]), np.log([1e-5, 1e-5]), 1e-6)
    np.testing.assert_allclose(core.safe_divide([0.0, 1.0], 0.0), [0.0, 1e7])
    assert core.safe_sqrt(0.0) == 0.0


def test_the_slope_of_the_square_root_is_bounded():
    x = tf.constant([0.0, 1e-12, 1e-7, 1e-6])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = safety.safe_sqrt(x)
    assert np.max(tape.gradient(y, x)) <= 1e-7**-0.5 * 1.001


def test_not_a_number_is_replaced():
    x = tf.constant([1.0, np.nan])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = core.nan_to_num(x, 7.0)
    np.testing.assert_array_equal(y, [1.0, 7.0])
    np.testing.assert_array_equal(tape.gradient(y, x), [1.0, 0.0])


def test_the_gradient_turns_back():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(core.gradient_reversal(x) ** 2)
    np.testing.assert_array_equal(tape.gradient(y, x), [-2.0, -4.0])
