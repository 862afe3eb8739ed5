"""Peak memory of a call.

TensorFlow caches freed memory, so that the size of the process does not reflect a
single call; the statistics of its allocator do. They count whole blocks, which can be
up to twice as large as the tensor inside.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf


def peak_extra(call: Callable[[], Any], device: str) -> float | None:
    """Returns the peak memory of tensors in a call, above the level before it, in MB.

    Returns None if TensorFlow's allocator has no statistics.
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


def process_peak() -> float | None:
    """Returns the peak memory of this process in MB, or None if unavailable."""
    status = Path("/proc/self/status")
    # Not `getrusage`, which includes the peak of the parent process.
    lines = status.read_text().splitlines() if status.exists() else []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return None
