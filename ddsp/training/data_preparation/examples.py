"""One recording into examples: the function that every runner applies."""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp._core import checks
from ddsp.training.data_preparation import audio_io, quality
from ddsp.training.data_preparation.features import feature_blocks
from ddsp.training.data_preparation.rolling import RollingReader
from ddsp.training.data_preparation.settings import (
    CREPE_SAMPLE_RATE,
    FRAME_FEATURES,
    Settings,
)
from ddsp.training.data_preparation.split import Plan


@dataclasses.dataclass(frozen=True)
class Example:
    """A serialised `tf.train.Example`, its split, and how far the recording is.

    Attributes:
      split: Name of the split.
      record: Serialised.
      seconds: Of the recording that are done with it.
    """

    split: str
    record: bytes
    seconds: float


def make_examples(plan: Plan, settings: Settings) -> Iterator[Example | dict[str, Any]]:
    """Cuts a recording into examples with features, in bounded memory.

    Args:
      plan: What becomes of the recording.
      settings: Of the preparation.

    Yields:
      The examples in order of time, then, last, the outcome: the recording's entry
      in the manifest, a dictionary.

    Raises:
      OSError: If the file can no longer be read.
    """
    if plan.skipped:
        yield _outcome(plan, [])
        return
    audio = {name: _open(plan, rate) for name, rate in settings.audio_rates.items()}
    features = []
    n_frames = max(plan.n_frames, settings.example_frames) + settings.center

    def remembered() -> Iterator[np.ndarray]:
        for block in feature_blocks(
            _open(plan, CREPE_SAMPLE_RATE),
            _open(plan, CREPE_SAMPLE_RATE),
            n_frames,
            settings,
        ):
            features.append(block)
            yield block

    frames = RollingReader(remembered(), (len(FRAME_FEATURES),))
    for window in plan.windows:
        stop = window.start + settings.example_frames
        values = {}
        for name, reader in audio.items():
            hop_size = checks.hop_size(settings.audio_rates[name], settings.frame_rate)
            values[name] = reader.read(window.start * hop_size, stop * hop_size)
        columns = frames.read(window.start, window.start + settings.feature_frames).T
        values |= dict(zip(FRAME_FEATURES, columns, strict=True))
        yield Example(window.split, serialize(values), stop / settings.frame_rate)
    # Of what was recorded, not of the silence that fills up a short example.
    warnings = quality.warnings_for(np.concatenate(features)[: plan.n_frames])
    if plan.n_frames < settings.example_frames:
        warnings.insert(0, "is shorter than one example, filled up with silence")
    yield _outcome(plan, warnings)


def _open(plan: Plan, sample_rate: int) -> RollingReader:
    return RollingReader(audio_io.stream(plan.recording.path, sample_rate))


def serialize(values: dict[str, np.ndarray]) -> bytes:
    """Serialises float features, [length] each, as a `tf.train.Example`."""
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                name: tf.train.Feature(float_list=tf.train.FloatList(value=array))
                for name, array in values.items()
            }
        )
    ).SerializeToString(deterministic=True)


def _outcome(plan: Plan, warnings: list[str]) -> dict[str, Any]:
    return {
        "path": plan.recording.path,
        "status": "skipped" if plan.skipped else "used",
        "reason": plan.skipped,
        "seconds": round(plan.recording.seconds, 3),
        "sample_rate": plan.recording.sample_rate,
        "channels": plan.recording.channels,
        "examples": dict(Counter(window.split for window in plan.windows)),
        "warnings": [*plan.recording.warnings, *warnings],
    }
