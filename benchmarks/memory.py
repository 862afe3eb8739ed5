"""How much memory a call takes at its worst.

TensorFlow keeps freed memory for later, so the size of the process tells nothing about
one call of many; its allocator knows. It counts whole blocks, which can be up to twice
as large as the tensor inside.
"""

from collections.abc import Callable
from pathlib import Path
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


def process_peak() -> float | None:
    """Megabytes of this process at its peak so far; None where Linux does not tell."""
    status = Path("/proc/self/status")
    # Not `getrusage`, which also knows the peak of the process that started this one.
    lines = status.read_text().splitlines() if status.exists() else []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return None
