"""A layer that is called for the first time in several threads at once."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp import core, effects, losses, processors, synths
from ddsp.training import decoders, encoders, models, nn, preprocessing

N_THREADS = 16


def ones(*shape):
    return np.ones(shape, np.float32)


FEATURES = {
    "f0_scaled": ones(1, 8, 1),
    "ld_scaled": ones(1, 8, 1),
    "f0_hz": 220.0 * ones(1, 8, 1),
    "loudness_db": -20.0 * ones(1, 8, 1),
    "audio": 0.1 * ones(1, 512),
}


class Gain(processors.Processor):
    """A processor that somebody else wrote."""

    def build(self, unused_shape):
        self.gain = self.add_weight(name="gain", shape=[1], initializer="ones")

    def get_controls(self, audio):
        return {"audio": audio}

    def get_signal(self, audio):
        return self.gain * core.tf_float32(audio)


def decoder():
    return decoders.RnnFcDecoder(
        rnn_channels=8,
        ch=8,
        layers_per_stack=1,
        input_keys=("ld_scaled", "f0_scaled"),
        output_splits=(("amps", 1), ("harmonic_distribution", 4), ("magnitudes", 5)),
    )


def autoencoder():
    group = processors.ProcessorGroup(
        dag=[
            (
                synths.Harmonic(n_samples=512),
                ["amps", "harmonic_distribution", "f0_hz"],
            ),
            (synths.FilteredNoise(n_samples=512, seed=1), ["magnitudes"]),
            (processors.Add(), ["harmonic/signal", "filtered_noise/signal"]),
            (effects.Reverb(trainable=True, reverb_length=64), ["add/signal"]),
        ]
    )
    return models.Autoencoder(
        preprocessor=preprocessing.F0LoudnessPreprocessor(time_steps=8),
        decoder=decoder(),
        processor_group=group,
        losses=[losses.SpectralLoss(fft_sizes=(64,))],
    )


CASES = {
    "Reverb": (
        lambda: effects.Reverb(trainable=True, reverb_length=64),
        [ones(1, 256)],
    ),
    "ExpDecayReverb": (
        lambda: effects.ExpDecayReverb(trainable=True, reverb_length=64, seed=1),
        [ones(1, 256)],
    ),
    "a user's processor": (lambda: Gain(name="gain"), [ones(1, 256)]),
    "Fc": (lambda: nn.Fc(8), [ones(1, 8, 4)]),
    "FcStack": (lambda: nn.FcStack(8, 2), [ones(1, 8, 4)]),
    "Normalize": (lambda: nn.Normalize("layer"), [ones(1, 8, 1, 4)]),
    "DilatedConvStack": (
        lambda: nn.DilatedConvStack(ch=8, layers_per_stack=2, stacks=1),
        [ones(1, 8, 4)],
    ),
    "encoder": (
        lambda: encoders.MfccTimeDistributedRnnEncoder(
            rnn_channels=8, z_dims=4, z_time_steps=125
        ),
        [{"audio": 0.1 * ones(1, 16000), "f0_scaled": ones(1, 250, 1)}],
    ),
    "decoder": (decoder, [FEATURES]),
    "Autoencoder": (autoencoder, [FEATURES]),
}


@pytest.mark.parametrize("name", CASES)
def test_all_threads_get_what_one_layer_gives(name):
    make, arguments = CASES[name]
    layer, start = make(), threading.Barrier(N_THREADS)
    outputs, errors = [], []

    def call():
        start.wait()
        try:
            outputs.append(layer(*arguments))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(N_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors[0]
    single = make()
    single(*arguments)
    assert len(layer.weights) == len(single.weights)
    expected = tf.nest.flatten(layer(*arguments))
    for output in outputs:
        for x, y in zip(tf.nest.flatten(output), expected, strict=True):
            np.testing.assert_allclose(x, y, atol=1e-6)


def test_a_first_call_that_fails_leaves_the_next_one_free():
    layer = effects.Reverb(trainable=True, reverb_length=64)
    with pytest.raises(ValueError, match="axes"):
        layer(ones(1, 2, 3, 4))
    assert layer(ones(1, 256)).shape == (1, 256)


def test_layers_call_each_other_in_any_order():
    """Two threads that first call two layers, each of which holds the other's."""
    inner = [nn.Fc(4), nn.Fc(4)]

    class Both(keras.layers.Layer):
        def __init__(self, layers):
            super().__init__()
            self.both = layers

        def call(self, x):
            return self.both[1](self.both[0](x))

    outer = [Both(inner), Both(inner[::-1])]
    threads = [threading.Thread(target=layer, args=[ones(1, 8, 4)]) for layer in outer]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert not any(thread.is_alive() for thread in threads)
