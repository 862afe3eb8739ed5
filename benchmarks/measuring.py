"""Measurement of time, memory and error, with alternating calls."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.contests import Contest, Options
from benchmarks.memory import peak_extra


@dataclass
class Row:
    """Row of the table; None where there is no value.

    Times are medians in milliseconds, memory is in megabytes, and errors are relative
    to the largest absolute value of the reference.
    """

    subject: str
    case: str
    textbook_ms: float | None = None
    ours_ms: float | None = None
    ratio: float | None = None
    textbook_mb: float | None = None
    ours_mb: float | None = None
    textbook_error: float | None = None
    ours_error: float | None = None


def measure(subject: str, contest: Contest, options: Options) -> Row:
    """Measures the error in a warm-up call, then time, then memory."""
    device = "/GPU:0" if options.device == "gpu" else "/CPU:0"
    with tf.device(device):
        inputs = tf.nest.map_structure(tf.constant, contest.inputs)

    def player(fn: Callable) -> Callable[[], Any]:
        compiled = fn if contest.compiled else tf.function(fn, autograph=False)

        def play() -> Any:
            with tf.device(device):
                outputs = compiled(*inputs)
            # Converting the results waits for asynchronous execution.
            return tf.nest.map_structure(_to_numpy, outputs)

        return play

    players = {"ours": player(contest.ours)}
    if contest.textbook is not None:
        players = {"textbook": player(contest.textbook), **players}
    results = {name: play() for name, play in players.items()}
    row = Row(subject, contest.name)
    for name, seconds in _times(players, options).items():
        milliseconds = 1000.0 * statistics.median(seconds) / contest.seconds
        setattr(row, f"{name}_ms", milliseconds)
    if row.textbook_ms is not None and row.ours_ms is not None:
        row.ratio = row.textbook_ms / row.ours_ms
    reference = _reference(contest)
    for name, play in players.items():
        setattr(row, f"{name}_mb", peak_extra(play, options.device))
        if reference is not None and not (name == "textbook" and contest.own_noise):
            setattr(row, f"{name}_error", _error(results[name], reference))
    return row


def _times(players: dict[str, Callable], options: Options) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in players}
    end = time.perf_counter() + options.seconds
    for repeat in range(options.repeats):
        if repeat >= options.least and time.perf_counter() > end:
            break
        for name, play in players.items():
            start = time.perf_counter()
            play()
            times[name].append(time.perf_counter() - start)
    return times


def _reference(contest: Contest) -> np.ndarray | None:
    if contest.oracle is None:
        return None
    whole = [np.asarray(x, np.float64) for x in contest.inputs]
    answer = contest.oracle(*(x[:1] for x in whole))
    return answer if answer.ndim else contest.oracle(*whole)


def _error(result: np.ndarray, reference: np.ndarray) -> float:
    if reference.ndim:
        result = result[:1]
    peak = np.max(np.abs(reference))
    return float(np.max(np.abs(result - reference)) / peak)


def _to_numpy(x: Any) -> Any:
    return x.numpy() if isinstance(x, tf.Tensor) else x
