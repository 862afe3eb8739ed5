"""Straight-through estimators: samples and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import nn


@pytest.mark.parametrize("jit_compile", [False, True])
def test_samples_are_as_frequent_as_their_probability(jit_compile):
    tf.random.set_seed(0)
    expected = np.array([0.5, 0.3, 0.15, 0.05])
    n = 40000
    draw = tf.function(nn.straight_through_softmax, jit_compile=jit_compile)
    samples, probabilities = draw(tf.tile(np.log(expected)[None], [n, 1]))
    assert set(np.unique(samples)) == {0.0, 1.0}
    np.testing.assert_array_equal(tf.reduce_sum(samples, axis=-1), np.ones(n))
    np.testing.assert_allclose(probabilities[0], expected, rtol=1e-5)
    # Five standard deviations of a binomial share.
    tolerance = 5 * np.sqrt(expected * (1 - expected) / n)
    assert (np.abs(np.mean(samples, axis=0) - expected) < tolerance).all()


def test_gradient_is_that_of_the_probability_of_what_was_drawn():
    tf.random.set_seed(0)
    rng = np.random.default_rng(0)
    logits = tf.constant(rng.normal(size=[5, 3, 4]), tf.float32)
    weights = rng.normal(size=[5, 3, 4])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        samples, _ = nn.straight_through_softmax(logits)
        total = tf.reduce_sum(samples * weights)
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    drawn = np.asarray(samples)
    p_drawn = (p * drawn).sum(-1, keepdims=True)
    expected = (weights * drawn).sum(-1, keepdims=True) * p_drawn * (drawn - p)
    np.testing.assert_allclose(tape.gradient(total, logits), expected, atol=1e-6)


def test_choice_is_one_of_the_values():
    tf.random.set_seed(0)
    logits = tf.constant([[0.0, 100.0, 0.0]] * 2)
    values = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    choice = nn.straight_through_choice(logits, values)
    np.testing.assert_array_equal(choice, [[2.0], [5.0]])


@pytest.mark.parametrize("jit_compile", [False, True])
def test_quantization_is_exact_and_lets_the_gradient_pass(jit_compile):
    x = tf.constant(np.random.default_rng(0).uniform(-2000, 2000, [500]), tf.float32)

    @tf.function(jit_compile=jit_compile)
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = nn.straight_through_int_quantization(x)
            total = tf.reduce_sum(y**2)
        return y, tape.gradient(total, x)

    y, gradient = run(x)
    np.testing.assert_array_equal(y, np.round(x))
    np.testing.assert_array_equal(gradient, 2 * np.round(x))
