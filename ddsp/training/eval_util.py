"""Evaluation of the checkpoints of a training, once or as they appear."""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import gin
import keras
import tensorflow as tf
from absl import logging

from ddsp import files
from ddsp.training import checkpoints, evaluation, rates
from ddsp.training.data.provider import naming_damage
from ddsp.training.evaluators import BaseEvaluator


def evaluate_or_sample(
    data_provider: Any,
    model: keras.Model,
    evaluator_classes: Sequence[Callable[[int, int], BaseEvaluator]],
    mode: str = "eval",
    save_dir: str = files.DEFAULT_DIR,
    restore_dir: str = "",
    batch_size: int = 32,
    num_batches: int = 50,
    repeats: int = -1,
    ckpt_delay_secs: float = 0,
    run_once: bool = False,
    run_until_step: int = 0,
    evaluate_and_sample: bool = False,
) -> dict[str, float]:
    """Evaluates or samples each new checkpoint of a directory.

    The measures go to TensorBoard (`save_dir/summaries/eval`), to the terminal as a
    table, and to `save_dir/eval_metrics.json` by step.

    Args:
      data_provider: Its validation split is used when it has one.
      model: A model that takes batches of the data provider.
      evaluator_classes: Classes (or functions) that make an evaluator from a sample
        rate and a frame rate.
      mode: `'eval'` to measure or `'sample'` to write examples.
      save_dir: Directory for the results.
      restore_dir: Directory of checkpoints, or one checkpoint; `save_dir` if empty.
      batch_size: Examples a batch.
      num_batches: At most this many batches for each checkpoint.
      repeats: How often to go through the data, as far as `num_batches` goes; -1
        for once, so that every example counts the same.
      ckpt_delay_secs: Least time between two checkpoints, seconds.
      run_once: Evaluate the latest checkpoint only, instead of waiting for others.
      run_until_step: Stop after a checkpoint of at least this step, if > 0.
      evaluate_and_sample: Measure and write examples, whatever the mode.

    Returns:
      The measures of the last checkpoint by name.

    Raises:
      FileNotFoundError: There is no checkpoint and `run_once` is set.
      ValueError: The data provider has no batch, the mode is unknown, the model has
        other rates or lengths than the data, or the checkpoint is of another
        architecture.
    """
    if mode not in ("eval", "sample"):
        raise ValueError(f"mode must be 'eval' or 'sample'. Received: {mode!r}")
    save_dir = files.expand_path(save_dir)
    restore_dir = files.expand_path(restore_dir) if restore_dir else save_dir
    provider = evaluation.validation_provider(data_provider) or data_provider
    rates.check(model, provider)
    evaluators = [
        evaluator_class(provider.sample_rate, provider.frame_rate)
        for evaluator_class in evaluator_classes
    ]
    dataset = provider.get_batch(
        batch_size, shuffle=False, repeats=max(1, repeats), drop_remainder=False
    )
    forward = evaluation.make_forward(model)
    evaluation.build(model, evaluation.first_batch(provider, batch_size))

    results: dict[str, float] = {}
    writer = None
    for path in _watch(restore_dir, run_once, ckpt_delay_secs):
        step = _step_of(path)
        model.restore(path)
        # Only now, so that nothing is left behind where there is no checkpoint.
        writer = writer or _make_writer(os.path.join(save_dir, "summaries", "eval"))
        with writer.as_default(), naming_damage(provider):
            batches = _Counted(dataset.take(num_batches))
            results = evaluation.run_evaluators(
                forward,
                batches,
                step,
                measure=evaluators if mode == "eval" or evaluate_and_sample else (),
                show=evaluators if mode == "sample" or evaluate_and_sample else (),
            )
        writer.flush()
        if results:
            title = f"step {step}: {batches.n} batches of {batch_size}"
            print(evaluation.format_table(title, results), flush=True)
            _record(os.path.join(save_dir, "eval_metrics.json"), step, results)
        if run_once or 0 < run_until_step <= step:
            break
    return results


@gin.configurable
def evaluate(
    data_provider: Any,
    model: keras.Model,
    evaluator_classes: Sequence[Callable[[int, int], BaseEvaluator]],
    save_dir: str = files.DEFAULT_DIR,
    restore_dir: str = "",
    batch_size: int = 32,
    num_batches: int = 50,
    repeats: int = -1,
    ckpt_delay_secs: float = 0,
    run_once: bool = False,
    run_until_step: int = 0,
    evaluate_and_sample: bool = False,
) -> dict[str, float]:
    """Measures checkpoints: `evaluate_or_sample` with `mode='eval'`."""
    return evaluate_or_sample(mode="eval", **locals())


@gin.configurable
def sample(
    data_provider: Any,
    model: keras.Model,
    evaluator_classes: Sequence[Callable[[int, int], BaseEvaluator]],
    save_dir: str = files.DEFAULT_DIR,
    restore_dir: str = "",
    batch_size: int = 16,
    num_batches: int = 1,
    ckpt_delay_secs: float = 0,
    run_once: bool = False,
    run_until_step: int = 0,
    evaluate_and_sample: bool = False,
) -> dict[str, float]:
    """Writes examples of checkpoints: `evaluate_or_sample` with `mode='sample'`."""
    return evaluate_or_sample(mode="sample", **locals())


class _Counted:
    """Batches, and in `n` how many were taken."""

    def __init__(self, batches: Iterable[Any]):
        self._batches = batches
        self.n = 0

    def __iter__(self) -> Iterator[Any]:
        for batch in self._batches:
            self.n += 1
            yield batch


def _watch(restore_dir: str, run_once: bool, delay_secs: float) -> Iterator[str]:
    """Paths of the checkpoints to evaluate."""
    if run_once or not tf.io.gfile.isdir(restore_dir):
        yield checkpoints.find_latest(restore_dir)
    else:
        logging.info("Waiting for checkpoints in %s", restore_dir)
        yield from checkpoints.watch(restore_dir, delay_secs)


def _make_writer(directory: str) -> tf.summary.SummaryWriter:
    with files.writing(directory):
        return tf.summary.create_file_writer(directory)


def _step_of(path: str) -> int:
    match = re.search(r"-(\d+)$", path)
    return int(match[1]) if match else 0


def _record(path: str, step: int, results: dict[str, float]) -> None:
    """Adds the measures of a step to a JSON file."""
    recorded = {}
    if tf.io.gfile.exists(path):
        try:
            with tf.io.gfile.GFile(path) as file:
                recorded = dict(json.load(file))
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(
                f"The measures of earlier evaluations cannot be read ({error}): move "
                f"the file away, got {path}."
            ) from error
    recorded[str(step)] = results
    files.write_text(path, json.dumps(recorded, indent=2, sort_keys=True) + "\n")
