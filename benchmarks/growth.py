"""Scaling of the harmonic synthesizer with harmonics, sample rate and batch size."""

from collections.abc import Iterator

import numpy as np

from benchmarks import controls
from benchmarks.contests import Contest, Options, both_ways
from benchmarks.controls import N_SAMPLES
from benchmarks.harmonics import harmonic


def contests(rng: np.random.Generator, options: Options) -> Iterator[Contest]:
    """Yields contests of 4 s, with all harmonics below 7.2 kHz."""
    for n in (200,) if options.quick else (20, 60, 100, 200, 400):
        f0_hz = 7000.0 / n
        contest = harmonic(rng, f"{n} harmonics", 1, f0_hz, n_harmonics=n)
        yield from both_ways(rng, contest, N_SAMPLES)
        top = controls.top_only(1, n)
        yield harmonic(rng, f"{n} harmonics, the top alone: forward", 1, f0_hz, top)
    if options.quick:
        return
    for rate in (16000, 48000, 96000):
        contest = harmonic(rng, f"100 harmonics, {rate} Hz", sample_rate=rate)
        yield from both_ways(rng, contest, 4 * rate)
    # The textbook would exceed the memory with arrays of harmonics x samples.
    contest = harmonic(rng, "100 harmonics, batch 64", 64, plain=False)
    yield from both_ways(rng, contest, N_SAMPLES)
