"""Contests of the harmonic synthesizer, shared by several subjects."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import controls, oracle, textbook
from benchmarks.contests import Contest
from benchmarks.controls import N_FRAMES, SAMPLE_RATE
from ddsp import synths


def harmonic(
    rng: np.random.Generator,
    name: str,
    batch: int = 1,
    f0_hz: float = 70.0,
    shares: np.ndarray | None = None,
    n_harmonics: int = 100,
    n_frames: int = N_FRAMES,
    sample_rate: int = SAMPLE_RATE,
    plain: bool = True,
) -> Contest:
    """Returns a contest at 250 frames per second; `plain` adds the textbook."""
    if shares is None:
        shares = controls.shares(rng, batch, n_harmonics, n_frames)
    n_samples = n_frames * sample_rate // controls.FRAME_RATE
    sizes: dict[str, Any] = {"n_samples": n_samples, "sample_rate": sample_rate}
    synth = synths.Harmonic(n_samples, sample_rate)

    def ours(
        f0_hz: tf.Tensor, amplitudes: tf.Tensor, distribution: tf.Tensor
    ) -> tf.Tensor:
        return synth.get_signal(amplitudes, distribution, f0_hz)

    return Contest(
        name,
        (
            controls.vibrato(rng, f0_hz, batch, n_frames),
            controls.levels(rng, batch, n_frames),
            shares,
        ),
        ours,
        partial(textbook.harmonic, **sizes) if plain else None,
        partial(oracle.harmonic, **sizes),
    )


def special_harmonics(rng: np.random.Generator) -> Iterator[Contest]:
    """Yields contests with most harmonics above Nyquist, and with only the highest."""
    yield harmonic(rng, "Harmonic, 100 harmonics, f0 440 Hz: forward", f0_hz=440.0)
    top = controls.top_only(1, 100)
    yield harmonic(rng, "Harmonic, the 100th alone: forward", shares=top)
