"""Synthesis of 4 s of audio from f0 and loudness with a model, batch 1."""

from collections.abc import Iterator

from benchmarks import models
from benchmarks.contests import Contest, Options


def contests(rng, options: Options) -> Iterator[Contest]:
    """Yields a contest for each instrument."""
    batch = models.batch(rng, 1)
    del batch["audio"]
    for name in ("tiny_instrument", "solo_instrument"):
        model = models.model(name)
        model.build_variables()

        def ours(features, model=model):
            return model(features, training=False)["audio_synth"]

        yield Contest(f"{name}, 4 s, batch 1", (batch,), ours)
        if options.quick:
            return
