"""Compiling fused kernels with XLA, where one pass over the samples pays.

XLA compiles once for each set of shapes, which takes from a tenth of a second to some
seconds, so kernels are given few different shapes. Whether a kernel gains is measured,
not assumed: convolutions and entire training steps become slower on CPU.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from ddsp._compat import tensorflow_internals

_enabled = True


def fused(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function of tensors with XLA, wherever it is called from.

    The result has no gradient rule of its own making: use it inside a
    `tf.custom_gradient`, or where TensorFlow's gradient, compiled too, is good enough.
    Arguments that are not tensors must be hashable; each value is compiled apart.
    """
    compiled = tensorflow_internals.allow_retracing(
        tf.function(kernel, jit_compile=True, autograph=False)
    )

    @functools.wraps(kernel)
    def call(*args: Any) -> Any:
        return (compiled if _enabled else kernel)(*args)

    return call


def is_exporting() -> bool:
    """Whether functions are traced for other runtimes, see `uncompiled`."""
    return not _enabled


@contextlib.contextmanager
def uncompiled() -> Iterator[None]:
    """Inside, fused kernels are traced as ordinary TensorFlow operations.

    For graphs that leave TensorFlow: exported formats know no compiled kernels.
    """
    global _enabled
    before, _enabled = _enabled, False
    try:
        yield
    finally:
        _enabled = before
