"""Synthesis of 4 s of audio from f0 and loudness with a model, batch 1."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from benchmarks import models
from benchmarks.contests import Contest, Options
from ddsp.training.models import Model
from ddsp.types import Features


def contests(rng: np.random.Generator, options: Options) -> Iterator[Contest]:
    """Yields a contest for each instrument."""
    batch = models.batch(rng, 1)
    del batch["audio"]
    for name in ("tiny_instrument", "solo_instrument"):
        model = models.model(name)
        model.build_variables()

        def ours(features: Features, model: Model = model) -> tf.Tensor:
            return model(features, training=False)["audio_synth"]

        yield Contest(f"{name}, 4 s, batch 1", (batch,), ours)
        if options.quick:
            return
