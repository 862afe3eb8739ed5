"""The loop of a training run: steps, summaries, validation, checkpoints."""

import contextlib
import math
import os
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ddsp import files, locks, program
from ddsp.training import checkpoints, evaluation, summaries, trainers
from ddsp.training.data.provider import find_damage
from ddsp.training.training_log import TrainingLog
from ddsp.training.validation import BEST_DIR, Validation


class TrainingRun:
    """One run of `train_util.train`, where the settings are described."""

    def __init__(
        self,
        data_provider: Any,
        trainer: trainers.Trainer,
        batch_size: int,
        save_dir: str,
        seed: int | None = None,
    ):
        """Constructor: makes the variables of the model; the directory is untouched.

        Args:
          data_provider: Training data.
          trainer: Trainer.
          batch_size: Examples a step.
          save_dir: Model directory; made when missing.
          seed: Of weights, order of the data and noise.

        Raises:
          ValueError: There is no data, or checkpoints in `save_dir` would be
            unreadable.
        """
        self._data_provider = data_provider
        self._trainer = trainer
        self._batch_size = batch_size
        self._save_dir = save_dir
        self._seed = seed
        checkpoints.check_directory(save_dir)
        self._set_seed(step=0)
        trainer.build(evaluation.first_batch(data_provider, batch_size))
        self.writer = tf.summary.create_noop_writer()

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Keeps the model directory for this run while the block runs.

        What an interrupted run left incomplete there is removed.

        Raises:
          FileExistsError: Another training writes there.
          OSError: The directory cannot be made or written.
        """
        if not self._trainer.is_chief:
            yield
            return
        with files.writing(self._save_dir):
            tf.io.gfile.makedirs(self._save_dir)
        lock = os.path.join(self._save_dir, ".training.lock")
        with locks.exclusive(lock, f"training in {self._save_dir}"):
            for directory in (self._save_dir, os.path.join(self._save_dir, BEST_DIR)):
                checkpoints.discard_incomplete(directory)
            self.writer = self._make_writer("train")
            yield

    def restore(self, restore_dir: str) -> None:
        """Resumes from the model directory, or starts from weights elsewhere.

        Args:
          restore_dir: Model directory or checkpoint for fine-tuning.

        Raises:
          FileNotFoundError: It is another than the run's own and has no checkpoint.
          ValueError: A checkpoint is of another architecture.
        """
        if checkpoints.list_checkpoints(self._save_dir):
            self._trainer.restore(self._save_dir)
            print(f"Resuming at step {self._trainer.step}: {self._save_dir}")
        elif files.expand_path(restore_dir) != self._save_dir:
            path = checkpoints.find_latest(restore_dir)
            self._trainer.restore_weights(path)
            print(f"Fine-tuning from step 0 with the weights of {path}")
        self._set_seed(self._trainer.step)

    def make_validation(self, data_provider: Any, max_batches: int) -> Validation:
        """Chooses what to evaluate while training.

        Args:
          data_provider: Validation data; by default the validation split of the
            training data. With none at all, some training examples are shown.
          max_batches: At most so many batches are evaluated.

        Returns:
          The validation.
        """
        provider = data_provider or evaluation.validation_provider(self._data_provider)
        if provider is not None:
            return Validation(
                provider,
                self._trainer,
                self._make_writer("validation"),
                self._batch_size,
                max_batches,
                best_dir=os.path.join(self._save_dir, BEST_DIR),
            )
        print(
            "No validation data, so no best checkpoint is kept: prepare the data with "
            "--eval_split_fraction, or bind train.eval_data_provider."
        )
        return Validation(
            self._data_provider,
            self._trainer,
            self._make_writer("examples"),
            batch_size=summaries.MAX_EXAMPLES,
            max_batches=1,
        )

    def loop(
        self,
        validation: Validation,
        num_steps: int,
        steps_per_summary: int,
        steps_per_save: int,
        steps_per_eval: int,
        early_stop_loss_value: float | None,
        early_stop_patience: int | None,
    ) -> None:
        """Trains; see `train_util.train` for the settings and what is raised."""
        trainer = self._trainer
        step = trainer.step
        if early_stop_loss_value is None:
            early_stop_loss_value = -math.inf
        patience = early_stop_patience or math.inf
        iterator = iter(self._distributed_dataset())
        log = TrainingLog(num_steps, step)
        stop = None
        try:
            while step < num_steps and not stop:
                log.add(step + 1, trainer.train_step(iterator))
                step += 1
                if step % steps_per_summary == 0:
                    loss = self._write_summary(log, step)
                    if loss <= early_stop_loss_value:
                        stop = f"the training loss reached {loss:.4f}"
                if step % steps_per_eval == 0:
                    log.check()
                    log.write(validation.run(step))
                    if validation.rounds_without_best(step, steps_per_eval) >= patience:
                        stop = f"no better validation since {validation.best_step}"
                if step % steps_per_save == 0 or step == num_steps or stop:
                    # Before anything is saved, every loss so far must be finite.
                    log.check()
                    trainer.save(self._save_dir)
            log.write(f"Stopped at step {step}" + (f": {stop}" if stop else ""))
        except (Exception, KeyboardInterrupt) as error:
            if program.is_stopped(error):
                raise KeyboardInterrupt(self._save_interrupted(log)) from error
            if not isinstance(error, tf.errors.OpError):
                raise
            damage = find_damage(self._data_provider, error)
            raise ValueError(
                f"Training stopped at step {step + 1}: {damage or files.reason(error)}"
            ) from error
        finally:
            log.close()
            self.writer.flush()

    def _save_interrupted(self, log: TrainingLog) -> str:
        """Saves a checkpoint of where the run is; returns what was done."""
        step = self._trainer.step
        saved = f"step {step} is saved in {self._save_dir}; the same command resumes it"
        lost = f"step {step} is not saved"
        if step in checkpoints.list_checkpoints(self._save_dir):
            return saved
        if not step or isinstance(
            self._trainer.strategy, tf.distribute.MultiWorkerMirroredStrategy
        ):
            # Workers save together, and not all of them need be interrupted.
            return lost
        try:
            log.check()
            if not all(np.all(np.isfinite(w)) for w in self._trainer.model.weights):
                raise ValueError("Its weights are not finite.")
            self._trainer.save(self._save_dir)
        except (ValueError, OSError) as error:
            return f"{lost}: {error}"
        return saved

    def _write_summary(self, log: TrainingLog, step: int) -> float:
        with self.writer.as_default():
            losses = log.write_interval(step, learning_rate=self._trainer.learning_rate)
        self.writer.flush()
        return losses["total_loss"]

    def _distributed_dataset(self) -> Any:
        dataset = self._data_provider.get_batch(
            self._batch_size, shuffle=True, repeats=-1
        )
        return self._trainer.distribute_dataset(dataset)

    def _set_seed(self, step: int) -> None:
        """Seeds the weights and the noise, and the order of the data."""
        if self._seed is None:
            return
        # From the seed alone, a resumed run would repeat the data of the first.
        seed = self._seed + step
        keras.utils.set_random_seed(seed)
        if hasattr(self._data_provider, "set_seed"):
            self._data_provider.set_seed(seed)

    def _make_writer(self, name: str) -> tf.summary.SummaryWriter:
        if not self._trainer.is_chief:
            return tf.summary.create_noop_writer()
        directory = os.path.join(self._save_dir, "summaries", name)
        with files.writing(directory):
            return tf.summary.create_file_writer(directory)
