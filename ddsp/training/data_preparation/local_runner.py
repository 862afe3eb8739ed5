"""Runs the preparation in processes of this machine, with a progress bar."""

import concurrent.futures
import contextlib
import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import tensorflow as tf
from tqdm import tqdm

from ddsp.training.cli import UserError
from ddsp.training.data_preparation import audio_io, writer
from ddsp.training.data_preparation.examples import Example, make_examples
from ddsp.training.data_preparation.settings import Settings
from ddsp.training.data_preparation.split import Plan

# A worker takes some seconds to start; it has to be worth it.
_SECONDS_PER_WORKER = 60.0
# Each holds a copy of TensorFlow and of the pitch tracker, about 1 GB.
_MAX_WORKERS = 16
_PROBE_THREADS = 8
_POLL_SECS = 0.2

# Position of the recording, what becomes of it, and where to write.
Task = tuple[int, Plan, Settings, str]
Report = Callable[[float], None]


def probe(paths: Sequence[str]) -> list[audio_io.Recording]:
    """Looks at every file; see `audio_io.probe`."""
    with concurrent.futures.ThreadPoolExecutor(_PROBE_THREADS) as pool:
        looked_at = pool.map(audio_io.probe, paths)
        return list(
            tqdm(looked_at, "Checking", len(paths), unit=" files", disable=None)
        )


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
    tasks = [(i, plan, settings, directory) for i, plan in enumerate(plans)]
    num_workers = num_workers or _automatic_workers(plans)
    run = _run_here if num_workers == 1 else _run_workers
    total = sum(plan.recording.seconds for plan in plans if plan.windows)
    with tqdm(
        desc="Preparing",
        total=round(total, 1),
        unit=" s of audio",
        unit_scale=True,
        disable=None,
    ) as bar:
        outcomes = run(tasks, num_workers, bar.update)
    for split in output.splits:
        parts = [_part_path(directory, i, split) for i in range(len(plans))]
        existing = [part for part in parts if tf.io.gfile.exists(part)]
        writer.deal_out(existing, output.shard_paths(split, directory))
    return outcomes


def _automatic_workers(plans: Sequence[Plan]) -> int:
    to_do = [plan.recording.seconds for plan in plans if plan.windows]
    return max(
        1,
        min(
            _processors(),
            len(to_do),
            math.ceil(sum(to_do) / _SECONDS_PER_WORKER),
            _MAX_WORKERS,
        ),
    )


def _processors() -> int:
    """Those this process may use, which need not be all of the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _part_path(directory: str, index: int, split: str) -> str:
    return os.path.join(directory, f"part-{index:06d}-{split}")


def _prepare(task: Task, report: Report) -> dict[str, Any]:
    """Writes the examples of one recording to a file for each split."""
    index, plan, settings, directory = task
    done = 0.0
    writers: dict[str, tf.io.TFRecordWriter] = {}
    with contextlib.ExitStack() as stack:
        for item in make_examples(plan, settings):
            if not isinstance(item, Example):
                outcome = item
                continue
            if item.split not in writers:
                path = _part_path(directory, index, item.split)
                writers[item.split] = stack.enter_context(writer.record_writer(path))
            writers[item.split].write(item.record)
            seconds = min(item.seconds, plan.recording.seconds)
            report(seconds - done)
            done = seconds
    if plan.windows:
        report(plan.recording.seconds - done)
    return outcome


def _run_here(
    tasks: Sequence[Task], num_workers: int, report: Report
) -> list[dict[str, Any]]:
    del num_workers
    return [_prepare(task, report) for task in tasks]


def _run_workers(
    tasks: Sequence[Task], num_workers: int, report: Report
) -> list[dict[str, Any]]:
    # A process forked from one that runs TensorFlow would hang.
    context = multiprocessing.get_context("spawn")
    progress = context.Queue()
    threads = max(1, _processors() // num_workers)
    longest_first = sorted(tasks, key=lambda task: -task[1].recording.n_samples)
    with _pool(num_workers, context, (progress, threads)) as pool:
        futures = {pool.submit(_work, task): task[0] for task in longest_first}
        pending = set(futures)
        while pending:
            finished, pending = concurrent.futures.wait(
                pending,
                timeout=_POLL_SECS,
                return_when=concurrent.futures.FIRST_COMPLETED,
            )
            while not progress.empty():
                report(progress.get())
            for future in finished:
                future.result()
        return [
            future.result() for future, _ in sorted(futures.items(), key=lambda x: x[1])
        ]


@contextlib.contextmanager
def _pool(num_workers: int, context, arguments) -> Iterator[Any]:
    pool = concurrent.futures.ProcessPoolExecutor(
        num_workers,
        mp_context=context,
        initializer=_start_worker,
        initargs=arguments,
    )
    try:
        yield pool
    except BrokenProcessPool as error:
        raise UserError(
            "A worker process died: for want of memory (try fewer), or because the "
            "script that started it lacks `if __name__ == '__main__':`, got "
            f"num_workers={num_workers}."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_progress: Any = None


def _start_worker(progress, threads: int) -> None:
    """Keeps workers from using more threads than there are processors."""
    global _progress
    _progress = progress
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def _work(task: Task) -> dict[str, Any]:
    return _prepare(task, _progress.put)
