"""Opening a bundle."""

import dataclasses
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ddsp.training import models, postprocessing
from ddsp.training.bundle import manifest as manifests
from ddsp.training.bundle import vector
from ddsp.training.bundle.manifest import Manifest
from ddsp.training.models import loading, restoring

CONFIG_FILE = "config.gin"
WEIGHTS_FILE = "weights.npz"


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A model out of a bundle, ready to play.

    Attributes:
      path: Directory of the bundle.
      model: To be called with `training=False`, and with `n_samples` for other
        lengths than it was trained on.
      statistics: Of the training data, as `postprocessing.compute_dataset_statistics`
        returns them; None if the bundle has none.
      info: Rates, pitch tracker, licence, attribution, versions, exports.
    """

    path: str
    model: models.Autoencoder
    statistics: dict[str, Any] | None
    info: Manifest

    def stream(self, **kwargs: Any) -> Any:
        """The model fed with audio block by block.

        Args:
          **kwargs: Passed on to `inference.StreamingModel`.

        Returns:
          An `inference.StreamingModel`.
        """
        from ddsp.training import inference

        return inference.StreamingModel(self.model, **kwargs)

    @property
    def test_vector(self) -> vector.Vector:
        """Half a second to play, and what must come out."""
        return vector.load(Path(self.path) / vector.VECTOR_FILE)

    def check(self) -> float:
        """Plays the test vector.

        Returns:
          The largest difference of a sample from what was expected. What floating
          point leaves from machine to machine is some 1e-6; above 1e-4 something is
          wrong.
        """
        expected = self.test_vector
        return expected.difference(
            vector.synthesize(self.model, expected.features, expected.noise)
        )


def load(path: str | os.PathLike) -> Bundle:
    """Opens a bundle that `ddsp_export` wrote.

    Replaces the global gin config by the model's, as `models.load` does.

    Args:
      path: Directory of the bundle.

    Returns:
      The bundle.

    Raises:
      FileNotFoundError: If there is no such directory.
      ValueError: If it is no bundle, if its format version is not the one known, if
        a file is missing or damaged, or if the weights do not fit the model.
    """
    path = os.fspath(path)
    info = manifests.read(path)
    manifests.check_files(info, path)
    model, statistics = read_model(Path(path))
    return Bundle(path, model, statistics, info)


def read_model(folder: Path) -> tuple[models.Autoencoder, dict[str, Any] | None]:
    """The model in a bundle, and the statistics of its training data or None.

    Raises:
      ValueError: If the weights do not fit the model.
    """
    model = loading.from_config(str(folder / CONFIG_FILE))
    model.build_variables()
    weights = folder / WEIGHTS_FILE
    try:
        with np.load(weights, allow_pickle=False) as stored:
            values = dict(stored)
    except (zipfile.BadZipFile, EOFError, ValueError) as error:
        raise ValueError(
            f"The weights cannot be read ({error}), got {str(weights)!r}."
        ) from error
    restoring.assign(model, values, f"The file {str(weights)!r}")
    return model, postprocessing.find_dataset_statistics(str(folder))


def write_weights(model: models.Model, folder: Path) -> None:
    """Writes what `read_model` reads: each variable under its name."""
    variables = restoring.model_variables(model)
    np.savez(
        folder / WEIGHTS_FILE,
        **{name: variable.numpy() for name, variable in variables.items()},
    )
