"""Contests of the reverbs."""

import numpy as np
import tensorflow as tf

from benchmarks import controls, oracle, textbook
from benchmarks.contests import Contest, named
from ddsp import core, effects

_RESPONSE_SIZE = 48000
_SEED = 1


def reverb(rng: np.random.Generator, audio: np.ndarray) -> Contest:
    """Returns a contest with one IR for all rows, like a trained one."""
    response = 0.01 * controls.noise(rng, 1, _RESPONSE_SIZE)
    return Contest(
        named(f"Reverb, response of {_RESPONSE_SIZE:,} samples", audio),
        (audio, response),
        effects.Reverb().get_signal,
        textbook.reverb,
        oracle.reverb,
    )


def exp_decay_reverb(rng: np.random.Generator, audio: np.ndarray) -> Contest:
    """Returns a contest with an IR of decaying noise per row."""

    def plain(audio: tf.Tensor, gain: tf.Tensor, decay: tf.Tensor) -> tf.Tensor:
        noise = textbook.uniform_noise(1, _RESPONSE_SIZE)
        return textbook.reverb(audio, textbook.exp_decay_response(gain, decay, noise))

    def right(audio: np.ndarray, gain: np.ndarray, decay: np.ndarray) -> np.ndarray:
        noise = core.uniform_noise(1, _RESPONSE_SIZE, _SEED).numpy().astype(float)
        return oracle.reverb(audio, oracle.exp_decay_response(gain, decay, noise))

    gain, decay = rng.uniform(-2.0, 2.0, [2, len(audio), 1]).astype(np.float32)
    return Contest(
        named("ExpDecayReverb", audio),
        (audio, gain, decay),
        effects.ExpDecayReverb(reverb_length=_RESPONSE_SIZE, seed=_SEED),
        plain,
        right,
        own_noise=True,
    )


def noise_reverb(rng: np.random.Generator, audio: np.ndarray) -> Contest:
    """Returns a contest with an IR of filtered noise per row, 16 bands."""
    batch = len(audio)

    def plain(audio: tf.Tensor, magnitudes: tf.Tensor) -> tf.Tensor:
        noise = textbook.uniform_noise(batch, _RESPONSE_SIZE)
        magnitudes = textbook.exp_sigmoid(magnitudes - 3.0)
        return textbook.reverb(audio, textbook.fir_filter(noise, magnitudes))

    def right(audio: np.ndarray, magnitudes: np.ndarray) -> np.ndarray:
        noise = core.uniform_noise(1, _RESPONSE_SIZE, _SEED).numpy().astype(float)
        magnitudes = oracle.exp_sigmoid(magnitudes - 3.0)
        return oracle.reverb(audio, oracle.fir_filter(noise, magnitudes))

    return Contest(
        named("FilteredNoiseReverb", audio),
        (audio, controls.levels(rng, batch, n=16)),
        effects.FilteredNoiseReverb(reverb_length=_RESPONSE_SIZE, seed=_SEED),
        plain,
        right,
        own_noise=True,
    )
