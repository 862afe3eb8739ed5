"""A small model and small data for the tests of training."""

import keras
import numpy as np
import tensorflow as tf

from ddsp.training import data, models, trainers

SAMPLE_RATE, FRAME_RATE, N_FRAMES = 16000, 250, 5
N_SAMPLES = N_FRAMES * SAMPLE_RATE // FRAME_RATE


class TinyModel(models.Model):
    """Dense layer from loudness to the amplitude of a sawtooth."""

    def __init__(self, units: int = 4):
        super().__init__()
        self.hidden = keras.layers.Dense(units, activation="tanh")
        self.out = keras.layers.Dense(1)

    def call(self, features, training=False):
        amplitude = self.out(self.hidden(features["loudness_db"][..., tf.newaxis]))
        hop = SAMPLE_RATE // FRAME_RATE
        ramp = tf.linspace(-1.0, 1.0, hop)
        audio = tf.reshape(amplitude * ramp, [-1, N_SAMPLES])
        return {**features, "audio_synth": audio}

    def compute_losses(self, outputs):
        error = outputs["audio_synth"] - outputs["audio"]
        return {"l2": tf.reduce_mean(tf.square(error))}

    def get_audio_from_outputs(self, outputs):
        return outputs["audio_synth"]


class TinyProvider(data.DataProvider):
    """Examples from a generator with a fixed seed."""

    def __init__(self, n_examples: int = 8, seed: int = 0, validation=None):
        super().__init__(SAMPLE_RATE, FRAME_RATE)
        self.examples = make_examples(n_examples, seed)
        self._validation = validation

    @property
    def validation(self):
        return self._validation

    def get_dataset(self, shuffle=True):
        return tf.data.Dataset.from_tensor_slices(self.examples)


def make_examples(n_examples: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Returns features of random recordings, shape [n_examples, ...]."""
    rng = np.random.default_rng(seed)
    features = {
        "audio": rng.normal(size=[n_examples, N_SAMPLES]) * 0.1,
        "loudness_db": rng.uniform(-1.0, 1.0, [n_examples, N_FRAMES]),
        "f0_hz": rng.uniform(200.0, 400.0, [n_examples, N_FRAMES]),
        "f0_confidence": np.ones([n_examples, N_FRAMES]),
    }
    return {name: value.astype(np.float32) for name, value in features.items()}


def make_trainer(strategy=None, units: int = 4, seed: int = 1, **kwargs):
    """Returns a trainer of a `TinyModel`, with weights from the seed."""
    keras.utils.set_random_seed(seed)
    strategy = strategy or tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope():
        model = TinyModel(units)
    return trainers.Trainer(model, strategy, **{"learning_rate": 0.01, **kwargs})


def built_trainer(**kwargs):
    """Returns a built trainer."""
    trainer = make_trainer(**kwargs)
    trainer.build(make_examples(2))
    return trainer


def weights(trainer) -> list[np.ndarray]:
    """Returns the values of the variables of the model."""
    return [variable.numpy() for variable in trainer.model.weights]
