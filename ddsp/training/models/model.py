"""Base class of trained models."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core
from ddsp._core.tensors import array_of_lists
from ddsp.training.models import restoring
from ddsp.types import Loss, Outputs, Tensors


@configurable.first_call_alone
class Model(keras.Model):
    """Base class of models that return a dictionary of outputs and optionally losses.

    Subclasses implement `call`, `compute_losses` and `get_audio_from_outputs`.

    Example:

    >>> from ddsp.training import models
    >>> class Gain(models.Model):
    ...     def call(self, features, training=False):
    ...         return {**features, "audio_synth": 0.5 * features["audio"]}
    ...     def compute_losses(self, outputs):
    ...         error = outputs["audio_synth"] - outputs["audio"]
    ...         return {"l1": tf.reduce_mean(tf.abs(error))}
    >>> outputs, losses = Gain()({"audio": tf.ones([1, 64])}, return_losses=True)
    >>> float(losses["total_loss"])
    0.5
    """

    def __init__(self, **kwargs: Any):
        """Initializes the model.

        Args:
          **kwargs: Arguments of `keras.Model`.
        """
        # Signal processing runs in float32 under any dtype policy. Sublayers with
        # networks cast their inputs.
        super().__init__(**{"autocast": False, **kwargs})

    def build(self, *unused_input_shapes: Any) -> None:
        """Does nothing, since sublayers are built in their first call."""

    def __call__(self, *args: Any, return_losses: bool = False, **kwargs: Any) -> Any:
        """Runs the model.

        Args:
          *args: Arguments of `call`, starting with the batch. Nested lists of numbers
            are converted to arrays.
          return_losses: Whether to also return the losses.
          **kwargs: Further arguments of `call`, such as `training`.

        Returns:
          The outputs of `call`, or a tuple of outputs and scalar losses by name, with
          their sum as 'total_loss'.
        """
        outputs = super().__call__(*map(array_of_lists, args), **kwargs)
        if not return_losses:
            return outputs
        losses = self.compute_losses(outputs)
        return outputs, {**losses, "total_loss": self.sum_losses(losses)}

    def call(self, *args: Any, training: bool = False, **kwargs: Any) -> Outputs:
        """Computes the outputs of a batch: tensors or nested dictionaries by name."""
        raise NotImplementedError(f"{type(self).__name__} must implement `call`.")

    def compute_losses(self, outputs: Outputs) -> dict[str, tf.Tensor]:
        """Computes scalar losses by name from the outputs of `call`."""
        raise NotImplementedError(
            f"{type(self).__name__} must implement `compute_losses`."
        )

    def get_audio_from_outputs(self, outputs: Outputs) -> tf.Tensor:
        """Returns the audio in the outputs of `call`, [batch, n_samples]."""
        raise NotImplementedError(
            f"{type(self).__name__} must implement `get_audio_from_outputs`."
        )

    def sum_losses(self, losses_dict: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns the sum of scalar losses, 0 without any."""
        return tf.add_n([tf.zeros([]), *losses_dict.values()])

    def _require(self, features: Tensors, *keys: str) -> None:
        """Raises an error if a feature is missing."""
        missing = [key for key in keys if key not in features]
        if missing:
            raise ValueError(
                f"{type(self).__name__} needs the features {list(keys)}, of which "
                f"{missing} are missing; got {sorted(features)}."
            )

    def build_variables(self) -> None:
        """Creates the variables, if the model can do so without a batch.

        Raises:
          ValueError: If it cannot.
        """
        if not self.built:
            raise ValueError(
                f"{type(self).__name__} has no variables yet: call it on a batch first."
            )

    def restore(
        self,
        checkpoint_path: str,
        verbose: bool = True,
        restore_keys: Sequence[str] | None = None,
    ) -> None:
        """Restores the variables from a `tf.train.Checkpoint(model=...)`.

        Either all variables are restored or none.

        Args:
          checkpoint_path: Checkpoint such as 'run/ckpt-300', or a directory, whose
            latest checkpoint is used.
          verbose: Whether to log the restored variables.
          restore_keys: Names of the attributes to restore, such as ['decoder']; the
            entire model by default.

        Raises:
          FileNotFoundError: If there is no checkpoint.
          ValueError: If a variable is missing, unknown or has another shape, or the
            checkpoint is damaged.
        """
        self.build_variables()
        restoring.restore(self, checkpoint_path, verbose, restore_keys)


def losses_dict(
    losses: Loss | Sequence[Loss] | None,
    *args: Any,
    prefix: str = "",
    suffix: str = "",
) -> dict[str, tf.Tensor]:
    """Computes losses by name.

    Args:
      losses: One or more losses, or None.
      *args: Arguments of the losses.
      prefix: Prefix of the names.
      suffix: Suffix of the names.

    Returns:
      Scalar losses by name.

    Example:

    >>> from ddsp.training.models.model import losses_dict
    >>> losses = losses_dict(ddsp.losses.ParamLoss(name="l1"), [1.0], [3.0])
    >>> {name: float(value) for name, value in losses.items()}
    {'l1': 2.0}
    """
    return {
        f"{prefix}{name}{suffix}": value
        for loss in core.make_iterable(losses)
        for name, value in loss.get_losses_dict(*args).items()
    }
