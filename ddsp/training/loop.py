"""The training loop: from an empty directory to a trained model.

`train` opens the directory, restores or fine-tunes, and writes config and statistics;
`_run_steps` updates the weights, writes summaries, validates, saves checkpoints and
stops; `_save_interrupted` saves the state of a run that a signal stopped.
"""

import contextlib
import dataclasses
import math
import os

import gin
import keras
import numpy as np
import tensorflow as tf

from ddsp import file_errors, files, program
from ddsp.training import (
    checkpoints,
    forward,
    rates,
    run_directory,
    summaries,
    trainers,
)
from ddsp.training.best_checkpoint import BestCheckpoint, fingerprint
from ddsp.training.data.provider import find_damage, naming_damage
from ddsp.training.evaluators import BasicEvaluator, F0LdEvaluator
from ddsp.training.training_log import TrainingLog
from ddsp.types import Provider


@gin.configurable(module="ddsp.training.train_util")
def train(
    data_provider: Provider,
    trainer: trainers.Trainer,
    batch_size: int = 32,
    num_steps: int = 1000000,
    steps_per_summary: int = 300,
    steps_per_save: int = 300,
    save_dir: str = files.DEFAULT_DIR,
    restore_dir: str = files.DEFAULT_DIR,
    early_stop_loss_value: float | None = None,
    report_loss_to_hypertune: bool = False,
    eval_data_provider: Provider | None = None,
    steps_per_eval: int | None = None,
    eval_batches: int = 50,
    early_stop_patience: int | None = None,
    seed: int | None = None,
) -> None:
    """Trains a model until `num_steps`, or resumes an interrupted training.

    `save_dir` receives the checkpoints, the one with the lowest validation loss in the
    folder `best`, the gin config, the statistics of the data, and the TensorBoard
    folder `summaries`. If it already has a checkpoint, training resumes from there with
    the state of the optimizer and the step. Otherwise, if `restore_dir` is another
    directory, its weights are fine-tuned from step 0.

    With a seed, weights, data order and noise are the same in every run on the same
    machine. A resumed run derives them from the seed and the step, so it neither
    repeats its first part nor equals an uninterrupted run.

    On the command line this is `ddsp_run --mode=train`.

    Args:
      data_provider: Training data.
      trainer: Trainer of the model; built here.
      batch_size: Examples per step, over all replicas, ≥ 1.
      num_steps: Step at which training stops.
      steps_per_summary: Steps between two summaries of the training losses.
      steps_per_save: Steps between two checkpoints. One is saved at the end too.
      save_dir: Model directory; created if missing.
      restore_dir: Model directory, or a checkpoint, to fine-tune. The default means
        `save_dir`.
      early_stop_loss_value: Stops when the training loss, averaged over the steps since
        the last summary, is not above this value.
      report_loss_to_hypertune: Must be False, since that service is retired.
      eval_data_provider: Validation data. By default, the validation split of
        `data_provider`, if it has one.
      steps_per_eval: Steps between two validations; `steps_per_summary` by default.
      eval_batches: Maximum number of validation batches.
      early_stop_patience: Stops after this many validations without a new lowest loss.
      seed: Seed of weights, data order and noise.

    Raises:
      ValueError: If there is no data, a setting is out of range, the rates or lengths
        of the model and the data differ, a checkpoint does not fit the model, or the
        loss became NaN (`NonFiniteLossError`).
      FileNotFoundError: If `restore_dir` has no checkpoint.
      FileExistsError: If another training writes to `save_dir`.
      OSError: If a file cannot be written.
      KeyboardInterrupt: If a signal stopped the training, after a checkpoint is saved.

    Example:

    >>> from ddsp.training import train_util, trainers
    >>> provider, strategy = ddsp.testing.tiny_provider(), train_util.get_strategy()
    >>> with strategy.scope():
    ...     trainer = trainers.Trainer(ddsp.testing.tiny_autoencoder(), strategy)
    >>> train_util.train(provider, trainer, num_steps=0, save_dir=str(tmp_path))
    No ...
    Stopped at step 0
    """
    if report_loss_to_hypertune:
        raise ValueError(
            "Hyperparameter reporting is not supported: remove "
            "report_loss_to_hypertune (flag --hypertune), got True."
        )
    settings = _Settings(
        batch_size=batch_size,
        num_steps=num_steps,
        steps_per_summary=steps_per_summary,
        steps_per_save=steps_per_save,
        steps_per_eval=steps_per_summary if steps_per_eval is None else steps_per_eval,
        eval_batches=eval_batches,
        early_stop_loss_value=early_stop_loss_value,
        early_stop_patience=early_stop_patience,
    )
    for provider in filter(None, (data_provider, eval_data_provider)):
        rates.check(trainer.model, provider)
    save_dir = files.expand_path(save_dir)
    checkpoints.check_directory(save_dir)

    # The model gets its variables before anything is written.
    _set_seed(data_provider, seed, step=0)
    trainer.build(forward.first_batch(data_provider, batch_size))

    is_chief = trainer.is_chief
    with run_directory.opened(save_dir) if is_chief else contextlib.nullcontext():
        _restore(trainer, save_dir, restore_dir)
        # With the seed alone, a resumed run would repeat the data of its first part.
        _set_seed(data_provider, seed, trainer.step)
        writer = _make_writer(trainer, save_dir, "train")
        if is_chief:
            run_directory.write_gin_config(writer, save_dir, trainer.step)
            run_directory.write_statistics(data_provider, save_dir)
        validation = _make_validation(
            data_provider, eval_data_provider, trainer, save_dir, settings
        )
        _run_steps(data_provider, trainer, validation, writer, save_dir, settings)


@dataclasses.dataclass(frozen=True)
class _Settings:
    """Settings of the loop; see `train`."""

    batch_size: int
    num_steps: int
    steps_per_summary: int
    steps_per_save: int
    steps_per_eval: int
    eval_batches: int
    early_stop_loss_value: float | None
    early_stop_patience: int | None

    def __post_init__(self) -> None:
        for name in (
            "batch_size",
            "steps_per_summary",
            "steps_per_save",
            "steps_per_eval",
            "early_stop_patience",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"train.{name} must be at least 1, got {value}.")


def _set_seed(data_provider: Provider, seed: int | None, step: int) -> None:
    """Seeds weights, noise and data order."""
    if seed is None:
        return
    keras.utils.set_random_seed(seed + step)
    if hasattr(data_provider, "set_seed"):
        data_provider.set_seed(seed + step)


def _restore(trainer: trainers.Trainer, save_dir: str, restore_dir: str) -> None:
    """Resumes from the model directory, or fine-tunes the weights of another."""
    if checkpoints.list_checkpoints(save_dir):
        trainer.restore(save_dir)
        print(f"Resuming at step {trainer.step}: {save_dir}")
        return
    if restore_dir in ("", files.DEFAULT_DIR):
        return
    if files.expand_path(restore_dir) != save_dir:
        path = checkpoints.find_latest(restore_dir)
        trainer.restore_weights(path)
        print(f"Fine-tuning from step 0 with the weights of {path}")


def _make_writer(
    trainer: trainers.Trainer, save_dir: str, name: str
) -> tf.summary.SummaryWriter:
    if not trainer.is_chief:
        return tf.summary.create_noop_writer()
    return run_directory.make_writer(save_dir, name)


class _Validation:
    """Evaluation of the model during training."""

    def __init__(
        self,
        data_provider: Provider,
        trainer: trainers.Trainer,
        writer: tf.summary.SummaryWriter,
        batch_size: int,
        max_batches: int,
        best_dir: str = "",
    ):
        """Initializes the validation; an empty `best_dir` keeps no checkpoint."""
        self._trainer = trainer
        self._writer = writer
        self._forward = forward.make_forward(trainer.model)
        self._data_provider = data_provider
        self._batches = data_provider.get_batch(
            batch_size, shuffle=False, repeats=1, drop_remainder=False
        ).take(max_batches)
        rates = data_provider.sample_rate, data_provider.frame_rate
        basic = BasicEvaluator(*rates)
        # Pitch tracking of all examples would take longer than the training.
        self._measure = [basic, F0LdEvaluator(*rates, run_f0_crepe=False)]
        self._show = [basic, F0LdEvaluator(*rates)] if trainer.is_chief else []
        self.best = None
        if best_dir:
            n_examples = batch_size * max_batches
            known = getattr(data_provider, "n_examples", None)
            n_examples = min(n_examples, known) if known else n_examples
            measured_on = fingerprint(self._batches, n_examples, trainer.model)
            self.best = BestCheckpoint(trainer, best_dir, measured_on)

    def run(self, step: int) -> str:
        """Evaluates the model, and saves it if it is the best so far.

        Returns:
          The most important metrics as one line.

        Raises:
          ValueError: If there is no data.
          OSError: If the checkpoint cannot be saved.
        """
        with self._writer.as_default(), naming_damage(self._data_provider):
            results = forward.run_evaluators(
                self._forward, self._batches, step, self._measure, self._show
            )
        self._writer.flush()
        if not results:
            raise ValueError(f"There is no validation data, got {self._batches}.")
        loss = _mean_over_workers(self._trainer, results["losses/total_loss"])
        line = f"step {step}: loss {loss:.4f}"
        if self.best is not None and self.best.update(loss):
            line += " (best so far)"
        shares = [
            f"{name.split('/')[1]} {value:.0%}"
            for name, value in results.items()
            if name.startswith("energy_share/")
        ]
        return f"{line}, energy: {', '.join(shares)}" if shares else line


def _mean_over_workers(trainer: trainers.Trainer, loss: float) -> float:
    # Workers draw different noise, but all of them must make the same decision.
    n_replicas = trainer.strategy.num_replicas_in_sync
    if n_replicas == 1:
        return loss
    values = trainer.run(tf.function(lambda: tf.constant(loss)))
    return float(trainer.psum(values)) / n_replicas


def _make_validation(
    data_provider: Provider,
    eval_data_provider: Provider | None,
    trainer: trainers.Trainer,
    save_dir: str,
    settings: _Settings,
) -> _Validation:
    """Chooses the validation data; without any, training examples are shown."""
    provider = eval_data_provider or getattr(data_provider, "validation", None)
    if provider is not None:
        return _Validation(
            provider,
            trainer,
            _make_writer(trainer, save_dir, "validation"),
            settings.batch_size,
            settings.eval_batches,
            best_dir=os.path.join(save_dir, run_directory.BEST_DIR),
        )
    print(
        "No validation data, so no best checkpoint is kept: prepare the data with "
        "--eval_split_fraction, or bind train.eval_data_provider."
    )
    return _Validation(
        data_provider,
        trainer,
        _make_writer(trainer, save_dir, "examples"),
        batch_size=summaries.MAX_EXAMPLES,
        max_batches=1,
    )


def _run_steps(
    data_provider: Provider,
    trainer: trainers.Trainer,
    validation: _Validation,
    writer: tf.summary.SummaryWriter,
    save_dir: str,
    settings: _Settings,
) -> None:
    """Trains from the current step until a condition to stop is met."""
    dataset = data_provider.get_batch(settings.batch_size, shuffle=True, repeats=-1)
    batches = iter(trainer.distribute_dataset(dataset))
    step = trainer.step
    stop = ""
    log = TrainingLog(settings.num_steps, step)
    try:
        while step < settings.num_steps and not stop:
            log.add(step + 1, trainer.train_step(batches))
            step += 1
            if step % settings.steps_per_summary == 0:
                with writer.as_default():
                    losses = log.write_interval(
                        step, learning_rate=trainer.learning_rate
                    )
                writer.flush()
                stop = _stop_by_loss(losses["total_loss"], settings)
            if step % settings.steps_per_eval == 0:
                log.check()
                log.write(validation.run(step))
                stop = _stop_by_patience(validation, step, settings) or stop
            if (
                step % settings.steps_per_save == 0
                or step == settings.num_steps
                or stop
            ):
                # Only finite weights are saved.
                log.check()
                trainer.save(save_dir)
        log.write(f"Stopped at step {step}" + (f": {stop}" if stop else ""))
    except (Exception, KeyboardInterrupt) as error:
        if program.is_stopped(error):
            raise KeyboardInterrupt(
                _save_interrupted(trainer, save_dir, log)
            ) from error
        if not isinstance(error, tf.errors.OpError):
            raise
        damage = find_damage(data_provider, error)
        cause = damage or file_errors.reason(error)
        raise ValueError(f"Training stopped at step {step + 1}: {cause}") from error
    finally:
        log.close()
        writer.flush()


def _stop_by_loss(loss: float, settings: _Settings) -> str:
    """Returns the reason to stop, or an empty string."""
    limit = settings.early_stop_loss_value
    reached = limit is not None and loss <= limit
    return f"the training loss reached {loss:.4f}" if reached else ""


def _stop_by_patience(validation: _Validation, step: int, settings: _Settings) -> str:
    """Returns the reason to stop, or an empty string."""
    if validation.best is None:
        return ""
    # Counted in steps, so that interruptions of the training do not matter.
    n_worse = (step - validation.best.step) // settings.steps_per_eval
    if n_worse < (settings.early_stop_patience or math.inf):
        return ""
    return f"no better validation since {validation.best.step}"


def _save_interrupted(
    trainer: trainers.Trainer, save_dir: str, log: TrainingLog
) -> str:
    """Saves a checkpoint of an interrupted run; returns a message about it."""
    step = trainer.step
    saved = f"step {step} is saved in {save_dir}; the same command resumes it"
    lost = f"step {step} is not saved"
    if step in checkpoints.list_checkpoints(save_dir):
        return saved
    if not step or isinstance(
        trainer.strategy, tf.distribute.MultiWorkerMirroredStrategy
    ):
        # Workers save together, and some of them may not be interrupted.
        return lost
    try:
        log.check()
        if not all(np.all(np.isfinite(w)) for w in trainer.model.weights):
            raise ValueError("The weights are not finite.")
        trainer.save(save_dir)
    except (ValueError, OSError) as error:
        return f"{lost}: {error}"
    return saved
