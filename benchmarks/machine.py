"""Description of the machine."""

import os
import platform
from importlib import metadata
from pathlib import Path

import numpy as np
import tensorflow as tf

import ddsp


def description(device: str) -> dict[str, str]:
    """Returns the hardware, and the versions of the software."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{gigabytes:.0f} GB",
        "device": _gpu() if device == "gpu" else "CPU",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "TensorFlow": tf.__version__,
        "Keras": metadata.version("keras"),
        "NumPy": np.__version__,
        "ddsp": ddsp.__version__,
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _gpu() -> str:
    gpu = tf.config.list_physical_devices("GPU")[0]
    return tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
