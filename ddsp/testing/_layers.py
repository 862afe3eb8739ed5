"""Checks that every processor and every loss passes, each for one `Case`."""

import json
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ddsp.testing._case import Case, Inputs, nodes, total, value_and_gradients
from ddsp.testing._expectations import expect, expect_close, expect_value_error

_FLOAT64 = tf.float64.as_datatype_enum


def check_finite_everywhere(case: Case, extreme: float) -> None:
    """Checks that values and gradients are finite when every input is `extreme`."""
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
        expect(np.all(np.isfinite(x)), f"Outputs must be finite at inputs {extreme}.")
    variables = layer.trainable_variables
    for gradient in tape.gradient(loss, [*inputs.values(), *variables]):
        if gradient is not None:
            expect(
                np.all(np.isfinite(gradient)),
                f"Gradients must be finite at inputs {extreme}.",
            )


def check_gradient(case: Case, n_directions: int = 2) -> None:
    """Checks gradients along random directions against central differences.

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
                expect(abs(numeric) < 1e-6, f"`{name}` has no gradient, got {numeric}.")
                continue
            analytic = float(np.sum(direction * np.asarray(gradients[name])))
            scale = np.linalg.norm(gradients[name])
            expect(
                abs(numeric - analytic) < 1e-2 * scale + 1e-3,
                f"The gradient of `{name}` must be {numeric} (finite differences, "
                f"norm {scale}), got {analytic}.",
            )


def check_same_compiled(case: Case) -> None:
    """Checks that values and gradients under XLA equal those of eager execution.

    A gradient accumulates the rounding of all operations on its path.
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
    expect_close(compiled_outputs, outputs, case.tolerance, "XLA against eager")
    expect_close(compiled_gradients, gradients, 10 * case.tolerance, "XLA gradients")


def check_graph(case: Case) -> None:
    """Checks that known sizes stay known, as TPUs need, and that all is float32."""
    layer = case.make()
    inputs = {name: tf.constant(x) for name, x in case.arguments().items()}
    case.run(layer, inputs)
    function = tf.function(
        lambda inputs: value_and_gradients(case, layer, inputs), autograph=False
    ).get_concrete_function(inputs)
    for y in tf.nest.flatten(function.structured_outputs):
        expect(y.shape.is_fully_defined(), f"Sizes must be known, got {y.shape}.")
        expect(y.dtype == tf.float32, f"Outputs must be float32, got {y.dtype}.")
    for node in nodes(function):
        types = {value.type for value in node.attr.values()}
        # A precomputed table may be more precise than its use.
        constant = node.op in ("Const", "Cast")
        expect(
            constant or _FLOAT64 not in types, f"No float64 expected, got {node.name}."
        )


def check_unknown_sizes(case: Case) -> None:
    """Checks a graph traced with unknown batch and time against eager execution."""
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
    expect_close(
        function(inputs), case.run(layer, inputs), case.tolerance, "unknown sizes"
    )


def check_wrong_ranks_are_refused(case: Case) -> None:
    """Checks that inputs of a wrong rank are refused, with their shape."""
    inputs = case.arguments()
    for name in set(inputs) - set(case.loose):
        for bad in (inputs[name][..., 0], inputs[name][..., np.newaxis]):
            pattern = re.escape(f"shape {bad.shape}")
            with expect_value_error(pattern, f"`{name}` of shape {bad.shape}"):
                case.run(case.make(), {**inputs, name: bad})


def check_nan_stays(case: Case) -> None:
    """Checks that a NaN input makes the output NaN, in its own row only.

    The layer runs in a graph, where values cannot be refused.
    """
    layer = case.make()
    inputs = {name: tf.constant(x) for name, x in case.arguments().items()}
    run = tf.function(lambda inputs: case.run(layer, inputs), autograph=False)
    for name, x in inputs.items():
        bad = x.numpy()
        bad[0, x.shape[1] // 2] = np.nan
        outputs = tf.nest.flatten(run({**inputs, name: tf.constant(bad)}))
        expect(any(np.any(np.isnan(y)) for y in outputs), f"NaN in `{name}` must show.")
        if case.rowwise:
            rest = [y[1:] for y in outputs if y.shape.rank]
            expect(
                all(np.all(np.isfinite(y)) for y in rest),
                f"NaN in a row of `{name}` must stay in that row.",
            )


def check_empty_inputs(
    case: Case, check_empty_batch: Callable[[Callable[[], Any]], None]
) -> None:
    """Checks that inputs without time or channels are refused.

    Args:
      case: The case.
      check_empty_batch: Takes a function that runs the layer on an empty batch.
    """
    layer = case.make()
    inputs = case.arguments()
    without_time = {name: x[:, :0] for name, x in inputs.items()}
    with expect_value_error("must not be empty, got shape", "Inputs without time"):
        case.run(layer, without_time)
    for name, x in inputs.items():
        empty = [x[:, :0], *([x[:, :, :0]] if x.ndim == 3 else [])]
        for bad in empty:
            with expect_value_error(r"got|\(2, ", f"`{name}` of shape {bad.shape}"):
                case.run(layer, {**inputs, name: bad})
    nothing = {name: x[:0] for name, x in inputs.items()}
    check_empty_batch(lambda: case.run(layer, nothing))


def check_rows_are_independent(case: Case) -> None:
    """Checks that each row of a batch equals the output for that row alone."""
    layer = case.make()
    inputs = case.arguments()
    batch = case.run(layer, inputs)
    n_rows = len(next(iter(inputs.values())))
    rows = range(n_rows) if case.rowwise else (0,)
    for row in rows:
        alone = case.run(layer, {k: x[row : row + 1] for k, x in inputs.items()})
        expected = tf.nest.map_structure(lambda y, i=row: y[i : i + 1], batch)
        expect_close(alone, expected, case.tolerance, f"row {row} alone")


def check_round_trip(case: Case) -> None:
    """Checks that a layer rebuilt from its config computes the same."""
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
        expect(type(copy) is type(layer), f"The class must stay, got {type(copy)}.")
        expect(copy.name == layer.name, f"The name must stay, got {copy.name}.")
        case.run(copy, inputs)
        copy.set_weights(layer.get_weights())
        expect_close(case.run(copy, inputs), expected, 0.0, "the rebuilt layer")
        # A tuple may come back as a list.
        expect(
            json.dumps(copy.get_config()) == json.dumps(config),
            f"The config must stay {config}, got {copy.get_config()}.",
        )


def check_float32_under_mixed_precision(case: Case) -> None:
    """Checks that a mixed-precision policy changes nothing."""
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
        expect(y.dtype == tf.float32, f"Outputs must be float32, got {y.dtype}.")
    expect_close(actual, expected, 1e-6, "under mixed precision")
