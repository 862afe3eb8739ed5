"""Vector quantization, compared with NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import nn


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def with_codebook(codebook, **kwargs):
    """Returns a layer with a given codebook, shape [k, channels / num_heads]."""
    k, n = codebook.shape
    layer = nn.VectorQuantization(k, **kwargs)
    layer.build([None, n * layer.num_heads])
    counts = np.arange(1.0, k + 1)
    layer.set_weights([counts, codebook * counts[:, None]])
    return layer


@pytest.mark.parametrize("num_heads", [1, 2])
def test_each_part_becomes_the_nearest_of_the_codebook(num_heads, rng):
    codebook = rng.normal(size=[7, 6 // num_heads])
    x = rng.normal(size=[2, 5, 6]).astype(np.float32)
    layer = with_codebook(codebook, num_heads=num_heads)
    quantized, places = layer(x)
    parts = x.reshape(2, 5, num_heads, 1, -1)
    expected = np.argmin(((parts - codebook) ** 2).sum(-1), axis=-1)
    np.testing.assert_array_equal(places, expected)
    np.testing.assert_allclose(
        quantized, codebook[expected].reshape(x.shape), rtol=1e-5
    )
    np.testing.assert_allclose(layer.unquantize(places), quantized, atol=1e-6)


def test_gradient_passes_as_it_is(rng):
    layer = with_codebook(rng.normal(size=[7, 6]))
    x = tf.constant(rng.normal(size=[2, 5, 6]), tf.float32)
    upstream = rng.normal(size=x.shape).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        quantized, _ = layer(x, training=True)
    np.testing.assert_array_equal(
        tape.gradient(quantized, x, output_gradients=upstream), upstream
    )


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_step_moves_the_sums_towards_the_batch(jit_compile, rng):
    codebook = rng.normal(size=[4, 3])
    x = rng.normal(size=[2, 5, 3]).astype(np.float32)
    layer = with_codebook(codebook, gamma=0.9)
    counts, sums = layer.get_weights()
    step = tf.function(lambda x: layer(x, training=True), jit_compile=jit_compile)
    _, places = step(x)
    chosen = np.eye(4)[np.asarray(places)[..., 0]].reshape(-1, 4)
    expected_sums = 0.9 * sums + 0.1 * chosen.T @ x.reshape(-1, 3)
    np.testing.assert_allclose(layer.counts, 0.9 * counts + 0.1 * chosen.sum(0), 1e-5)
    np.testing.assert_allclose(layer.sums, expected_sums, atol=1e-5)
    after = layer.get_weights()
    layer(x)
    np.testing.assert_array_equal(layer.get_weights()[1], after[1])


def test_codebook_finds_the_means_of_clusters(rng):
    tf.random.set_seed(0)
    centers = np.array([[5.0, 0.0], [0.0, 5.0], [-5.0, -5.0]])
    x = centers[np.arange(60) % 3] + 0.1 * rng.normal(size=[60, 2])
    layer = nn.VectorQuantization(3, gamma=0.5, restart_threshold=0.6)
    for _ in range(60):
        layer(x.astype(np.float32), training=True)
    found = np.array(layer.sums / layer.counts[:, None])
    means = np.array([x[i::3].mean(0) for i in range(3)])
    order = np.argmin(((found[:, None] - means) ** 2).sum(-1), axis=-1)
    assert sorted(order) == [0, 1, 2]
    # The values before the restart decay by half at each step.
    np.testing.assert_allclose(found, means[order], atol=1e-3)


def test_vectors_never_chosen_start_again_from_the_batch(rng):
    tf.random.set_seed(0)
    x = rng.normal(size=[6, 2]).astype(np.float32)
    layer = nn.VectorQuantization(4)
    layer(x, training=True)
    counts, _ = layer.get_weights()
    assert (counts > 0).sum() > 1
    dead = np.array([True, False, True, False])
    layer.set_weights([np.where(dead, 0.0, 1.0), 1e3 * np.outer(~dead, [1, 1])])
    quantized, places = layer(x, training=True)
    # The other two codes are far away, so all vectors use the two restarted ones.
    assert set(np.unique(places)) == {0, 2}
    exact = (np.abs(np.asarray(quantized) - x).max(-1) < 1e-6).sum()
    assert exact == 2


def test_a_batch_smaller_than_the_codebook_is_kept_exactly(rng):
    tf.random.set_seed(0)
    x = 3.0 + rng.normal(size=[3, 2]).astype(np.float32)
    quantized, _ = nn.VectorQuantization(8)(x, training=True)
    np.testing.assert_allclose(quantized, x, atol=1e-6)


def test_losses(rng):
    z, z_q = rng.normal(size=[2, 3, 4, 5]).astype(np.float32)
    layer = nn.VectorQuantization(4, commitment_loss_weight=0.3, name="vq")
    losses = layer.get_losses_dict(z, z_q)
    expected = 0.3 * ((z - z_q) ** 2).mean()
    np.testing.assert_allclose(losses["vq_commitment_loss"], expected, rtol=1e-5)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="got 5 channels and 2 heads"):
        nn.VectorQuantization(4, num_heads=2)(tf.zeros([1, 5]))
    with pytest.raises(ValueError, match=r"`gamma` must be in \[0, 1\), got"):
        nn.VectorQuantization(4, gamma=1.5)
    with pytest.raises(ValueError, match="before `unquantize`, got no call"):
        nn.VectorQuantization(4).unquantize([[0]])
