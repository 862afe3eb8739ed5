"""Residual network, compared with NumPy and with the unconditional network."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import signal

from ddsp.training import nn


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def randomize(layer, rng):
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])


def norm(x, scale, shift):
    mean = x.mean(axis=(1, 2, 3), keepdims=True)
    variance = x.var(axis=(1, 2, 3), keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * scale + shift


def conv_3x3(x, kernel, bias):
    """'Same' convolution with a 3 x 3 kernel and stride 1."""
    y = np.zeros([*x.shape[:3], kernel.shape[-1]])
    for row, i, o in np.ndindex(x.shape[0], *kernel.shape[2:]):
        y[row, ..., o] += signal.correlate2d(
            x[row, ..., i], kernel[..., i, o], mode="same"
        )
    return y + bias


def test_layer_adds_a_bottleneck_to_a_projection(rng):
    x = rng.normal(size=[2, 5, 4, 3])
    layer = nn.ResidualLayer(2, 1, True, "layer", False, False)
    layer(x.astype(np.float32))
    randomize(layer, rng)
    convs = layer.bottleneck.layers
    y = np.maximum(norm(x, *layer.norm_input.get_weights()), 0)
    kernel, bias = layer.conv_proj.get_weights()
    expected = y @ kernel[0, 0] + bias
    kernel, bias = convs[0].get_weights()
    y = y @ kernel[0, 0] + bias
    scale, shift, kernel, bias = convs[1].get_weights()
    y = conv_3x3(np.maximum(norm(y, scale, shift), 0), kernel, bias)
    scale, shift, kernel, bias = convs[2].get_weights()
    y = np.maximum(norm(y, scale, shift), 0) @ kernel[0, 0] + bias
    expected = expected + y
    # Summation order of float32 products of order 1 to 10.
    np.testing.assert_allclose(layer(x.astype(np.float32)), expected, atol=1e-4)


def test_layer_without_projection_adds_its_input(rng):
    x = rng.normal(size=[2, 5, 4, 8]).astype(np.float32)
    layer = nn.ResidualLayer(2, 1, False, "layer", False, False)
    layer(x)
    last = layer.bottleneck.layers[-1].layers[-1]
    last.set_weights([np.zeros_like(w) for w in last.get_weights()])
    np.testing.assert_array_equal(layer(x), x)


def conv_count(k, n_in, n_out):
    return k * k * n_in * n_out + n_out


@pytest.mark.parametrize(
    ("size", "ch", "blocks"),
    [
        ("small", 32, [2, 3, 4, 3]),
        ("large", 64, [3, 4, 6, 3]),
    ],
)
def test_sizes_have_the_parameters_of_their_bottlenecks(size, ch, blocks):
    net = nn.ResNet(size)
    # 229 bins: 115 after the convolution, 58 after pooling, then 29, 15 and 8.
    assert net(tf.zeros([1, 3, 229, 1])).shape == [1, 3, 8, 32 * ch]
    expected, n_in = conv_count(7, 1, 64), 64
    for width, n_layers in zip([ch, 2 * ch, 4 * ch, 8 * ch], blocks, strict=True):
        expected += conv_count(1, n_in, 4 * width)
        for _ in range(n_layers):
            expected += 2 * n_in + conv_count(1, n_in, width) + 2 * width
            expected += conv_count(3, width, width) + 2 * width
            expected += conv_count(1, width, 4 * width)
            n_in = 4 * width
    # Both stacks end with a normalization.
    expected += 2 * 16 * ch + 2 * 32 * ch
    assert net.count_params() == expected


def test_strides_are_along_frequency():
    stack = nn.ResidualStack([2, 3], [2, 1], [2, 2], "layer")
    assert stack(tf.random.normal([2, 7, 9, 3])).shape == [2, 7, 3, 12]


@pytest.mark.parametrize("shift_only", [False, True])
def test_a_condition_that_says_nothing_changes_nothing(shift_only, rng):
    x = rng.normal(size=[2, 5, 9, 3]).astype(np.float32)
    z = rng.normal(size=[2, 4]).astype(np.float32)
    shape = ([2, 3], [2, 1], [1, 2])
    plain = nn.ResidualStack(*shape, "instance")
    conditional = nn.ResidualStack(*shape, "instance", True, shift_only)
    expected = plain(x)
    conditional([x, z])
    for one, other in zip(plain.layers, conditional.layers, strict=True):
        if not isinstance(one, nn.ResidualLayer):
            continue
        other.bottleneck.set_weights(one.bottleneck.get_weights())
        if one.shortcut:
            other.conv_proj.set_weights(one.conv_proj.get_weights())
        dense = other.norm_input.conditional_scale_and_shift.dense
        n = one.norm_input.scale.shape[-1]
        bias = np.zeros(n) if shift_only else np.append(np.ones(n), np.zeros(n))
        dense.set_weights([np.zeros(dense.kernel.shape), bias])
    np.testing.assert_allclose(conditional([x, z]), expected, atol=1e-5)
    randomize(conditional, rng)
    difference = conditional([x, z]) - conditional([x, -z])
    assert np.abs(difference).max() > 1e-2


def test_rows_do_not_depend_on_each_other(rng):
    x = rng.normal(size=[3, 4, 9, 3]).astype(np.float32)
    net = nn.ResidualStack([2, 3], [2, 1], [1, 2], "layer")
    # The summation order depends on the batch size.
    np.testing.assert_allclose(net(x)[1:2], net(x[1:2]), atol=1e-4)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradients_in_a_graph_of_any_length(jit_compile, rng):
    x = tf.constant(rng.normal(size=[1, 4, 9, 3]), tf.float32)
    net = nn.ResidualStack([2, 3], [2, 1], [1, 2], "layer")
    expected = net(x)

    def run(x):
        with tf.GradientTape() as tape:
            y = net(x)
            total = tf.reduce_sum(y**2)
        return y, tape.gradient(total, net.trainable_variables)

    shape = x.shape if jit_compile else [None, None, 9, 3]
    run = tf.function(
        run, input_signature=[tf.TensorSpec(shape)], jit_compile=jit_compile
    )
    y, gradients = run(x)
    np.testing.assert_allclose(y, expected, atol=1e-4)
    # A bias before a normalization may have zero gradient.
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    kernels = [g for g in gradients if len(g.shape) == 4 and g.shape[0] > 1]
    assert all(np.abs(gradient).max() > 0 for gradient in kernels)


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match="got 'huge'"):
        nn.ResNet("huge")
    with pytest.raises(ValueError, match=r"one value per block, got \[2\], \[1, 1\]"):
        nn.ResidualStack([2], [1, 1], [1], "layer")
