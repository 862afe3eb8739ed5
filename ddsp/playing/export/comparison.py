"""Proof that an exported file does what the model does in Python."""

import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from ddsp.playing.export.form import Arrays, Form
from ddsp.playing.export.runtime import Runtime
from ddsp.playing.export.stream_calls import Played, play

# Of a full scale of 1: 80 dB below it.
LARGEST_DIFFERENCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How an exported file compared.

    Attributes:
      form: Name of what was exported.
      runtime: Name of what ran it.
      difference: The largest difference from Python, in any output of floating point.
      size_bytes: Of what was written.
      real_time_factor: Median time that a call took, by the time that its audio
        lasts; None if the form says nothing of audio.
    """

    form: str
    runtime: str
    difference: float
    size_bytes: int
    real_time_factor: float | None


def play_in_python(form: Form, calls: Sequence[Arrays]) -> Played:
    """Plays a form as it is in Python, from its first state.

    Args:
      form: Not exported.
      calls: Inputs of each call, without state.
    """
    function = tf.function(form.function, autograph=False)

    def call(inputs):
        tensors = {name: tf.constant(x) for name, x in inputs.items()}
        return {name: x.numpy() for name, x in function(**tensors).items()}

    return play(call, _from_start(form, calls))


def compare(
    form: Form,
    path: str,
    runtime: Runtime,
    calls: Sequence[Arrays],
    expected: Sequence[Arrays] | None = None,
) -> Comparison:
    """Plays an exported file from its first state, and compares what comes out.

    Args:
      form: What was exported.
      path: Where it was written to.
      runtime: What runs it.
      calls: Inputs of each call, without state.
      expected: Outputs of each call, any of them; by default what Python makes of the
        calls, state included. Whole numbers in the state count phase and position;
        they are compared by what they sound like in the calls after.

    Returns:
      The comparison.

    Raises:
      ValueError: If an input is missing, or an output has another shape.
      RuntimeError: If the difference is above 1e-4, or a value is not finite.
    """
    _check_inputs(form, calls)
    played = runtime.play(path, _from_start(form, calls))
    if expected is None:
        reference = play_in_python(form, calls)
        actual = [*played.outputs, played.state]
        expected = [*reference.outputs, reference.state]
    else:
        actual = played.outputs
    differences = [_difference(*x) for x in zip(actual, expected, strict=True)]
    difference = float(np.max(differences))  # NaN, which `max` may lose, if there is
    if not difference <= LARGEST_DIFFERENCE:
        raise RuntimeError(
            f"In {runtime.name} the form '{form.name}' differs from Python by more than"
            f" {LARGEST_DIFFERENCE:g}, got {difference:.1e}."
        )
    return Comparison(
        form.name,
        runtime.name,
        difference,
        _size_bytes(Path(path)),
        _real_time_factor(form, played.seconds),
    )


def _from_start(form: Form, calls: Sequence[Arrays]) -> list[Arrays]:
    first, *rest = calls
    return [{**form.state, **first}, *rest]


def _check_inputs(form: Form, calls: Sequence[Arrays]) -> None:
    if not calls:
        raise ValueError("A form is compared on one call at least, got none.")
    wanted = {
        name: (tuple(spec.shape), spec.dtype.name)
        for name, spec in form.inputs.items()
        if name not in form.state
    }
    for inputs in calls:
        given = {name: (x.shape, x.dtype.name) for name, x in inputs.items()}
        if given != wanted:
            raise ValueError(
                f"A call of '{form.name}' takes {wanted} beside its state, got {given}."
            )


def _difference(actual: Arrays, wanted: Arrays) -> float:
    differences = [0.0]
    for name, value in wanted.items():
        if name not in actual or actual[name].shape != value.shape:
            raise ValueError(
                f"The output `{name}` must be of shape {value.shape}, got "
                f"{actual[name].shape if name in actual else list(actual)}."
            )
        if np.issubdtype(value.dtype, np.floating) and value.size:
            distance = np.abs(actual[name].astype(np.float64) - value)
            differences.append(float(np.max(distance)))
    return float(np.max(differences))


def _size_bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _real_time_factor(form: Form, seconds: Sequence[float]) -> float | None:
    if form.sample_rate is None or form.samples_per_call is None:
        return None
    duration = form.samples_per_call / form.sample_rate
    return statistics.median(seconds) / duration
