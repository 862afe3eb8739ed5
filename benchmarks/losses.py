"""Multi-scale spectral loss with magnitudes and log magnitudes, on 4 s of audio."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from benchmarks import controls, oracle, textbook
from benchmarks.contests import Contest, Options, both_ways
from ddsp import losses

N_SAMPLES = 64000


def contests(rng: np.random.Generator, options: Options) -> Iterator[Contest]:
    """Yields a contest for each batch size, with gradients of the audio."""
    loss = losses.SpectralLoss(logmag_weight=1.0)
    for batch in options.batches:
        target = controls.noise(rng, batch, N_SAMPLES)
        contest = Contest(
            f"SpectralLoss, 6 sizes, batch {batch}",
            (controls.noise(rng, batch, N_SAMPLES), target),
            lambda audio, target: loss(tf.stop_gradient(target), audio),
            lambda audio, target: textbook.spectral_loss(
                tf.stop_gradient(target), audio
            ),
            lambda audio, target: oracle.spectral_loss(target, audio),
        )
        yield from both_ways(rng, contest, N_SAMPLES)
