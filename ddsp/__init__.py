"""Differentiable digital signal processing for TensorFlow and Keras 3."""

import importlib
import os
from types import ModuleType
from typing import TYPE_CHECKING

from ddsp import core, dags, effects, losses, processors, spectral_ops, synths
from ddsp.version import __version__

if TYPE_CHECKING:
    from ddsp.playing.bundle import Bundle

__all__ = [
    "__version__",
    "core",
    "dags",
    "effects",
    "load",
    "losses",
    "processors",
    "spectral_ops",
    "synths",
]


# Imported when first used: they load much more than the signal processing.
_LAZY = ("playing", "testing", "training")


def __getattr__(name: str) -> ModuleType:
    if name in _LAZY:
        return importlib.import_module(f"ddsp.{name}")
    raise AttributeError(f"module 'ddsp' has no attribute {name!r}")


def load(path: str | os.PathLike) -> "Bundle":
    """Opens a trained model that `ddsp_export` wrote.

    Nothing in it is run, and nothing outside it is read; see docs/export.md.

    Args:
      path: Directory of the bundle.

    Returns:
      A `ddsp.playing.bundle.Bundle`: the `model`, the `statistics` of its training
      data, `info` such as rates and license, `stream()` to play it block by block and
      `check()` to see that it plays here as it did where it was exported.

    Raises:
      FileNotFoundError: If there is no such directory.
      ValueError: If it is no bundle, if its format version is not the one known, if
        a file is missing, damaged or not listed, or if config or weights are refused.
    """
    # Training is heavy: whoever only uses the signal processing does without.
    from ddsp.playing import bundle

    return bundle.load(path)
