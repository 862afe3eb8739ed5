"""A small model for examples and tests."""

import keras

from ddsp import effects, processors, synths
from ddsp.training import decoders, models, preprocessing


def tiny_autoencoder(*, seed: int = 0) -> models.Autoencoder:
    """Returns a small untrained autoencoder of f0 and loudness.

    It runs at 16 kHz and 250 frames per second, causally, so that it also runs block
    by block.

    Args:
      seed: Seed of the weights and of the noise.

    Example:

    >>> model = ddsp.testing.tiny_autoencoder()
    >>> model.sample_rate, model.hop_size
    (16000, 64)
    >>> features = {"f0_hz": np.full([1, 10, 1], 440.0, np.float32),
    ...             "loudness_db": np.full([1, 10, 1], -30.0, np.float32)}
    >>> model(features, training=False)["audio_synth"].shape
    TensorShape([1, 640])
    """
    keras.utils.set_random_seed(seed)
    group = processors.ProcessorGroup(
        dag=[
            (
                synths.Harmonic(n_samples=None, hop_size=64, name="harmonic"),
                ["amps", "harmonic_distribution", "f0_hz"],
            ),
            (
                synths.FilteredNoise(
                    n_samples=None, hop_size=64, window_size=0, seed=seed, name="noise"
                ),
                ["noise_magnitudes"],
            ),
            (processors.Add(name="add"), ["harmonic/signal", "noise/signal"]),
            (
                effects.Reverb(trainable=True, reverb_length=128, name="reverb"),
                ["add/signal"],
            ),
        ]
    )
    model = models.Autoencoder(
        preprocessor=preprocessing.F0LoudnessPreprocessor(
            time_steps=None, padding="causal", compute_loudness=False
        ),
        decoder=decoders.RnnFcDecoder(
            rnn_channels=8,
            ch=8,
            layers_per_stack=1,
            input_keys=("ld_scaled", "f0_scaled"),
            output_splits=(
                ("amps", 1),
                ("harmonic_distribution", 6),
                ("noise_magnitudes", 5),
            ),
        ),
        processor_group=group,
    )
    model.build_variables()
    return model
