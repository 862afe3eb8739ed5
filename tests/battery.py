"""What every processor and every loss must do, as functions of one `Case`.

`tests/test_battery.py` runs them over all of the library; a layer made elsewhere can
be put through them in the same way.
"""

import dataclasses
import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp._core import compilation

BATCH, N_FRAMES, HOP = 2, 20, 16
N_SAMPLES = N_FRAMES * HOP

DT_DOUBLE = tf.float64.as_datatype_enum

Inputs = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer and the inputs to call it with, in the order of its arguments.

    Attributes:
      make: Makes the layer.
      inputs: Makes the inputs, float32, batch first.
      grouped: Whether the layer takes the inputs as one dictionary.
      differentiable: Inputs with respect to which the output is smooth; all others
        still get finite gradients. None for all.
      static: Inputs whose second axis is no time, so that its size is always known.
      loose: Inputs that may have another number of axes.
      rowwise: Whether row i of the output depends on row i of the inputs alone.
      tolerance: Largest difference between two ways to compute the same output,
        relative to its peak.
      step: Of the finite differences; the inputs are of order 1.
    """

    make: Callable[..., keras.layers.Layer]
    inputs: Callable[[np.random.Generator], Inputs]
    grouped: bool = False
    differentiable: tuple[str, ...] | None = None
    static: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    rowwise: bool = True
    tolerance: float = 1e-5
    step: float = 1e-2

    def arguments(self, seed: int = 0) -> Inputs:
        inputs = self.inputs(np.random.default_rng(seed))
        return {name: np.asarray(x, np.float32) for name, x in inputs.items()}

    def run(self, layer: keras.layers.Layer, inputs: dict[str, Any], **kwargs: Any):
        if self.grouped:
            return layer(inputs, **kwargs)
        return layer(*inputs.values(), **kwargs)


def total(outputs: Any) -> tf.Tensor:
    """One number out of audio, of a loss, or of a dictionary of losses."""
    return tf.add_n([tf.reduce_sum(x) for x in tf.nest.flatten(outputs)])


def assert_close(actual: Any, expected: Any, tolerance: float) -> None:
    """Compares nests of arrays, relative to the peak of each."""
    tf.nest.assert_same_structure(actual, expected)
    for a, e in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        a, e = np.asarray(a), np.asarray(e)
        assert a.shape == e.shape
        peak = max(np.max(np.abs(e), initial=0.0), 1e-3)
        np.testing.assert_allclose(a, e, rtol=0.0, atol=tolerance * peak)


def check_finite_everywhere(case: Case, extreme: float) -> None:
    """Values and gradients are finite when every input is `extreme`."""
    layer = case.make()
    inputs = {
        name: tf.fill(x.shape, tf.constant(extreme, tf.float32))
        for name, x in case.arguments().items()
    }
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = case.run(layer, inputs)
        loss = total(outputs)
    for x in tf.nest.flatten(outputs):
        assert np.all(np.isfinite(x))
    variables = layer.trainable_variables
    for gradient in tape.gradient(loss, [*inputs.values(), *variables]):
        if gradient is not None:
            assert np.all(np.isfinite(gradient))


def check_gradient(case: Case, n_directions: int = 2) -> None:
    """The gradient along random directions is that of central differences.

    A smooth part of the output is compared: the sum of its product with fixed random
    weights. float32 rounds it by about 1e-7 of the sum of magnitudes, which central
    differences divide by twice the step; their own error goes with its square. At
    a step of 1e-2 both stay below 1e-2 of the gradient's norm.
    """
    layer = case.make()
    rng = np.random.default_rng(1)
    inputs = case.arguments()
    outputs = case.run(layer, inputs)
    weights = tf.nest.map_structure(
        lambda y: rng.standard_normal(y.shape).astype(np.float32), outputs
    )
    weights_64 = [w.astype(np.float64) for w in tf.nest.flatten(weights)]
    smooth = case.differentiable or tuple(inputs)

    def weighted_sum(moved: Inputs) -> float:
        y = tf.nest.flatten(case.run(layer, moved))
        return sum(
            float(np.sum(w * np.asarray(x, np.float64)))
            for w, x in zip(weights_64, y, strict=True)
        )

    constants = {name: tf.constant(x) for name, x in inputs.items()}
    with tf.GradientTape() as tape:
        tape.watch(constants)
        y = case.run(layer, constants)
        loss = total(tf.nest.map_structure(lambda w, x: w * x, weights, y))
    gradients = tape.gradient(loss, constants)
    for _ in range(n_directions):
        for name in smooth:
            direction = rng.standard_normal(inputs[name].shape).astype(np.float32)
            norm = np.linalg.norm(direction)
            direction /= norm
            up = {**inputs, name: inputs[name] + case.step * direction}
            down = {**inputs, name: inputs[name] - case.step * direction}
            numeric = (weighted_sum(up) - weighted_sum(down)) / (2 * case.step)
            if gradients[name] is None:
                assert abs(numeric) < 1e-6, name
                continue
            analytic = float(np.sum(direction * np.asarray(gradients[name])))
            scale = np.linalg.norm(gradients[name])
            assert abs(numeric - analytic) < 1e-2 * scale + 1e-3, (
                name,
                numeric,
                analytic,
                scale,
            )


def value_and_gradients(
    case: Case, layer: keras.layers.Layer, inputs: dict[str, tf.Tensor]
) -> tuple[Any, list[tf.Tensor]]:
    """The output, and the gradients of its sum for all inputs and weights."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = case.run(layer, inputs)
        loss = total(outputs)
    sources = [*inputs.values(), *layer.trainable_variables]
    return outputs, tape.gradient(loss, sources, unconnected_gradients="zero")


def check_same_compiled(case: Case) -> None:
    """XLA gives the same as eager execution, values and gradients.

    A gradient adds up the rounding of all that it passes through.
    """
    layer = case.make()
    inputs = {name: tf.constant(x) for name, x in case.arguments().items()}
    outputs, gradients = value_and_gradients(case, layer, inputs)
    function = tf.function(
        lambda inputs: value_and_gradients(case, layer, inputs),
        jit_compile=True,
        autograph=False,
    )
    compiled_outputs, compiled_gradients = function(inputs)
    assert_close(compiled_outputs, outputs, case.tolerance)
    assert_close(compiled_gradients, gradients, 10 * case.tolerance)


def check_graph(case: Case) -> None:
    """Known sizes stay known, as a TPU needs them, and all numbers are float32."""
    layer = case.make()
    inputs = {name: tf.constant(x) for name, x in case.arguments().items()}
    case.run(layer, inputs)
    function = tf.function(
        lambda inputs: value_and_gradients(case, layer, inputs), autograph=False
    ).get_concrete_function(inputs)
    for y in tf.nest.flatten(function.structured_outputs):
        assert y.shape.is_fully_defined()
        assert y.dtype == tf.float32
    for node in nodes(function):
        types = {value.type for value in node.attr.values()}
        # A table made beforehand may be more precise than what is made of it.
        constant = node.op in ("Const", "Cast")
        assert constant or DT_DOUBLE not in types, node.name


def nodes(function: Any) -> list[Any]:
    """Every operation of a traced function and of those that it calls."""
    graph = function.graph.as_graph_def()
    called = [node for f in graph.library.function for node in f.node_def]
    return [*graph.node, *called]


def check_unknown_sizes(case: Case) -> None:
    """A graph gives the same, with batch and time unknown while it is built."""
    layer = case.make()
    inputs = {name: tf.constant(x) for name, x in case.arguments().items()}
    specs = {
        name: tf.TensorSpec(
            [None, *x.shape[1:]] if name in case.static else [None, None, *x.shape[2:]],
            tf.float32,
        )
        for name, x in inputs.items()
    }
    function = tf.function(
        lambda inputs: case.run(layer, inputs),
        input_signature=[specs],
        autograph=False,
    )
    assert_close(function(inputs), case.run(layer, inputs), case.tolerance)


def check_wrong_ranks_are_refused(case: Case) -> None:
    """An input with an axis too few or too many is refused, with its shape."""
    inputs = case.arguments()
    for name in set(inputs) - set(case.loose):
        for bad in (inputs[name][..., 0], inputs[name][..., np.newaxis]):
            with pytest.raises(ValueError, match=re.escape(f"shape {bad.shape}")):
                case.run(case.make(), {**inputs, name: bad})


def check_nan_stays(case: Case) -> None:
    """NaN in any input is NaN in the output, in its own row of a batch alone.

    Inside a graph, where nothing can be refused for its values.
    """
    layer = case.make()
    inputs = {name: tf.constant(x) for name, x in case.arguments().items()}
    run = tf.function(lambda inputs: case.run(layer, inputs), autograph=False)
    for name, x in inputs.items():
        bad = x.numpy()
        bad[0, x.shape[1] // 2] = np.nan
        outputs = tf.nest.flatten(run({**inputs, name: tf.constant(bad)}))
        assert any(np.any(np.isnan(y)) for y in outputs), name
        if case.rowwise:
            assert all(np.all(np.isfinite(y[1:])) for y in outputs if y.shape.rank)


def check_empty_inputs(case: Case, of_a_batch: Callable[[Any], None]) -> None:
    """Inputs without time or channels are refused; a batch may be empty.

    Args:
      case: The case.
      of_a_batch: Is given a function that runs the layer on an empty batch.
    """
    layer = case.make()
    inputs = case.arguments()
    without_time = {name: x[:, :0] for name, x in inputs.items()}
    with pytest.raises(ValueError, match="must not be empty, got shape"):
        case.run(layer, without_time)
    for name, x in inputs.items():
        empty = [x[:, :0], *([x[:, :, :0]] if x.ndim == 3 else [])]
        for bad in empty:
            with pytest.raises(ValueError, match=r"got|\(2, "):
                case.run(layer, {**inputs, name: bad})
    nothing = {name: x[:0] for name, x in inputs.items()}
    of_a_batch(lambda: case.run(layer, nothing))


def check_rows_are_independent(case: Case) -> None:
    """A row of a batch comes out as it does alone."""
    layer = case.make()
    inputs = case.arguments()
    batch = case.run(layer, inputs)
    rows = range(BATCH) if case.rowwise else (0,)
    for row in rows:
        alone = case.run(layer, {k: x[row : row + 1] for k, x in inputs.items()})
        expected = tf.nest.map_structure(lambda y, i=row: y[i : i + 1], batch)
        assert_close(alone, expected, case.tolerance)


def check_round_trip(case: Case) -> None:
    """A layer made again from its config computes the same with the same weights."""
    layer = case.make()
    inputs = case.arguments()
    expected = case.run(layer, inputs)
    config = layer.get_config()
    rebuilt = [
        type(layer).from_config(config),
        keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(layer)
        ),
    ]
    for copy in rebuilt:
        assert type(copy) is type(layer)
        assert copy.name == layer.name
        case.run(copy, inputs)
        copy.set_weights(layer.get_weights())
        assert_close(case.run(copy, inputs), expected, 0.0)
        # A tuple may come back as a list.
        assert json.dumps(copy.get_config()) == json.dumps(config)


def check_float32_under_mixed_precision(case: Case) -> None:
    """A mixed-precision policy changes nothing."""
    inputs = case.arguments()
    expected = case.run(case.make(), inputs)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        keras.utils.set_random_seed(0)
        actual = case.run(case.make(), inputs)
    finally:
        keras.config.set_dtype_policy(policy)
    for y in tf.nest.flatten(actual):
        assert y.dtype == tf.float32
    assert_close(actual, expected, 1e-6)


def stream_of(layer: keras.layers.Layer, case: Case) -> tuple[Inputs, Inputs]:
    """Calls a layer once, so that it can be played; its moving and static controls."""
    inputs = case.arguments()
    case.run(layer, inputs)
    if layer.hop_size is None:
        layer.hop_size = HOP
    if case.grouped:
        return inputs, {}
    controls = dict(zip(layer.rates(), inputs.values(), strict=False))
    static = {k: x for k, x in controls.items() if layer.rates()[k] == "static"}
    return {k: x for k, x in controls.items() if k not in static}, static


def play(layer, controls: Inputs, static: Inputs, cuts: list[int], step=None):
    """Plays a layer in blocks that end after `cuts` frames."""
    step = step or layer.step
    state = layer.initial_state(BATCH, **static)
    audio = []
    for first, last in itertools.pairwise([0, *cuts, N_FRAMES]):
        block = {
            name: tf.constant(x[:, first * rate : last * rate])
            for name, x in controls.items()
            for rate in [x.shape[1] // N_FRAMES]
        }
        signal, state = step(block, state)
        assert signal.shape == (BATCH, (last - first) * HOP)
        audio.append(signal)
    return tf.concat([*audio, layer.flush(state)], axis=1).numpy()


def check_blocks_equal_the_whole(case: Case, n_partitions: int = 3) -> None:
    """Cut anywhere, a stream gives what is given at once, after silence.

    Both round: 1e-5 of the peak is what ten float32 operations may add up to.
    """
    layer = case.make()
    controls, static = stream_of(layer, case)
    whole = np.asarray(case.run(layer, case.arguments()))
    rng = np.random.default_rng(5)
    latency = layer.latency_samples
    partitions = [[], list(range(1, N_FRAMES))]
    for _ in range(n_partitions):
        n_cuts = rng.integers(1, 6)
        cuts = rng.choice(np.arange(1, N_FRAMES), n_cuts, replace=False)
        partitions.append(sorted(int(cut) for cut in cuts))
    for cuts in partitions:
        audio = play(layer, controls, static, cuts)
        assert np.all(audio[:, :latency] == 0.0)
        assert audio.shape == (BATCH, latency + whole.shape[1])
        peak = max(1.0, np.max(np.abs(whole)))
        np.testing.assert_allclose(audio[:, latency:], whole, rtol=0, atol=1e-5 * peak)


def check_compiled_blocks(case: Case) -> None:
    """Steps compiled by XLA, and traced without compiled kernels, as exports are.

    The latter must know no complex numbers, which other runtimes lack, nor float64.
    """
    layer = case.make()
    controls, static = stream_of(layer, case)
    cuts = [3, 4, 5, 9]
    expected = play(layer, controls, static, cuts)
    compiled = tf.function(layer.step, jit_compile=True, autograph=False)
    tolerance = max(case.tolerance, 1e-5)
    assert_close(play(layer, controls, static, cuts, compiled), expected, tolerance)

    @tf.function(autograph=False)
    def plain(block, state):
        with compilation.uncompiled():
            return layer.step(block, state)

    assert_close(play(layer, controls, static, cuts, plain), expected, tolerance)
    block = {
        k: tf.constant(x[:, : x.shape[1] // N_FRAMES]) for k, x in controls.items()
    }
    traced = plain.get_concrete_function(block, layer.initial_state(BATCH, **static))
    types = {value.type for node in nodes(traced) for value in node.attr.values()}
    unwanted = (tf.complex64, tf.complex128, tf.float64)
    assert not types & {dtype.as_datatype_enum for dtype in unwanted}


def check_a_state_can_be_kept(case: Case) -> None:
    """A state kept as arrays goes on as the one that it was made from."""
    layer = case.make()
    controls, static = stream_of(layer, case)
    first, second = (
        {
            k: tf.constant(x[:, h * x.shape[1] // 2 :][:, : x.shape[1] // 2])
            for k, x in controls.items()
        }
        for h in (0, 1)
    )
    _, state = layer.step(first, layer.initial_state(BATCH, **static))
    kept = tf.nest.map_structure(lambda x: x.numpy().copy(), state)
    expected, _ = layer.step(second, state)
    again, _ = layer.step(second, tf.nest.map_structure(tf.constant, kept))
    assert_close(again, expected, 0.0)


def check_bad_blocks_are_refused(case: Case) -> None:
    """What would stay in the state as NaN is refused, and the stream goes on."""
    layer = case.make()
    controls, static = stream_of(layer, case)

    def step(block, state):
        for name, x in block.items():
            for bad in (np.nan, np.inf, 3e38):
                wrong = x.numpy()
                wrong[0, -1] = bad
                with pytest.raises(ValueError, match=re.escape(f"got {bad:g}.")):
                    layer.step({**block, name: tf.constant(wrong)}, state)
        return layer.step(block, state)

    expected = play(layer, controls, static, [7])
    assert_close(play(layer, controls, static, [7], step), expected, 0.0)
