"""Expectations that checks state, without a test framework."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf


def expect(condition: Any, message: str) -> None:
    """Raises AssertionError unless a condition holds.

    Args:
      condition: Truth value, also a NumPy or TensorFlow one.
      message: Message of the error.

    Raises:
      AssertionError: If the condition is false.

    Example:

    >>> ddsp.testing.expect(1.0 > 0.5, "1.0 expected above 0.5.")
    """
    if not condition:
        raise AssertionError(message)


@contextlib.contextmanager
def expect_value_error(pattern: str, what: str) -> Iterator[None]:
    """Expects the block to raise a ValueError whose message contains a pattern.

    Args:
      pattern: Regular expression.
      what: What should be refused, for the message.

    Raises:
      AssertionError: If no ValueError is raised, or its message does not match.

    Example:

    >>> with ddsp.testing.expect_value_error("got 3", "three"):
    ...     raise ValueError("Two expected, got 3.")
    """
    try:
        yield
    except ValueError as error:
        expect(
            re.search(pattern, str(error)),
            f"The error about {what} must match {pattern!r}, got {error}",
        )
    else:
        raise AssertionError(f"{what} must raise a ValueError, got none.")


def expect_close(actual: Any, expected: Any, tolerance: float, what: str) -> None:
    """Compares nests of arrays, relative to the peak of each.

    Args:
      actual: A nest of tensors or arrays.
      expected: A nest of the same structure.
      tolerance: Largest difference, relative to the peak of `expected`.
      what: What is compared, for the message.

    Raises:
      AssertionError: If shapes or values differ.

    Example:

    >>> ddsp.testing.expect_close([1.0, 2.0], [1.0, 2.000001], 1e-5, "a list")
    """
    tf.nest.assert_same_structure(actual, expected)
    for a, e in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        a, e = np.asarray(a), np.asarray(e)
        expect(a.shape == e.shape, f"{what}: shape {e.shape} expected, got {a.shape}.")
        peak = max(np.max(np.abs(e), initial=0.0), 1e-3)
        np.testing.assert_allclose(
            a, e, rtol=0.0, atol=tolerance * peak, err_msg=what, verbose=False
        )
