"""Scaling of the harmonic synthesizer with length, from 4 s to 10 minutes per call.

A single partial at 7.9 kHz has amplitude 1, where phase errors are largest: the error
is bounded by the phase error in radians.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks import controls
from benchmarks.contests import Contest, Options
from benchmarks.harmonics import harmonic

_F0_HZ = 79.0


def contests(rng: np.random.Generator, options: Options) -> Iterator[Contest]:
    """Yields the contests, forward."""
    lengths = ((4, 16000), (60, 16000), (600, 16000), (600, 48000))
    for seconds, rate in lengths[: 2 if options.quick else None]:
        n_frames = seconds * controls.FRAME_RATE
        contest = harmonic(
            rng,
            f"100 harmonics, {seconds} s at {rate} Hz",
            shares=controls.top_only(1, 100, n_frames),
            n_frames=n_frames,
            sample_rate=rate,
            # For 10 minutes, each array of the textbook takes 3.8 GB or more.
            plain=seconds < (60 if options.quick else 600),
        )
        steady = np.full([1, n_frames, 1], _F0_HZ, np.float32)
        ones = np.ones([1, n_frames, 1], np.float32)
        yield replace(contest, inputs=(steady, ones, contest.inputs[2]))
