"""Extreme controls of every processor, loss and stream."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from campaigns import drawing, material
from campaigns.campaign import Campaign
from campaigns.drawing import Case
from campaigns.outcomes import SURVIVED, WRONG_DATA, Outcome, from_error

_BATCH, _FRAMES, _HOP, _HARMONICS, _BANDS = 2, 10, 16, 6, 9
_SAMPLES = _FRAMES * _HOP
# Larger values overflow float32 when squared, so that infinity is correct.
_LARGE = 1e4
_VALUES = (
    "0", "-0.0", "1e-45", "-1e-45", "1e-30", "1", "-1", "1e4", "-1e4", "1e30", "-1e30",
    "nan", "inf", "-inf",
)  # fmt: skip
_EMPTY = ("no frames", "no rows", "no channels")

Shapes = dict[str, tuple[int, ...]]
_FRAME, _AUDIO = (_BATCH, _FRAMES), (_BATCH, _SAMPLES)
_HARMONIC: Shapes = {
    "amplitudes": (*_FRAME, 1),
    "harmonic_distribution": (*_FRAME, _HARMONICS),
    "f0_hz": (*_FRAME, 1),
}
_PAIR: Shapes = {"target": _AUDIO, "audio": _AUDIO}
# Layers whose output does not depend on all of the input.
_DISCARDS_INPUT = ("crop",)


def _layers() -> dict[str, tuple[Callable[[], Any], Shapes]]:
    """Returns the layers, with the shapes of their arguments in order."""
    from ddsp import effects, losses, processors, synths

    magnitudes: Shapes = {"magnitudes": (*_FRAME, _BANDS)}
    with_audio: Shapes = {"audio": _AUDIO, **magnitudes}
    one: Shapes = {"audio": _AUDIO}
    part = functools.partial
    harmonic = part(synths.Harmonic, n_samples=_SAMPLES)
    return {
        "harmonic": (harmonic, _HARMONIC),
        "harmonic cubic": (part(harmonic, amp_resample_method="cubic"), _HARMONIC),
        "harmonic linear": (part(harmonic, amp_resample_method="linear"), _HARMONIC),
        "noise": (part(synths.FilteredNoise, n_samples=_SAMPLES, seed=1), magnitudes),
        "wavetable": (
            part(synths.Wavetable, n_samples=_SAMPLES),
            {
                "amplitudes": (*_FRAME, 1),
                "tables": (*_FRAME, 32),
                "f0_hz": (*_FRAME, 1),
            },
        ),
        "sinusoidal": (
            part(synths.Sinusoidal, n_samples=_SAMPLES),
            {"amplitudes": (*_FRAME, 5), "frequencies": (*_FRAME, 5)},
        ),
        "tensor_to_audio": (synths.TensorToAudio, {"samples": (*_AUDIO, 1)}),
        "add": (processors.Add, {"one": _AUDIO, "two": _AUDIO}),
        "mix": (processors.Mix, {"one": _AUDIO, "two": _AUDIO, "level": (*_FRAME, 1)}),
        "crop": (part(processors.Crop, frame_size=_HOP), one),
        "reverb": (effects.Reverb, {"audio": _AUDIO, "ir": (_BATCH, 48)}),
        "trained reverb": (
            part(effects.Reverb, trainable=True, reverb_length=48),
            one,
        ),
        "decaying reverb": (
            part(effects.ExpDecayReverb, reverb_length=48, seed=1),
            {"audio": _AUDIO, "gain": (_BATCH, 1), "decay": (_BATCH, 1)},
        ),
        "noise reverb": (
            part(effects.FilteredNoiseReverb, reverb_length=_SAMPLES, seed=1),
            with_audio,
        ),
        "filter": (effects.FIRFilter, with_audio),
        "delay": (
            part(effects.ModDelay, center_ms=1.0, depth_ms=0.8),
            {"audio": _AUDIO, "gain": (*_AUDIO, 1), "phase": (*_AUDIO, 1)},
        ),
        "spectral loss": (
            part(losses.SpectralLoss, fft_sizes=(64,), logmag_weight=1.0),
            _PAIR,
        ),
        "loudness loss": (
            part(losses.SpectralLoss, fft_sizes=(64,), loudness_weight=1.0),
            _PAIR,
        ),
        "parameter loss": (
            losses.ParamLoss,
            {"predicted": (*_FRAME, 3), "target": (*_FRAME, 3)},
        ),
    }


_LAYER_NAMES = (
    "harmonic", "harmonic cubic", "harmonic linear", "noise", "wavetable", "sinusoidal",
    "tensor_to_audio", "add", "mix", "crop", "reverb", "trained reverb",
    "decaying reverb", "noise reverb", "filter", "delay", "spectral loss",
    "loudness loss", "parameter loss",
)  # fmt: skip
_STREAM_INPUTS = ("audio", "f0_hz", "pitch_shift", "loudness_shift", "gain")
_STREAM_VALUES = (*_VALUES, "1500", "-1500", "3e38", "-3e38", "1e6")


def cases(n: int, seed: int, base: Path) -> list[Case]:
    """Draws a layer or a stream, one of its inputs, and a value."""
    del base
    value = st.sampled_from(_VALUES)
    layer = st.sampled_from(_LAYER_NAMES)
    argument = st.integers(0, 2)
    return drawing.draw(
        st.one_of(
            *[
                st.fixed_dictionaries(
                    {
                        "kind": st.just("layer"),
                        "layer": layer,
                        "argument": argument,
                        "value": value,
                        "where": st.sampled_from(["all", "one", "one row"]),
                        "at": drawing.fractions(),
                    }
                )
            ]
            * 4,
            st.fixed_dictionaries(
                {
                    "kind": st.just("empty"),
                    "layer": layer,
                    "argument": argument,
                    "change": st.sampled_from(_EMPTY),
                }
            ),
            st.fixed_dictionaries(
                {
                    "kind": st.just("stream"),
                    "input": st.sampled_from(_STREAM_INPUTS),
                    "value": st.sampled_from(_STREAM_VALUES),
                    "where": st.sampled_from(["all", "one"]),
                    "at": drawing.fractions(),
                }
            ),
        ),
        n,
        seed,
    )


def prepare(base: Path) -> None:
    """Writes a run with a model to stream."""
    material.save_run(base / "run", (4,))


def judge(case: Case, base: Path, folder: Path) -> Outcome:
    """Calls a layer and its gradient, or runs a stream."""
    del folder
    try:
        if case["kind"] == "stream":
            return _judge_stream(case, str(base / "run"))
        return _judge_layer(case)
    except Exception as error:
        return from_error(error)


def _judge_layer(case: Case) -> Outcome:
    import tensorflow as tf

    make, shapes = _layers()[case["layer"]]
    names = list(shapes)
    name = names[case["argument"] % len(names)]
    rng = np.random.default_rng(0)
    inputs = {}
    for key, shape in shapes.items():
        scale = (
            rng.uniform(200.0, 220.0, shape) if "f0" in key else rng.normal(size=shape)
        )
        inputs[key] = scale.astype(np.float32)
    if case["kind"] == "empty":
        # All arguments share rows and frames, but not channels.
        changed = [name] if case["change"] == "no channels" else names
        inputs |= {key: _emptied(inputs[key], case["change"]) for key in changed}
    else:
        inputs[name] = _extreme(inputs[name], case)
    layer = make()
    tensors = [tf.constant(x) for x in inputs.values()]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        output = layer(*tensors)
        total = tf.reduce_sum(output)
    gradients = tape.gradient(total, [*tensors, *layer.trainable_variables])
    finite = bool(np.all(np.isfinite(output)))
    finite_gradients = [
        bool(np.all(np.isfinite(tf.convert_to_tensor(g))))
        for g in gradients
        if g is not None
    ]
    if case["kind"] == "empty":
        return (
            Outcome(SURVIVED) if finite else Outcome(WRONG_DATA, "NaN for empty input")
        )
    return _judge_values(case, finite, all(finite_gradients), np.asarray(output))


def _judge_values(
    case: Case, finite: bool, finite_gradients: bool, output: np.ndarray
) -> Outcome:
    value = abs(float(case["value"]))
    if np.isnan(value):
        if finite and case["layer"] not in _DISCARDS_INPUT:
            return Outcome(WRONG_DATA, "NaN input, output without NaN")
        return Outcome(SURVIVED, "NaN stays NaN")
    if not np.isfinite(value):
        return Outcome(SURVIVED, "infinity")
    if value > _LARGE:
        if np.any(np.isnan(output)):
            return Outcome(WRONG_DATA, "finite input, NaN output")
        return Outcome(SURVIVED, "finite" if finite else "overflows")
    if not (finite and finite_gradients):
        detail = f"finite: output {finite}, gradients {finite_gradients}"
        return Outcome(WRONG_DATA, detail)
    return Outcome(SURVIVED, "finite")


def _extreme(x: np.ndarray, case: Case) -> np.ndarray:
    x = x.copy()
    value = np.float32(case["value"])
    if case["where"] == "all":
        x[:] = value
    elif case["where"] == "one row":
        x[-1] = value
    else:
        x.flat[round(case["at"] * (x.size - 1))] = value
    return x


def _emptied(x: np.ndarray, change: str) -> np.ndarray:
    match change:
        case "no rows":
            return x[:0]
        case "no frames":
            return x[:, :0]
    return x[..., :0]


@functools.cache
def _stream(run: str) -> Any:
    from ddsp.playing import StreamingModel
    from ddsp.training import models

    return StreamingModel(models.load(run), crepe_model=None)


def _judge_stream(case: Case, run: str) -> Outcome:
    stream = _stream(run)
    stream.reset()
    stream.pitch_shift = stream.loudness_shift = stream.gain = 0.0
    size = 4 * stream.hop_size
    normal = material.tone(size / stream.sample_rate)
    before = stream.process(normal, f0_hz=220.0)
    audio, f0_hz, value = normal.copy(), np.full(4, 220.0), np.float32(case["value"])
    detail = ""
    try:
        if case["input"] == "audio":
            audio = _extreme(audio, case)
        elif case["input"] == "f0_hz":
            f0_hz = _extreme(f0_hz, case)
        else:
            setattr(stream, case["input"], float(value))
        played = stream.process(audio, f0_hz=f0_hz)
    except Exception as error:
        outcome = from_error(error)
        if outcome.failed:
            return outcome
        detail = outcome.detail
    else:
        if not np.all(np.isfinite(played)) or not np.all(np.isfinite(before)):
            return Outcome(WRONG_DATA, "output is not finite")
    stream.pitch_shift = stream.loudness_shift = stream.gain = 0.0
    after = [stream.process(normal, f0_hz=220.0) for _ in range(4)]
    if not np.all(np.isfinite(after)):
        return Outcome(WRONG_DATA, f"the state stays invalid; {detail}")
    return Outcome(SURVIVED, detail or "finite, also afterwards")


CAMPAIGN = Campaign(
    about="extreme controls of every processor, loss and stream",
    cases=cases,
    prepare=prepare,
    judge=judge,
    full=600,
    short=20,
    seconds=120.0,
    megabytes=1000.0,
    group=lambda case: case.get("layer", "stream"),
)
