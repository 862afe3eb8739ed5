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
    """Loads a bundle, a trained model exported by `ddsp_export`.

    No code in the bundle is executed, and no file outside it is read; see
    docs/export.md.

    Args:
      path: Directory of the bundle.

    Returns:
      A `ddsp.playing.bundle.Bundle` with the `model`, the `statistics` of its training
      data and `info` such as rates and license. `stream()` returns a stream for
      real-time synthesis, and `check()` compares the output of the model with the
      output at export.

    Raises:
      FileNotFoundError: If the directory does not exist.
      ValueError: If the directory is not a bundle, its format version is unknown, a
        file is missing, damaged or not listed, or the config or weights are invalid.
    """
    # Imported here: signal processing alone does not need models.
    from ddsp.playing import bundle

    return bundle.load(path)
