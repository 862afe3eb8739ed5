"""Checks of arguments, shared by functions and layers.

Each raises ValueError or TypeError with what was expected and what was received.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

# Beyond it squares and sums of float32 come near what it cannot hold.
LARGEST = 1e12


def hop_size(sample_rate: int, frame_rate: int) -> int:
    """Returns the samples between two frames.

    Args:
      sample_rate: Samples per second.
      frame_rate: Frames per second; must divide `sample_rate`.

    Raises:
      ValueError: If a rate is not positive or does not divide, naming the nearest
        frame rates that do.
    """
    if sample_rate <= 0 or frame_rate <= 0:
        raise ValueError(
            "Rates must be positive, got "
            f"sample_rate={sample_rate}, frame_rate={frame_rate}."
        )
    if sample_rate % frame_rate:
        below, above = _nearest_divisors(int(sample_rate), frame_rate)
        raise ValueError(
            "The frame rate must divide the sample rate; the nearest that do are "
            f"{below} and {above}, got sample_rate={sample_rate}, "
            f"frame_rate={frame_rate}."
        )
    return int(sample_rate // frame_rate)


def _nearest_divisors(number: int, near: float) -> tuple[int, int]:
    divisors = [d for d in range(1, number + 1) if number % d == 0]
    below = max((d for d in divisors if d <= near), default=divisors[0])
    above = min((d for d in divisors if d >= near), default=divisors[-1])
    return below, above


def rank(name: str, x: Any, ranks: int | Iterable[int]) -> None:
    """Refuses a tensor whose number of axes is none of `ranks`, or that is empty.

    A batch may be empty. Only what is known of a shape is looked at.
    """
    allowed = (ranks,) if isinstance(ranks, int) else tuple(ranks)
    shape = tf.TensorShape(x.shape if hasattr(x, "shape") else np.shape(x))
    if shape.rank is not None and shape.rank not in allowed:
        wanted = " or ".join(str(r) for r in allowed)
        raise ValueError(f"`{name}` must have {wanted} axes, got shape {shape}.")
    if shape.rank and 0 in shape.as_list()[min(1, shape.rank - 1) :]:
        raise ValueError(f"`{name}` must not be empty, got shape {shape}.")


def not_empty(name: str, x: Any) -> None:
    """Refuses a tensor without values, of an empty batch too."""
    shape = tf.TensorShape(x.shape)
    if shape.rank is not None and 0 in shape.as_list():
        raise ValueError(f"`{name}` must not be empty, got shape {shape}.")


def bounded(name: str, x: Any, low: float = -LARGEST, high: float = LARGEST) -> None:
    """Refuses values that are NaN or out of range; inside a graph none are known."""
    values = known_values(x)
    if values is None:
        return
    wrong = ~((values >= low) & (values <= high))
    if wrong.any():
        raise ValueError(
            f"`{name}` must be between {low:g} and {high:g}, got "
            f"{values[wrong].flat[0]:g}."
        )


def known_values(x: Any) -> np.ndarray | None:
    """The values of a tensor or array; None of a tensor inside a graph."""
    if tf.is_tensor(x) and not hasattr(x, "numpy"):
        return None
    return np.asarray(x)


def one_of(name: str, value: Any, allowed: Iterable[Any]) -> None:
    """Refuses a value that is none of `allowed`."""
    allowed = list(allowed)
    if value not in allowed:
        raise ValueError(f"`{name}` must be one of {allowed}, got {value!r}.")


def positive(name: str, value: float) -> None:
    """Refuses a number that is not above zero."""
    if not value > 0:
        raise ValueError(f"`{name}` must be positive, got {value!r}.")
