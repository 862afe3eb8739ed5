"""Models from gin files, and batches for them."""

import logging
import os

import gin
import numpy as np

from benchmarks import controls
from ddsp import training
from ddsp.training.models import Model

N_SAMPLES = 64000
GIN_FILES = {
    "tiny_instrument": "papers/iclr2020/tiny_instrument.gin",
    "solo_instrument": "papers/iclr2020/solo_instrument.gin",
    "ae": "models/ae.gin",
    "realtime": "models/realtime.gin",
}


def model(name: str) -> Model:
    """Returns the model of a gin file, with new weights."""
    directory = training.gin_files.config_dir()
    gin.clear_config()
    gin.add_config_file_search_path(directory)
    # gin logs every directory in which it does not find a file.
    logging.disable(logging.ERROR)
    # The file refers to a data set, which is not needed here.
    gin.parse_config_file(os.path.join(directory, GIN_FILES[name]), skip_unknown=True)
    logging.disable(logging.NOTSET)
    return training.models.get_model()


def batch(rng: np.random.Generator, size: int) -> dict:
    """Returns a batch of features and audio of 4 s."""
    return {
        "audio": 0.1 * controls.noise(rng, size, N_SAMPLES),
        "f0_hz": controls.vibrato(rng, 300.0, size),
        "f0_confidence": controls.levels(rng, size),
        "loudness_db": 80.0 * controls.levels(rng, size) - 80.0,
    }
