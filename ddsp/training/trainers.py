"""One optimisation step under a distribution strategy, and its checkpoints."""

import os
import tempfile
from collections.abc import Callable
from typing import Any

import gin
import keras
import tensorflow as tf

from ddsp._compat import keras_internals
from ddsp.training import checkpoints, evaluation, original_optimizer
from ddsp.training.models import restoring

GRADIENT_NORM = "gradient_norm"


@gin.configurable
class Trainer:
    """Trains a model with Adam: decaying learning rate, clipped gradients.

    Every replica of the strategy works on its share of the batch; the gradients are
    averaged, so the update is the one a single device would make with the entire
    batch.
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
        """Constructor.

        Args:
          model: Called as `model(batch, return_losses=True, training=True)`, it
            returns its outputs and a dictionary of scalar losses with the key
            `'total_loss'`. Must be made in the scope of the strategy.
          strategy: Distribution strategy, see `train_util.get_strategy`.
          checkpoints_to_keep: Older checkpoints are removed, >= 1.
          learning_rate: At step 0, > 0.
          lr_decay_steps: Steps in which the learning rate falls by `lr_decay_rate`.
          lr_decay_rate: Factor of the exponential decay, > 0.
          grad_clip_norm: The gradient of all variables together is scaled down to
            this Euclidean norm, > 0.
          restore_keys: Names of the parts of the model, such as `['decoder']`, that
            `restore` reads; all of them and the optimiser when None.
          jit_compile: Compile the losses and their gradients as one, with XLA.
            Measure whether it pays: the parts that do are compiled by themselves
            anyway, and on a GPU the recurrent layers have to do without cuDNN.

        Raises:
          ValueError: A number is out of its range.
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
                raise ValueError(f"Trainer.{name} must be > 0. Received: {value}")
        self.model = model
        self.strategy = strategy
        self.checkpoints_to_keep = checkpoints_to_keep
        self.grad_clip_norm = grad_clip_norm
        self.restore_keys = restore_keys
        self._losses_and_gradients: Callable = self._differentiate
        if jit_compile:
            _leave_out_cudnn(model)
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
        """Number of updates made since the weights were new."""
        return int(self.optimizer.iterations.numpy())

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""
        return float(self.optimizer.learning_rate)

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the files that all workers share."""
        resolver = self.strategy.cluster_resolver
        if resolver is None or resolver.task_type is None:
            return True
        has_chief = "chief" in resolver.cluster_spec().jobs
        first = "chief" if has_chief else "worker"
        return resolver.task_type == first and not resolver.task_id

    def get_checkpoint(self, model: keras.Model | None = None) -> tf.train.Checkpoint:
        """The objects that a checkpoint holds.

        Args:
          model: Saved in place of the trainer's own model.

        Returns:
          Checkpoint of `model` and `optimizer`; the step is the optimiser's.
        """
        return tf.train.Checkpoint(
            model=self.model if model is None else model,
            optimizer=self._optimizer_state(),
        )

    def save(self, save_dir: str) -> str:
        """Writes the checkpoint `save_dir/ckpt-{step}`, whole or not at all.

        Args:
          save_dir: Directory; made when missing.

        Returns:
          Path of the checkpoint.

        Raises:
          OSError: It cannot be written; earlier checkpoints are untouched.
        """
        return self._write(save_dir, self.checkpoints_to_keep)

    def save_beside(self, save_dir: str) -> str:
        """Like `save`, and removes no other checkpoint."""
        return self._write(save_dir, keep=None)

    def restore(
        self, checkpoint_path: str, restore_keys: list[str] | None = None
    ) -> None:
        """Reads the weights, the optimiser's state and the step.

        Args:
          checkpoint_path: A checkpoint, or a directory whose latest one is read.
          restore_keys: Names of the parts of the model to read, for fine-tuning: the
            others keep their weights and the optimiser starts anew. By default those
            of the constructor.

        Raises:
          FileNotFoundError: There is no checkpoint.
          ValueError: The checkpoint is of another architecture, or the model has no
            part of that name, or the trainer is not built.
        """
        if not self.optimizer.built:
            raise ValueError(
                "The model has no variables yet: call Trainer.build with a batch "
                f"before restore. Received: {checkpoint_path}"
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
        """Reads only weights: the start of another training at step 0.

        Args:
          checkpoint_path: A checkpoint, or a directory whose latest one is read.
          restore_keys: Names of the parts of the model to read. By default those of
            the constructor, or else the whole model.

        Raises:
          FileNotFoundError: There is no checkpoint.
          ValueError: The checkpoint is of another architecture, or the model has no
            part of that name.
        """
        with self.strategy.scope():
            self.model.restore(
                checkpoint_path, restore_keys=restore_keys or self.restore_keys
            )

    def psum(self, x: Any, axis: int | None = None) -> tf.Tensor:
        """Sum over the replicas.

        Args:
          x: A value for each replica, as `run` returns it.
          axis: Summed over as well, when given.

        Returns:
          The sum.
        """
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, x, axis=axis)

    def run(self, fn: Callable, *args: Any, **kwargs: Any) -> Any:
        """Calls a function once on every replica, with that replica's values."""
        return self.strategy.run(fn, args=args, kwargs=kwargs)

    def build(self, batch: dict[str, Any]) -> None:
        """Makes the variables of the model and of the optimiser.

        Args:
          batch: Features as the data provider gives them; the first example is used.

        Raises:
          ValueError: Checkpoints of the model would lack some of its weights.
        """
        local = tf.nest.map_structure(
            lambda x: self.strategy.experimental_local_results(x)[0], batch
        )
        with self.strategy.scope():
            evaluation.build(self.model, local)
            # Better now than when the run is to be resumed.
            restoring.model_variables(self.model)
            self.optimizer.build(self.model.trainable_variables)

    def distribute_dataset(self, dataset: Any) -> Any:
        """Splits the batches of a `tf.data.Dataset` among the replicas."""
        if isinstance(dataset, tf.data.Dataset):
            return self.strategy.experimental_distribute_dataset(dataset)
        return dataset

    def train_step(self, inputs: Any) -> dict[str, tf.Tensor]:
        """Updates the weights once.

        Args:
          inputs: An iterator of a distributed data set, or one batch.

        Returns:
          The losses of the model, mean over the replicas, and `'gradient_norm'`,
          the norm of the gradient before it is clipped.
        """
        return self._train_step(inputs)

    def _distributed_step(self, inputs: Any) -> dict[str, tf.Tensor]:
        batch = next(inputs) if hasattr(inputs, "__next__") else inputs
        losses = self.run(self._replica_step, batch)
        return {name: self.psum(value) for name, value in losses.items()}

    def _replica_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        n_replicas = self.strategy.num_replicas_in_sync
        losses, gradients = self._losses_and_gradients(batch)
        if n_replicas > 1:
            gradients = tf.distribute.get_replica_context().all_reduce(
                tf.distribute.ReduceOp.MEAN, gradients
            )
        gradients, norm = tf.clip_by_global_norm(gradients, self.grad_clip_norm)
        # The optimiser sums over the replicas, which all hold the same mean here.
        self.optimizer.apply(
            [gradient / n_replicas for gradient in gradients],
            self.model.trainable_variables,
        )
        results = {**losses, GRADIENT_NORM: norm}
        return {name: value / n_replicas for name, value in results.items()}

    def _differentiate(self, batch: dict[str, tf.Tensor]) -> tuple[dict, list]:
        """The losses, and the gradient of their sum with respect to each variable."""
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
        # A Keras optimiser also tracks the model's variables. A checkpoint names a
        # variable by its shortest path, which must be the one through the model.
        return tf.train.Checkpoint(
            _iterations=self.optimizer.iterations, _variables=self.optimizer.variables
        )

    def _write(self, save_dir: str, keep: int | None) -> str:
        if self.is_chief:
            return checkpoints.write(self.get_checkpoint(), save_dir, self.step, keep)
        # The variables may be spread over the workers, so all of them take part.
        with tempfile.TemporaryDirectory() as unused:
            checkpoints.write(self.get_checkpoint(), unused, self.step, keep)
        return os.path.join(save_dir, f"ckpt-{self.step}")


def _leave_out_cudnn(model: keras.Model) -> None:
    """Makes the recurrent layers compilable: XLA has no access to cuDNN's."""
    for layer in keras_internals.sublayers(model):
        if isinstance(layer, keras.layers.GRU | keras.layers.LSTM):
            layer.use_cudnn = False


@gin.configurable
def get_trainer_class(trainer_class: type = Trainer) -> type:
    """The class of trainer that the gin config names.

    Args:
      trainer_class: A class with the interface of `Trainer`.

    Returns:
      The class.
    """
    return trainer_class
