"""One optimization step under a distribution strategy, and its checkpoints."""

import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import gin
import keras
import tensorflow as tf

from ddsp._compat import keras_internals
from ddsp.training import checkpoints, forward, original_optimizer
from ddsp.training.models import restoring
from ddsp.types import Batch

_T = TypeVar("_T")

GRADIENT_NORM = "gradient_norm"


@gin.configurable
class Trainer:
    """Trainer with Adam, a decaying learning rate and gradient clipping.

    Each replica of the strategy processes its part of the batch and the gradients are
    averaged, so the update is the same as on a single device with the entire batch.

    Example:

    >>> from ddsp.training import models, trainers
    >>> class Gain(models.Model):
    ...     def build(self, *shapes):
    ...         self.gain = self.add_weight(shape=[], initializer="zeros")
    ...     def call(self, features, training=False):
    ...         return {**features, "audio_synth": self.gain * features["audio"]}
    ...     def compute_losses(self, outputs):
    ...         error = outputs["audio_synth"] - outputs["audio"]
    ...         return {"l1": tf.reduce_mean(tf.abs(error))}
    >>> strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    >>> trainer = trainers.Trainer(Gain(), strategy, learning_rate=0.1)
    >>> batch = {"audio": tf.ones([2, 64])}
    >>> trainer.build(batch)
    >>> losses = trainer.train_step(batch)
    >>> float(losses["total_loss"]), float(trainer.model.gain), trainer.step
    (1.0, 0.1000, 1)
    """

    def __init__(
        self,
        model: keras.Model,
        strategy: tf.distribute.Strategy,
        checkpoints_to_keep: int = 100,
        learning_rate: float = 0.001,
        lr_decay_steps: int = 10000,
        lr_decay_rate: float = 0.98,
        grad_clip_norm: float = 3.0,
        restore_keys: list[str] | None = None,
        jit_compile: bool = False,
    ):
        """Initializes the trainer.

        Args:
          model: Model, created in the scope of the strategy. When called as
            `model(batch, return_losses=True, training=True)` it returns its outputs
            and a dictionary of scalar losses that includes `'total_loss'`.
          strategy: Distribution strategy; see `train_util.get_strategy`.
          checkpoints_to_keep: Number of checkpoints to keep, ≥ 1. Older ones are
            removed.
          learning_rate: Learning rate at step 0, > 0.
          lr_decay_steps: Number of steps after which the learning rate is multiplied
            by `lr_decay_rate`.
          lr_decay_rate: Factor of the exponential decay, > 0.
          grad_clip_norm: Maximum Euclidean norm of the gradient of all variables, > 0.
          restore_keys: Names of the parts of the model, such as `['decoder']`, that
            `restore` reads. With None it reads all parts and the optimizer.
          jit_compile: Whether to compile the losses and their gradients as a whole with
            XLA. Measure whether it is faster: kernels that benefit from XLA are
            compiled in either case, and on a GPU, recurrent layers cannot use cuDNN.

        Raises:
          ValueError: If a number is out of range.
        """
        settings = {
            "checkpoints_to_keep": checkpoints_to_keep,
            "learning_rate": learning_rate,
            "lr_decay_steps": lr_decay_steps,
            "lr_decay_rate": lr_decay_rate,
            "grad_clip_norm": grad_clip_norm,
        }
        for name, value in settings.items():
            if not value > 0:
                raise ValueError(f"Trainer.{name} must be > 0, got {value}.")
        self.model = model
        self.strategy = strategy
        self.checkpoints_to_keep = checkpoints_to_keep
        self.grad_clip_norm = grad_clip_norm
        self.restore_keys = restore_keys
        self._losses_and_gradients: Callable = self._differentiate
        if jit_compile:
            _disable_cudnn(model)
            self._losses_and_gradients = tf.function(
                self._differentiate, jit_compile=True
            )
        with strategy.scope():
            self.optimizer = keras.optimizers.Adam(
                keras.optimizers.schedules.ExponentialDecay(
                    learning_rate, lr_decay_steps, lr_decay_rate
                )
            )
        self._train_step = tf.function(self._distributed_step)

    @property
    def step(self) -> int:
        """Number of updates since the weights were initialized."""
        return int(self.optimizer.iterations.numpy())

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""
        return float(self.optimizer.learning_rate)

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the files that the workers share."""
        resolver = self.strategy.cluster_resolver
        if resolver is None or resolver.task_type is None:
            return True
        has_chief = "chief" in resolver.cluster_spec().jobs
        first = "chief" if has_chief else "worker"
        return resolver.task_type == first and not resolver.task_id

    def get_checkpoint(self, model: keras.Model | None = None) -> tf.train.Checkpoint:
        """Returns the objects to save.

        Args:
          model: Model to save; the trainer's own by default.

        Returns:
          Checkpoint of `model` and `optimizer`. The optimizer holds the step.
        """
        return tf.train.Checkpoint(
            model=self.model if model is None else model,
            optimizer=self._optimizer_state(),
        )

    def save(self, save_dir: str) -> str:
        """Writes the checkpoint `save_dir/ckpt-{step}`, whole or not at all.

        Args:
          save_dir: Directory; created if missing.

        Returns:
          Path of the checkpoint.

        Raises:
          OSError: If it cannot be written. Earlier checkpoints remain intact.
        """
        return self._write(save_dir, self.checkpoints_to_keep)

    def save_without_pruning(self, save_dir: str) -> str:
        """Like `save`, but keeps all other checkpoints."""
        return self._write(save_dir, keep=None)

    def restore(
        self, checkpoint_path: str, restore_keys: list[str] | None = None
    ) -> None:
        """Restores the weights, the state of the optimizer and the step.

        Args:
          checkpoint_path: A checkpoint, or a directory whose latest one is read.
          restore_keys: Names of the parts of the model to read, for fine-tuning. The
            other parts keep their weights and the optimizer its initial state. By
            default the names given to the constructor.

        Raises:
          FileNotFoundError: If there is no checkpoint.
          ValueError: If the checkpoint does not fit the model, the model has no part of
            that name, or the trainer is not built.
        """
        if not self.optimizer.built:
            raise ValueError(
                "The model has no variables yet: call Trainer.build with a batch "
                f"before restore, got {checkpoint_path}."
            )
        path = checkpoints.find_latest(checkpoint_path)
        self.restore_weights(path, restore_keys)
        if not (restore_keys or self.restore_keys):
            with self.strategy.scope():
                if not original_optimizer.restore(self.optimizer, self.model, path):
                    state = tf.train.Checkpoint(optimizer=self._optimizer_state())
                    state.read(path).expect_partial()

    def restore_weights(
        self, checkpoint_path: str, restore_keys: list[str] | None = None
    ) -> None:
        """Restores only the weights, to start another training at step 0.

        Args:
          checkpoint_path: A checkpoint, or a directory whose latest one is read.
          restore_keys: Names of the parts of the model to read. By default the names
            given to the constructor; without any, the whole model.

        Raises:
          FileNotFoundError: If there is no checkpoint.
          ValueError: If the checkpoint does not fit the model, or the model has no part
            of that name.
        """
        with self.strategy.scope():
            self.model.restore(
                checkpoint_path, restore_keys=restore_keys or self.restore_keys
            )

    def psum(
        self, x: tf.Tensor | tf.distribute.DistributedValues, axis: int | None = None
    ) -> tf.Tensor:
        """Sums values over the replicas.

        Args:
          x: Value per replica, as `run` returns it.
          axis: Axis of the values to sum as well, or None.

        Returns:
          The sum.
        """
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, x, axis=axis)

    def run(self, fn: Callable, *args: Any, **kwargs: Any) -> Any:
        """Calls a function on every replica, with the values of that replica."""
        return self.strategy.run(fn, args=args, kwargs=kwargs)

    def build(self, batch: Batch) -> None:
        """Creates the variables of the model and of the optimizer.

        Args:
          batch: Features from the data provider. Only the first example is used.

        Raises:
          ValueError: If checkpoints of the model would lack some of its weights.
        """
        local = tf.nest.map_structure(
            lambda x: self.strategy.experimental_local_results(x)[0], batch
        )
        with self.strategy.scope():
            forward.build(self.model, local)
            # Fails here rather than when a run is resumed.
            restoring.model_variables(self.model)
            self.optimizer.build(self.model.trainable_variables)

    def distribute_dataset(self, dataset: _T) -> _T | tf.distribute.DistributedDataset:
        """Splits the batches of a `tf.data.Dataset` among the replicas."""
        if isinstance(dataset, tf.data.Dataset):
            return self.strategy.experimental_distribute_dataset(dataset)
        return dataset

    def train_step(self, inputs: Batch | Iterator[Batch]) -> dict[str, tf.Tensor]:
        """Updates the weights once.

        Args:
          inputs: Iterator of a distributed data set, or one batch.

        Returns:
          The losses of the model, averaged over the replicas, and `'gradient_norm'`,
          the norm of the gradient before clipping.
        """
        return self._train_step(inputs)

    def _distributed_step(
        self, inputs: Batch | Iterator[Batch]
    ) -> dict[str, tf.Tensor]:
        batch = next(inputs) if hasattr(inputs, "__next__") else inputs
        losses = self.run(self._replica_step, batch)
        return {name: self.psum(value) for name, value in losses.items()}

    def _replica_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        n_replicas = self.strategy.num_replicas_in_sync
        losses, gradients = self._losses_and_gradients(batch)
        if n_replicas > 1:
            gradients = tf.distribute.get_replica_context().all_reduce(
                tf.distribute.ReduceOp.MEAN, gradients
            )
        gradients, norm = tf.clip_by_global_norm(gradients, self.grad_clip_norm)
        # The optimizer sums over the replicas, which all hold the same mean.
        self.optimizer.apply(
            [gradient / n_replicas for gradient in gradients],
            self.model.trainable_variables,
        )
        results = {**losses, GRADIENT_NORM: norm}
        return {name: value / n_replicas for name, value in results.items()}

    def _differentiate(self, batch: Batch) -> tuple[dict, list]:
        """Returns the losses and the gradient of their sum for each variable."""
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            _, losses = self.model(batch, return_losses=True, training=True)
            total_loss = losses["total_loss"]
        gradients = [
            tf.zeros_like(variable)
            if gradient is None
            else tf.convert_to_tensor(gradient)
            for gradient, variable in zip(
                tape.gradient(total_loss, variables), variables, strict=True
            )
        ]
        return losses, gradients

    def _optimizer_state(self) -> tf.train.Checkpoint:
        # A Keras optimizer also tracks the variables of the model. A checkpoint names a
        # variable by its shortest path, which must be the one through the model.
        return tf.train.Checkpoint(
            _iterations=self.optimizer.iterations, _variables=self.optimizer.variables
        )

    def _write(self, save_dir: str, keep: int | None) -> str:
        if self.is_chief:
            return checkpoints.write(self.get_checkpoint(), save_dir, self.step, keep)
        # Variables may be distributed over the workers, so all of them take part.
        with tempfile.TemporaryDirectory() as unused:
            checkpoints.write(self.get_checkpoint(), unused, self.step, keep)
        return os.path.join(save_dir, f"ckpt-{self.step}")


def _disable_cudnn(model: keras.Model) -> None:
    """Makes recurrent layers compilable, since XLA cannot call the cuDNN kernels."""
    for layer in keras_internals.sublayers(model):
        if isinstance(layer, keras.layers.GRU | keras.layers.LSTM):
            layer.use_cudnn = False


@gin.configurable
def get_trainer_class(trainer_class: type[Trainer] = Trainer) -> type[Trainer]:
    """Returns the trainer class that the gin config selects.

    Args:
      trainer_class: Class with the interface of `Trainer`, set by gin.

    Returns:
      The class.

    Example:

    >>> from ddsp.training import trainers
    >>> trainers.get_trainer_class().__name__
    'Trainer'
    """
    return trainer_class
