"""Layers keep the gin bindings with which they were built."""

import copy
import functools
import json
import pickle

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp import bound_functions, core, effects, synths
from ddsp.training import encoders, models, nn

LARGE = 100.0  # Where exp_sigmoid has reached its maximum, to rounding.


def test_a_layer_keeps_its_bindings_in_eager_and_in_graphs_traced_later():
    gin.parse_config("exp_sigmoid.max_value = 5.0")
    layer = synths.Harmonic()
    gin.parse_config("exp_sigmoid.max_value = 7.0\nexp_sigmoid.exponent = 3.0")
    x = tf.fill([1, 2, 1], LARGE)

    @tf.function(autograph=False)
    def traced_later():
        return layer.get_controls(x, x, tf.fill([1, 2, 1], 440.0))["amplitudes"]

    np.testing.assert_allclose(layer.scale_fn(LARGE), 5.0, rtol=1e-6)
    np.testing.assert_allclose(traced_later(), 5.0, rtol=1e-6)
    np.testing.assert_allclose(synths.Harmonic().scale_fn(LARGE), 7.0, rtol=1e-6)


def test_a_layer_built_without_bindings_stays_without():
    layer = synths.Harmonic()
    gin.parse_config("exp_sigmoid.max_value = 5.0")
    np.testing.assert_allclose(layer.scale_fn(LARGE), 2.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "function"),
    [
        (lambda: synths.FilteredNoise().scale_fn, "exp_sigmoid.max_value"),
        (lambda: synths.Wavetable().scale_fn, "exp_sigmoid.max_value"),
        (lambda: synths.Sinusoidal().amp_scale_fn, "exp_sigmoid.max_value"),
        (lambda: effects.FIRFilter().scale_fn, "exp_sigmoid.max_value"),
        (lambda: effects.ModDelay().gain_scale_fn, "exp_sigmoid.max_value"),
        (
            lambda: models.InverseSynthesis(reverb=False).amps_scale_fn,
            "exp_sigmoid.max_value",
        ),
    ],
)
def test_every_default_function_is_bound(make, function):
    gin.parse_config(f"{function} = 5.0")
    bound = make()
    gin.parse_config(f"{function} = 7.0")
    np.testing.assert_allclose(bound(LARGE), 5.0, rtol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: models.InverseSynthesis(reverb=False).freq_scale_fn,
        lambda: (
            encoders.SinusoidalToHarmonicEncoder(
                net=nn.Identity(), f0_depth=64
            ).freq_scale_fn
        ),
        lambda: functools.partial(encoders.ResnetF0Encoder().softmax_fn, depth=64),
    ],
)
def test_functions_that_layers_call_by_themselves_are_bound(make):
    """A distribution with all its weight in the last bin is at the highest frequency.

    Where the layer gives the range itself, as the encoders do, that range holds.
    """
    x = np.full([1, 1, 64], -LARGE, np.float32)
    x[..., -1] = LARGE
    gin.parse_config("frequencies_softmax.hz_max = 500.0")
    function = make()
    first = function(x)
    gin.parse_config("frequencies_softmax.hz_max = 900.0")
    np.testing.assert_array_equal(function(x), first)


def test_a_subclass_of_a_layer_is_bound_too():
    class Mine(synths.Harmonic):
        def __init__(self):
            super().__init__(n_samples=640)

    gin.parse_config("exp_sigmoid.max_value = 5.0")
    layer = Mine()
    gin.clear_config()
    np.testing.assert_allclose(layer.scale_fn(LARGE), 5.0, rtol=1e-6)


def test_references_with_scopes_and_macros():
    gin.parse_config(
        """
        Harmonic.scale_fn = @loud/core.exp_sigmoid
        loud/exp_sigmoid.max_value = %loudest
        exp_sigmoid.max_value = 7.0
        exp_sigmoid.threshold = 0.5
        loudest = 5.0
        """
    )
    layer = synths.Harmonic()
    lines = gin.operative_config_str().splitlines()
    assert "loud/exp_sigmoid.max_value = %loudest" in lines
    gin.clear_config()
    np.testing.assert_allclose(layer.scale_fn(LARGE), 5.5, rtol=1e-6)


def test_activations_of_keras_layers():
    gin.parse_config(
        """
        exp_sigmoid.max_value = 5.0
        tf.keras.layers.Activation.activation = @core.exp_sigmoid
        """
    )
    layer = copy.deepcopy(gin.config.parse_value("@tf.keras.layers.Activation()"))
    gin.clear_config()
    np.testing.assert_allclose(layer(np.float32([LARGE])), [5.0], rtol=1e-6)


def test_what_is_given_at_a_call_wins():
    gin.parse_config("exp_sigmoid.max_value = 5.0\nexp_sigmoid.threshold = 0.25")
    function = bound_functions.bind(core.exp_sigmoid)
    np.testing.assert_allclose(function(LARGE, 10.0, 1.0), 1.25, rtol=1e-6)
    np.testing.assert_allclose(function(LARGE, max_value=1.0), 1.25, rtol=1e-6)


def test_keras_configs_carry_the_bindings():
    gin.parse_config("exp_sigmoid.max_value = 5.0")
    config = json.loads(
        json.dumps(keras.saving.serialize_keras_object(synths.Harmonic()))
    )
    gin.parse_config("exp_sigmoid.max_value = 7.0")
    layer = keras.saving.deserialize_keras_object(config)
    np.testing.assert_allclose(layer.scale_fn(LARGE), 5.0, rtol=1e-6)


def test_copies_are_equal():
    gin.parse_config("exp_sigmoid.max_value = 5.0")
    function = bound_functions.bind(core.exp_sigmoid)
    assert pickle.loads(pickle.dumps(function)) == function == copy.deepcopy(function)
    assert hash(copy.copy(function)) == hash(function)
    assert repr(function) == "exp_sigmoid(..., max_value=5.0)"
    gin.clear_config()
    assert bound_functions.bind(core.exp_sigmoid) != function


def test_all_else_is_left_alone():
    def plain(x):
        return x

    half = functools.partial(plain, 0.5)
    values = [
        half,
        plain,
        tf.nn.relu,
        core.log_scale,
        "text",
        [1, (2,)],
        {"a": plain},
        None,
    ]
    for value in values:
        assert bound_functions.bind(value) is value


def test_functions_in_containers():
    bound = bound_functions.bind({"a": [core.exp_sigmoid, (core.sym_exp_sigmoid,)]})
    assert isinstance(bound["a"][0], bound_functions.BoundFunction)
    assert isinstance(bound["a"][1], tuple)
    assert isinstance(bound["a"][1][0], bound_functions.BoundFunction)
