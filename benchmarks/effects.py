"""Effects on 4 s of audio."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from benchmarks import controls, oracle, textbook
from benchmarks.contests import Contest, Options, both_ways, named
from benchmarks.controls import N_SAMPLES
from benchmarks.reverbs import exp_decay_reverb, noise_reverb, reverb
from ddsp import effects

_MAX_DELAY = 400  # 25 ms


def contests(rng: np.random.Generator, options: Options) -> Iterator[Contest]:
    """Yields every contest, forward and with gradients."""
    for batch in options.batches:
        audio = controls.noise(rng, batch, N_SAMPLES)
        for make in (reverb, exp_decay_reverb, noise_reverb, fir_filter, mod_delay):
            yield from both_ways(rng, make(rng, audio), N_SAMPLES)


def fir_filter(rng: np.random.Generator, audio: np.ndarray) -> Contest:
    """Returns a contest with 65 bands."""
    return Contest(
        named("FIRFilter, 65 bands", audio),
        (audio, controls.levels(rng, len(audio), n=65)),
        effects.FIRFilter().get_signal,
        textbook.fir_filter,
        oracle.fir_filter,
    )


def mod_delay(rng: np.random.Generator, audio: np.ndarray) -> Contest:
    """Returns a contest with a delay of up to 25 ms, modulated at sample rate."""
    effect = effects.ModDelay(center_ms=0.0, depth_ms=25.0, add_dry=True)

    def ours(audio: tf.Tensor, phase: tf.Tensor) -> tf.Tensor:
        gain = tf.ones_like(phase)[:, :, tf.newaxis]
        return effect.get_signal(audio, gain, phase[:, :, tf.newaxis])

    time = np.arange(N_SAMPLES) / controls.SAMPLE_RATE
    start = rng.uniform(0.0, 2.0 * np.pi, [len(audio), 1])
    phase = 0.5 + 0.4 * np.sin(2.0 * np.pi * time + start)
    return Contest(
        named(f"ModDelay, up to {_MAX_DELAY} samples", audio),
        (audio, phase.astype(np.float32)),
        ours,
        lambda audio, phase: audio + textbook.delay_line(audio, phase, _MAX_DELAY),
        lambda audio, phase: audio + oracle.delay_line(audio, phase, _MAX_DELAY),
    )
