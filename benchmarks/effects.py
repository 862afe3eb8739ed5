"""Each effect, on 4 s of audio."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from benchmarks import controls, oracle, textbook
from benchmarks.contests import Contest, Options, both_ways
from ddsp import core, effects

N_SAMPLES = 64000
_RESPONSE_SIZE = 48000
_MAX_DELAY = 400  # 25 ms
_SEED = 1


def contests(rng, options: Options) -> Iterator[Contest]:
    """Yields every contest, forward and with gradients."""
    for batch in options.batches:
        audio = controls.noise(rng, batch, N_SAMPLES)
        for make in (reverb, exp_decay_reverb, noise_reverb, fir_filter, mod_delay):
            yield from both_ways(rng, make(rng, audio), N_SAMPLES)


def _name(effect: str, audio: np.ndarray) -> str:
    return f"{effect}, batch {len(audio)}"


def reverb(rng, audio) -> Contest:
    """A response for all rows, as a learnt one is."""
    response = 0.01 * controls.noise(rng, 1, _RESPONSE_SIZE)
    return Contest(
        _name(f"Reverb, response of {_RESPONSE_SIZE:,} samples", audio),
        (audio, response),
        effects.Reverb().get_signal,
        textbook.reverb,
        oracle.reverb,
    )


def exp_decay_reverb(rng, audio) -> Contest:
    """A response for each row, noise that decays."""

    def plain(audio, gain, decay):
        noise = textbook.uniform_noise(1, _RESPONSE_SIZE)
        return textbook.reverb(audio, textbook.exp_decay_response(gain, decay, noise))

    def right(audio, gain, decay):
        noise = core.uniform_noise(1, _RESPONSE_SIZE, _SEED).numpy().astype(float)
        return oracle.reverb(audio, oracle.exp_decay_response(gain, decay, noise))

    gain, decay = rng.uniform(-2.0, 2.0, [2, len(audio), 1]).astype(np.float32)
    return Contest(
        _name("ExpDecayReverb", audio),
        (audio, gain, decay),
        effects.ExpDecayReverb(reverb_length=_RESPONSE_SIZE, seed=_SEED),
        plain,
        right,
        own_noise=True,
    )


def noise_reverb(rng, audio) -> Contest:
    """A response for each row, noise through a filter of 16 bands."""
    batch = len(audio)

    def plain(audio, magnitudes):
        noise = textbook.uniform_noise(batch, _RESPONSE_SIZE)
        magnitudes = textbook.exp_sigmoid(magnitudes - 3.0)
        return textbook.reverb(audio, textbook.fir_filter(noise, magnitudes))

    def right(audio, magnitudes):
        noise = core.uniform_noise(1, _RESPONSE_SIZE, _SEED).numpy().astype(float)
        magnitudes = oracle.exp_sigmoid(magnitudes - 3.0)
        return oracle.reverb(audio, oracle.fir_filter(noise, magnitudes))

    return Contest(
        _name("FilteredNoiseReverb", audio),
        (audio, controls.levels(rng, batch, n=16)),
        effects.FilteredNoiseReverb(reverb_length=_RESPONSE_SIZE, seed=_SEED),
        plain,
        right,
        own_noise=True,
    )


def fir_filter(rng, audio) -> Contest:
    """65 bands."""
    return Contest(
        _name("FIRFilter, 65 bands", audio),
        (audio, controls.levels(rng, len(audio), n=65)),
        effects.FIRFilter().get_signal,
        textbook.fir_filter,
        oracle.fir_filter,
    )


def mod_delay(rng, audio) -> Contest:
    """Up to 25 ms, the delay moving at sample rate."""
    effect = effects.ModDelay(center_ms=0.0, depth_ms=25.0, add_dry=True)

    def ours(audio, phase):
        gain = tf.ones_like(phase)[:, :, tf.newaxis]
        return effect.get_signal(audio, gain, phase[:, :, tf.newaxis])

    time = np.arange(N_SAMPLES) / controls.SAMPLE_RATE
    start = rng.uniform(0.0, 2.0 * np.pi, [len(audio), 1])
    phase = 0.5 + 0.4 * np.sin(2.0 * np.pi * time + start)
    return Contest(
        _name(f"ModDelay, up to {_MAX_DELAY} samples", audio),
        (audio, phase.astype(np.float32)),
        ours,
        lambda audio, phase: audio + textbook.delay_line(audio, phase, _MAX_DELAY),
        lambda audio, phase: audio + oracle.delay_line(audio, phase, _MAX_DELAY),
    )
