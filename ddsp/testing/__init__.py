"""Checks for processors, losses and streams, yours and those of the library.

One line checks a layer: shapes, finite gradients, gradients against finite
differences, eager execution against graphs and XLA, unknown sizes, independent rows of
a batch, config round trip, bad input, and, for streams, blocks against the whole. No
test framework is needed; a failed check raises AssertionError.

    ddsp.testing.check_processor(MyProcessor, {"audio": audio})
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from ddsp.testing import _layers, _streams
from ddsp.testing._case import Case
from ddsp.testing._expectations import expect, expect_close, expect_value_error
from ddsp.testing._models import tiny_autoencoder
from ddsp.testing._tiny_data import tiny_provider

__all__ = [
    "Case",
    "check_loss",
    "check_processor",
    "check_stream",
    "expect",
    "expect_close",
    "expect_value_error",
    "tiny_autoencoder",
    "tiny_provider",
]

_LAYER_CHECKS = (
    _layers.check_gradient,
    _layers.check_same_compiled,
    _layers.check_graph,
    _layers.check_unknown_sizes,
    _layers.check_wrong_ranks_are_refused,
    _layers.check_nan_stays,
    _layers.check_round_trip,
    _layers.check_float32_under_mixed_precision,
)
_STREAM_CHECKS = (
    _streams.check_blocks_equal_the_whole,
    _streams.check_compiled_blocks,
    _streams.check_state_round_trip,
    _streams.check_bad_blocks_are_refused,
)


def check_processor(
    make: Callable[[], keras.layers.Layer],
    inputs: Mapping[str, np.ndarray],
    **options: Any,
) -> None:
    """Checks a processor: values, gradients, graphs, config and bad input.

    Args:
      make: Creates the processor, such as its class.
      inputs: Inputs of a call by name and in order, [batch, time, ...], of order 1 and
        of at least two rows.
      **options: Further fields of `Case`, such as `tolerance`.

    Raises:
      AssertionError: If a check fails; the message says which.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> audio = rng.standard_normal([2, 320]).astype(np.float32)
    >>> ddsp.testing.check_processor(
    ...     ddsp.processors.Add, {"signal_one": audio, "signal_two": audio[::-1]})
    """
    case = _case(make, inputs, options)
    for check in _LAYER_CHECKS:
        check(case)
    for extreme in (0.0, 1e4, -1e4):
        _layers.check_finite_everywhere(case, extreme)
    _layers.check_rows_are_independent(case)
    layer = case.make()
    audio = case.run(layer, case.arguments())
    expect(
        audio.shape.rank == 2,
        f"A processor returns audio [batch, n_samples], got shape {audio.shape}.",
    )


def check_loss(
    make: Callable[[], keras.layers.Layer],
    inputs: Mapping[str, np.ndarray],
    **options: Any,
) -> None:
    """Checks a loss: values, gradients, graphs, config and bad input.

    Args:
      make: Creates the loss.
      inputs: Inputs of a call by name and in order, of order 1 and of at least two
        rows; different enough for the loss to be above zero.
      **options: Further fields of `Case`. `loose` names inputs of any rank.

    Raises:
      AssertionError: If a check fails; the message says which.

    Example:

    >>> import functools
    >>> rng = np.random.default_rng(0)
    >>> make = functools.partial(ddsp.losses.ParamLoss, loss_type="L2")
    >>> ddsp.testing.check_loss(
    ...     make,
    ...     {"pred": rng.random([2, 20, 3]), "target": 2 + rng.random([2, 20, 3])},
    ...     loose=("pred", "target"))
    """
    case = _case(make, inputs, options)
    for check in _LAYER_CHECKS:
        check(case)
    for extreme in (0.0, 1e4):
        _layers.check_finite_everywhere(case, extreme)
    value = case.run(case.make(), case.arguments())
    expect(
        value.shape == () and value > 0.0, f"A loss is a positive number, got {value}."
    )


def check_stream(
    make: Callable[[], keras.layers.Layer],
    inputs: Mapping[str, np.ndarray],
    *,
    n_frames: int,
    hop_size: int,
    **options: Any,
) -> None:
    """Checks that a processor run block by block equals a call on the whole.

    Args:
      make: Creates the processor.
      inputs: Inputs as for `check_processor`, `n_frames` or `n_frames * hop_size` long.
      n_frames: Frames of the inputs, at least 10.
      hop_size: Samples per frame.
      **options: Further fields of `Case`.

    Raises:
      AssertionError: If a check fails; the message says which.

    Example:

    >>> audio = np.random.default_rng(0).standard_normal([2, 320])
    >>> ddsp.testing.check_stream(
    ...     ddsp.processors.Add, {"signal_one": audio, "signal_two": audio[::-1]},
    ...     n_frames=20, hop_size=16)
    """
    options = {**options, "n_frames": n_frames, "hop_size": hop_size}
    case = _case(make, inputs, options)
    for check in _STREAM_CHECKS:
        check(case)


def _case(
    make: Callable[[], keras.layers.Layer],
    inputs: Mapping[str, np.ndarray],
    options: Mapping[str, Any],
) -> Case:
    return Case(make, lambda rng: dict(inputs), **options)
