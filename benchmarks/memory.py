"""How much memory a call takes at its worst, beyond what was there before it.

On the CPU this is the high-water mark of the process's resident memory, which Linux
sets back on request; freed memory is handed back to the system first, so that it does
not hide what the call takes. On the GPU TensorFlow keeps count itself.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf


def peak_extra(call: Callable[[], Any], device: str) -> float | None:
    """Megabytes (10**6 bytes) at the peak of a call; None if it cannot be told."""
    if device == "gpu":
        tf.config.experimental.reset_memory_stats("GPU:0")
        before = tf.config.experimental.get_memory_info("GPU:0")["current"]
        call()
        peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
        return (peak - before) / 1e6
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        before = _resident("VmRSS")
        call()
        return max(0, _resident("VmHWM") - before) / 1e6
    except OSError:
        return None


def _resident(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status does not know {name}.")
