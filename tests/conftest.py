"""What every test starts from: fixed seeds, no gin settings, no display."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import gin
import keras
import matplotlib
import pytest

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def same_start():
    """Seeds Python, NumPy and TensorFlow; leaves no gin settings behind."""
    keras.utils.set_random_seed(0)
    yield
    gin.clear_config()
