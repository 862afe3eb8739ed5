"""Synthesizers, from controls to 4 s of audio."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import controls, oracle, textbook
from benchmarks.contests import Contest, Options, both_ways
from benchmarks.controls import N_SAMPLES, SAMPLE_RATE
from benchmarks.harmonics import harmonic, special_harmonics
from ddsp import core, synths

_SEED = 1


def contests(rng: np.random.Generator, options: Options) -> Iterator[Contest]:
    """Yields every contest, forward and with gradients."""
    for batch in options.batches:
        if batch == 1:
            yield from special_harmonics(rng)
        name = f"Harmonic, 100 harmonics, batch {batch}"
        for contest in (
            harmonic(rng, name, batch),
            sinusoids(rng, batch),
            filtered_noise(rng, batch),
            wavetables(rng, batch),
        ):
            yield from both_ways(rng, contest, N_SAMPLES)


def sinusoids(rng: np.random.Generator, batch: int) -> Contest:
    """Returns a contest with 100 independent sinusoids."""
    n = 100
    sizes: dict[str, Any] = {"n_samples": N_SAMPLES, "sample_rate": SAMPLE_RATE}
    synth = synths.Sinusoidal(N_SAMPLES, SAMPLE_RATE)

    def ours(frequencies: tf.Tensor, amplitudes: tf.Tensor) -> tf.Tensor:
        return synth.get_signal(amplitudes, frequencies)

    means = rng.uniform(50.0, 7500.0, n)
    return Contest(
        f"Sinusoidal, {n} sinusoids, batch {batch}",
        (controls.vibrato(rng, means, batch, n=n), controls.shares(rng, batch, n)),
        ours,
        partial(textbook.sinusoidal, **sizes),
        partial(oracle.sinusoidal, **sizes),
    )


def filtered_noise(rng: np.random.Generator, batch: int) -> Contest:
    """Returns a contest with 65 bands."""
    synth = synths.FilteredNoise(n_samples=N_SAMPLES, scale_fn=None, seed=_SEED)

    def plain(magnitudes: tf.Tensor) -> tf.Tensor:
        return textbook.fir_filter(textbook.uniform_noise(batch, N_SAMPLES), magnitudes)

    def right(magnitudes: np.ndarray) -> np.ndarray:
        noise = core.uniform_noise(1, N_SAMPLES, _SEED).numpy()
        return oracle.fir_filter(noise.astype(float), magnitudes)

    magnitudes = controls.levels(rng, batch, n=65)
    name = f"FilteredNoise, 65 bands, batch {batch}"
    return Contest(name, (magnitudes,), synth.get_signal, plain, right, own_noise=True)


def wavetables(rng: np.random.Generator, batch: int) -> Contest:
    """Returns a contest with a table of 2048 points per frame."""
    sizes: dict[str, Any] = {"n_samples": N_SAMPLES, "sample_rate": SAMPLE_RATE}
    synth = synths.Wavetable(N_SAMPLES, SAMPLE_RATE)

    def ours(f0_hz: tf.Tensor, amplitudes: tf.Tensor, tables: tf.Tensor) -> tf.Tensor:
        return synth.get_signal(amplitudes, tables, f0_hz)

    # The textbook needs several arrays of 0.5 GB per row.
    plain = partial(textbook.wavetable, **sizes) if batch <= 4 else None
    return Contest(
        f"Wavetable, 2048 points, batch {batch}",
        (
            controls.vibrato(rng, 220.0, batch),
            controls.levels(rng, batch),
            controls.tables(rng, batch, 2048),
        ),
        ours,
        plain,
        partial(oracle.wavetable, **sizes),
    )
