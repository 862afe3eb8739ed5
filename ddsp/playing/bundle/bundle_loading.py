"""Opening a bundle."""

import dataclasses
import math
import os
from pathlib import Path
from typing import Any

import gin
import keras
import numpy as np

from ddsp import gin_state
from ddsp.playing.bundle import arrays, contents, vector
from ddsp.playing.bundle import bundle_manifest as manifests
from ddsp.playing.bundle.bundle_manifest import BundleManifest
from ddsp.training import models, postprocessing
from ddsp.training.models import building, loading, older_configs, restoring

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
      info: Rates, pitch tracker, license, attribution, versions, exports.
    """

    path: str
    model: models.Autoencoder
    statistics: dict[str, Any] | None
    info: BundleManifest

    def stream(self, **kwargs: Any) -> Any:
        """The model fed with audio block by block.

        Args:
          **kwargs: Passed on to `playing.StreamingModel`.

        Returns:
          An `playing.StreamingModel`.
        """
        from ddsp import playing

        return playing.StreamingModel(self.model, **kwargs)

    @property
    def test_vector(self) -> vector.Vector:
        """Half a second to play, and what must come out."""
        path = Path(self.path) / vector.VECTOR_FILE
        return vector.load(path, self.info.hop_size)

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

    Nothing in it is run, and nothing outside it is read: its config may name this
    library's layers, plain layers of Keras and what the program itself registered with
    gin. Gin's settings stay as they are.

    Args:
      path: Directory of the bundle.

    Returns:
      The bundle.

    Raises:
      FileNotFoundError: If there is no such directory.
      ValueError: If it is no bundle, if its format version is not the one known, if
        a file is missing, damaged or not listed, if the config names anything else, or
        if the weights do not fit the model or are not finite.
    """
    path = os.fspath(path)
    info = manifests.read(path)
    contents.check_files(info, path)
    folder = Path(path)
    needed = (CONFIG_FILE, WEIGHTS_FILE, vector.VECTOR_FILE)
    if missing := [name for name in needed if name not in info.files]:
        raise ValueError(f"The bundle is not whole: missing {missing}, got {path!r}.")
    model, statistics = read_model(folder)
    _check_model(model, info, path)
    bundle = Bundle(path, model, statistics, info)
    _check_vector(bundle)
    return bundle


def read_model(folder: Path) -> tuple[models.Autoencoder, dict[str, Any] | None]:
    """The model in a bundle, and the statistics of its training data or None.

    Args:
      folder: Directory of the bundle.

    Raises:
      ValueError: If the config describes no such model, or the weights do not fit it.
    """
    config, weights = str(folder / CONFIG_FILE), folder / WEIGHTS_FILE
    headers = arrays.read_headers(weights)
    with gin_state.isolated():
        older_configs.parse(config)
        gin.bind_parameter("ddsp.training.models.Autoencoder.losses", None)
        model = loading.build(config)
    if not isinstance(model, models.Autoencoder) or model.preprocessor is None:
        raise ValueError(
            "A bundle holds an autoencoder with a preprocessor, got "
            f"{type(model).__name__} in {config!r}."
        )
    n_numbers = sum(math.prod(shape) for shape, _ in headers.values())
    building.build(model, n_numbers, config)
    source = f"The file {str(weights)!r}"
    variables = restoring.model_variables(model)
    shapes = {name: shape for name, (shape, _) in headers.items()}
    restoring.check_match(variables, shapes, source)
    for name, (_, dtype) in headers.items():
        if dtype.name != keras.backend.standardize_dtype(variables[name].dtype):
            raise ValueError(
                f"{source} is of another architecture: '{name}' is "
                f"{variables[name].dtype} in the model, got {dtype.name}."
            )
    restoring.assign(model, arrays.read(weights), source)
    return model, postprocessing.find_dataset_statistics(str(folder))


def _check_model(model: models.Autoencoder, info: BundleManifest, path: str) -> None:
    """Refuses a model that is not what the manifest says."""
    expected = {
        "sample_rate": info.sample_rate,
        "frame_rate": info.frame_rate,
        "n_parameters": info.n_parameters,
    }
    actual = {
        "sample_rate": model.sample_rate,
        "frame_rate": model.preprocessor.frame_rate,
        "n_parameters": n_parameters(model),
    }
    if actual != expected:
        raise ValueError(
            f"The model is not what {manifests.MANIFEST_FILE} says, {expected}; got "
            f"{actual} in {path!r}."
        )


def _check_vector(bundle: Bundle) -> None:
    expected = bundle.test_vector
    noise = bundle.model.processor_group.noise_names
    if [sorted(expected.features), sorted(expected.noise)] != [
        sorted(bundle.info.features),
        sorted(noise),
    ]:
        raise ValueError(
            f"The test vector must have the features {bundle.info.features} and the "
            f"noise {noise}, got {sorted(expected.features)} and "
            f"{sorted(expected.noise)} in {bundle.path!r}."
        )


def n_parameters(model: models.Model) -> int:
    """How many numbers the weights of a model consist of.

    Args:
      model: A built model.
    """
    return sum(math.prod(variable.shape) for variable in model.weights)


def write_weights(model: models.Model, folder: Path) -> None:
    """Writes what `read_model` reads: each variable under its name.

    Args:
      model: A built model.
      folder: Directory of the bundle.
    """
    variables = restoring.model_variables(model)
    np.savez(
        folder / WEIGHTS_FILE,
        **{name: variable.numpy() for name, variable in variables.items()},
    )
