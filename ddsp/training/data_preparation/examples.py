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
    rates = settings.audio_rates
    audio = {rate: _open(plan, rate) for rate in set(rates.values())}
    example_frames = settings.example_frames or plan.n_frames
    blocks: list[np.ndarray] = []
    frames = RollingReader(_features(plan, settings, blocks), (len(FRAME_FEATURES),))
    for window in plan.windows:
        stop = window.start + example_frames
        values = {}
        for name, rate in rates.items():
            hop_size = checks.hop_size(rate, settings.grid_rate)
            values[name] = audio[rate].read(window.start * hop_size, stop * hop_size)
        if settings.frame_features:
            columns = frames.read(window.start, stop + settings.center).T
            values |= dict(zip(settings.frame_features, columns, strict=True))
        yield Example(window.split, serialize(values), stop / settings.grid_rate)
    # Of what was recorded, not of the silence that fills up a short example.
    warnings = (
        quality.warnings_for(np.concatenate(blocks)[: plan.n_frames]) if blocks else []
    )
    if plan.n_frames < example_frames:
        warnings.insert(0, "is shorter than one example, filled up with silence")
    yield _outcome(plan, warnings)


def _features(
    plan: Plan, settings: Settings, blocks: list[np.ndarray]
) -> Iterator[np.ndarray]:
    """Yields the frame features of a recording, and keeps them in `blocks`."""
    n_frames = max(plan.n_frames, settings.example_frames or 0) + settings.center
    for block in feature_blocks(
        _open(plan, CREPE_SAMPLE_RATE),
        _open(plan, CREPE_SAMPLE_RATE),
        n_frames,
        settings,
    ):
        blocks.append(block)
        yield block


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
