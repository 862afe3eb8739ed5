"""Validation while training: the measures, and the best checkpoint."""

import json
import os
from typing import Any

import tensorflow as tf

from ddsp.training import checkpoints, evaluation, files, trainers
from ddsp.training.evaluators import BasicEvaluator, F0LdEvaluator

BEST_DIR = "best"
_RECORD = "validation.json"


class Validation:
    """Evaluates the trainer's model on data, again and again.

    Attributes:
      best_step: Step of the lowest loss so far, 0 before any.
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
        self._batches = data_provider.get_batch(
            batch_size, shuffle=False, repeats=1, drop_remainder=False
        ).take(max_batches)
        rates = data_provider.sample_rate, data_provider.frame_rate
        # Tracking the pitch of everything would take longer than the training.
        basic = BasicEvaluator(*rates)
        self._measure = [basic, F0LdEvaluator(*rates, run_f0_crepe=False)]
        self._show = [basic, F0LdEvaluator(*rates)] if trainer.is_chief else []
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
        with self._writer.as_default():
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
        self._trainer.save_only(self._best_dir)
        self.best_step, self.best_loss = step, loss
        if self._trainer.is_chief:
            files.write_text(
                os.path.join(self._best_dir, _RECORD),
                json.dumps({"step": step, "loss": loss}) + "\n",
            )

    def _read_record(self) -> tuple[int, float]:
        """Step and loss of the best checkpoint, if a whole one is there."""
        path = os.path.join(self._best_dir, _RECORD)
        if self._best_dir and tf.io.gfile.exists(path):
            with tf.io.gfile.GFile(path) as file:
                record = json.load(file)
            if record["step"] in checkpoints.list_checkpoints(self._best_dir):
                return record["step"], record["loss"]
        return 0, float("inf")
