"""One recording into examples: the function that every runner applies."""

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import file_errors
from ddsp._core import checks
from ddsp.recordings import audio_io, quality
from ddsp.recordings.analysis_settings import (
    CREPE_SAMPLE_RATE,
    FRAME_FEATURES,
    Settings,
)
from ddsp.recordings.features import feature_blocks
from ddsp.recordings.pitch_range import PeriodFinder
from ddsp.recordings.rolling import RollingReader
from ddsp.training.data_preparation import writer
from ddsp.training.data_preparation.example_plan import Plan

USED, SKIPPED, NOT_AUDIO = "used", "skipped", "not audio"


@dataclasses.dataclass(frozen=True)
class Example:
    """A serialized `tf.train.Example`, its split, and how far the recording is.

    Attributes:
      split: Name of the split.
      record: Serialized.
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
      in the manifest, a dictionary. If it fails midway, the outcome is that it was
      skipped, and the examples before are not to be used.
    """
    if plan.skipped:
        yield _outcome(plan, [])
        return
    try:
        yield from _make_examples(plan, settings)
    except (OSError, ValueError, tf.errors.OpError) as error:
        reason = f"cannot be analyzed: {file_errors.reason(error).rstrip('.')}"
        yield _outcome(dataclasses.replace(plan, windows=(), skipped=reason), [])


def write_examples(
    plan: Plan,
    settings: Settings,
    path_of: Callable[[str], str],
    report: Callable[[float], Any] = lambda seconds: None,
) -> dict[str, Any]:
    """Writes the examples of a recording, all of them or none.

    Args:
      plan: What becomes of the recording.
      settings: Of the preparation.
      path_of: Path of the TFRecord file to write for a split.
      report: Takes how many more seconds of the recording are done.

    Returns:
      The recording's entry in the manifest.

    Raises:
      OSError: If a file cannot be written.
    """
    done = 0.0
    writers: dict[str, tf.io.TFRecordWriter] = {}
    with contextlib.ExitStack() as stack:
        for item in make_examples(plan, settings):
            if not isinstance(item, Example):
                outcome = item
                continue
            if item.split not in writers:
                path = path_of(item.split)
                writers[item.split] = stack.enter_context(writer.record_writer(path))
            writers[item.split].write(item.record)
            seconds = min(item.seconds, plan.recording.seconds)
            report(seconds - done)
            done = seconds
    if plan.windows:
        report(plan.recording.seconds - done)
    if outcome["status"] != USED:
        for split in writers:
            tf.io.gfile.remove(path_of(split))
    return outcome


def left_out(path: str, status: str, reason: str) -> dict[str, Any]:
    """The manifest's entry of something that is no recording.

    Args:
      path: Path of the file.
      status: `'skipped'` or `'not audio'`.
      reason: Why the file is not used.
    """
    return _outcome(Plan(audio_io.Recording(path), 0, skipped=reason), [], status)


def _make_examples(
    plan: Plan, settings: Settings
) -> Iterator[Example | dict[str, Any]]:
    rates = settings.audio_rates
    audio = {rate: _open(plan, rate) for rate in set(rates.values())}
    example_frames = settings.example_frames or plan.n_frames
    blocks: list[np.ndarray] = []
    periods = PeriodFinder()
    frames = RollingReader(
        _features(plan, settings, periods, blocks), (len(FRAME_FEATURES),)
    )
    for window in plan.windows:
        stop = window.start + example_frames
        values = {}
        for name, rate in rates.items():
            hop_size = checks.hop_size(rate, settings.grid_rate)
            values[name] = audio[rate].read(window.start * hop_size, stop * hop_size)
        if settings.frame_features:
            columns = frames.read(window.start, stop + settings.center).T
            values |= dict(zip(settings.frame_features, columns, strict=True))
        _check_finite(values, window.start / settings.grid_rate)
        yield Example(window.split, serialize(values), stop / settings.grid_rate)
    # Of what was recorded, not of the silence that fills up a short example.
    warnings = []
    if settings.frame_rate:
        features = np.concatenate(blocks)[: plan.n_frames]
        warnings = quality.warnings_for(
            features, periods.at_frames(len(features), settings.frame_rate)
        )
    if plan.n_frames < example_frames:
        warnings.insert(0, "is shorter than one example, filled up with silence")
    yield _outcome(plan, warnings)


def _check_finite(values: dict[str, np.ndarray], seconds: float) -> None:
    for name, array in values.items():
        if not np.isfinite(array).all():
            raise ValueError(
                f"`{name}` is NaN or infinite in the example at {seconds:.1f} s"
            )


def _features(
    plan: Plan, settings: Settings, periods: PeriodFinder, blocks: list[np.ndarray]
) -> Iterator[np.ndarray]:
    """Yields the frame features of a recording, and keeps them in `blocks`."""
    n_frames = max(plan.n_frames, settings.example_frames or 0) + settings.center
    for block in feature_blocks(
        _open(plan, CREPE_SAMPLE_RATE),
        RollingReader(
            periods.watch(audio_io.stream(plan.recording, CREPE_SAMPLE_RATE))
        ),
        n_frames,
        settings,
    ):
        blocks.append(block)
        yield block


def _open(plan: Plan, sample_rate: int) -> RollingReader:
    return RollingReader(audio_io.stream(plan.recording, sample_rate))


def serialize(values: dict[str, np.ndarray]) -> bytes:
    """Serializes float features, [length] each, as a `tf.train.Example`.

    Args:
      values: {name: [length]}, float32.
    """
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                name: tf.train.Feature(float_list=tf.train.FloatList(value=array))
                for name, array in values.items()
            }
        )
    ).SerializeToString(deterministic=True)


def _outcome(
    plan: Plan, warnings: list[str], status: str | None = None
) -> dict[str, Any]:
    return {
        "path": plan.recording.path,
        "status": status or (SKIPPED if plan.skipped else USED),
        "reason": plan.skipped,
        "seconds": round(plan.recording.seconds, 3),
        "sample_rate": plan.recording.sample_rate,
        "channels": plan.recording.channels,
        "examples": dict(Counter(window.split for window in plan.windows)),
        "warnings": [*plan.recording.warnings, *warnings],
    }
