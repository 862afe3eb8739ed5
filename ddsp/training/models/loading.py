"""Models as gin configs describe them."""

from collections.abc import Sequence
from pathlib import Path

import gin

from ddsp.training import checkpoints, rates
from ddsp.training.models import older_configs
from ddsp.training.models.model import Model


@gin.configurable(module="ddsp.training.models")
def get_model(model: Model = gin.REQUIRED) -> Model:
    """The model that the gin config binds to `get_model.model`."""
    return model


def load(path: str | Path) -> Model:
    """A trained model, ready for inference.

    Replaces the global gin config by the model's: functions that gin configures read
    it when they are called.

    Args:
      path: Directory of a training run, by this library or by the original, whose
        latest checkpoint is taken, or a checkpoint in it, such as 'run/ckpt-300'.

    Returns:
      The model with its weights, to be called with `training=False`, and with
      `n_samples` for other lengths than it was trained on.

    Raises:
      FileNotFoundError: If the checkpoint or the operative config beside it is missing.
      ValueError: If the config names no model, or the checkpoint is not of this model
        or is damaged.
    """
    checkpoint = checkpoints.find_latest(str(path))
    model = from_config(find_config(checkpoint))
    model.restore(checkpoint)
    return model


def from_config(config: str, bindings: Sequence[str] = ()) -> Model:
    """A model as a gin config describes it, not restored.

    Replaces the global gin config.

    Args:
      config: Path of a gin file, of this library or of the original in any version.
        What it says about things that are not known is passed over.
      bindings: Lines of gin that override it.

    Returns:
      The model; its variables may not exist yet.

    Raises:
      ValueError: If the config cannot be read, or names no model.
    """
    # The config of a whole run also binds what only training needs.
    with gin.unlock_config():
        gin.clear_config()
        older_configs.parse(config)
        gin.parse_config(list(bindings), skip_unknown=True)
    try:
        rates.complete_config()
        return get_model()
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"The config {config!r} does not describe a model: {error}"
        ) from error


def find_config(checkpoint: str) -> str:
    """The newest operative gin config beside a checkpoint.

    The best checkpoint stands in a directory of its own, below the run's.

    Args:
      checkpoint: Path of a checkpoint, from `checkpoints.find_latest`.

    Returns:
      Path of an `operative_config-N.gin`.

    Raises:
      FileNotFoundError: If there is none.
    """
    return checkpoints.find_config(checkpoint)
