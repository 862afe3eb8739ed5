"""Which windows of which recordings become examples, and in which split.

Windows of the training and the evaluation split never share a sample. Whole
recordings are set aside for evaluation if that comes close to the requested fraction;
otherwise the last part of each recording is.
"""

import dataclasses
import os
import random
from collections.abc import Sequence

from ddsp import files
from ddsp.recordings.analysis_settings import Settings
from ddsp.recordings.audio_io import Recording
from ddsp.training.data.manifest import ALL as ALL
from ddsp.training.data.manifest import SPLITS

TRAIN, EVAL = SPLITS
# How far from the wanted share whole recordings may be, as a part of it.
_TOLERANCE = 0.5
# A serialized example cannot pass 2 GiB.
_MAX_VALUES = 2**28


@dataclasses.dataclass(frozen=True)
class Window:
    """One example: the frame at which it starts, and its split."""

    start: int
    split: str


@dataclasses.dataclass(frozen=True)
class Plan:
    """What becomes of one recording.

    Attributes:
      recording: The file.
      n_frames: Whole frames in it.
      windows: Its examples, by start; empty if it is skipped.
      skipped: Why it gives none, or None.
    """

    recording: Recording
    n_frames: int
    windows: tuple[Window, ...] = ()
    skipped: str | None = None


def split_names(settings: Settings) -> tuple[str, ...]:
    """The splits that the settings ask for.

    Args:
      settings: Settings of the preparation.
    """
    return (TRAIN, EVAL) if settings.eval_split_fraction else (ALL,)


def plan_recordings(recordings: Sequence[Recording], settings: Settings) -> list[Plan]:
    """Plans the examples of all recordings.

    Args:
      recordings: As `probing.probe` found them.
      settings: Of the preparation.

    Returns:
      One plan for each recording, in order.

    Raises:
      ValueError: If no recording can be used, or if the usable ones are too short
        to be divided into training and evaluation.
    """
    plans = _without_copies([_plan(r, settings) for r in recordings])
    usable = [plan for plan in plans if not plan.skipped]
    if not usable:
        raise ValueError(_none_usable(plans, settings))
    if settings.eval_split_fraction:
        regions = _regions(usable, settings)
        windows = {
            plan.recording.path: _windows_of(regions[plan.recording.path], settings)
            for plan in usable
        }
    else:
        windows = {
            plan.recording.path: _windows_of({ALL: (0, plan.n_frames)}, settings)
            for plan in usable
        }
    return [
        plan
        if plan.skipped
        else dataclasses.replace(plan, windows=windows[plan.recording.path])
        for plan in plans
    ]


def window_starts(n_frames: int, window: int, hop: int) -> list[int]:
    """Frames at which examples start.

    A stretch shorter than one example gives one, filled up with silence, if it is
    at least half of it. A tail that the regular windows leave over is covered by
    one more window, ending with the stretch, if it is at least half a hop long.

    Args:
      n_frames: Frames of the recording.
      window: Frames of an example.
      hop: Frames between the starts of two examples.
    """
    if n_frames < window:
        return [0] if 2 * n_frames >= window else []
    starts = list(range(0, n_frames - window + 1, hop))
    tail = n_frames - (starts[-1] + window)
    if 2 * tail >= hop:
        starts.append(n_frames - window)
    return starts


def _plan(recording: Recording, settings: Settings) -> Plan:
    if recording.problem:
        return Plan(recording, 0, skipped=recording.problem)
    n_frames = recording.n_samples * settings.grid_rate // recording.sample_rate
    return Plan(
        recording, n_frames, skipped=_unfit_length(recording, n_frames, settings)
    )


def _without_copies(plans: Sequence[Plan]) -> list[Plan]:
    """Skips recordings that come again: they could be in both splits."""
    first: dict[str, str] = {}
    result = []
    for plan in plans:
        digest, path = plan.recording.digest, plan.recording.path
        if digest and not plan.skipped and first.setdefault(digest, path) != path:
            copied = first[digest]
            if not files.is_remote(copied):
                copied = os.path.relpath(copied, os.path.dirname(path))
            reason = f"is the same recording as {files.printable(copied)}"
            plan = dataclasses.replace(plan, skipped=reason)
        result.append(plan)
    return result


def _unfit_length(
    recording: Recording, n_frames: int, settings: Settings
) -> str | None:
    """Why a recording gives no example, or None."""
    if settings.example_secs is None:
        if not n_frames:
            return "is shorter than a frame"
        if sum(settings.feature_lengths(n_frames).values()) > _MAX_VALUES:
            return f"is too long for one example ({recording.seconds:.0f} s)"
    elif not _starts(n_frames, settings):
        return (
            f"is shorter than half an example ({recording.seconds:.2f} s; "
            f"examples last {settings.example_secs:g} s)"
        )
    return None


def _starts(n_frames: int, settings: Settings) -> list[int]:
    if settings.example_frames is None:
        return [0]
    return window_starts(n_frames, settings.example_frames, settings.hop_frames)


def _none_usable(plans: Sequence[Plan], settings: Settings) -> str:
    shown = [
        f"{files.printable(plan.recording.path)} {plan.skipped}" for plan in plans[:5]
    ]
    more = f"; and {len(plans) - 5} more" if len(plans) > 5 else ""
    sound = [plan.recording.seconds for plan in plans if not plan.recording.problem]
    advice = ""
    if sound and settings.example_secs is not None:
        advice = (
            " For short recordings give a shorter --example_secs (example_secs), got "
            f"{settings.example_secs:g} s and a longest recording of "
            f"{max(sound):.2f} s."
        )
    return (
        "None of the audio files can be used, and nothing was written: "
        f"{'; '.join(shown)}{more}.{advice}"
    )


def _windows_of(
    regions: dict[str, tuple[int, int]], settings: Settings
) -> tuple[Window, ...]:
    windows = [
        Window(first + start, split)
        for split, (first, last) in regions.items()
        for start in _starts(last - first, settings)
    ]
    return tuple(sorted(windows, key=lambda window: window.start))


def _regions(
    plans: Sequence[Plan], settings: Settings
) -> dict[str, dict[str, tuple[int, int]]]:
    """Stretches [first frame, last frame) of each split, by path."""
    chosen = _whole_recordings(plans, settings.eval_split_fraction)
    if chosen:
        return {
            plan.recording.path: {
                EVAL if plan.recording.path in chosen else TRAIN: (0, plan.n_frames)
            }
            for plan in plans
        }
    return _time_regions(plans, settings)


def _whole_recordings(plans: Sequence[Plan], fraction: float) -> set[str]:
    """Recordings whose length together is near the wanted share; empty if none."""
    lengths = {plan.recording.path: plan.n_frames for plan in plans}
    wanted = fraction * sum(lengths.values())
    order = sorted(lengths)
    random.Random(0).shuffle(order)
    chosen: set[str] = set()
    total = 0
    for path in order:
        if abs(total + lengths[path] - wanted) < abs(total - wanted):
            chosen.add(path)
            total += lengths[path]
    near = abs(total - wanted) <= _TOLERANCE * wanted
    return chosen if near and len(chosen) < len(lengths) else set()


def _time_regions(
    plans: Sequence[Plan], settings: Settings
) -> dict[str, dict[str, tuple[int, int]]]:
    """The end of each recording that is long enough, else of the longest."""
    example = settings.example_frames
    if example is None:
        raise ValueError(
            "Recordings that are not cut are divided between training and evaluation "
            "as they are, and no choice of them comes near `eval_split_fraction`, got "
            f"{settings.eval_split_fraction} and {len(plans)} recordings."
        )
    cuts = {}
    for plan in plans:
        length = round(settings.eval_split_fraction * plan.n_frames)
        if length >= example and plan.n_frames - length >= example:
            cuts[plan.recording.path] = plan.n_frames - length
    if not cuts:
        longest = max(plans, key=lambda plan: plan.n_frames)
        if longest.n_frames < 2 * example:
            raise ValueError(
                "Too little audio to set some aside for evaluation: no recording "
                f"holds two examples of {settings.example_secs:g} s; give a shorter "
                "--example_secs (example_secs), got a longest one of "
                f"{longest.recording.seconds:.2f} s."
            )
        cuts[longest.recording.path] = longest.n_frames - example
    return {
        plan.recording.path: _cut(plan.n_frames, cuts.get(plan.recording.path))
        for plan in plans
    }


def _cut(n_frames: int, cut: int | None) -> dict[str, tuple[int, int]]:
    if cut is None:
        return {TRAIN: (0, n_frames)}
    return {TRAIN: (0, cut), EVAL: (cut, n_frames)}
