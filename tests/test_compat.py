"""Canaries for the private parts of gin, Keras and TensorFlow that are in use."""

import ast
import copy
import inspect
from pathlib import Path

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

import ddsp
from ddsp import core, synths
from ddsp._compat import (
    gin_internals,
    keras_internals,
    messages,
    tensorflow_internals,
)
from ddsp.training import nn

ROOT = Path(ddsp.__file__).parents[1]
CONFIG = "Harmonic.n_samples = 640\nloud/Harmonic.n_samples = 1280"


def test_tensorflow_allow_retracing(caplog):
    function = tensorflow_internals.allow_retracing(tf.function(tf.identity))
    warned = tf.function(tf.identity)
    for size in range(1, 8):
        function(tf.zeros([size]))
    assert not [x for x in caplog.records if "retracing" in x.message]
    for size in range(1, 8):
        warned(tf.zeros([size]))
    assert [x for x in caplog.records if "retracing" in x.message]


def test_tensorflow_freeze():
    variable = tf.Variable([2.0])
    concrete = tf.function(lambda x: x * variable).get_concrete_function(
        tf.TensorSpec([1], tf.float32)
    )
    frozen = tensorflow_internals.freeze(concrete)
    assert not frozen.variables and len(frozen.inputs) == 1
    variable.assign([3.0])
    np.testing.assert_array_equal(frozen(tf.constant([5.0]))[0], [10.0])


def test_tensorflow_object_graph(tmp_path):
    path = tf.train.Checkpoint(x=tf.Variable(1.0)).write(str(tmp_path / "a"))
    reader = tf.train.load_checkpoint(path)
    assert tensorflow_internals.has_object_graph(reader)
    root, *nodes = tensorflow_internals.object_graph(reader).nodes
    (child,) = [x for x in root.children if x.local_name == "x"]
    (attribute,) = nodes[child.node_id - 1].attributes
    assert reader.get_tensor(attribute.checkpoint_key) == 1.0
    assert attribute.name == "VARIABLE_VALUE"
    assert hasattr(root, "slot_variables") and hasattr(attribute, "full_name")


def test_tensorflow_trackable_list():
    holder = tf.Module()
    values = tensorflow_internals.trackable_list([tf.Variable(1.0)])
    view = tf.train.TrackableView(holder)
    holder.values = values
    (found,) = view.children(view.children(holder)["values"]).values()
    assert found is values[0]


def test_keras_sublayers():
    inner = keras.layers.TimeDistributed(keras.layers.Dense(2))
    model = keras.Sequential([inner])
    assert keras_internals.sublayers(model) == [inner, inner.layer]
    assert keras_internals.sublayers(model, recursive=False) == [inner]


def test_keras_track_lists():
    class Stack(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.parts = [keras.layers.Dense(1)]

    def parts_of(layer):
        view = tf.train.TrackableView(layer)
        return list(view.children(view.children(layer)["parts"]).values())

    keras_internals.track_lists(Stack)
    layer = Stack()
    assert parts_of(layer) == layer.parts
    layer.parts = [keras.layers.Dense(1), keras.layers.Dense(1)]
    assert parts_of(layer) == layer.parts


def test_keras_forget_uninitialized_variables():
    def fail(shape, dtype=None):
        raise ValueError("too large")

    layer = keras.layers.Dense(1, kernel_initializer=fail)
    with pytest.raises(ValueError, match="too large"):
        tf.function(lambda: layer(tf.zeros([1, 1]))).get_concrete_function()
    keras_internals.forget_uninitialized_variables()
    # A pending variable would be made with these, and fail again.
    other = keras.layers.Dense(1)
    tf.function(lambda: other(tf.zeros([1, 1]))).get_concrete_function()


def test_keras_adam_moments():
    optimizer = keras.optimizers.Adam(beta_1=0.5, beta_2=0.75)
    variables = [keras.Variable([0.0]), keras.Variable([0.0])]
    optimizer.build(variables)
    optimizer.apply_gradients(
        zip([tf.constant([2.0]), tf.constant([4.0])], variables, strict=True)
    )
    first, second = keras_internals.adam_moments(optimizer)
    np.testing.assert_allclose([x.numpy() for x in first], [[1.0], [2.0]])
    np.testing.assert_allclose([x.numpy() for x in second], [[1.0], [4.0]])


def test_keras_gru_loop():
    class Doubling(keras_internals.CustomLoopGRU):
        def plain_loop(self, inputs, state):
            return 2.0 * inputs, 2.0 * inputs[:, -1]

    x = np.ones([1, 3, 2], np.float32)
    layer = Doubling(2, return_sequences=True, return_state=True)
    states, last = layer(x)
    np.testing.assert_array_equal(states, 2.0 * x)
    np.testing.assert_array_equal(last, 2.0 * x[:, -1])
    expected = inspect.signature(keras.layers.GRU.inner_loop).parameters
    assert inspect.signature(Doubling.inner_loop).parameters.keys() == expected.keys()


@pytest.mark.parametrize(
    "settings",
    [
        {"reset_after": False},
        {"use_bias": False},
        {"activation": "relu"},
        {"recurrent_activation": "relu"},
        {"dropout": 0.5},
        {"recurrent_dropout": 0.5},
        {"unroll": True},
    ],
)
def test_keras_gru_settings(settings):
    """With other settings than the default ones the layer runs as in Keras."""
    layer = keras_internals.CustomLoopGRU(2, **settings)
    assert layer(np.ones([1, 3, 2], np.float32)).shape == (1, 2)


def test_keras_message():
    class Failing(keras.layers.Layer):
        def call(self, x):
            raise ValueError("wrong value, got 1.")

    with pytest.raises(ValueError, match="Exception encountered") as caught:
        Failing()(np.ones([1, 3]))
    assert messages.cause(str(caught.value)) == "wrong value, got 1."
    assert messages.one_line(caught.value) == "wrong value, got 1."


def test_gin_messages():
    @gin.configurable("canary_missing")
    def function(x, y=gin.REQUIRED):
        raise ValueError("wrong value")

    with pytest.raises(RuntimeError) as caught:
        function(1)
    assert messages.missing_bindings(str(caught.value)) == ["canary_missing.y"]
    gin.parse_config("canary_missing.y = 1")
    with pytest.raises(TypeError) as caught_type:
        function()
    assert messages.missing_bindings(str(caught_type.value)) == ["canary_missing.x"]
    with pytest.raises(ValueError, match="wrong") as caught_value:
        function(1)
    assert messages.cause(str(caught_value.value)) == "wrong value"
    assert not messages.missing_bindings(str(caught_value.value))


def test_gin_unknown_reference():
    reference = gin_internals.UnknownReference("scope/nobody.Knows", True)
    assert (reference.selector, reference.evaluate) == ("nobody.Knows", True)
    with pytest.raises(ValueError, match=r"nobody\.Knows"):
        copy.deepcopy(reference)


def test_gin_settings():
    gin.parse_config(CONFIG)
    assert gin_internals.settings() == {
        ("", "ddsp.synths.Harmonic"): {"n_samples": 640},
        ("loud", "ddsp.synths.Harmonic"): {"n_samples": 1280},
    }
    gin_internals.settings()["", "ddsp.synths.Harmonic"]["n_samples"] = 320
    assert gin.query_parameter("Harmonic.n_samples") == 320


def test_gin_operative():
    selector = "ddsp.synths.Harmonic"
    gin_internals.add_operative("loud", selector, {"n_samples": 1})
    gin_internals.add_operative("loud", selector, {"sample_rate": 2})
    assert gin_internals.operative("loud", selector) == {
        "n_samples": 1,
        "sample_rate": 2,
    }
    assert gin_internals.operative("", selector) == {}
    assert "loud/Harmonic.n_samples = 1" in gin.operative_config_str()


def test_gin_empty_stores():
    gin.parse_config(f"import json\n{CONFIG}")
    synths.Harmonic()
    before = gin.config_str(), gin.operative_config_str()
    assert "import json" in before[0]
    with gin_internals.empty_stores():
        assert not gin.config_str() and not gin.operative_config_str()
        gin.parse_config("Harmonic.n_samples = 5")
        synths.Harmonic()
    assert (gin.config_str(), gin.operative_config_str()) == before


def test_gin_without_imports():
    gin.parse_config(f"import json\n{CONFIG}")
    synths.Harmonic()
    with gin_internals.without_imports():
        assert "import" not in gin.operative_config_str()
    assert "import json" in gin.operative_config_str()


def test_gin_matching_selectors():
    assert gin_internals.matching_selectors("Harmonic") == ["ddsp.synths.Harmonic"]
    assert not gin_internals.matching_selectors("Nobody")


def test_gin_find_configurable():
    found = gin_internals.find_configurable(core.exp_sigmoid)
    assert found.selector == "ddsp.core.exp_sigmoid"
    assert found.wrapper is core.exp_sigmoid
    assert inspect.signature(found.wrapped) == inspect.signature(core.exp_sigmoid)
    assert gin_internals.find_configurable(test_gin_find_configurable) is None


def test_gin_split_scope():
    reference = gin.config.parse_value("@loud/bright/core.exp_sigmoid")
    scopes, function = gin_internals.split_scope(copy.deepcopy(reference))
    assert scopes == ["loud", "bright"] and function is core.exp_sigmoid
    assert gin_internals.split_scope(core.exp_sigmoid) == ([], core.exp_sigmoid)


def test_gin_unlock_config():
    """Public, but `gin_state.unlocked` leaves it by hand after an error."""
    gin.finalize()
    unlock = gin.unlock_config()
    unlock.__enter__()
    assert not gin.config_is_locked()
    unlock.__exit__(None, None, None)
    assert gin.config_is_locked()


def shipped_files():
    for folder in ("ddsp", "benchmarks", "campaigns"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "_compat" not in path.parts:
                yield path


def test_no_other_file_imports_private_modules():
    private = ("tensorflow.python", "tensorflow.core", "keras.src", "gin.config._")
    found = []
    for path in shipped_files():
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [f"{path}: {x}" for x in names if x.startswith(private)]
    assert not found


def test_no_other_file_touches_private_names():
    """Every private attribute that is read or set is defined in this repository."""
    trees = {path: ast.parse(path.read_text()) for path in shipped_files()}
    own = {"_asdict", "_exit", "_fields", "_replace"}  # Of namedtuples and `os`.
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                own.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                own.add(node.id)
            elif (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and isinstance(node.value, ast.Name)
                and node.value.id in ("self", "cls")
            ):
                own.add(node.attr)
    found = [
        f"{path}:{node.lineno}: {ast.unparse(node)}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and (
            node.attr == "__internal__"
            or (
                node.attr.startswith("_")
                and not node.attr.endswith("__")
                and (node.attr not in own or _is_of_others(node.value))
            )
        )
    ]
    assert not found


def _is_of_others(node):
    """Whether an expression is a path that begins with one of the three packages."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in ("gin", "keras", "tf")


def test_no_layer_overrides_private_methods_of_keras():
    modules = [ddsp.synths, ddsp.effects, ddsp.losses, ddsp.processors, nn]
    theirs = {
        name
        for cls in (keras.Layer, keras.Model)
        for name in dir(cls)
        if name.startswith("_") and not name.endswith("__")
    }
    allowed = {"_trackable_children"}  # See `keras_internals.track_lists`.
    found = [
        f"{cls.__module__}.{cls.__name__}.{name}"
        for module in modules
        for cls in vars(module).values()
        if inspect.isclass(cls) and cls.__module__.startswith("ddsp.")
        for name in vars(cls)
        if name in theirs - allowed and not name.startswith("_tf_")
    ]
    assert not found
