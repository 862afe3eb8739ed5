"""Evaluation of the checkpoints of a training run, once or as they are saved."""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import gin
import keras
import tensorflow as tf
from absl import logging

from ddsp import file_errors, files
from ddsp.training import checkpoints, forward, rates
from ddsp.training.data.provider import naming_damage
from ddsp.training.evaluators import BaseEvaluator
from ddsp.types import Batch, Provider

EvaluatorClasses: TypeAlias = Sequence[Callable[[int, int], BaseEvaluator]]


def evaluate_or_sample(
    data_provider: Provider,
    model: keras.Model,
    evaluator_classes: EvaluatorClasses,
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
    """Evaluates each new checkpoint of a directory, or writes examples of it.

    The metrics are written to TensorBoard (`save_dir/summaries/eval`), printed as a
    table, and stored by step in `save_dir/eval_metrics.json`.

    On the command line this is `ddsp_run --mode=eval` or `--mode=sample`.

    Args:
      data_provider: Data, of which the validation split is used if there is one.
      model: Model that processes batches of the data provider.
      evaluator_classes: Classes or functions that return an evaluator for a sample rate
        and a frame rate.
      mode: `'eval'` to compute metrics or `'sample'` to write examples.
      save_dir: Directory of the results.
      restore_dir: Directory of checkpoints, or one checkpoint; `save_dir` if empty.
      batch_size: Examples per batch.
      num_batches: Maximum number of batches per checkpoint.
      repeats: Passes over the data, within `num_batches`. -1 means one pass, in which
        every example counts the same.
      ckpt_delay_secs: Minimum time between two checkpoints, in seconds.
      run_once: Whether to evaluate only the latest checkpoint.
      run_until_step: Stops after a checkpoint of this step or a later one, if > 0.
      evaluate_and_sample: Whether to both compute metrics and write examples.

    Returns:
      The metrics of the last checkpoint by name.

    Raises:
      FileNotFoundError: If `run_once` is set and there is no checkpoint.
      ValueError: If the data set is empty, the mode is unknown, the rates or lengths of
        the model and the data differ, or the checkpoint does not fit the model.

    Example:

    >>> from ddsp.training import eval_util, evaluators
    >>> model = ddsp.testing.tiny_autoencoder()
    >>> _ = tf.train.Checkpoint(model=model).write(str(tmp_path / "ckpt-3"))
    >>> eval_util.evaluate_or_sample(
    ...     ddsp.testing.tiny_provider(),
    ...     model,
    ...     [evaluators.BasicEvaluator],
    ...     save_dir=str(tmp_path),
    ...     run_once=True,
    ... )
    step 3: 1 batches of 32
    ...
    {'losses/total_loss': 0.0, ...}
    """
    if mode not in ("eval", "sample"):
        raise ValueError(f"mode must be 'eval' or 'sample', got {mode!r}.")
    save_dir = files.expand_path(save_dir)
    restore_dir = files.expand_path(restore_dir) if restore_dir else save_dir
    provider = getattr(data_provider, "validation", None) or data_provider
    rates.check(model, provider)
    evaluators = [
        evaluator_class(provider.sample_rate, provider.frame_rate)
        for evaluator_class in evaluator_classes
    ]
    dataset = provider.get_batch(
        batch_size, shuffle=False, repeats=max(1, repeats), drop_remainder=False
    )
    run_model = forward.make_forward(model)
    forward.build(model, forward.first_batch(provider, batch_size))

    results: dict[str, float] = {}
    writer = None
    for path in _watch(restore_dir, run_once, ckpt_delay_secs):
        step = _step_of(path)
        model.restore(path)
        # Created late, so that nothing is written if there is no checkpoint.
        writer = writer or _make_writer(os.path.join(save_dir, "summaries", "eval"))
        with writer.as_default(), naming_damage(provider):
            batches = _Counted(dataset.take(num_batches))
            results = forward.run_evaluators(
                run_model,
                batches,
                step,
                measure=evaluators if mode == "eval" or evaluate_and_sample else (),
                show=evaluators if mode == "sample" or evaluate_and_sample else (),
            )
        writer.flush()
        if results:
            title = f"step {step}: {batches.n} batches of {batch_size}"
            print(_format_table(title, results), flush=True)
            _record(os.path.join(save_dir, "eval_metrics.json"), step, results)
        if run_once or 0 < run_until_step <= step:
            break
    return results


@gin.configurable
def evaluate(
    data_provider: Provider,
    model: keras.Model,
    evaluator_classes: EvaluatorClasses,
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
    """Computes metrics of checkpoints: `evaluate_or_sample` with `mode='eval'`.

    Args:
      data_provider: See `evaluate_or_sample`, as for all other arguments.
      model: Model.
      evaluator_classes: Classes of the evaluators.
      save_dir: Directory of the results.
      restore_dir: Directory of checkpoints, or one checkpoint.
      batch_size: Examples per batch.
      num_batches: Maximum number of batches per checkpoint.
      repeats: Passes over the data; -1 means one.
      ckpt_delay_secs: Minimum time between two checkpoints, in seconds.
      run_once: Whether to evaluate only the latest checkpoint.
      run_until_step: Stops after a checkpoint of this step or a later one, if > 0.
      evaluate_and_sample: Whether to both compute metrics and write examples.

    Returns:
      The metrics of the last checkpoint by name.

    Example:

    >>> from ddsp.training import eval_util, evaluators
    >>> model = ddsp.testing.tiny_autoencoder()
    >>> _ = tf.train.Checkpoint(model=model).write(str(tmp_path / "ckpt-3"))
    >>> _ = eval_util.evaluate(
    ...     ddsp.testing.tiny_provider(), model, [evaluators.BaseEvaluator],
    ...     save_dir=str(tmp_path), run_once=True)
    """
    return evaluate_or_sample(
        data_provider,
        model,
        evaluator_classes,
        mode="eval",
        save_dir=save_dir,
        restore_dir=restore_dir,
        batch_size=batch_size,
        num_batches=num_batches,
        repeats=repeats,
        ckpt_delay_secs=ckpt_delay_secs,
        run_once=run_once,
        run_until_step=run_until_step,
        evaluate_and_sample=evaluate_and_sample,
    )


@gin.configurable
def sample(
    data_provider: Provider,
    model: keras.Model,
    evaluator_classes: EvaluatorClasses,
    save_dir: str = files.DEFAULT_DIR,
    restore_dir: str = "",
    batch_size: int = 16,
    num_batches: int = 1,
    ckpt_delay_secs: float = 0,
    run_once: bool = False,
    run_until_step: int = 0,
    evaluate_and_sample: bool = False,
) -> dict[str, float]:
    """Writes examples of checkpoints: `evaluate_or_sample` with `mode='sample'`.

    Args:
      data_provider: See `evaluate_or_sample`, as for all other arguments.
      model: Model.
      evaluator_classes: Classes of the evaluators.
      save_dir: Directory of the results.
      restore_dir: Directory of checkpoints, or one checkpoint.
      batch_size: Examples per batch.
      num_batches: Maximum number of batches per checkpoint.
      ckpt_delay_secs: Minimum time between two checkpoints, in seconds.
      run_once: Whether to evaluate only the latest checkpoint.
      run_until_step: Stops after a checkpoint of this step or a later one, if > 0.
      evaluate_and_sample: Whether to both compute metrics and write examples.

    Returns:
      The metrics of the last checkpoint by name.

    Example:

    >>> from ddsp.training import eval_util, evaluators
    >>> model = ddsp.testing.tiny_autoencoder()
    >>> _ = tf.train.Checkpoint(model=model).write(str(tmp_path / "ckpt-3"))
    >>> _ = eval_util.sample(
    ...     ddsp.testing.tiny_provider(), model, [evaluators.BaseEvaluator],
    ...     save_dir=str(tmp_path), run_once=True)
    """
    return evaluate_or_sample(
        data_provider,
        model,
        evaluator_classes,
        mode="sample",
        save_dir=save_dir,
        restore_dir=restore_dir,
        batch_size=batch_size,
        num_batches=num_batches,
        ckpt_delay_secs=ckpt_delay_secs,
        run_once=run_once,
        run_until_step=run_until_step,
        evaluate_and_sample=evaluate_and_sample,
    )


class _Counted:
    """Batches, with the number of those that were read in `n`."""

    def __init__(self, batches: Iterable[Batch]):
        self._batches = batches
        self.n = 0

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._batches:
            self.n += 1
            yield batch


def _watch(restore_dir: str, run_once: bool, delay_secs: float) -> Iterator[str]:
    """Yields the paths of the checkpoints to evaluate."""
    if run_once or not tf.io.gfile.isdir(restore_dir):
        yield checkpoints.find_latest(restore_dir)
    else:
        logging.info("Waiting for checkpoints in %s", restore_dir)
        yield from checkpoints.watch(restore_dir, delay_secs)


def _make_writer(directory: str) -> tf.summary.SummaryWriter:
    with file_errors.writing(directory):
        return tf.summary.create_file_writer(directory)


def _step_of(path: str) -> int:
    match = re.search(r"-(\d+)$", path)
    return int(match[1]) if match else 0


def _record(path: str, step: int, results: dict[str, float]) -> None:
    """Adds the metrics of a step to a JSON file."""
    recorded = {}
    if tf.io.gfile.exists(path):
        try:
            with tf.io.gfile.GFile(path) as file:
                recorded = dict(json.load(file))
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(
                f"The metrics of earlier evaluations cannot be read ({error}): "
                f"move the file away, got {path}."
            ) from error
    recorded[str(step)] = results
    files.write_text(path, json.dumps(recorded, indent=2, sort_keys=True) + "\n")


def _format_table(title: str, results: dict[str, float]) -> str:
    """Formats metrics as a table for the terminal."""
    width = max(len(name) for name in [*results, title])
    rows = [f"{name:<{width}}  {value:>10.4f}" for name, value in results.items()]
    return "\n".join([title, "-" * (width + 12), *rows])
