"""Compilation of fused kernels with XLA, where one pass over the samples is faster.

XLA compiles once per set of shapes, in a tenth of a second to a few seconds, so kernels
are called with few different shapes. Only kernels that are measurably faster are
compiled: convolutions and whole training steps become slower on CPU.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from ddsp._compat import tensorflow_internals

_enabled = True


def fused(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function of tensors with XLA, in eager mode and in graphs.

    The function has TensorFlow's gradient, which is compiled as well. Use it inside a
    `tf.custom_gradient` for any other gradient. Arguments that are not tensors must be
    hashable; the function is compiled once per value.
    """
    compiled = tensorflow_internals.allow_retracing(
        tf.function(kernel, jit_compile=True, autograph=False)
    )

    @functools.wraps(kernel)
    def call(*args: Any) -> Any:
        return (compiled if _enabled else kernel)(*args)

    return call


def is_exporting() -> bool:
    """Returns whether functions are traced for other runtimes, see `uncompiled`."""
    return not _enabled


@contextlib.contextmanager
def uncompiled() -> Iterator[None]:
    """Traces fused kernels as ordinary TensorFlow operations inside the context.

    For exports: formats of other runtimes do not support compiled kernels.
    """
    global _enabled
    before, _enabled = _enabled, False
    try:
        yield
    finally:
        _enabled = before
