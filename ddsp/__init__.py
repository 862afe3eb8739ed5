"""Differentiable digital signal processing for TensorFlow and Keras 3."""

from ddsp import core, dags, effects, losses, processors, spectral_ops, synths
from ddsp.version import __version__

__all__ = [
    "__version__",
    "core",
    "dags",
    "effects",
    "losses",
    "processors",
    "spectral_ops",
    "synths",
]
