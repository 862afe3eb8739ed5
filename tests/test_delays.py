"""Delay lines, against numpy.interp."""

import numpy as np
import pytest
import tensorflow as tf

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


def test_gradients_of_a_moving_delay():
    rng = np.random.default_rng(2)
    n, longest = 300, 64
    phase = rng.uniform(0.01, 0.97, [2, n, 1]).astype(np.float32)
    upstream = rng.standard_normal([2, n]).astype(np.float32)
    inputs = tf.constant(phase), tf.constant(AUDIO)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(core.variable_length_delay(*inputs, longest) * upstream)
    d_phase, d_audio = tape.gradient(loss, inputs)
    for row in range(2):
        delay = phase[row, :, 0].astype(np.float64) * longest
        whole = delay.astype(int)
        now = np.arange(n) + longest
        # reads[n, m]: how much of sample m, after the silence, is heard at n.
        reads = np.zeros([n, n + longest])
        reads[np.arange(n), now - whole] += 1 - (delay - whole)
        reads[np.arange(n), now - whole - 1] += delay - whole
        expected = (upstream[row] @ reads)[longest:]
        np.testing.assert_allclose(d_audio[row], expected, atol=1e-4)
        padded = np.concatenate([np.zeros(longest), AUDIO[row]])
        slope = padded[now - whole - 1] - padded[now - whole]
        expected = upstream[row] * slope * longest
        np.testing.assert_allclose(d_phase[row, :, 0], expected, rtol=1e-4, atol=1e-3)


def test_no_line_for_every_sample_is_held():
    n, longest = 2000, 512

    def gradients(phase, audio):
        return tf.gradients(
            core.variable_length_delay(phase, audio, longest), [phase, audio]
        )

    graph = (
        tf.function(gradients)
        .get_concrete_function(tf.TensorSpec([1, n, 1]), tf.TensorSpec([1, n]))
        .graph
    )
    shapes = [x.shape for op in graph.get_operations() for x in op.outputs]
    sizes = [s.num_elements() or 0 for s in shapes if s.rank is not None]
    # The audio with its silence, not 512 times as much; indices in pairs.
    assert max(sizes) <= 3 * (n + longest)


@pytest.mark.parametrize("batches", [(1, 3), (3, 1)])
def test_one_row_serves_all(batches):
    rng = np.random.default_rng(0)
    phase = rng.uniform(0, 1, [batches[0], 80, 1]).astype(np.float32)
    audio = rng.standard_normal([batches[1], 80]).astype(np.float32)
    got = core.variable_length_delay(phase, audio, max_length=20)
    rows = np.tile(phase, [3 // batches[0], 1, 1]), np.tile(audio, [3 // batches[1], 1])
    np.testing.assert_array_equal(got, core.variable_length_delay(*rows, max_length=20))


def test_phase_without_channel():
    phase = np.random.default_rng(1).uniform(0, 1, [2, 300]).astype(np.float32)
    got = core.variable_length_delay(phase, AUDIO, max_length=64)
    expected = core.variable_length_delay(phase[..., np.newaxis], AUDIO, max_length=64)
    np.testing.assert_array_equal(got, expected)


def test_batches_that_do_not_fit():
    with pytest.raises(ValueError, match="same batch size, got 2 and 3"):
        core.variable_length_delay(np.zeros([2, 9, 1]), np.zeros([3, 9]))
