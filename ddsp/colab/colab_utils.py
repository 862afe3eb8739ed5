"""Helpers for notebooks: recording, playback, files, tuning and plots.

They also work outside notebooks, where `play` writes a file, `record` uses the default
microphone and `upload` reads from paths.
"""

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import files
from ddsp.colab.sounds import (
    DEFAULT_SAMPLE_RATE,
    audio_bytes_to_np,
    download,
    play,
    record,
    upload,
)
from ddsp.playing import adjustment
from ddsp.playing.adjustment import get_tuning_factor
from ddsp.training import postprocessing
from ddsp.training.plotting import plot_impulse_responses, specplot, transfer_function
from ddsp.training.postprocessing import (
    QuantileTransformer,
    detect_notes,
    fit_quantile_transform,
    load_dataset_statistics,
    smooth,
)
from ddsp.types import ArrayLike, Provider

__all__ = [
    "DEFAULT_SAMPLE_RATE",
    "QuantileTransformer",
    "audio_bytes_to_np",
    "auto_tune",
    "detect_notes",
    "download",
    "fit_quantile_transform",
    "get_tuning_factor",
    "load_dataset_statistics",
    "play",
    "plot_impulse_responses",
    "record",
    "save_dataset_statistics",
    "smooth",
    "specplot",
    "transfer_function",
    "upload",
]

_KEYS: Sequence[str] = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")


def auto_tune(
    f0_midi: ArrayLike,
    tuning_factor: float,
    mask_on: ArrayLike,
    amount: float = 0.0,
    chromatic: bool = False,
) -> np.ndarray:
    """Tunes notes to a scale, and prints the detected key.

    Args:
      f0_midi: f0 in MIDI notes, [n_frames].
      tuning_factor: Tuning offset of the performance in semitones, positive if sharp;
        see `get_tuning_factor`.
      mask_on: Mask of the frames to tune, [n_frames], bool.
      amount: Amount of tuning, from 0 (none) to 1.
      chromatic: Whether to tune to the nearest semitone rather than to the major scale
        that fits best.

    Returns:
      Tuned f0 in MIDI notes, [n_frames].

    Example:

    >>> from ddsp.colab import colab_utils
    >>> colab_utils.auto_tune([60.3], 0.0, [True], amount=1.0, chromatic=True)
    array([60.])
    """
    f0_midi, mask_on = np.asarray(f0_midi), np.asarray(mask_on, dtype=bool)
    if not chromatic:
        tonic = adjustment.best_major_scale(f0_midi[mask_on] - tuning_factor)
        print(
            f"Key: {_KEYS[tonic]} major, tuned {100 * tuning_factor:+.0f} cents "
            "from A4 = 440 Hz"
        )
    return adjustment.auto_tune(f0_midi, tuning_factor, mask_on, amount, chromatic)


def save_dataset_statistics(
    data_provider: Provider,
    file_path: str | os.PathLike[str] | None = None,
    batch_size: int = 1,
    power_frame_size: int = 256,
) -> dict[str, Any]:
    """Computes the statistics of a data set and writes them as JSON.

    Args:
      data_provider: Data provider of audio, f0 and loudness.
      file_path: Path of the JSON file, which `load_dataset_statistics` reads, whatever
        its suffix. None writes no file.
      batch_size: Number of examples per batch.
      power_frame_size: Frame size of the power in samples.

    Returns:
      The statistics; see `postprocessing.compute_dataset_statistics`.

    Raises:
      OSError: If the file cannot be written.
      ValueError: If there are no examples, or if a feature is missing.

    Example:

    >>> from ddsp.colab import colab_utils
    >>> provider = ddsp.testing.tiny_provider()
    >>> statistics = colab_utils.save_dataset_statistics(provider)
    >>> float(statistics["mean_pitch"])
    69.0
    """
    statistics = postprocessing.compute_dataset_statistics(
        data_provider, batch_size, power_frame_size
    )
    if file_path is not None:
        path = files.expand_path(os.fspath(file_path))
        tf.io.gfile.makedirs(os.path.dirname(path))
        plain = postprocessing.statistics_to_dict(statistics)
        files.write_text(path, json.dumps(plain, indent=1))
        print(f"Statistics written to {path}")
    return statistics
