"""Statistics of the notes in training data, to which features can be adjusted."""

import json
import math
import os
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import core, files, spectral_ops
from ddsp.training.note_detection import detect_notes, smooth
from ddsp.training.quantile_transform import QuantileTransformer
from ddsp.types import ArrayLike, Provider

__all__ = [
    "STATISTICS_FILE",
    "QuantileTransformer",
    "compute_dataset_statistics",
    "detect_notes",
    "find_dataset_statistics",
    "fit_quantile_transform",
    "load_dataset_statistics",
    "save_dataset_statistics",
    "smooth",
    "statistics_from_dict",
    "statistics_to_dict",
]

STATISTICS_FILE = "dataset_statistics.json"
_DAMAGED = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)


def fit_quantile_transform(
    loudness_db: ArrayLike,
    mask_on: ArrayLike,
    inv_quantile: QuantileTransformer | None = None,
) -> Any:
    """Fits a quantile transform to the loudness of notes.

    Args:
      loudness_db: Loudness in dB, any shape.
      mask_on: Whether a frame has a note, same shape, bool.
      inv_quantile: Fitted transform of another distribution, to which the loudness is
        mapped.

    Returns:
      quantile_transform: `QuantileTransformer` of the loudness where `mask_on`. With
        `inv_quantile`, a pair of the transform and `loudness_norm`.
      loudness_norm: Loudness in dB, shape [n_frames, 1], mapped where `mask_on` and
        unchanged elsewhere.

    Raises:
      ValueError: If the shapes differ or no frame has a note.

    Example:

    >>> from ddsp.training import postprocessing
    >>> target = postprocessing.QuantileTransformer().fit([-20.0, -10.0])
    >>> _, mapped = postprocessing.fit_quantile_transform(
    ...     [-60.0, -50.0, -40.0], [False, True, True], target
    ... )
    >>> mapped[:, 0]
    array([-60., -20., -10.])
    """
    loudness = np.asarray(loudness_db).reshape(-1, 1)
    mask = np.asarray(mask_on, dtype=bool).reshape(-1)
    if len(mask) != len(loudness):
        raise ValueError(
            "Loudness and mask must have the same shape, got "
            f"{np.shape(loudness_db)} and {np.shape(mask_on)}."
        )
    quantile_transform = QuantileTransformer()
    quantiles = quantile_transform.fit_transform(loudness[mask])
    if inv_quantile is None:
        return quantile_transform
    loudness_norm = loudness.copy()
    loudness_norm[mask] = inv_quantile.inverse_transform(quantiles)
    return quantile_transform, loudness_norm


def compute_dataset_statistics(
    data_provider: Provider,
    batch_size: int = 1,
    power_frame_size: int = 1024,
    power_frame_rate: int = 50,
) -> dict[str, Any]:
    """Computes statistics of pitch, loudness and power of the notes in a data set.

    Means and extremes include the frames in which `detect_notes` finds a note, or all
    frames if it finds none (`note_on_fraction` is 0).

    Args:
      data_provider: A `DataProvider` whose batches contain `audio`, `f0_hz`,
        `f0_confidence` and `loudness_db`. Read once, in order.
      batch_size: Number of examples read at a time.
      power_frame_size: Samples per frame of power.
      power_frame_rate: Frames of power per second.

    Returns:
      A dictionary of floats: `mean_`, `min_` and `max_` of `pitch` (MIDI), `loudness`
      (dB) and `power` (dB); `mean_max_loudness` and `mean_max_power`, the mean over
      examples of the highest value; `mean_min_pitch_note`, `mean_max_pitch_note`,
      `mean_min_power_note` and `mean_max_power_note`, the mean over examples of the
      lowest and highest value in notes; `note_on_fraction`, 0 to 1; `n_examples`; and
      `quantile_transform`, a `QuantileTransformer` of the loudness.

    Raises:
      ValueError: If there are no examples or a feature is missing.

    Example:

    >>> import types
    >>> from ddsp.training import postprocessing
    >>> batch = {
    ...     "audio": np.ones([1, 16000], np.float32),
    ...     "f0_hz": np.full([1, 250], 440.0),
    ...     "f0_confidence": np.ones([1, 250]),
    ...     "loudness_db": np.full([1, 250], -20.0),
    ... }
    >>> provider = types.SimpleNamespace(
    ...     sample_rate=16000, get_batch=lambda *args, **kwargs: [batch]
    ... )
    >>> statistics = postprocessing.compute_dataset_statistics(provider)
    >>> statistics["mean_pitch"], statistics["mean_loudness"]
    (69.0, -20.0)
    """
    frames: dict[str, list[np.ndarray]] = {
        key: [] for key in ("f0_hz", "f0_confidence", "loudness_db", "power_db")
    }
    dataset = data_provider.get_batch(
        batch_size, shuffle=False, repeats=1, drop_remainder=False
    )
    for batch in dataset:
        if not isinstance(batch, dict):
            raise ValueError(
                "Statistics need a single data set, not several zipped ones, got "
                f"batches of type {type(batch).__name__}."
            )
        missing = {"audio", "f0_hz", "f0_confidence", "loudness_db"} - set(batch)
        if missing:
            raise ValueError(
                f"Statistics need the features {sorted(missing)}, got only "
                f"{sorted(batch)}."
            )
        for key in ("f0_hz", "f0_confidence", "loudness_db"):
            frames[key].append(_rows(batch[key]))
        power_db = spectral_ops.compute_power(
            _rows(batch["audio"]),
            sample_rate=data_provider.sample_rate,
            frame_rate=power_frame_rate,
            frame_size=power_frame_size,
        )
        frames["power_db"].append(_rows(power_db))
    if not frames["f0_hz"]:
        raise ValueError("Statistics need at least one example, got none.")
    return _statistics(**{key: np.concatenate(rows) for key, rows in frames.items()})


def _rows(x) -> np.ndarray:
    x = np.asarray(x)
    return x.reshape(len(x), -1)


def _statistics(f0_hz, f0_confidence, loudness_db, power_db) -> dict[str, Any]:
    mask_on, _ = detect_notes(loudness_db, f0_confidence)
    # Unpitched data, such as drums, has useful statistics of loudness.
    mask = mask_on if mask_on.any() else np.ones_like(mask_on)
    n_power = power_db.shape[1]
    power_mask = mask[:, np.arange(n_power) * mask.shape[1] // n_power]
    loudness_on = loudness_db[mask]
    pitch = np.asarray(core.hz_to_midi(f0_hz))
    return {
        **_moments("pitch", pitch[mask]),
        **_moments("loudness", loudness_on),
        **_moments("power", power_db[power_mask] if power_mask.any() else power_db),
        "mean_max_loudness": float(np.mean(np.max(loudness_db, axis=1))),
        "mean_max_power": float(np.mean(np.max(power_db, axis=1))),
        **_note_range("pitch", pitch, mask),
        **_note_range("power", power_db, power_mask),
        "note_on_fraction": float(np.mean(mask_on)),
        "n_examples": len(loudness_db),
        "quantile_transform": QuantileTransformer().fit(loudness_on),
    }


def _moments(name: str, values: np.ndarray) -> dict[str, float]:
    return {
        f"mean_{name}": float(np.mean(values, dtype=np.float64)),
        f"min_{name}": float(np.min(values)),
        f"max_{name}": float(np.max(values)),
    }


def _note_range(name: str, values: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Returns the mean lowest and highest value over the examples with notes."""
    notes = [row[on] for row, on in zip(values, mask, strict=True) if on.any()]
    notes = notes or list(values)
    return {
        f"mean_min_{name}_note": float(np.mean([np.min(row) for row in notes])),
        f"mean_max_{name}_note": float(np.mean([np.max(row) for row in notes])),
    }


def statistics_to_dict(statistics: dict[str, Any]) -> dict[str, Any]:
    """Converts statistics to plain numbers and lists, for JSON.

    Args:
      statistics: As returned by `compute_dataset_statistics`.

    Returns:
      A dictionary that JSON can represent.

    Example:

    >>> from ddsp.training import postprocessing
    >>> transform = postprocessing.QuantileTransformer().fit([-20.0, -10.0])
    >>> plain = postprocessing.statistics_to_dict({"quantile_transform": transform})
    >>> plain["quantile_transform"]["quantiles"]
    [[-20.0], [-10.0]]
    """
    plain = dict(statistics)
    plain["quantile_transform"] = statistics["quantile_transform"].to_dict()
    return plain


def statistics_from_dict(plain: dict[str, Any]) -> dict[str, Any]:
    """Restores statistics from the result of `statistics_to_dict`.

    Args:
      plain: Numbers and lists, from JSON.

    Returns:
      Statistics as returned by `compute_dataset_statistics`.

    Raises:
      ValueError: If the dictionary is malformed or a value is not finite.

    Example:

    >>> from ddsp.training import postprocessing
    >>> plain = {"mean_pitch": 69.0, "quantile_transform": {"quantiles": [[0.0]]}}
    >>> postprocessing.statistics_from_dict(plain)["mean_pitch"]
    69.0
    """
    statistics = dict(plain)
    try:
        for name, value in plain.items():
            kind = _OTHER_KINDS.get(name)
            if not (_is_number(value) if kind is None else isinstance(value, kind)):
                raise ValueError(f"wrong value of '{name}', got {value!r}")
        statistics["quantile_transform"] = QuantileTransformer.from_dict(
            plain["quantile_transform"]
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"Statistics of a data set are malformed ({error!r}), got {sorted(plain)}."
        ) from error
    return statistics


# All other statistics are numbers.
_OTHER_KINDS: dict[str, Any] = {
    "quantile_transform": dict,
    "pitch_tracker": dict,
    "centered": bool,
}


def _is_number(value: Any) -> bool:
    is_bool = isinstance(value, bool)
    return isinstance(value, int | float) and not is_bool and math.isfinite(value)


def save_dataset_statistics(
    statistics: dict[str, Any], directory: str | os.PathLike
) -> str:
    """Writes `dataset_statistics.json`, whole or not at all.

    Args:
      statistics: As returned by `compute_dataset_statistics`.
      directory: Destination, created if missing.

    Returns:
      The path of the file.

    Raises:
      OSError: If the file cannot be written.

    Example:

    >>> from ddsp.training import postprocessing
    >>> transform = postprocessing.QuantileTransformer().fit([-20.0, -10.0])
    >>> statistics = {"mean_pitch": 69.0, "quantile_transform": transform}
    >>> path = postprocessing.save_dataset_statistics(statistics, tmp_path)
    >>> postprocessing.load_dataset_statistics(tmp_path)["mean_pitch"]
    69.0
    """
    directory = files.expand_path(os.fspath(directory))
    files.make_directory(directory)
    path = os.path.join(directory, STATISTICS_FILE)
    files.write_text(path, json.dumps(statistics_to_dict(statistics), indent=1))
    return path


def load_dataset_statistics(directory: str | os.PathLike) -> dict[str, Any]:
    """Reads statistics written by `save_dataset_statistics`.

    Args:
      directory: Directory of `dataset_statistics.json`, or the path of such a file.

    Returns:
      Statistics as returned by `compute_dataset_statistics`.

    Raises:
      FileNotFoundError: If there are no statistics.
      ValueError: If the file is malformed.

    Example:

    >>> from ddsp.training import postprocessing
    >>> transform = postprocessing.QuantileTransformer().fit([-20.0, -10.0])
    >>> statistics = {"mean_pitch": 69.0, "quantile_transform": transform}
    >>> _ = postprocessing.save_dataset_statistics(statistics, tmp_path)
    >>> postprocessing.load_dataset_statistics(tmp_path)["mean_pitch"]
    69.0
    """
    path = files.expand_path(os.fspath(directory))
    if tf.io.gfile.isdir(path) or not tf.io.gfile.exists(path):
        path = os.path.join(path, STATISTICS_FILE)
    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(
            "Dataset statistics are missing; training writes them to the directory of "
            f"the checkpoints, got no {path}."
        )
    try:
        with tf.io.gfile.GFile(path) as file:
            return statistics_from_dict(json.load(file))
    except (*_DAMAGED, tf.errors.OpError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"Not a file of dataset statistics: {path} ({message})."
        ) from error


def find_dataset_statistics(*directories: str) -> dict[str, Any] | None:
    """Reads the statistics of the first directory that has them.

    Args:
      *directories: Directories that may hold `dataset_statistics.json`.

    Returns:
      Statistics as returned by `load_dataset_statistics`, or None.

    Raises:
      ValueError: If the file is malformed.

    Example:

    >>> from ddsp.training import postprocessing
    >>> print(postprocessing.find_dataset_statistics(str(tmp_path)))
    None
    """
    for directory in directories:
        path = os.path.join(files.expand_path(directory), STATISTICS_FILE)
        if tf.io.gfile.exists(path):
            return load_dataset_statistics(directory)
    return None
