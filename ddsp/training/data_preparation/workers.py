"""Applies a function to tasks in processes of this machine."""

import concurrent.futures
import contextlib
import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import tensorflow as tf

from ddsp.training.cli import UserError

# Each holds a copy of TensorFlow and of the pitch tracker, about 1 GB.
_MAX_WORKERS = 16
_POLL_SECS = 0.2

# Takes how much has been done since it was last called.
Report = Callable[[float], Any]


def choose(n_tasks: int, n_worth: float) -> int:
    """How many processes to start, by the processors and the work there is.

    Args:
      n_tasks: Tasks that there are.
      n_worth: Processes that the work is worth starting.

    Returns:
      A number, >= 1.
    """
    return max(1, min(_processors(), n_tasks, math.ceil(n_worth), _MAX_WORKERS))


def run(
    function: Callable[[Any, Report], Any],
    tasks: Sequence[Any],
    num_workers: int,
    report: Report,
) -> list[Any]:
    """Applies a function to every task.

    Args:
      function: Takes a task and a `Report`. With more than one process it is found by
        its name in its module, and tasks and results are pickled.
      tasks: Started in this order.
      num_workers: Processes; 1 works in this one.
      report: Told how much is done.

    Returns:
      What the function returned, in the order of the tasks.

    Raises:
      UserError: If a process died.
    """
    if num_workers == 1:
        return [function(task, report) for task in tasks]
    # A process forked from one that runs TensorFlow would hang.
    context = multiprocessing.get_context("spawn")
    progress = context.Queue()
    threads = max(1, _processors() // num_workers)
    with _pool(num_workers, context, (progress, threads)) as pool:
        futures = [pool.submit(_work, function, task) for task in tasks]
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
        return [future.result() for future in futures]


def _processors() -> int:
    """Those this process may use, which need not be all of the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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


def _work(function: Callable[[Any, Report], Any], task: Any) -> Any:
    return function(task, _progress.put)
