"""How much memory a call takes at its worst.

TensorFlow keeps freed memory for later, so the size of the process tells nothing about
one call of many; its allocator knows. It counts whole blocks, which can be up to twice
as large as the tensor inside.
"""

import resource
import sys
from collections.abc import Callable
from typing import Any

import tensorflow as tf


def peak_extra(call: Callable[[], Any], device: str) -> float | None:
    """Megabytes of tensors at the peak of a call, beyond those that were there before.

    None where TensorFlow's allocator keeps no count.
    """
    name = f"{device.upper()}:0"
    try:
        tf.config.experimental.reset_memory_stats(name)
        before = tf.config.experimental.get_memory_info(name)["current"]
        call()
        peak = tf.config.experimental.get_memory_info(name)["peak"]
    except ValueError:
        return None
    return (peak - before) / 1e6


def process_peak() -> float:
    """Megabytes of this process at its peak so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
