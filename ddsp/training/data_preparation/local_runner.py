"""Runs the preparation in processes of this machine, with a progress bar."""

import concurrent.futures
import os
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tqdm import tqdm

from ddsp.recordings import audio_io, probing
from ddsp.recordings.analysis_settings import Settings
from ddsp.training.data_preparation import examples, workers, writer
from ddsp.training.data_preparation.example_plan import Plan

# A worker takes some seconds to start; it has to be worth it.
_SECONDS_PER_WORKER = 60.0
_PROBE_THREADS = 8

# Position of the recording, what becomes of it, and where to write.
Task = tuple[int, Plan, Settings, str]


def probe(paths: Sequence[str]) -> list[audio_io.Recording]:
    """Looks at every file; see `probing.probe`.

    Args:
      paths: Paths of the recordings.
    """
    pool = concurrent.futures.ThreadPoolExecutor(_PROBE_THREADS)
    try:
        looked_at = pool.map(probing.probe, paths)
        return list(
            tqdm(looked_at, "Checking", len(paths), unit=" files", disable=None)
        )
    finally:
        # Stopped, it does not go on to look at the others.
        pool.shutdown(cancel_futures=True)


def write_examples(
    plans: Sequence[Plan],
    settings: Settings,
    output: writer.Output,
    directory: str,
    num_workers: int = 0,
) -> list[dict[str, Any]]:
    """Writes the examples of all recordings to the shards of `output`.

    The shards do not depend on the number of workers.

    Args:
      plans: What becomes of each recording.
      settings: Of the preparation.
      output: Names the shards.
      directory: To write them in.
      num_workers: Processes; 0 chooses by the processors and the work there is.

    Returns:
      The outcome of each recording, in the order of the plans.

    Raises:
      OSError: If a file cannot be read or written.
      UserError: If a worker process died.
    """
    # The longest first: else it may keep one process busy after the others.
    order = sorted(range(len(plans)), key=lambda i: -plans[i].recording.n_samples)
    tasks = [(i, plans[i], settings, directory) for i in order]
    seconds = [plan.recording.seconds for plan in plans if plan.windows]
    num_workers = num_workers or workers.choose(
        len(seconds), sum(seconds) / _SECONDS_PER_WORKER
    )
    with tqdm(
        desc="Preparing",
        total=round(sum(seconds), 1),
        unit=" s of audio",
        unit_scale=True,
        disable=None,
    ) as bar:
        outcomes = workers.run(_prepare, tasks, num_workers, bar.update)
    for split in output.splits:
        parts = [_part_path(directory, i, split) for i in range(len(plans))]
        existing = [part for part in parts if tf.io.gfile.exists(part)]
        writer.deal_out(existing, output.shard_paths(split, directory))
    by_position = dict(zip(order, outcomes, strict=True))
    return [by_position[i] for i in range(len(plans))]


def _part_path(directory: str, index: int, split: str) -> str:
    return os.path.join(directory, f"part-{index:06d}-{split}")


def _prepare(task: Task, report: workers.Report) -> dict[str, Any]:
    """Writes the examples of one recording to a file for each split."""
    index, plan, settings, directory = task

    def path_of(split: str) -> str:
        return _part_path(directory, index, split)

    return examples.write_examples(plan, settings, path_of, report)
