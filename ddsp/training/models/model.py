"""Base of the trained models."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core
from ddsp._core.tensors import array_of_lists
from ddsp.training.models import restoring


@configurable.first_call_alone
class Model(keras.Model):
    """A Keras model that returns a dictionary of outputs, and its losses on request.

    Subclasses write `call`, `compute_losses` and `get_audio_from_outputs`.
    """

    def __init__(self, **kwargs):
        """Initializer.

        Args:
          **kwargs: Passed on to `keras.Model`.
        """
        # Signal processing runs in float32 whatever the dtype policy; the networks
        # inside cast for themselves.
        super().__init__(**{"autocast": False, **kwargs})

    def build(self, *unused_input_shapes):
        """Leaves it to the layers inside to build themselves when first called."""

    def __call__(self, *args: Any, return_losses: bool = False, **kwargs: Any) -> Any:
        """Runs the model.

        Args:
          *args: Arguments of `call`, the batch first. Nested lists of numbers are taken
            as arrays.
          return_losses: Also return the losses.
          **kwargs: Further arguments of `call`, such as `training`.

        Returns:
          The outputs of `call`; with `return_losses` the pair (outputs, losses), where
          losses is {name: scalar}, their sum under 'total_loss' included.
        """
        outputs = super().__call__(*map(array_of_lists, args), **kwargs)
        if not return_losses:
            return outputs
        losses = self.compute_losses(outputs)
        return outputs, {**losses, "total_loss": self.sum_losses(losses)}

    def call(self, *args: Any, training: bool = False, **kwargs: Any) -> dict[str, Any]:
        """Outputs, {name: tensor or nested dictionary}, from a batch."""
        raise NotImplementedError(f"{type(self).__name__} must implement `call`.")

    def compute_losses(self, outputs: dict[str, Any]) -> dict[str, tf.Tensor]:
        """{name: scalar} from what `call` returned."""
        raise NotImplementedError(
            f"{type(self).__name__} must implement `compute_losses`."
        )

    def get_audio_from_outputs(self, outputs: dict[str, Any]) -> tf.Tensor:
        """[batch, n_samples], the audio in what `call` returned."""
        raise NotImplementedError(
            f"{type(self).__name__} must implement `get_audio_from_outputs`."
        )

    def sum_losses(self, losses_dict: dict[str, tf.Tensor]) -> tf.Tensor:
        """Scalar sum of the losses; zero if there are none."""
        return tf.add_n([tf.zeros([]), *losses_dict.values()])

    def _require(self, features: Mapping[str, Any], *keys: str) -> None:
        """Refuses features of which some are missing."""
        missing = [key for key in keys if key not in features]
        if missing:
            raise ValueError(
                f"{type(self).__name__} needs the features {list(keys)}, of which "
                f"{missing} are missing; got {sorted(features)}."
            )

    def build_variables(self) -> None:
        """Creates the variables, where the model knows how to without a batch.

        Raises:
          ValueError: If it does not.
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
        """Reads the variables from a checkpoint of a `tf.train.Checkpoint(model=...)`.

        Every variable is accounted for, and none is changed unless all can be.

        Args:
          checkpoint_path: A checkpoint such as 'run/ckpt-300', or a directory, whose
            latest one is taken.
          verbose: Log what was restored.
          restore_keys: Names of the attributes to restore, such as ['decoder']. By
            default the whole model.

        Raises:
          FileNotFoundError: If there is no checkpoint.
          ValueError: If a variable is missing, unknown or of another shape, or the
            checkpoint is damaged.
        """
        self.build_variables()
        restoring.restore(self, checkpoint_path, verbose, restore_keys)


def losses_dict(
    losses: Any, *args: Any, prefix: str = "", suffix: str = ""
) -> dict[str, tf.Tensor]:
    """The values of a loss, of several or of None by their names.

    Args:
      losses: A loss, a list of losses or None.
      *args: What they are called with.
      prefix: Goes before each name.
      suffix: Goes after each name.

    Returns:
      {name: scalar}.
    """
    return {
        f"{prefix}{name}{suffix}": value
        for loss in core.make_iterable(losses)
        for name, value in loss.get_losses_dict(*args).items()
    }
