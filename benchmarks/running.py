"""Registry of the subjects, and their execution."""

import argparse
import contextlib
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from benchmarks import (
    effects,
    growth,
    inference,
    length,
    losses,
    machine,
    models,
    pitch,
    synths,
    training,
)
from benchmarks.contests import Options
from benchmarks.measuring import Row, measure
from benchmarks.memory import process_peak

_SEED = 0

_SUBJECTS: dict[str, tuple[Callable, str]] = {
    module.__name__.split(".")[-1]: (module.contests, module.__doc__ or "")
    for module in (synths, effects, losses, growth, length, inference, pitch)
} | {
    name: (partial(training.contests, name), training.__doc__ or "")
    for name in models.GIN_FILES
}
# Subjects that run in a separate process because of their memory use.
_ALONE = {"length", *models.GIN_FILES}
_NOT_IN_QUICK = {"growth", "length", "solo_instrument", "ae"}
_IN_QUICK = [name for name in _SUBJECTS if name not in _NOT_IN_QUICK]


def subjects() -> str:
    """Returns a list of the subjects, one per line."""
    width = max(map(len, _SUBJECTS))
    return "\n".join(
        f"{name:{width}}  {description.splitlines()[0]}"
        for name, (_, description) in _SUBJECTS.items()
    )


def run(flags: argparse.Namespace) -> tuple[dict[str, str], list[Row]]:
    """Runs the benchmarks selected by the command-line flags.

    Returns:
      The description of the machine, and the rows of the table.

    Raises:
      ValueError: If a subject is unknown, or there is no GPU.
    """
    names = flags.only or (_IN_QUICK if flags.quick else list(_SUBJECTS))
    for name in names:
        if name not in _SUBJECTS:
            known = ", ".join(_SUBJECTS)
            raise ValueError(f"--only must be subjects from {known}, got {name!r}.")
    if flags.device == "gpu" and not tf.config.list_physical_devices("GPU"):
        raise ValueError(
            "--device gpu requires a GPU that TensorFlow supports, got none."
        )
    effort = Options(True, 5, 2, 0.5) if flags.quick else Options()
    options = replace(
        effort,
        repeats=flags.repeats or effort.repeats,
        device=flags.device,
        match=flags.match,
    )
    rows = []
    for name in dict.fromkeys(names):
        # Running out of memory then only affects one subject.
        alone = name in _ALONE or not options.quick
        rows += _in_a_process(name, options) if alone else _run(name, options)
    if not rows:
        raise ValueError(
            f"--match must select a case of {', '.join(names)}, got {flags.match!r}."
        )
    return machine.description(flags.device), rows


def _run(subject: str, options: Options) -> list[Row]:
    rng = np.random.default_rng(_SEED)
    keras.utils.set_random_seed(_SEED)
    rows = []
    with _without_retracing_warnings():
        for contest in _SUBJECTS[subject][0](rng, options):
            if options.match not in contest.name:
                continue
            start = time.perf_counter()
            print(f"{subject}: {contest.name} ...", end="", file=sys.stderr, flush=True)
            rows.append(measure(subject, contest, options))
            print(f" {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return rows


@contextlib.contextmanager
def _without_retracing_warnings() -> Iterator[None]:
    """Suppresses TensorFlow's retracing warnings: every case is traced once."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


def _run_with_process_peak(subject: str, options: Options) -> list[Row]:
    """Runs a subject, and adds the peak memory of the process."""
    imports = process_peak()
    rows = _run(subject, options)
    peak = process_peak()
    # With a textbook, the peak is that of both implementations.
    if imports is None or peak is None or any(row.textbook_ms for row in rows):
        return rows
    name = "process, beyond its imports"
    return [*rows, Row(subject, name, ours_mb=peak - imports)] if rows else []


def _in_a_process(subject: str, options: Options) -> list[Row]:
    # A fork would inherit the state of TensorFlow's threads, but not the threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        try:
            return pool.submit(_run_with_process_peak, subject, options).result()
        except BrokenProcessPool:
            print(f"\n{subject}: killed, probably out of memory", file=sys.stderr)
            return []
