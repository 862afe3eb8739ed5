"""Every golden case: the original's inputs give the original's outputs.

A case is compared with its own `rtol` and `atol`; `atol` holds for a full scale of 1
and grows with the peak of the output. (The original's convolutions are float32 FFTs
whose own error, against float64, is 5e-6 of the peak.)

Three groups differ on purpose:
* Sums of phase. The original's float32 running sum drifts: after 640 samples by up to
  3e-2 in harmonic 12. Ours is exact, so the drift is what is left between them. These
  cases are held to `DRIFT` here, and to a float64 oracle in `tests/test_phase.py`.
* A phase of 0 and one of 2 pi are the same; such outputs are compared on the circle.
* `deviation` in the case: the original returned nothing, and the right length is known.
"""

import builtins
import functools
import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

HERE = Path(__file__).parent
CASES = json.loads((HERE / "golden.json").read_text())["cases"]
ARRAYS = np.load(HERE / "golden.npz")

# Largest drift of the original from float64, measured: 9.2e-3, 4.9e-3 and 2.5e-2.
DRIFT = {
    "core.oscillator_bank": 1e-2,
    "core.oscillator_bank.each": 1e-2,
    "core.oscillator_bank.ang": 1e-2,
    "core.harmonic_oscillator_bank": 3e-2,
    "core.harmonic_oscillator_bank.phase": 3e-2,
}
ON_THE_CIRCLE = {"core.angular_cumsum"}


def of_kind(kind, deviates=False):
    chosen = [c for c in CASES if c["kind"] == kind and ("deviation" in c) == deviates]
    return pytest.mark.parametrize("case", chosen, ids=lambda case: case["id"])


def value(literal):
    if isinstance(literal, dict) and "array" in literal:
        return ARRAYS[literal["array"]]
    return tuple(literal) if isinstance(literal, list) else literal


def resolve(dotted):
    parts = dotted.split(".")
    for end in range(len(parts) - 1, 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        return functools.reduce(getattr, parts[end:], module)
    raise ImportError(dotted)


def call(case):
    target = resolve(case["target"])
    if "init" in case:
        layer = target(**{name: value(arg) for name, arg in case["init"].items()})
        target = getattr(layer, case["method"])
    args = [value(arg) for arg in case["args"]]
    kwargs = {name: value(arg) for name, arg in case["kwargs"].items()}
    return target(*args, **kwargs)


def named(outputs, names):
    if list(names) == ["out"]:
        return {"out": outputs}
    if isinstance(outputs, dict):
        return outputs
    return {str(i): output for i, output in enumerate(outputs)}


@of_kind("value")
def test_value(case):
    outputs = named(call(case), case["out"])
    for name, key in case["out"].items():
        expected, got = ARRAYS[key], np.asarray(outputs[name])
        assert got.shape == expected.shape, name
        if case["id"] in ON_THE_CIRCLE:
            got = expected + np.angle(np.exp(1j * (got - expected)))
        peak = np.max(np.abs(expected), initial=1.0)
        atol = DRIFT.get(case["id"], case["atol"] * peak)
        np.testing.assert_allclose(
            got, expected, rtol=case["rtol"], atol=atol, err_msg=name
        )


@of_kind("value", deviates=True)
def test_deviation(case):
    """The only one: a time-varying filter with its tail, cropped to nothing."""
    audio, ir = (value(arg) for arg in case["args"])
    ir_size, n_samples = ir.shape[-1], audio.shape[1]
    start = (ir_size - 1) // 2 - 1
    got = np.asarray(call(case))
    assert got.shape == (audio.shape[0], n_samples + ir_size - 1 - start)
    hop = n_samples // ir.shape[1]
    expected = np.zeros([audio.shape[0], n_samples + ir_size - 1])
    for row in range(audio.shape[0]):
        for k in range(ir.shape[1]):
            frame = audio[row, k * hop : (k + 1) * hop].astype(np.float64)
            part = np.convolve(frame, ir[row, k].astype(np.float64))
            expected[row, k * hop : k * hop + len(part)] += part
    np.testing.assert_allclose(got, expected[:, start:], atol=1e-5 * np.abs(got).max())


@of_kind("raises")
def test_raises(case):
    with pytest.raises(getattr(builtins, case["raises"])):
        call(case)


def differentiated(case):
    """The function of a gradient case and how its arguments are passed."""
    target = case["target"]
    if target.startswith("ddsp.core.harmonic_synthesis"):
        function = resolve("ddsp.core.harmonic_synthesis")
        return lambda f, a, h, **kw: function(f, a, harmonic_distribution=h, **kw)
    if target.startswith("ddsp.losses.SpectralLoss"):
        return resolve("ddsp.losses.SpectralLoss")(logmag_weight=1.0)
    return resolve(target)


@of_kind("gradient")
def test_gradient(case):
    args = [tf.constant(value(arg)) for arg in case["args"]]
    weights = value({"array": case["weights"]})
    function = differentiated(case)
    with tf.GradientTape() as tape:
        tape.watch(args)
        y = function(*args, **case["kwargs"])
        loss = tf.reduce_sum(weights * y)
    gradients = tape.gradient(loss, [args[i] for i in case["wrt"]])
    for i, gradient in zip(case["wrt"], gradients, strict=True):
        expected = ARRAYS[case["out"][str(i)]]
        atol = case["atol"] * np.max(np.abs(expected), initial=1.0)
        if "SpectralLoss" in case["target"]:
            # L1's gradient is a sign: where two magnitudes agree to rounding it may
            # turn, and adds that bin's sinusoid to the samples of its frame, 7e-3 of
            # the peak. Here that happens in three frames; all else must agree.
            error = np.abs(gradient - expected)
            assert np.mean(error > 1e-6) < 0.05
            atol = 0.01 * np.abs(expected).max()
        np.testing.assert_allclose(gradient, expected, rtol=case["rtol"], atol=atol)
