"""Applies a function to tasks in processes of this machine."""

import concurrent.futures
import contextlib
import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import tensorflow as tf

from ddsp.program import UserError

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
        with _signals_for_this_process_alone():
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
    others = set(multiprocessing.active_children())
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
    except BaseException:
        # What they work at is of no use any more, and may take minutes.
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _signals_for_this_process_alone() -> Iterator[None]:
    """Blocks signals in the processes that are started in the block.

    Ctrl-C reaches them too, and `kill` may be sent to the whole group; this process
    alone answers, and ends them. A signal in the block arrives after it.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(
        signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    )
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_progress: Any = None


def _start_worker(progress, threads: int) -> None:
    """Keeps workers from outliving their parent and from crowding the processors."""
    global _progress
    _progress = progress
    threading.Thread(target=_end_with_parent, daemon=True).start()
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(function: Callable[[Any, Report], Any], task: Any) -> Any:
    return function(task, _progress.put)
