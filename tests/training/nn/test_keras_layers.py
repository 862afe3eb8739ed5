"""Keras layers in gin configs, and other small layers."""

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import nn


@pytest.fixture(autouse=True)
def _clear_config():
    with gin.unlock_config():
        yield
        gin.clear_config()


def test_configs_name_layers_of_keras():
    gin.parse_config(
        """
        tf.keras.Sequential.layers = [
            @tf.keras.layers.Dense(), @last/tf.keras.layers.Dense()]
        tf.keras.layers.Dense.units = 3
        last/tf.keras.layers.Dense.units = 2
        DilatedConvDecoder.precondition_stack = @tf.keras.Sequential()
        """
    )
    stack = gin.get_bindings("ddsp.training.decoders.DilatedConvDecoder")[
        "precondition_stack"
    ]
    assert type(stack) is keras.Sequential
    assert stack(tf.zeros([1, 4])).shape == [1, 2]
    assert [layer.units for layer in stack.layers] == [3, 2]


def test_registering_again_does_nothing():
    nn.gin_register_keras_layers()
    gin.parse_config("tf.keras.layers.Dense.units = 3")
    assert gin.query_parameter("tf.keras.layers.Dense.units") == 3


def test_embedding_is_a_table():
    layer = nn.get_embedding(5, 3)
    y = layer(tf.constant([[4], [0]]))
    np.testing.assert_array_equal(y[:, 0], layer.get_weights()[0][[4, 0]])


def test_rnn_fc_keeps_the_time_steps():
    x = tf.random.normal([2, 7, 3])
    layer = nn.RnnFc(4, 5, "gru", bidir=True, n_rnn=2)
    y = layer(x)
    assert y.shape == [2, 7, 5]
    assert (y.numpy() > 0).all() and (y.numpy() < 1).all()
    gru = 3 * 4 * (3 + 4 + 2) + 3 * 4 * (8 + 4 + 2)
    assert layer.count_params() == 2 * gru + 8 * 5 + 5 + 2 * 5


def test_single_gru_is_normalized():
    x = tf.random.normal([2, 7, 3])
    layer = nn.SingleGru(16)
    y = layer(x)
    states = layer.layers[0](x).numpy()
    centered = states - states.mean(-1, keepdims=True)
    expected = centered / np.sqrt(states.var(-1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(y, expected, atol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        nn.NormReluConv(4, 3, 2, "layer"),
        nn.ResidualLayer(2, 2, True, "instance", False, False),
        nn.ResidualStack([2], [1], [2], "layer", nonlinearity="tanh"),
        nn.PolyphaseResample(2, "up"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_config_round_trip(layer):
    x = tf.random.normal([2, 5, 1, 4])
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    layer(x), copy(x)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(x), layer(x))
