"""Checks that every stream of controls and audio passes, each for one `Case`."""

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp._core import compilation
from ddsp.testing._case import Case, Inputs, nodes
from ddsp.testing._expectations import expect, expect_close, expect_value_error
from ddsp.types import State


def _split_controls(layer: Any, case: Case) -> tuple[Inputs, Inputs]:
    """Calls a layer once; returns its time-varying and its static controls."""
    inputs = case.arguments()
    case.run(layer, inputs)
    if layer.hop_size is None:
        layer.hop_size = case.hop_size
    if case.grouped:
        return inputs, {}
    controls = dict(zip(layer.rates(), inputs.values(), strict=False))
    static = {k: x for k, x in controls.items() if layer.rates()[k] == "static"}
    return {k: x for k, x in controls.items() if k not in static}, static


def _n_rows(inputs: Inputs) -> int:
    return len(next(iter(inputs.values())))


def _run(
    layer: Any,
    case: Case,
    controls: Inputs,
    static: Inputs,
    cuts: Sequence[int],
    step: Callable[..., Any] | None = None,
) -> np.ndarray:
    """Runs a layer in blocks that end after `cuts` frames."""
    step = step or layer.step
    batch_size = _n_rows(controls)
    state = layer.initial_state(batch_size, **static)
    audio = []
    for first, last in itertools.pairwise([0, *cuts, case.n_frames]):
        block = {
            name: tf.constant(x[:, first * rate : last * rate])
            for name, x in controls.items()
            for rate in [x.shape[1] // case.n_frames]
        }
        signal, state = step(block, state)
        shape = (batch_size, (last - first) * layer.hop_size)
        expect(
            signal.shape == shape,
            f"A block must have shape {shape}, got {signal.shape}.",
        )
        audio.append(signal)
    return tf.concat([*audio, layer.flush(state)], axis=1).numpy()


def check_blocks_equal_the_whole(case: Case, n_partitions: int = 3) -> None:
    """Checks that a stream equals the whole after its pre-roll, for any partition.

    The tolerance, 1e-5 of the peak, is the rounding of some ten float32 operations.
    """
    layer = case.make()
    controls, static = _split_controls(layer, case)
    whole = np.asarray(case.run(layer, case.arguments()))
    rng = np.random.default_rng(5)
    latency = layer.latency_samples
    partitions = [[], list(range(1, case.n_frames))]
    for _ in range(n_partitions):
        n_cuts = rng.integers(1, 6)
        drawn = rng.choice(np.arange(1, case.n_frames), n_cuts, replace=False)
        partitions.append(sorted(int(cut) for cut in drawn))
    for cuts in partitions:
        audio = _run(layer, case, controls, static, cuts)
        expect(
            np.all(audio[:, :latency] == 0.0),
            f"{latency} samples of pre-roll expected.",
        )
        peak = max(1.0, np.max(np.abs(whole)))
        what = f"blocks that end after frames {cuts}"
        scale = peak / max(np.max(np.abs(whole)), 1e-3)
        expect_close(audio[:, latency:], whole, 1e-5 * scale, what)


def check_compiled_blocks(case: Case) -> None:
    """Checks steps under XLA, and traced without compiled kernels, as for exports.

    Exported steps use neither complex numbers, which other runtimes lack, nor float64.
    """
    layer = case.make()
    controls, static = _split_controls(layer, case)
    cuts = [3, 4, 5, 9]
    expected = _run(layer, case, controls, static, cuts)
    compiled = tf.function(layer.step, jit_compile=True, autograph=False)
    tolerance = max(case.tolerance, 1e-5)
    audio = _run(layer, case, controls, static, cuts, compiled)
    expect_close(audio, expected, tolerance, "blocks under XLA")

    @tf.function(autograph=False)
    def plain(block: dict[str, tf.Tensor], state: State) -> tuple[tf.Tensor, State]:
        with compilation.uncompiled():
            return layer.step(block, state)

    audio = _run(layer, case, controls, static, cuts, plain)
    expect_close(audio, expected, tolerance, "blocks without compiled kernels")
    block = {
        k: tf.constant(x[:, : x.shape[1] // case.n_frames]) for k, x in controls.items()
    }
    traced = plain.get_concrete_function(
        block, layer.initial_state(_n_rows(controls), **static)
    )
    types = {value.type for node in nodes(traced) for value in node.attr.values()}
    unwanted = (tf.complex64, tf.complex128, tf.float64)
    found = [dtype.name for dtype in unwanted if dtype.as_datatype_enum in types]
    expect(not found, f"An exported step must use float32 only, got {found}.")


def check_state_round_trip(case: Case) -> None:
    """Checks that a stream continues from a state that was stored as arrays."""
    layer = case.make()
    controls, static = _split_controls(layer, case)
    first, second = (
        {
            k: tf.constant(x[:, h * x.shape[1] // 2 :][:, : x.shape[1] // 2])
            for k, x in controls.items()
        }
        for h in (0, 1)
    )
    _, state = layer.step(first, layer.initial_state(_n_rows(controls), **static))
    kept = tf.nest.map_structure(lambda x: x.numpy().copy(), state)
    expected, _ = layer.step(second, state)
    again, _ = layer.step(second, tf.nest.map_structure(tf.constant, kept))
    expect_close(again, expected, 0.0, "from a restored state")


def check_bad_blocks_are_refused(case: Case) -> None:
    """Checks that NaN and infinity are refused, and that the stream can continue."""
    layer = case.make()
    controls, static = _split_controls(layer, case)

    def step(block: dict[str, tf.Tensor], state: State) -> tuple[tf.Tensor, State]:
        for name, x in block.items():
            for bad in (np.nan, np.inf, 3e38):
                wrong = x.numpy()
                wrong[0, -1] = bad
                with expect_value_error(re.escape(f"got {bad:g}."), f"`{name}`"):
                    layer.step({**block, name: tf.constant(wrong)}, state)
        return layer.step(block, state)

    expected = _run(layer, case, controls, static, [7])
    audio = _run(layer, case, controls, static, [7], step)
    expect_close(audio, expected, 0.0, "after refused blocks")
