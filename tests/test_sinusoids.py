"""Banks of independent sinusoids, against float64."""

import numpy as np
import pytest
import tensorflow as tf
from sinusoid_oracle import SAMPLE_RATE, largest_tensor, oracle

from ddsp import core
from ddsp._core.chunks import map_rows
from ddsp._core.sine import cosine, sine


@pytest.mark.parametrize(
    ("n_frames", "hop", "n_sinusoids", "method"),
    [
        (30, 64, 20, "window"),
        (20, 64, 100, "linear"),
        # More frames than one chunk holds, and a last chunk that is not full.
        (150, 60, 400, "window"),
        (10, 320, 30, "linear"),
        (40, 2, 3, "window"),
    ],
)
@pytest.mark.parametrize("loudest", ["all", "lowest", "highest"])
def test_values_and_gradients_match_float64(
    n_frames, hop, n_sinusoids, method, loudest
):
    rng = np.random.default_rng(n_sinusoids)
    # Some cross Nyquist on their way.
    hz = rng.uniform(30, 8200, [1, n_sinusoids]) + rng.normal(
        0, 5, [n_frames, n_sinusoids]
    )
    hz = np.sort(hz, axis=1).astype(np.float32)
    amplitudes = rng.uniform(0, 1, [n_frames, n_sinusoids])
    if loudest != "all":
        position = np.arange(n_sinusoids)
        distance = position if loudest == "lowest" else position[::-1]
        amplitudes *= np.exp(-distance)
    amplitudes = (amplitudes / amplitudes.sum(axis=1, keepdims=True)).astype(np.float32)
    upstream = rng.standard_normal(n_frames * hop).astype(np.float32)
    inputs = tf.constant(hz[np.newaxis]), tf.constant(amplitudes[np.newaxis])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        audio = core.sinusoidal_synthesis(
            *inputs, n_samples=n_frames * hop, amp_resample_method=method
        )
        loss = tf.reduce_sum(audio[0] * upstream)
    gradients = [g[0] for g in tape.gradient(loss, inputs)]
    expected, d_hz, d_amplitudes = oracle(hz, amplitudes, hop, method, upstream)
    # Full scale is 1: the amplitudes sum to it. A phase of `hop / 2` cycles is rounded
    # to 2**-24 of itself, 6e-5 radians for a hop of 320 at Nyquist.
    np.testing.assert_allclose(audio[0], expected, rtol=0, atol=1e-4)
    for got, want in zip(gradients, (d_hz, d_amplitudes), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * np.abs(want).max())


def test_a_batch_is_its_rows_and_its_size_may_be_unknown():
    rng = np.random.default_rng(0)
    hz = rng.uniform(30, 7000, [5, 40, 50]).astype(np.float32)
    amplitudes = rng.uniform(0, 0.02, [5, 40, 50]).astype(np.float32)
    rows = zip(hz, amplitudes, strict=True)
    alone = [core.sinusoidal_synthesis(h[None], a[None], 8000)[0] for h, a in rows]
    for batch in (5, None):
        function = tf.function(
            lambda hz, amplitudes: core.sinusoidal_synthesis(hz, amplitudes, 8000),
            input_signature=[tf.TensorSpec([batch, 40, 50])] * 2,
        )
        # Compiled for other shapes, phases of up to 90 cycles round otherwise.
        np.testing.assert_allclose(function(hz, amplitudes), alone, atol=3e-5)


@pytest.mark.parametrize("seconds", [4, 60])
def test_memory_does_not_hold_samples_times_sinusoids(seconds):
    """No tensor but the controls and the audio grows with the length."""
    n_frames, n_sinusoids = 250 * seconds, 100
    controls = tf.TensorSpec([2, n_frames, n_sinusoids], tf.float32)

    def gradients(hz, amplitudes):
        audio = core.sinusoidal_synthesis(hz, amplitudes, n_frames * 64)
        return tf.gradients(audio, [hz, amplitudes])

    graph = tf.function(gradients).get_concrete_function(controls, controls).graph
    # A chunk of 2**21 values, or the controls padded to whole chunks.
    assert largest_tensor(graph) <= max(2**21, 2 * (n_frames + 256) * n_sinusoids)


def test_eager_calls_of_many_lengths_share_few_shapes():
    seen = set()

    def kernel(x):
        seen.add(x.shape[0])
        return (2.0 * x,)

    for n_rows in range(1, 1025):
        rows = tf.range(n_rows, dtype=tf.float32)[:, tf.newaxis]
        (doubled,) = map_rows(kernel, (rows,), 1, 1)
        assert doubled.shape == rows.shape
        # At most one row in eight is there for nothing.
        assert max(seen) <= np.ceil(n_rows * 9 / 8)
    np.testing.assert_array_equal(doubled, 2.0 * rows)
    # Eight for each of ten octaves, less where there are not as many numbers.
    assert len(seen) <= 80


def test_rows_come_back_in_order():
    rows = tf.random.stateless_uniform([1000, 3], [0, 1])
    double, total = map_rows(
        lambda x: (2.0 * x, tf.reduce_sum(x, axis=1)), (rows,), 2**17, 2
    )
    np.testing.assert_array_equal(double, 2.0 * rows)
    np.testing.assert_array_equal(total, tf.reduce_sum(rows, axis=1))


def test_the_polynomials_are_sine_and_cosine():
    cycles = np.linspace(-3, 3, 60001).astype(np.float32)
    radians = 2 * np.pi * cycles.astype(np.float64)
    np.testing.assert_allclose(sine(cycles), np.sin(radians), rtol=0, atol=1e-6)
    np.testing.assert_allclose(cosine(cycles), np.cos(radians), rtol=0, atol=1e-6)


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


def test_lists_are_arrays():
    hz, amplitudes = [[[440.0, 880.0]] * 50], [[[0.5, 0.25]] * 50]
    expected = core.oscillator_bank(np.array(hz), np.array(amplitudes))
    np.testing.assert_array_equal(core.oscillator_bank(hz, amplitudes), expected)
    with pytest.raises(ValueError, match=r"3 axes, got shape \(1,\)"):
        core.oscillator_bank(hz, [1.0])
