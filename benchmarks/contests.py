"""What is timed: functions of the same inputs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Options:
    """How to measure.

    Attributes:
      quick: Whether to keep to the cases that matter most.
      repeats: Timed calls of each function, at most.
      least: Timed calls of each function, at least.
      seconds: After these no more than the least number of calls are timed.
      device: `'cpu'` or `'gpu'`.
      match: Only cases whose name contains this text are measured.
    """

    quick: bool = False
    repeats: int = 15
    least: int = 3
    seconds: float = 12.0
    device: str = "cpu"
    match: str = ""

    @property
    def batches(self) -> tuple[int, ...]:
        """Sizes of a batch."""
        return (1,) if self.quick else (1, 4, 16)


@dataclass(frozen=True)
class Contest:
    """One function of this library, and the textbook's if there is one.

    Attributes:
      name: Of the case.
      inputs: Arguments of the functions, a nest of float32 arrays.
      ours: This library.
      textbook: The plain implementation.
      oracle: The right answer in float64. For audio it gets the first row alone.
      own_noise: The textbook draws other noise, so the oracle cannot check it.
      compiled: `ours` compiles itself, or does more than TensorFlow can compile.
      seconds: Where time is given per second of audio, seconds of audio in a call.
    """

    name: str
    inputs: tuple
    ours: Callable
    textbook: Callable | None = None
    oracle: Callable | None = None
    own_noise: bool = False
    compiled: bool = False
    seconds: float = 1.0


def both_ways(
    rng: np.random.Generator, contest: Contest, n_samples: int
) -> Iterator[Contest]:
    """The contest itself, and with the gradient of every input.

    The gradient is that of a sum of the `n_samples` with random weights, so that no
    part of it can be left out.
    """
    yield replace(contest, name=f"{contest.name}: forward")
    weights = rng.normal(size=[len(contest.inputs[0]), n_samples]).astype(np.float32)
    yield replace(
        contest,
        name=f"{contest.name}: forward+backward",
        inputs=(contest.inputs, weights),
        ours=_with_gradient(contest.ours),
        textbook=contest.textbook and _with_gradient(contest.textbook),
        oracle=None,
    )


def _with_gradient(fn: Callable) -> Callable:
    def run(inputs: tuple, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = fn(*inputs)
        upstream = weights if outputs.shape.rank else None
        return outputs, tape.gradient(outputs, inputs, upstream)

    return run


def named(effect: str, audio: np.ndarray) -> str:
    """The name of the contest of an effect."""
    return f"{effect}, batch {len(audio)}"
