"""Layers, compared with NumPy in float64 and with parts of themselves."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import nn


class Affine(nn.DictLayer):
    def call(self, a, b, bias=0.0) -> ["sum", "difference"]:  # noqa: F821
        return a + b + bias, a - b


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def pair(rng):
    return rng.normal(size=[2, 2, 3]).astype(np.float32)


def test_dict_layer_reads_its_keys_from_the_signature():
    layer = Affine()
    assert layer.input_keys == ["a", "b"]
    assert layer.output_keys == ["sum", "difference"]
    assert layer.all_input_keys == ["a", "b", "bias"]
    assert layer.n_inputs == 3
    assert layer.get_default_argument_values("call") == [0.0]
    assert layer.default_input_values == [0.0]


@pytest.mark.parametrize(
    "call",
    [
        lambda layer, a, b: layer(a, b),
        lambda layer, a, b: layer(a, b=b),
        lambda layer, a, b: layer(b=b, a=a),
        lambda layer, a, b: layer({"a": a, "b": b, "unused": 1}),
        lambda layer, a, b: layer({"a": a}, {"b": b}),
        lambda layer, a, b: layer({"a": b, "b": b}, {"a": a}),
        lambda layer, a, b: layer({"a": b, "b": b}, a=a),
        lambda layer, a, b: layer({"a": a}, b),
        lambda layer, a, b: layer(b, {"a": a}),
        lambda layer, a, b: layer(a, {"b": b}),
        lambda layer, a, b: layer(a, b.tolist()),
        lambda layer, a, b: layer({"a": a.tolist(), "b": b}),
    ],
)
def test_dict_layer_takes_tensors_keywords_and_dicts(call, pair):
    a, b = pair
    outputs = call(Affine(), a, b)
    np.testing.assert_allclose(outputs["sum"], a + b, rtol=1e-6)
    np.testing.assert_allclose(outputs["difference"], a - b, rtol=1e-6)


def test_dict_layer_picks_optional_inputs(pair):
    a, b = pair
    outputs = Affine()({"a": a, "b": b, "bias": tf.constant(2.0)})
    np.testing.assert_allclose(outputs["sum"], a + b + 2.0, rtol=1e-6)
    outputs = Affine()(a, b, 3.0)
    np.testing.assert_allclose(outputs["sum"], a + b + 3.0, rtol=1e-6)


def test_dict_layer_takes_other_keys(pair):
    a, b = pair
    layer = Affine(input_keys=["x", "y"], output_keys=["p", "q"])
    assert set(layer({"x": a, "y": b})) == {"p", "q"}


def test_dict_layer_takes_paths(pair):
    a, b = pair
    layer = Affine(input_keys=["encoder/z", "b"])
    outputs = layer({"encoder": {"z": a}, "b": b})
    np.testing.assert_allclose(outputs["difference"], a - b, rtol=1e-6)
    # A key that contains a slash takes precedence.
    outputs = layer({"encoder": {"z": b}, "b": b, "encoder/z": a})
    np.testing.assert_allclose(outputs["difference"], a - b, rtol=1e-6)


def test_dict_layer_keys_can_name_optional_arguments(pair):
    a, b = pair

    class Shift(nn.DictLayer):
        def call(self, a, b=None) -> "shifted":  # noqa: F821
            return a if b is None else a + b

    assert Shift().output_keys == ["shifted"]
    np.testing.assert_array_equal(Shift()({"a": a})["shifted"], a)
    layer = Shift(input_keys=["a", "b"])
    assert layer.default_input_keys == layer.default_input_values == []
    np.testing.assert_array_equal(layer({"a": a, "b": b})["shifted"], a + b)
    with pytest.raises(TypeError, match=r"\['b'\] are missing"):
        layer({"a": a})


def test_dict_layer_reads_annotations_that_are_source_code(pair):
    namespace = {"nn": nn}
    source = """
from __future__ import annotations
class Pair(nn.DictLayer):
    def call(self, a) -> ["p", "q"]:
        return a, a
"""
    exec(compile(source, "pair.py", "exec"), namespace)
    assert namespace["Pair"]().output_keys == ["p", "q"]


def test_dict_layer_refuses_bad_calls(pair):
    a, _ = pair
    with pytest.raises(TypeError, match=r"\['b'\] are missing, got \['a'\]"):
        Affine()({"a": a})
    with pytest.raises(TypeError, match="got 4 tensors"):
        Affine()(a, a, a, a)
    with pytest.raises(TypeError, match=r"got 2 tensors in addition to \['a', 'b'\]"):
        Affine()(a, a, {"a": a, "b": a})
    with pytest.raises(TypeError, match=r"\['x', 'y'\] are missing"):
        Affine(input_keys=["x", "y"])({"a": a, "b": a})
    with pytest.raises(ValueError, match="one value for each"):
        Affine(output_keys=["one"])(a, a)

    class Unnamed(nn.DictLayer):
        def call(self, a):
            return a

    with pytest.raises(ValueError, match="return annotation"):
        Unnamed()


def test_output_splits_layer(pair):
    class Sum(nn.OutputSplitsLayer):
        def compute_output(self, a, b):
            return a + b

    a, b = pair
    layer = Sum(output_splits=(("p", 1), ("q", 4)))
    outputs = layer({"a": a, "b": b})
    assert {k: v.shape[-1] for k, v in outputs.items()} == {"p": 1, "q": 4}
    kernel, bias = layer.dense_out.get_weights()
    joined = np.concatenate([outputs["p"], outputs["q"]], axis=-1)
    np.testing.assert_allclose(joined, (a + b) @ kernel + bias, atol=1e-5)


def test_split_to_dict(rng):
    x = rng.normal(size=[2, 3, 5])
    parts = nn.split_to_dict(x, (("a", 2), ("b", 3)))
    np.testing.assert_array_equal(parts["a"], x[..., :2])
    np.testing.assert_array_equal(parts["b"], x[..., 2:])
    with pytest.raises(ValueError, match="must sum to"):
        nn.split_to_dict(x, (("a", 2), ("b", 2)))


@pytest.mark.parametrize("shape", [(2, 5), (2, 4, 5), (2, 4, 3, 5)])
def test_ensure_4d_and_back(shape, rng):
    x = rng.normal(size=shape)
    wide = nn.ensure_4d(tf.constant(x))
    assert len(wide.shape) == 4
    np.testing.assert_array_equal(nn.inv_ensure_4d(wide, len(shape)), x)


@pytest.mark.parametrize("norm_type", ["layer", "instance", "group"])
def test_normalize_op(norm_type, rng):
    x = rng.normal(2.0, 3.0, size=[2, 6, 3, 64])
    if norm_type == "group":
        groups = x.reshape(2, 6, 3, 32, 2)
        mean = groups.mean(axis=(1, 2, 4), keepdims=True)
        variance = groups.var(axis=(1, 2, 4), keepdims=True)
        expected = ((groups - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape)
    else:
        axes = (1, 2, 3) if norm_type == "layer" else (1, 2)
        mean = x.mean(axis=axes, keepdims=True)
        expected = (x - mean) / np.sqrt(x.var(axis=axes, keepdims=True) + 1e-5)
    actual = nn.normalize_op(tf.constant(x, tf.float32), norm_type)
    # A few float32 roundings of values of order 1 to 10.
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_normalize_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="'batch'"):
        nn.normalize_op(tf.zeros([1, 2, 3, 4]), "batch")
    with pytest.raises(ValueError, match="multiple of 32"):
        nn.normalize_op(tf.zeros([1, 2, 3, 4]), "group")
    with pytest.raises(ValueError, match="shape"):
        nn.normalize_op(tf.zeros([1, 2, 3]))


def test_normalize_scales_and_shifts(rng):
    x = rng.normal(size=[2, 6, 5]).astype(np.float32)
    layer = nn.Normalize("instance")
    layer(x)
    scale, shift = rng.normal(size=[2, 1, 1, 1, 5])
    layer.set_weights([scale, shift])
    standard = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(layer(x), standard * scale[0] + shift[0], atol=1e-5)


def test_fc_is_dense_then_layer_norm_then_leaky_relu(rng):
    x = rng.normal(size=[2, 3, 5]).astype(np.float32)
    layer = nn.Fc(4)
    layer(x)
    weights = [rng.normal(size=w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    kernel, bias, gamma, beta = weights
    dense = x @ kernel + bias
    mean = dense.mean(-1, keepdims=True)
    variance = dense.var(-1, keepdims=True)
    normalized = (dense - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    expected = np.where(normalized > 0, normalized, 0.2 * normalized)
    np.testing.assert_allclose(layer(x), expected, atol=1e-4)


@pytest.mark.parametrize("nonlinearity", ["leaky_relu", "tanh"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_fc_has_the_gradients_of_its_layers(nonlinearity, jit_compile, rng):
    x = tf.constant(rng.normal(size=[2, 3, 5]), tf.float32)
    layer = nn.Fc(4, nonlinearity)
    layer(x)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])

    def one_by_one(x):
        for part in layer.layers:
            x = part(x)
        return x

    def gradients(function, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(tf.sin(function(x)))
        return tape.gradient(total, [x, *(w.value for w in layer.trainable_weights)])

    run = tf.function(
        lambda x: gradients(layer, x),
        input_signature=[tf.TensorSpec([None, None, 5])],
        jit_compile=jit_compile,
    )
    for a, b in zip(run(x), gradients(one_by_one, x), strict=True):
        # float32 roundings of sums, divided by small variances.
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_fc_takes_a_layer_with_variables_as_nonlinearity(rng):
    x = tf.constant(rng.normal(size=[2, 3, 5]), tf.float32)
    layer = nn.Fc(4, keras.layers.PReLU())
    assert layer(x).shape == [2, 3, 4]


def test_stacks_have_the_parameters_of_their_layers():
    def fc(n_in, n_out):
        return n_in * n_out + n_out + 2 * n_out

    stack = nn.FcStack(ch=8, layers=3)
    assert stack(tf.zeros([2, 4, 5])).shape == [2, 4, 8]
    assert stack.count_params() == fc(5, 8) + 2 * fc(8, 8)

    out = nn.FcStackOut(ch=8, layers=2, n_out=3)
    assert out(tf.zeros([2, 4, 5])).shape == [2, 4, 3]
    assert out.count_params() == fc(5, 8) + fc(8, 8) + 8 * 3 + 3

    sandwich = nn.RnnSandwich(fc_stack_ch=8, fc_stack_layers=1, rnn_ch=6)
    assert sandwich(tf.zeros([2, 4, 5])).shape == [2, 4, 8]
    gru = 3 * 6 * (8 + 6 + 2)
    trainable = sum(int(np.prod(w.shape)) for w in sandwich.trainable_weights)
    assert trainable == fc(5, 8) + gru + fc(6, 8)


def test_get_nonlinearity():
    x = tf.constant([-1.0, 0.0, 2.0])
    np.testing.assert_allclose(nn.get_nonlinearity("leaky_relu")(x), [-0.2, 0.0, 2.0])
    assert nn.get_nonlinearity(tf.tanh) is tf.tanh
    with pytest.raises(ValueError, match="no_such"):
        nn.get_nonlinearity("no_such")


def _gru(x, kernel, recurrent, bias):
    """GRU with the reset gate after the product (Cho et al., 2014), in float64."""
    units = recurrent.shape[0]
    h = np.zeros([x.shape[0], units])
    outputs = []
    for t in range(x.shape[1]):
        xz, xr, xh = np.split(x[:, t] @ kernel + bias[0], 3, axis=-1)
        hz, hr, hh = np.split(h @ recurrent + bias[1], 3, axis=-1)
        z = 1 / (1 + np.exp(-xz - hz))
        r = 1 / (1 + np.exp(-xr - hr))
        h = z * h + (1 - z) * np.tanh(xh + r * hh)
        outputs.append(h)
    return np.stack(outputs, axis=1)


def test_rnn_is_a_gru(rng):
    x = rng.normal(size=[2, 9, 3]).astype(np.float32)
    layer = nn.Rnn(4, "gru")
    layer(x)
    weights = [rng.normal(size=w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    np.testing.assert_allclose(layer(x), _gru(x, *weights), atol=1e-5)


def test_rnn_options():
    x = tf.zeros([2, 9, 3])
    assert nn.Rnn(4, "lstm", bidir=True)(x).shape == [2, 9, 8]
    assert nn.Rnn(4, "gru", return_sequences=False)(x).shape == [2, 4]
    with pytest.raises(ValueError, match="'elman'"):
        nn.Rnn(4, "elman")


@pytest.mark.parametrize(("rnn_type", "n_state"), [("gru", 4), ("lstm", 8)])
def test_stateless_rnn_in_blocks_is_the_whole(rnn_type, n_state, rng):
    x = rng.normal(size=[2, 9, 3]).astype(np.float32)
    layer = nn.StatelessRnn(4, rnn_type)
    state = tf.zeros([2, n_state])
    whole, last = layer(x, state)
    blocks = []
    for block in np.split(x, [2, 7], axis=1):
        outputs, state = layer(block, state)
        blocks.append(outputs)
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), whole, atol=1e-6)
    np.testing.assert_allclose(state, last, atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Fc(4, "tanh", name="fc"),
        nn.FcStack(4, 2, name="stack"),
        nn.FcStackOut(4, 2, 3, name="out"),
        nn.Normalize("instance", name="norm"),
        nn.Rnn(4, "lstm", bidir=True, name="rnn"),
        nn.RnnSandwich(4, 2, 3, name="sandwich"),
        nn.Identity(name="identity"),
    ],
    ids=lambda layer: layer.name,
)
def test_config_round_trip(layer, rng):
    x = rng.normal(size=[2, 9, 3]).astype(np.float32)
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    layer(x), copy(x)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(x), layer(x))
    assert copy.name == layer.name
