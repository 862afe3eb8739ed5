"""Checks of arguments, shared by functions and layers.

Each raises ValueError or TypeError with the expected and the actual value.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp.types import ArrayLike

# Squares and sums of larger values approach the range of float32.
LARGEST = 1e12


def hop_size(sample_rate: int, frame_rate: int) -> int:
    """Returns the hop size in samples.

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


def rank(name: str, x: ArrayLike, ranks: int | Iterable[int]) -> None:
    """Raises ValueError for a tensor with a wrong rank or without values.

    An empty batch is allowed. Unknown parts of a shape are not checked.
    """
    allowed = (ranks,) if isinstance(ranks, int) else tuple(ranks)
    shape = tf.TensorShape(x.shape if hasattr(x, "shape") else np.shape(x))
    if shape.rank is not None and shape.rank not in allowed:
        wanted = " or ".join(str(r) for r in allowed)
        raise ValueError(f"`{name}` must have {wanted} axes, got shape {shape}.")
    if shape.rank and 0 in shape.as_list()[min(1, shape.rank - 1) :]:
        raise ValueError(f"`{name}` must not be empty, got shape {shape}.")


def not_empty(name: str, x: tf.Tensor) -> None:
    """Raises ValueError for a tensor without values, including an empty batch."""
    shape = tf.TensorShape(x.shape)
    if shape.rank is not None and 0 in shape.as_list():
        raise ValueError(f"`{name}` must not be empty, got shape {shape}.")


def bounded(
    name: str, x: ArrayLike, low: float = -LARGEST, high: float = LARGEST
) -> None:
    """Raises ValueError for known values that are NaN or out of range."""
    values = known_values(x)
    if values is None:
        return
    wrong = ~((values >= low) & (values <= high))
    if wrong.any():
        raise ValueError(
            f"`{name}` must be between {low:g} and {high:g}, got "
            f"{values[wrong].flat[0]:g}."
        )


def known_values(x: ArrayLike) -> np.ndarray | None:
    """Returns the values of a tensor or array; None for a tensor inside a graph."""
    if tf.is_tensor(x) and not hasattr(x, "numpy"):
        return None
    return np.asarray(x)


def one_of(name: str, value: Any, allowed: Iterable[Any]) -> None:
    """Raises ValueError for a value that is not in `allowed`."""
    allowed = list(allowed)
    if value not in allowed:
        raise ValueError(f"`{name}` must be one of {allowed}, got {value!r}.")


def positive(name: str, value: float) -> None:
    """Raises ValueError for a number that is not positive."""
    if not value > 0:
        raise ValueError(f"`{name}` must be positive, got {value!r}.")
