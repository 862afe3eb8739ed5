"""Training compiled by XLA and in bfloat16, tested on CPU."""

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import gin_files, models, train_util, trainers
from tests.training import tiny

N_FRAMES, HOP = 20, 64

# The two models of the paper, small enough to compile in seconds.
SMALL = f"""
F0LoudnessPreprocessor.time_steps = {N_FRAMES}
RnnFcDecoder.rnn_channels = 8
RnnFcDecoder.ch = 8
RnnFcDecoder.output_splits = (('amps', 1),
                              ('harmonic_distribution', 6),
                              ('noise_magnitudes', 9))
Harmonic.n_samples = {N_FRAMES * HOP}
FilteredNoise.n_samples = {N_FRAMES * HOP}
Reverb.reverb_length = 300
SpectralLoss.fft_sizes = (256,)
"""


@pytest.fixture(autouse=True)
def float32_again():
    yield
    keras.config.set_dtype_policy("float32")


def _trainer(name, **kwargs):
    gin.add_config_file_search_path(gin_files.config_dir())
    gin.parse_config_file(f"papers/iclr2020/{name}.gin")
    gin.parse_config(SMALL)
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope():
        model = models.get_model()
    trainer = trainers.Trainer(model, strategy, learning_rate=0.01, **kwargs)
    trainer.build(_batch())
    return trainer


def _batch():
    rng = np.random.default_rng(0)
    n_samples = N_FRAMES * HOP
    time = np.arange(n_samples) / 16000
    features = {
        "audio": np.tile(0.3 * np.sin(2 * np.pi * 300.0 * time), [2, 1]),
        "f0_hz": np.full([2, N_FRAMES], 300.0),
        "f0_confidence": np.ones([2, N_FRAMES]),
        "loudness_db": rng.uniform(-40.0, -20.0, [2, N_FRAMES]),
    }
    return {name: tf.constant(x, tf.float32) for name, x in features.items()}


def test_the_whole_step_compiles():
    trainer = _trainer("solo_instrument")
    step = tf.function(trainer.train_step, jit_compile=True)
    losses = [float(step(_batch())["total_loss"]) for _ in range(5)]
    assert trainer.step == 5
    assert losses[-1] < losses[0]


def test_a_compiled_step_is_the_step():
    batch = {k: tf.constant(v) for k, v in tiny.make_examples(4).items()}
    plain, compiled = (tiny.built_trainer(jit_compile=jit) for jit in (False, True))
    for _ in range(3):
        expected, actual = plain.train_step(batch), compiled.train_step(batch)
    # Summation order in float32.
    np.testing.assert_allclose(actual["l2"], expected["l2"], rtol=1e-5)
    for a, b in zip(tiny.weights(compiled), tiny.weights(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


def test_trainer_compiles_the_gradients():
    trainer = _trainer("tiny_instrument", jit_compile=True)
    assert trainer.model.decoder.rnn.rnn.use_cudnn is False
    losses = [float(trainer.train_step(_batch())["total_loss"]) for _ in range(5)]
    assert losses[-1] < losses[0]


def test_bfloat16_trains_with_signal_processing_in_float32():
    gin.parse_config("set_precision.dtype_policy = 'mixed_bfloat16'")
    train_util.set_precision()
    trainer = _trainer("solo_instrument")
    decoder = trainer.model.decoder
    assert decoder.rnn.compute_dtype == "bfloat16"
    assert {w.dtype for w in trainer.model.weights} == {"float32"}

    outputs = trainer.model(_batch(), training=False)
    for processor in trainer.model.processor_group.processors:
        for value in tf.nest.flatten(outputs[processor.name]):
            assert value.dtype == tf.float32
    losses = [float(trainer.train_step(_batch())["total_loss"]) for _ in range(8)]
    assert np.all(np.isfinite(losses))
    assert losses[-1] < losses[0]


def test_precision_without_loss_scaling_is_refused():
    with pytest.raises(ValueError, match="'mixed_float16'"):
        train_util.set_precision("mixed_float16")
