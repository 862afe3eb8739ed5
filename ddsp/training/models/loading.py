"""Models as gin configs describe them."""

from pathlib import Path

import gin

from ddsp import gin_state
from ddsp._compat import keras_internals, messages
from ddsp.training import checkpoints, rates
from ddsp.training.models import building, configs, older_configs
from ddsp.training.models.model import Model


@gin.configurable(module="ddsp.training.models")
def get_model(model: Model = gin.REQUIRED) -> Model:
    """The model that the gin config binds to `get_model.model`."""
    return model


def load(path: str | Path, trusted: bool = False) -> Model:
    """A trained model, ready for inference.

    The model keeps the settings of its config; gin's global ones stay as they are.

    Args:
      path: Directory of a training run, by this library or by the original, whose
        latest checkpoint is taken, or a checkpoint in it, such as 'run/ckpt-300'.
      trusted: Whether the run's config may import modules and name anything that gin
        knows, which can run any code. Without it a config may name this library's
        layers, plain layers of Keras and what the program itself registered.

    Returns:
      The model with its weights, to be called with `training=False`, and with
      `n_samples` for other lengths than it was trained on.

    Raises:
      FileNotFoundError: If the checkpoint or the operative config beside it is missing.
      ValueError: If the config names no model, or what only a trusted one may, or if
        the checkpoint is not of this model or is damaged.
    """
    checkpoint = checkpoints.find_latest(str(path))
    config = checkpoints.find_config(checkpoint)
    model = from_config(config, trusted=trusted)
    building.build_from_checkpoint(model, checkpoint, config)
    model.restore(checkpoint)
    return model


def from_config(config: str, trusted: bool = False) -> Model:
    """A model as a gin config describes it, not restored; see `load`.

    Args:
      config: Path of a gin file, of this library or of the original in any version.
        What it says about things that are not known is passed over.
      trusted: Whether the config may import modules and name anything.

    Returns:
      The model; its variables may not exist yet.

    Raises:
      ValueError: If the config cannot be read, names no model, or names what only a
        trusted one may.
    """
    with gin_state.isolated():
        older_configs.parse(config, trusted)
        return build(config)


def build(config: str) -> Model:
    """The model that gin's settings describe.

    Args:
      config: Where they come from, for error messages.

    Returns:
      The model; its variables may not exist yet.

    Raises:
      ValueError: If they name no model, or what only a trusted config may.
    """
    source = f"The config {config!r}"
    configs.check_references(source)
    try:
        rates.complete_config()
        model = get_model()
        if not isinstance(model, Model):
            raise TypeError(f"`get_model.model` must be a model, got {model!r}.")
    except Exception as error:
        keras_internals.forget_uninitialized_variables()
        # Constructors see whatever the config binds, of whatever type.
        raise ValueError(
            f"{source} does not describe a model: {messages.one_line(error)}"
        ) from error
    return model
