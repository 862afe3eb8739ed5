"""The whole way from audio files to TFRecord shards with a manifest."""

import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ddsp import files, pitch
from ddsp.recordings import audio_files
from ddsp.recordings.analysis_settings import Settings
from ddsp.training import postprocessing
from ddsp.training.data import Manifest, TFRecordProvider
from ddsp.training.data_preparation import (
    beam_runner,
    example_plan,
    examples,
    local_runner,
    writer,
)

_ROWS_SHOWN = 40
_NUM_SHARDS = 10


def prepare_tfrecord(
    input_audio_paths: Iterable[str],
    output_tfrecord_path: str,
    num_shards: int | None = None,
    sample_rate: int = 16000,
    frame_rate: int | None = 250,
    example_secs: float | None = 4,
    hop_secs: float = 1,
    eval_split_fraction: float = 0.0,
    chunk_secs: float | None = 20.0,
    center: bool = False,
    viterbi: bool = True,
    pipeline_options: Sequence[str] | str = (),
    crepe_model: str = "tiny",
    num_workers: int = 0,
) -> Manifest:
    """Prepares recordings for training: examples of audio, pitch and loudness.

    Each example holds the float features `audio`, `f0_hz`, `f0_confidence` and
    `loudness_db`, and `audio_16k`, the audio at 16 kHz. The shards are named
    `<output_tfrecord_path>-00000-of-00010`, or with an evaluation split
    `...-train-00000-of-00010` and `...-eval-00000-of-00010`. The manifest stands
    beside them as `manifest-<name>.json`. All of it appears at the end, or nothing.

    Args:
      input_audio_paths: Files, glob patterns or folders.
      output_tfrecord_path: Start of the names of the shards.
      num_shards: Files, per split; 10 if None.
      sample_rate: Of the audio in the examples, samples per second.
      frame_rate: Of the features, frames per second. None or 0: audio alone.
      example_secs: Length of an example, seconds. None or 0: pieces of `chunk_secs`
        that do not overlap.
      hop_secs: From the start of an example to the next, seconds.
      eval_split_fraction: Share of the audio kept for evaluation: whole recordings
        if that comes near it, else the end of each. No example of one split shares
        audio with one of the other.
      chunk_secs: Audio analyzed at a time, seconds; memory depends on it, results
        do not. None or 0: the default. Without `example_secs`, the length of an
        example; then None or 0 makes each recording one example.
      center: Whether frames are centered on their times, which makes one more.
      viterbi: Whether pitch follows the most likely path.
      pipeline_options: Of Apache Beam, to run there; empty to run in local
        processes.
      crepe_model: Size of the pitch tracker, 'tiny' or 'full'.
      num_workers: Local processes; 0 chooses. With more than one, a script must
        call this under `if __name__ == "__main__":`, since they import it.

    Returns:
      The manifest, which tells what became of each file.

    Raises:
      FileNotFoundError: If no file matches, or the tracker's weights are missing.
      FileExistsError: If foreign shards stand at the output.
      OSError: If something cannot be read or written.
      ValueError: If a setting is out of range or no file can be used.
      UserError: If Apache Beam is wanted and missing, or a worker died.
    """
    settings = Settings(
        sample_rate=sample_rate,
        frame_rate=frame_rate or None,
        example_secs=example_secs or chunk_secs or None,
        hop_secs=hop_secs if example_secs else chunk_secs or hop_secs,
        eval_split_fraction=eval_split_fraction,
        chunk_secs=chunk_secs or Settings.chunk_secs,
        center=center,
        viterbi=viterbi,
        crepe_model=crepe_model,
    )
    output = writer.Output(
        files.expand_path(output_tfrecord_path),
        _NUM_SHARDS if num_shards is None else num_shards,
        example_plan.split_names(settings),
    )
    found = audio_files.find_audio(input_audio_paths)
    if settings.frame_rate:
        pitch.find_weights(crepe_model)
    if isinstance(pipeline_options, str):
        pipeline_options = pipeline_options.split()
    with writer.staging(output) as directory:
        if pipeline_options:
            recordings = beam_runner.probe(found.audio, directory, pipeline_options)
            plans = example_plan.plan_recordings(recordings, settings)
            outcomes = beam_runner.write_examples(
                plans, settings, output, directory, pipeline_options
            )
        else:
            recordings = local_runner.probe(found.audio)
            plans = example_plan.plan_recordings(recordings, settings)
            outcomes = local_runner.write_examples(
                plans, settings, output, directory, num_workers
            )
        _check_examples(outcomes, output)
        outcomes = [*outcomes, *_left_out(found)]
        manifest = _manifest(plans, outcomes, settings, output, directory)
        return writer.publish(output, directory, manifest)


def _check_examples(outcomes: Sequence[dict[str, Any]], output: writer.Output) -> None:
    """Refuses a split without examples, for its recordings failed in the analysis."""
    for name in output.splits:
        if not any(outcome["examples"].get(name) for outcome in outcomes):
            failed = "; ".join(
                f"{files.printable(outcome['path'])} {outcome['reason']}"
                for outcome in outcomes
                if outcome["status"] != examples.USED
            )
            raise ValueError(
                f"No examples are left for the split {name!r}, and nothing was "
                f"written: {failed}."
            )


def _left_out(found: audio_files.Found) -> list[dict[str, Any]]:
    """The manifest's entries of what stands in the folders beside the recordings."""
    return [
        examples.left_out(path, examples.SKIPPED, reason)
        for path, reason in found.unlisted.items()
    ] + [
        examples.left_out(path, examples.NOT_AUDIO, "is no audio file, by its name")
        for path in found.others
    ]


def _manifest(
    plans: Sequence[example_plan.Plan],
    outcomes: Sequence[dict[str, Any]],
    settings: Settings,
    output: writer.Output,
    directory: str,
) -> Manifest:
    counts: Counter[str] = Counter()
    for outcome in outcomes:
        counts.update(outcome["examples"])
    features = _feature_lengths(plans, settings)
    return Manifest(
        sample_rate=settings.sample_rate,
        frame_rate=settings.frame_rate,
        example_secs=settings.example_secs,
        hop_secs=settings.hop_secs,
        center=settings.center,
        features=features,
        pitch_tracker={
            "name": "crepe",
            "model": settings.crepe_model,
            "viterbi": settings.viterbi,
        }
        if settings.frame_rate
        else {},
        splits={
            name: {"examples": counts[name], "shards": output.num_shards}
            for name in output.splits
        },
        statistics=_statistics(
            settings,
            features["audio"],
            output.shard_paths(output.splits[0], directory),
        ),
        recordings=list(outcomes),
    )


def _feature_lengths(
    plans: Sequence[example_plan.Plan], settings: Settings
) -> dict[str, int | None]:
    """Lengths by name; None where they differ from recording to recording."""
    if settings.example_frames is not None:
        return dict(settings.feature_lengths(settings.example_frames))
    first, *others = [plan.n_frames for plan in plans if plan.windows]
    lengths = settings.feature_lengths(first)
    if any(n_frames != first for n_frames in others):
        return dict.fromkeys(lengths)
    return dict(lengths)


def _statistics(
    settings: Settings, example_samples: int | None, shards: Sequence[str]
) -> dict[str, Any]:
    """Of the examples to train on, read back as training will read them."""
    if settings.frame_rate is None or example_samples is None:
        return {}
    provider = TFRecordProvider(
        shards,
        example_secs=example_samples / settings.sample_rate,
        sample_rate=settings.sample_rate,
        frame_rate=settings.frame_rate,
        centered=settings.center,
    )
    return postprocessing.statistics_to_dict(
        # 50 frames of power a second, or the next lower rate that divides.
        postprocessing.compute_dataset_statistics(
            provider, power_frame_rate=math.gcd(50, settings.sample_rate)
        )
    )


def summary(manifest: Manifest) -> str:
    """Says what became of each recording, as a table.

    Args:
      manifest: Of the prepared data.

    Returns:
      Lines of text: every recording if there are at most 40, else only those with
      something to say about them, then the sums.
    """
    splits = list(manifest.splits)
    recordings = [r for r in manifest.recordings if r["status"] != examples.NOT_AUDIO]
    names = _names([recording["path"] for recording in recordings])
    rows = [
        _row(name, recording, splits)
        for name, recording in zip(names, recordings, strict=True)
    ]
    if len(rows) > _ROWS_SHOWN:
        rows = [row for row in rows if row[-1]]
    table = [("recording", "seconds", *splits, "note"), *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(splits) + 2)]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(w) for cell, w in zip(row[1:-1], widths[1:], strict=True)]
            + [row[-1]]
        ).rstrip()
        for row in table
    ]
    others = Counter(
        os.path.splitext(recording["path"])[1].lower() or "without extension"
        for recording in manifest.recordings
        if recording["status"] == examples.NOT_AUDIO
    )
    if others:
        counts = ", ".join(
            f"{n} {files.printable(suffix)}" for suffix, n in sorted(others.items())
        )
        lines.append(f"Left out, not audio by their names: {counts}.")
    used = [r for r in recordings if r["status"] == examples.USED]
    examples_made = ", ".join(
        f"{counts['examples']} examples"
        + ("" if name == example_plan.ALL else f" for {name}")
        for name, counts in manifest.splits.items()
    )
    minutes = sum(recording["seconds"] for recording in used) / 60
    lines.append(
        f"{len(used)} of {len(recordings)} recordings used, "
        f"{minutes:.1f} minutes: {examples_made}"
        + (f" of {manifest.example_secs:g} s." if manifest.example_secs else ".")
    )
    return "\n".join(lines)


def _names(paths: Sequence[str]) -> list[str]:
    """Paths from the innermost folder that holds all of them, fit to be printed."""
    if not any(map(files.is_remote, paths)):
        root = os.path.commonpath([os.path.dirname(path) for path in paths])
        paths = [os.path.relpath(path, root) for path in paths]
    return [files.printable(path) for path in paths]


def _row(
    name: str, recording: dict[str, Any], splits: Sequence[str]
) -> tuple[str, ...]:
    notes = recording["warnings"]
    if recording["status"] == examples.SKIPPED:
        notes = [f"SKIPPED: {recording['reason']}"]
    return (
        name,
        f"{recording['seconds']:.2f}",
        *(str(recording["examples"].get(split_name, 0)) for split_name in splits),
        "; ".join(notes),
    )
