"""Definition of the benchmarks: pairs of functions of the same inputs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Options:
    """Options of a measurement.

    Attributes:
      quick: Whether to run only the most important cases.
      repeats: Maximum number of timed calls of each function.
      least: Minimum number of timed calls of each function.
      seconds: Time after which only the minimum number of calls is timed.
      device: `'cpu'` or `'gpu'`.
      match: Text that the name of a case must contain.
    """

    quick: bool = False
    repeats: int = 15
    least: int = 3
    seconds: float = 12.0
    device: str = "cpu"
    match: str = ""

    @property
    def batches(self) -> tuple[int, ...]:
        """Batch sizes."""
        return (1,) if self.quick else (1, 4, 16)


@dataclass(frozen=True)
class Contest:
    """Function of this library, with a plain implementation if there is one.

    Attributes:
      name: Name of the case.
      inputs: Arguments of the functions, a nest of float32 arrays.
      ours: Function of this library.
      textbook: Plain implementation.
      oracle: Reference in float64. For audio, it is called with the first row only.
      own_noise: Whether the textbook uses different noise than the reference.
      compiled: Whether `ours` compiles itself, or cannot be compiled.
      seconds: Seconds of audio per call, if times are per second of audio.
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
    """Yields the contest, and the contest with the gradient of every input.

    The gradient is that of a randomly weighted sum of the `n_samples`, so that no part
    can be optimized away.
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
    """Returns the name of the contest of an effect."""
    return f"{effect}, batch {len(audio)}"
