"""Notes and statistics: what a model was trained on, to adjust features to it."""

import json
import math
import os
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import core, files, spectral_ops
from ddsp.training.quantile_transform import (
    QuantileTransformer as QuantileTransformer,
)

STATISTICS_FILE = "dataset_statistics.json"
_DAMAGED = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)


def smooth(x, filter_size=3):
    """Averages over time with a box filter.

    Beyond the ends the signal counts as zero, so the first and last
    `filter_size // 2` values are drawn towards zero.

    Args:
      x: [..., time].
      filter_size: Frames to average, >= 1. An even size reaches one frame further
        into the future than into the past.

    Returns:
      Smoothed signal, [..., time], float32.

    Raises:
      ValueError: If `filter_size` is below 1.
    """
    if filter_size < 1:
        raise ValueError(f"`filter_size` must be at least 1, got {filter_size}.")
    x = np.asarray(x, dtype=np.float64)
    past = (filter_size - 1) // 2
    padding = [(0, 0)] * (x.ndim - 1) + [(past + 1, filter_size - 1 - past)]
    total = np.cumsum(np.pad(x, padding), axis=-1)
    box = (total[..., filter_size:] - total[..., :-filter_size]) / filter_size
    return box.astype(np.float32)


def detect_notes(
    loudness_db,
    f0_confidence,
    note_threshold=1.0,
    exponent=2.0,
    smoothing=40,
    f0_confidence_threshold=0.7,
    min_db=-80.0,
):
    """Marks the frames in which a pitched note sounds.

    A frame is on where it is loud for this recording and its pitch is sure: where
    the product of its loudness above the floor, relative to the mean, and of its
    smoothed confidence, relative to a threshold, reaches `note_threshold`.

    Args:
      loudness_db: [..., n_frames], dB. Several recordings share one mean.
      f0_confidence: [..., n_frames], 0 to 1.
      note_threshold: Above it a frame is on. Lower marks more frames.
      exponent: Contrast of the confidence. Higher trusts unsure frames less.
      smoothing: Frames over which the confidence is averaged.
      f0_confidence_threshold: Confidence that counts as one.
      min_db: Loudness of silence, dB.

    Returns:
      mask_on: [..., n_frames], bool, true where a note sounds.
      note_on_value: [..., n_frames], float32, >= 0 for loudness above `min_db`; the
        ratio compared with `note_threshold`.

    Raises:
      ValueError: If the shapes differ.
    """
    loudness_db = np.asarray(loudness_db, dtype=np.float64)
    f0_confidence = np.asarray(f0_confidence, dtype=np.float64)
    if loudness_db.shape != f0_confidence.shape:
        raise ValueError(
            "Loudness and f0 confidence must have the same shape, got "
            f"{loudness_db.shape} and {f0_confidence.shape}."
        )
    level = loudness_db - min_db
    mean_level = np.mean(level) if level.size else 0.0
    # A recording at the floor throughout has no mean to compare with: all off.
    relative_level = level / mean_level if mean_level > 0 else np.zeros_like(level)
    certainty = smooth(f0_confidence**exponent, smoothing)
    certainty = certainty / f0_confidence_threshold**exponent
    note_on_value = (certainty * relative_level).astype(np.float32)
    return note_on_value >= note_threshold, note_on_value


def fit_quantile_transform(loudness_db, mask_on, inv_quantile=None):
    """Fits the loudness of the notes, and can map it to another distribution.

    Args:
      loudness_db: Any shape, dB.
      mask_on: Of the same shape, bool: the frames in which a note sounds.
      inv_quantile: A fitted `QuantileTransformer`, the distribution to map to.

    Returns:
      quantile_transform: Fitted to the loudness where `mask_on`. With `inv_quantile`,
        a pair of it and `loudness_norm`.
      loudness_norm: [n_frames, 1], dB, flattened; mapped where `mask_on`, and as
        given elsewhere.

    Raises:
      ValueError: If the shapes differ or no frame is on.
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
    data_provider, batch_size=1, power_frame_size=1024, power_frame_rate=50
):
    """Pitch, loudness and power of the notes in a data set.

    Means and extremes are taken over the frames in which `detect_notes` finds a
    note. Where it finds none at all (`note_on_fraction` is 0), over all frames.

    Args:
      data_provider: A `DataProvider` whose batches hold `audio`, `f0_hz`,
        `f0_confidence` and `loudness_db`. Read once, in order.
      batch_size: Examples read at a time.
      power_frame_size: Samples in a frame of power.
      power_frame_rate: Frames of power a second.

    Returns:
      A dictionary of floats: `mean_`, `min_` and `max_` each of `pitch` (MIDI),
      `loudness` (dB) and `power` (dB); `mean_max_loudness` and `mean_max_power`,
      the mean over examples of the highest value; `mean_min_pitch_note`,
      `mean_max_pitch_note`, `mean_min_power_note` and `mean_max_power_note`, the mean
      over examples of the lowest and highest in their notes; `note_on_fraction`, 0 to
      1; `n_examples`; and `quantile_transform`, a `QuantileTransformer` fitted to the
      loudness.

    Raises:
      ValueError: If there are no examples, or if a feature is missing.
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
                "Statistics are of one data set; the data provider zips several, got "
                f"batches of type {type(batch).__name__}."
            )
        missing = {"audio", "f0_hz", "f0_confidence", "loudness_db"} - set(batch)
        if missing:
            raise ValueError(
                f"Statistics need the features {sorted(missing)}; the data provider "
                f"gives {sorted(batch)}."
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
        raise ValueError("Statistics need at least one example; the data has none.")
    return _statistics(**{key: np.concatenate(rows) for key, rows in frames.items()})


def _rows(x) -> np.ndarray:
    x = np.asarray(x)
    return x.reshape(len(x), -1)


def _statistics(f0_hz, f0_confidence, loudness_db, power_db) -> dict[str, Any]:
    mask_on, _ = detect_notes(loudness_db, f0_confidence)
    # Unpitched data (drums, say) still has loudness worth knowing.
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
    """Means over the examples that have notes."""
    notes = [row[on] for row, on in zip(values, mask, strict=True) if on.any()]
    notes = notes or list(values)
    return {
        f"mean_min_{name}_note": float(np.mean([np.min(row) for row in notes])),
        f"mean_max_{name}_note": float(np.mean([np.max(row) for row in notes])),
    }


def statistics_to_dict(statistics: dict[str, Any]) -> dict[str, Any]:
    """The statistics as plain numbers and lists, for JSON."""
    plain = dict(statistics)
    plain["quantile_transform"] = statistics["quantile_transform"].to_dict()
    return plain


def statistics_from_dict(plain: dict[str, Any]) -> dict[str, Any]:
    """The statistics that `statistics_to_dict` described.

    Args:
      plain: Numbers and lists, from JSON.

    Returns:
      What `compute_dataset_statistics` returned.

    Raises:
      ValueError: If it describes no statistics, or a value is not finite.
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
            f"These are no statistics of a data set ({error!r}), got {sorted(plain)}."
        ) from error
    return statistics


# Everything else in statistics is a number.
_OTHER_KINDS: dict[str, Any] = {
    "quantile_transform": dict,
    "pitch_tracker": dict,
    "centered": bool,
}


def _is_number(value: Any) -> bool:
    is_bool = isinstance(value, bool)
    return isinstance(value, int | float) and not is_bool and math.isfinite(value)


def save_dataset_statistics(statistics: dict[str, Any], directory: str) -> str:
    """Writes `dataset_statistics.json`, whole or not at all.

    Args:
      statistics: What `compute_dataset_statistics` returned.
      directory: Made if missing.

    Returns:
      The path of the file.

    Raises:
      OSError: If the file cannot be written.
    """
    directory = files.expand_path(os.fspath(directory))
    files.make_directory(directory)
    path = os.path.join(directory, STATISTICS_FILE)
    files.write_text(path, json.dumps(statistics_to_dict(statistics), indent=1))
    return path


def load_dataset_statistics(directory: str) -> dict[str, Any]:
    """Reads what `save_dataset_statistics` wrote.

    Args:
      directory: The folder that holds `dataset_statistics.json`, or such a file of
        any name.

    Returns:
      The statistics as `compute_dataset_statistics` returns them.

    Raises:
      FileNotFoundError: If the folder has no statistics.
      ValueError: If the file is not such statistics.
    """
    path = files.expand_path(os.fspath(directory))
    if tf.io.gfile.isdir(path) or not tf.io.gfile.exists(path):
        path = os.path.join(path, STATISTICS_FILE)
    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(
            f"No dataset statistics: {path} is missing. Training writes it beside "
            "the checkpoints."
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
    """The statistics in the first of several directories that has them.

    Args:
      *directories: Folders that may hold `dataset_statistics.json`.

    Returns:
      What `load_dataset_statistics` returns, or None.

    Raises:
      ValueError: If the file is not such statistics.
    """
    for directory in directories:
        path = os.path.join(files.expand_path(directory), STATISTICS_FILE)
        if tf.io.gfile.exists(path):
            return load_dataset_statistics(directory)
    return None
