"""What every test starts from: fixed seeds, no gin settings, no display.

TensorFlow is imported by the tests alone, not here: the process that only
distributes them would print its start-up notices after the summary.
"""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(autouse=True)
def same_start():
    """Seeds Python, NumPy and TensorFlow; leaves no gin settings behind."""
    import gin
    import keras

    keras.utils.set_random_seed(0)
    yield
    gin.clear_config()
