"""The gin config of a trained model, apart from everybody else's.

Gin's settings are global, and functions that gin configures read them whenever they are
called. What is built or traced here sees the model's own settings, and those that were
there before come back.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import gin

from ddsp.training import checkpoints, models, rates
from ddsp.training.models import loading, older_configs

# Where gin keeps settings, and what was used of them. There is no public way to put
# these back: the text of a config leaves out what cannot be written, and reading it
# forgets what was used, which is what training saves.
_STORES = ("_CONFIG", "_SINGLETONS", "_IMPORTS", "_OPERATIVE_CONFIG")


@contextlib.contextmanager
def isolated(text: str = "") -> Iterator[None]:
    """Inside, gin has the given settings alone; afterwards, those of before.

    Args:
      text: A gin config, as `gin.config_str()` returns it.
    """
    stores = [getattr(gin.config, name) for name in _STORES]
    saved = [store.copy() for store in stores]
    with gin.unlock_config():
        gin.clear_config()
        try:
            gin.parse_config(text, skip_unknown=True)
            yield
        finally:
            gin.clear_config()
            for store, content in zip(stores, saved, strict=True):
                store.update(content)


def parse_operative_config(ckpt_dir: str | Path) -> None:
    """Adds a trained model's settings to gin's global ones.

    Args:
      ckpt_dir: Directory of a training run, or a checkpoint in it, by this library or
        by the original in any version. What its config says about things that are not
        known is passed over.

    Raises:
      FileNotFoundError: If the checkpoint or the operative config beside it is missing.
      ValueError: If the config cannot be read.
    """
    config = loading.find_config(checkpoints.find_latest(str(ckpt_dir)))
    with gin.unlock_config():
        older_configs.parse(config)


def build_autoencoder() -> models.Autoencoder:
    """The autoencoder that gin's settings describe, not restored.

    Raises:
      ValueError: If they describe no model, or another.
    """
    try:
        rates.complete_config()
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
    model.restore(str(ckpt), verbose=verbose)
    return model
