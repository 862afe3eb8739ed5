"""Pitch tracking at 250 frames per second: time per second of audio."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from benchmarks.contests import Contest, Options
from ddsp import pitch

_FRAME_RATE = 250


def contests(rng: np.random.Generator, options: Options) -> Iterator[Contest]:
    """Yields a contest for each model size with installed weights."""
    seconds = 1 if options.quick else 4
    time = np.arange(seconds * pitch.SAMPLE_RATE) / pitch.SAMPLE_RATE
    cycles = 220.0 * time + 2.0 * np.sin(2.0 * np.pi * 5.0 * time)
    audio = np.sin(2.0 * np.pi * cycles) + 0.01 * rng.normal(size=len(time))
    for size in ("tiny", "full"):
        try:
            pitch.load(size)
        except FileNotFoundError:
            continue

        def ours(audio: tf.Tensor, size: str = size) -> tuple[np.ndarray, ...]:
            return pitch.estimate_f0(audio, _FRAME_RATE, model=size)

        yield Contest(
            f"CREPE {size}, for 1 s of audio",
            (audio.astype(np.float32),),
            ours,
            compiled=True,
            seconds=float(seconds),
        )
        if options.quick:
            return
