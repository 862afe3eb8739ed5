"""A small model of the plug-ins' config, as training leaves it on the disk."""

from pathlib import Path

import gin
import keras
import numpy as np
import tensorflow as tf

from ddsp.training import models, train_util, trainers

CONFIGS = str(Path(__file__).parents[2] / "configs")
N_SAMPLES = 3200  # ten hops, and eleven centered frames

SMALL = (
    "n_samples = 3520",
    "RnnFcDecoder.rnn_channels = 7",
    "RnnFcDecoder.ch = 6",
    "RnnFcDecoder.output_splits = (('amps', 1), ('harmonic_distribution', 5),"
    " ('noise_magnitudes', 9))",
    "SpectralLoss.fft_sizes = [256, 64]",
    "FilteredNoiseReverb.reverb_length = 400",
    "FilteredNoiseReverb.n_frames = 10",
    "FilteredNoiseReverb.n_filter_banks = 8",
)


def batch(n_samples: int = N_SAMPLES, seed: int = 0) -> dict[str, np.ndarray]:
    """Features of an example, of centered frames."""
    rng = np.random.default_rng(seed)
    n_frames = n_samples // 320 + 1
    features = {
        "audio": rng.normal(size=[1, n_samples]) * 0.1,
        "f0_hz": rng.uniform(200.0, 400.0, [1, n_frames]),
        "f0_confidence": np.ones([1, n_frames]),
    }
    return {name: value.astype(np.float32) for name, value in features.items()}


def save_run(
    directory: Path, bindings=(), config: str = "models/vst/vst.gin"
) -> models.Autoencoder:
    """Writes a checkpoint and its operative config; returns the model."""
    gin.add_config_file_search_path(CONFIGS)
    gin.parse_config_files_and_bindings([config], [*SMALL, *bindings])
    keras.utils.set_random_seed(3)
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope():
        model = models.get_model()
    trainer = trainers.Trainer(model, strategy)
    trainer.build(batch())
    rng = np.random.default_rng(1)
    for variable in model.decoder.weights:
        variable.assign(rng.normal(size=variable.shape, scale=0.4))
    trainer.save(str(directory))
    train_util.write_gin_config(None, str(directory), 0)
    gin.clear_config()
    return model
