"""Directory of a training run of a small model."""

from pathlib import Path

import gin
import numpy as np
import tensorflow as tf

from ddsp.training import models, postprocessing

CONFIG = """
get_model.model = @models.Autoencoder()
Autoencoder.preprocessor = @preprocessing.F0LoudnessPreprocessor()
Autoencoder.decoder = @decoders.RnnFcDecoder()
Autoencoder.processor_group = @processors.ProcessorGroup()
Autoencoder.losses = [@losses.SpectralLoss()]
F0LoudnessPreprocessor.time_steps = 40
RnnFcDecoder.rnn_channels = 8
RnnFcDecoder.ch = 8
RnnFcDecoder.layers_per_stack = 1
RnnFcDecoder.input_keys = ('ld_scaled', 'f0_scaled')
RnnFcDecoder.output_splits = (
    ('amps', 1), ('harmonic_distribution', 6), ('noise_magnitudes', 5))
ProcessorGroup.dag = [
    (@synths.Harmonic(), ['amps', 'harmonic_distribution', 'f0_hz']),
    (@synths.FilteredNoise(), ['noise_magnitudes']),
    (@processors.Add(), ['filtered_noise/signal', 'harmonic/signal']),
    (@effects.Reverb(), ['add/signal'])]
Harmonic.n_samples = 2560
FilteredNoise.n_samples = 2560
Reverb.trainable = True
Reverb.reverb_length = 400
exp_sigmoid.exponent = 9.0
SpectralLoss.mag_weight = 2.0
train.batch_size = 4
"""
STATISTICS = {
    "mean_pitch": 62.0,
    "min_pitch": 55.0,
    "max_pitch": 80.0,
    "mean_max_loudness": -18.0,
    "note_on_fraction": 0.8,
    "centered": True,
    "pitch_tracker": {"name": "crepe", "model": "full", "viterbi": True},
    "quantile_transform": postprocessing.QuantileTransformer().fit(
        np.linspace(-50.0, -10.0, 100)
    ),
}


def save_run(folder: Path) -> None:
    """Writes a checkpoint with random weights, its config and statistics."""
    with gin.unlock_config():
        gin.parse_config(CONFIG, skip_unknown=True)
    tf.keras.utils.set_random_seed(3)
    model = models.get_model()
    model.build_variables()
    response = np.random.default_rng(3).normal(scale=0.05, size=400)
    model.processor_group.reverb.trainable_variables[0].assign(response)
    tf.train.Checkpoint(model=model).write(str(folder / "ckpt-7"))
    (folder / "operative_config-7.gin").write_text(CONFIG)
    postprocessing.save_dataset_statistics(STATISTICS, str(folder))
    gin.clear_config()
