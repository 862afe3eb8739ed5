"""What notebooks need: to record, load, play and save audio, to tune, and to draw.

The functions also work in plain Python: there `play` writes a file, `record` listens to
the default microphone and `upload` takes paths.
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
    f0_midi: np.ndarray,
    tuning_factor: float,
    mask_on: np.ndarray,
    amount: float = 0.0,
    chromatic: bool = False,
) -> np.ndarray:
    """Pulls notes to a scale, and prints the key it takes them to be in.

    Args:
      f0_midi: [n_frames], MIDI pitch.
      tuning_factor: Semitones by which the performance is sharp, from
        `get_tuning_factor`.
      mask_on: [n_frames], bool: the frames to tune.
      amount: 0 leaves the pitch, 1 puts it on the note.
      chromatic: Whether to take all semitones rather than the major scale that fits
        best.

    Returns:
      [n_frames], MIDI pitch.
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
    data_provider: Any,
    file_path: str | None = None,
    batch_size: int = 1,
    power_frame_size: int = 256,
) -> dict[str, Any]:
    """Computes the statistics of a data set and writes them as JSON.

    Args:
      data_provider: A `DataProvider` of audio, pitch and loudness.
      file_path: Where to write them; None writes nothing. Whatever its name, it will
        be JSON, which `load_dataset_statistics` reads.
      batch_size: Examples read at a time.
      power_frame_size: Samples in a frame of power.

    Returns:
      What `postprocessing.compute_dataset_statistics` returns.

    Raises:
      OSError: If the file cannot be written.
      ValueError: If there are no examples, or if a feature is missing.
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
