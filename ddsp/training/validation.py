"""Validation while training: the measures, and the best checkpoint."""

import hashlib
import json
import os
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import files, losses
from ddsp._compat import keras_internals
from ddsp.training import checkpoints, evaluation, trainers
from ddsp.training.data.provider import naming_damage
from ddsp.training.evaluators import BasicEvaluator, F0LdEvaluator

BEST_DIR = "best"
_RECORD = "validation.json"


class Validation:
    """Evaluates the trainer's model on data, again and again.

    Attributes:
      best_step: Step of the lowest loss so far; before any, that of the start.
      best_loss: The lowest loss so far.
    """

    def __init__(
        self,
        data_provider: Any,
        trainer: trainers.Trainer,
        writer: tf.summary.SummaryWriter,
        batch_size: int,
        max_batches: int,
        best_dir: str = "",
    ):
        """Constructor.

        Args:
          data_provider: Read once and in order each time.
          trainer: Its model is evaluated, its state is saved.
          writer: Gets the measures and examples.
          batch_size: Examples a batch.
          max_batches: At most so many batches each time.
          best_dir: Keeps the checkpoint of the lowest loss, if given.
        """
        self._trainer = trainer
        self._writer = writer
        self._best_dir = best_dir
        self._forward = evaluation.make_forward(trainer.model)
        self._data_provider = data_provider
        self._batches = data_provider.get_batch(
            batch_size, shuffle=False, repeats=1, drop_remainder=False
        ).take(max_batches)
        rates = data_provider.sample_rate, data_provider.frame_rate
        # Tracking the pitch of everything would take longer than the training.
        basic = BasicEvaluator(*rates)
        self._measure = [basic, F0LdEvaluator(*rates, run_f0_crepe=False)]
        self._show = [basic, F0LdEvaluator(*rates)] if trainer.is_chief else []
        self._measured_on = ""
        if best_dir:
            self._measured_on = self._fingerprint(batch_size * max_batches)
        self.best_step, self.best_loss = self._read_record()

    def run(self, step: int) -> str:
        """Evaluates, and keeps the checkpoint if it is the best so far.

        Args:
          step: Training step.

        Returns:
          The most important measures, on one line.

        Raises:
          ValueError: There is no data.
          OSError: The checkpoint cannot be saved.
        """
        with self._writer.as_default(), naming_damage(self._data_provider):
            results = evaluation.run_evaluators(
                self._forward, self._batches, step, self._measure, self._show
            )
        self._writer.flush()
        if not results:
            raise ValueError(f"There is no validation data. Received: {self._batches}")
        loss = self._mean_over_workers(results["losses/total_loss"])
        line = f"step {step}: loss {loss:.4f}"
        if self._best_dir and loss < self.best_loss:
            self._keep(step, loss)
            line += " (best so far)"
        shares = [
            f"{name.split('/')[1]} {value:.0%}"
            for name, value in results.items()
            if name.startswith("energy_share/")
        ]
        return f"{line}, energy: {', '.join(shares)}" if shares else line

    def rounds_without_best(self, step: int, steps_per_round: int) -> int:
        """How many validations there were since the best one.

        Args:
          step: Training step.
          steps_per_round: Steps between two validations.

        Returns:
          A number that an interruption of the training does not change; 0 when no
          best one is kept.
        """
        return (step - self.best_step) // steps_per_round if self._best_dir else 0

    def _mean_over_workers(self, loss: float) -> float:
        # Workers draw different noise; all of them must come to the same decision.
        strategy = self._trainer.strategy
        if strategy.num_replicas_in_sync == 1:
            return loss
        values = self._trainer.run(tf.function(lambda: tf.constant(loss)))
        return float(self._trainer.psum(values)) / strategy.num_replicas_in_sync

    def _keep(self, step: int, loss: float) -> None:
        """Saves the checkpoint, then says so, then removes the best one until now.

        Wherever this is interrupted, the record is of a checkpoint that is there.
        """
        self._trainer.save_beside(self._best_dir)
        self.best_step, self.best_loss = step, loss
        if self._trainer.is_chief:
            record = {"step": step, "loss": loss, "measured_on": self._measured_on}
            files.write_text(
                os.path.join(self._best_dir, _RECORD), json.dumps(record) + "\n"
            )
            checkpoints.prune(self._best_dir, step, keep=1)

    def _fingerprint(self, n_examples: int) -> str:
        """Tells apart what losses were measured on: the data and the losses."""
        digest = hashlib.sha256()
        for batch in self._batches.take(1):
            for value in tf.nest.flatten(batch):
                digest.update(np.asarray(value).tobytes())
        known = getattr(self._data_provider, "n_examples", None)
        measured = min(n_examples, known) if known else n_examples
        configs = [
            [type(layer).__name__, layer.get_config()]
            for layer in keras_internals.sublayers(self._trainer.model)
            if isinstance(layer, losses.Loss)
        ]
        # What has no form in JSON has no value that a loss depends on either.
        text = json.dumps(
            [measured, configs], sort_keys=True, default=lambda x: type(x).__name__
        )
        digest.update(text.encode())
        return digest.hexdigest()

    def _read_record(self) -> tuple[int, float]:
        """Step and loss of the best checkpoint, if it is whole and can be compared."""
        none = self._trainer.step, float("inf")
        path = os.path.join(self._best_dir, _RECORD)
        if not self._best_dir or not tf.io.gfile.exists(path):
            return none
        try:
            with tf.io.gfile.GFile(path) as file:
                record = json.load(file)
            step, loss = int(record["step"]), float(record["loss"])
            # Older records do not say it.
            measured_on = record.get("measured_on", self._measured_on)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            print(f"Not a record of the best checkpoint, passed over: {path}")
            return none
        if step not in checkpoints.list_checkpoints(self._best_dir):
            return none
        if measured_on != self._measured_on:
            print(
                f"The best checkpoint so far, of step {step}, was chosen by other "
                "validation data or losses: the next validation chooses anew."
            )
            return none
        return step, loss
