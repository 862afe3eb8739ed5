"""Harmonics from frames, by compiled recurrences, against float64."""

import numpy as np
import pytest
import tensorflow as tf
from sinusoid_oracle import SAMPLE_RATE, largest_tensor, oracle

from ddsp import core


@pytest.mark.parametrize(
    ("n_harmonics", "method"),
    # One block of the recurrence, many, and several groups of them.
    [(7, "linear"), (20, "window"), (100, "window"), (400, "window")],
)
@pytest.mark.parametrize("loudest", ["all", "highest"])
def test_values_and_gradients_match_float64(n_harmonics, method, loudest):
    n_frames, hop = 25, 64
    rng = np.random.default_rng(n_harmonics)
    # Up to 5 % too high: the last harmonics cross Nyquist on their way.
    f0 = SAMPLE_RATE / 2 / n_harmonics * rng.uniform(0.5, 1.05, [n_frames, 1])
    f0 = f0.astype(np.float32)
    shares = rng.uniform(0, 1, [n_frames, n_harmonics])
    if loudest == "highest":
        shares *= np.exp(-np.arange(n_harmonics)[::-1])
    shares = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    upstream = rng.standard_normal(n_frames * hop).astype(np.float32)
    inputs = tf.constant(f0[np.newaxis]), tf.constant(shares[np.newaxis])
    level = tf.ones([1, n_frames, 1])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        audio = core.harmonic_synthesis(
            inputs[0],
            level,
            harmonic_distribution=inputs[1],
            n_samples=n_frames * hop,
            amp_resample_method=method,
        )[0]
        loss = tf.reduce_sum(audio * upstream)
    d_f0, d_shares = (gradient[0] for gradient in tape.gradient(loss, inputs))
    numbers = np.arange(1, n_harmonics + 1)
    # Each product with a number would round on its own: float64 ones do not.
    expected, d_hz, d_amplitudes = oracle(
        f0.astype(np.float64) * numbers, shares, hop, method, upstream
    )
    # The project's bound: 1e-4 of full scale, which the shares sum to.
    np.testing.assert_allclose(audio, expected, rtol=0, atol=1e-4)
    d_f0_expected = np.sum(d_hz * numbers, axis=1, keepdims=True)
    for got, want in ((d_f0, d_f0_expected), (d_shares, d_amplitudes)):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * np.abs(want).max())


def test_a_batch_is_its_rows_and_its_size_may_be_unknown():
    rng = np.random.default_rng(0)
    f0 = rng.uniform(60, 300, [3, 20, 1]).astype(np.float32)
    level = rng.uniform(0, 1, [3, 20, 1]).astype(np.float32)
    shares = rng.uniform(0, 0.1, [3, 20, 10]).astype(np.float32)

    def render(f0, level, shares):
        return core.harmonic_synthesis(
            f0, level, harmonic_distribution=shares, n_samples=640
        )

    alone = [
        render(f[None], a[None], s[None])[0]
        for f, a, s in zip(f0, level, shares, strict=True)
    ]
    specs = [tf.TensorSpec([None, *x.shape[1:]]) for x in (f0, level, shares)]
    unknown = tf.function(render, input_signature=specs)
    np.testing.assert_allclose(render(f0, level, shares), alone, atol=1e-5)
    np.testing.assert_allclose(unknown(f0, level, shares), alone, atol=1e-5)


@pytest.mark.parametrize(("seconds", "n_harmonics"), [(4, 100), (4, 400), (60, 100)])
def test_memory_does_not_hold_samples_times_harmonics(seconds, n_harmonics):
    """No tensor of a call is larger than its controls or a chunk."""
    n_frames, batch = 250 * seconds, 2
    specs = [tf.TensorSpec([batch, n_frames, c]) for c in (1, 1, n_harmonics)]

    def gradients(f0, level, shares):
        audio = core.harmonic_synthesis(
            f0, level, harmonic_distribution=shares, n_samples=n_frames * 64
        )
        return tf.gradients(audio, [f0, level, shares])

    graph = tf.function(gradients).get_concrete_function(*specs).graph
    # A chunk of 2**21 values; or the controls padded to whole chunks of up to 1024
    # frames, with their two gradients.
    bound = max(2**21, 2 * batch * (n_frames + 1024) * n_harmonics)
    assert largest_tensor(graph) <= bound
    assert bound < batch * n_frames * 64 * n_harmonics / 4


def test_one_melody_serves_a_batch_of_timbres():
    rng = np.random.default_rng(0)
    f0 = np.full([1, 10, 1], 200.0, np.float32)
    level = np.ones([3, 10, 1], np.float32)
    shares = rng.uniform(0, 0.1, [3, 10, 5]).astype(np.float32)

    def render(f0, level, shares):
        return core.harmonic_synthesis(
            f0, level, harmonic_distribution=shares, n_samples=320
        )

    each = [render(f0, level[i : i + 1], shares[i : i + 1])[0] for i in range(3)]
    np.testing.assert_allclose(render(f0, level, shares), each, atol=1e-5)
