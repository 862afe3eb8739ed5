"""The checkpoint with the lowest validation loss."""

import hashlib
import json
import os

import keras
import numpy as np
import tensorflow as tf

from ddsp import files, losses
from ddsp._compat import keras_internals
from ddsp.training import checkpoints, trainers

_RECORD = "validation.json"


class BestCheckpoint:
    """Checkpoint with the lowest validation loss of a training run.

    It outlives interruptions: a resumed run compares with the recorded loss, provided
    that the loss was measured on the same data with the same loss functions.

    Attributes:
      step: Step of the lowest loss; initially, the step at which the run started.
      loss: The lowest loss; initially infinite.

    Example:

    >>> from ddsp.training import trainers
    >>> from ddsp.training.best_checkpoint import BestCheckpoint
    >>> strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    >>> with strategy.scope():
    ...     trainer = trainers.Trainer(ddsp.testing.tiny_autoencoder(), strategy)
    >>> best = BestCheckpoint(trainer, str(tmp_path / "best"), measured_on="")
    >>> best.update(3.0), best.update(4.0)
    (True, False)
    """

    def __init__(self, trainer: trainers.Trainer, directory: str, measured_on: str):
        """Initializes the checkpoint, from an earlier part of the run if there is one.

        Args:
          trainer: Trainer whose state is saved.
          directory: Directory of this checkpoint alone.
          measured_on: Identifies the validation data and losses; see `fingerprint`.
        """
        self._trainer = trainer
        self._directory = directory
        self._measured_on = measured_on
        self.step, self.loss = self._read_record()

    def update(self, loss: float) -> bool:
        """Saves a checkpoint if the loss is the lowest so far.

        Args:
          loss: Validation loss of the current weights.

        Returns:
          Whether a checkpoint was saved.

        Raises:
          OSError: If it cannot be saved.
        """
        if not loss < self.loss:
            return False
        # In this order an interruption always leaves a record of a saved checkpoint.
        self._trainer.save_without_pruning(self._directory)
        self.step, self.loss = self._trainer.step, loss
        if self._trainer.is_chief:
            record = {"step": self.step, "loss": loss, "measured_on": self._measured_on}
            path = os.path.join(self._directory, _RECORD)
            files.write_text(path, json.dumps(record) + "\n")
            checkpoints.prune(self._directory, self.step, keep=1)
        return True

    def _read_record(self) -> tuple[int, float]:
        """Returns step and loss of a saved checkpoint that later ones compare with."""
        none = self._trainer.step, float("inf")
        path = os.path.join(self._directory, _RECORD)
        if not tf.io.gfile.exists(path):
            return none
        try:
            with tf.io.gfile.GFile(path) as file:
                record = json.load(file)
            step, loss = int(record["step"]), float(record["loss"])
            # Older records have no such entry.
            measured_on = record.get("measured_on", self._measured_on)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            print(f"Ignoring a damaged record of the best checkpoint: {path}")
            return none
        if step not in checkpoints.list_checkpoints(self._directory):
            return none
        if measured_on != self._measured_on:
            print(
                f"The best checkpoint so far, of step {step}, was chosen with other "
                "validation data or losses: the next validation chooses anew."
            )
            return none
        return step, loss


def fingerprint(batches: tf.data.Dataset, n_examples: int, model: keras.Model) -> str:
    """Returns a hash of the validation data and of the losses of a model.

    Args:
      batches: Validation data, of which the first batch is read.
      n_examples: Number of validation examples.
      model: Model whose losses have a config.

    Returns:
      64 hexadecimal digits.

    Example:

    >>> from ddsp.training.best_checkpoint import fingerprint
    >>> batches = tf.data.Dataset.from_tensors({"audio": tf.zeros([1, 64])})
    >>> len(fingerprint(batches, 1, ddsp.testing.tiny_autoencoder()))
    64
    """
    digest = hashlib.sha256()
    for batch in batches.take(1):
        for value in tf.nest.flatten(batch):
            digest.update(np.asarray(value).tobytes())
    configs = [
        [type(layer).__name__, layer.get_config()]
        for layer in keras_internals.sublayers(model)
        if isinstance(layer, losses.Loss)
    ]
    # Values without a JSON form are objects, which count by their type.
    text = json.dumps(
        [n_examples, configs], sort_keys=True, default=lambda x: type(x).__name__
    )
    digest.update(text.encode())
    return digest.hexdigest()
