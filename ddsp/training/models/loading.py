"""Building models from gin configs, and loading trained ones."""

from pathlib import Path

import gin

from ddsp import gin_state
from ddsp._compat import keras_internals, messages
from ddsp.training import checkpoints, rate_bindings
from ddsp.training.models import building, configs, older_configs
from ddsp.training.models.model import Model


@gin.configurable(module="ddsp.training.models")
def get_model(model: Model = gin.REQUIRED) -> Model:
    """Returns the model that the gin config binds to `get_model.model`.

    Args:
      model: A model, or None.

    Example:

    >>> from ddsp.training import models
    >>> type(models.get_model(models.Autoencoder())).__name__
    'Autoencoder'
    """
    return model


def load(path: str | Path, trusted: bool = False) -> Model:
    """Loads a trained model for inference.

    The model keeps the settings of its config. gin's global settings do not change.

    Args:
      path: Directory of a run, by this library or the original, whose latest checkpoint
        is loaded; or a checkpoint, such as 'run/ckpt-300'.
      trusted: Whether the run's config may import modules and name anything that gin
        knows, which can run any code. Otherwise it may name this library's layers,
        plain layers of Keras, and what the program itself has registered.

    Returns:
      The model with its weights. Call it with `training=False`, and with `n_samples`
      for other lengths than that of the training examples.

    Raises:
      FileNotFoundError: If the checkpoint or the operative config is missing.
      ValueError: If the config describes no model or is not trusted with what it names,
        or if the checkpoint is damaged or belongs to another model.
    """
    checkpoint = checkpoints.find_latest(str(path))
    config = checkpoints.find_config(checkpoint)
    model = from_config(config, trusted=trusted)
    building.build_from_checkpoint(model, checkpoint, config)
    model.restore(checkpoint)
    return model


def from_config(config: str, trusted: bool = False) -> Model:
    """Builds the model that a gin config describes, without weights; see `load`.

    Args:
      config: Path of a gin file, of this library or any version of the original.
        Settings of unknown classes are ignored.
      trusted: Whether the config may import modules and name anything.

    Returns:
      The model. Its variables may not exist yet.

    Raises:
      ValueError: If the config cannot be read, describes no model, or is not trusted
        with what it names.
    """
    with gin_state.isolated():
        older_configs.parse(config, trusted)
        return build(config)


def build(config: str) -> Model:
    """Builds the model that gin's settings describe.

    Args:
      config: Path of the config, for error messages.

    Returns:
      The model. Its variables may not exist yet.

    Raises:
      ValueError: If the settings describe no model or are not trusted with what they
        name.
    """
    source = f"The config {config!r}"
    configs.check_references(source)
    try:
        rate_bindings.complete_config()
        model = get_model()
        if not isinstance(model, Model):
            raise TypeError(f"`get_model.model` must be a model, got {model!r}.")
    except Exception as error:
        keras_internals.forget_uninitialized_variables()
        # Constructors may fail in any way, depending on what the config binds.
        raise ValueError(
            f"{source} does not describe a model: {messages.one_line(error)}"
        ) from error
    return model
