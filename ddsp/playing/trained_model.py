"""The trained model that a module plays, from gin's settings."""

from pathlib import Path

from ddsp import gin_state
from ddsp.training import checkpoints, models, rate_bindings
from ddsp.training.models import building, configs, older_configs


def parse_operative_config(ckpt_dir: str | Path, trusted: bool = False) -> None:
    """Adds a trained model's settings to gin's global ones.

    Args:
      ckpt_dir: Directory of a training run, or a checkpoint in it, by this library or
        by the original in any version. What its config says about things that are not
        known is passed over.
      trusted: Whether the config may import modules and name anything; see
        `models.load`.

    Raises:
      FileNotFoundError: If the checkpoint or the operative config beside it is missing.
      ValueError: If the config cannot be read, or names what only a trusted one may.
    """
    config = checkpoints.find_config(checkpoints.find_latest(str(ckpt_dir)))
    with gin_state.unlocked():
        older_configs.parse(config, trusted)
        configs.check_references(f"The config {config!r}")


def build_autoencoder() -> models.Autoencoder:
    """The autoencoder that gin's settings describe, not restored.

    Raises:
      ValueError: If they describe no model, or another.
    """
    try:
        rate_bindings.complete_config()
        model = models.get_model()
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"The config does not describe a model: {error}") from error
    if not isinstance(model, models.Autoencoder):
        raise ValueError(
            "Inference needs an Autoencoder; the config describes a "
            f"{type(model).__name__}."
        )
    return model


def restored_autoencoder(ckpt: str | Path, verbose: bool = False) -> models.Autoencoder:
    """The trained autoencoder that gin's settings describe.

    Args:
      ckpt: Directory of a training run, or a checkpoint in it; its settings have been
        parsed.
      verbose: Log what was restored.

    Raises:
      ValueError: If they describe no such model, or the checkpoint is of another.
    """
    model = build_autoencoder()
    checkpoint = checkpoints.find_latest(str(ckpt))
    config = checkpoints.find_config(checkpoint)
    building.build_from_checkpoint(model, checkpoint, config)
    model.restore(str(ckpt), verbose=verbose)
    return model
