"""TensorFlow warns of nothing that the library does."""

import logging

import numpy as np
import pytest
import tensorflow as tf

from ddsp import effects, losses, pitch, synths

# TensorFlow warns of a function that is traced anew in five calls in a row.
N_SHAPES = 5


@pytest.fixture
def notices():
    """Messages that TensorFlow logs, AutoGraph's among them."""
    messages = []

    class Handler(logging.Handler):
        def emit(self, record):
            messages.append(record.getMessage())

    handler, logger = Handler(logging.WARNING), tf.get_logger()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    yield messages
    logger.setLevel(level)
    logger.removeHandler(handler)


def ones(*shape):
    return np.ones(shape, np.float32)


def test_a_function_traced_for_many_shapes_is_noticed(notices):
    """The fixture sees the warning that the other tests are about."""
    double = tf.function(lambda x: x + x)
    for n in range(N_SHAPES):
        double(ones(1 + n))
    assert any("retracing" in message for message in notices)


def test_signals_of_many_lengths(notices):
    harmonic = synths.Harmonic(n_samples=None, hop_size=64)
    noise = synths.FilteredNoise(n_samples=None, hop_size=64)
    reverb = effects.Reverb(trainable=True, reverb_length=64)
    loss = losses.SpectralLoss(fft_sizes=(64,))
    for n in range(4, 4 + N_SHAPES):
        harmonic(ones(1, n, 1), ones(1, n, 3), 220 * ones(1, n, 1))
        noise(ones(1, n, 5))
        loss(reverb(ones(1, 64 * n)), ones(1, 64 * n))
    assert not notices


def test_pitch_at_many_frame_rates(notices):
    """The tracker is compiled for each hop."""
    audio = 0.1 * np.random.default_rng(0).normal(size=2000).astype(np.float32)
    for frame_rate in (100, 125, 160, 200, 250):
        pitch.estimate_f0(audio, frame_rate)
    assert not notices


def test_steps_of_many_sizes(notices):
    harmonic = synths.Harmonic(n_samples=None, hop_size=64)
    harmonic(ones(1, 4, 1), ones(1, 4, 3), 220 * ones(1, 4, 1))
    state = harmonic.initial_state(1)
    for n in range(1, 1 + N_SHAPES):
        controls = {
            "amplitudes": ones(1, n, 1),
            "harmonic_distribution": ones(1, n, 3),
            "f0_hz": 220 * ones(1, n, 1),
        }
        _, state = harmonic.step(controls, state)
    assert not notices
