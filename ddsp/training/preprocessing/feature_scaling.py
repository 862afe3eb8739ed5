"""Scaling of features to [0, 1] for the networks, and back."""

from typing import Any

import tensorflow as tf

from ddsp import core
from ddsp.types import ArrayLike

# Ranges that are scaled to [0, 1]: dB below full scale, MIDI notes.
DB_RANGE = core.DB_RANGE
F0_RANGE = 127.0


def at_least_3d(x: ArrayLike) -> tf.Tensor:
    """Expands a tensor to [batch, time, channels].

    Args:
      x: Shape [], [time], [batch, time] or [batch, time, channels].

    Example:

    >>> from ddsp.training import preprocessing
    >>> preprocessing.at_least_3d(tf.zeros([1, 10])).shape.as_list()
    [1, 10, 1]
    """
    x = tf.convert_to_tensor(x)
    missing = {0: (0, 1, 2), 1: (0, 2), 2: (2,)}.get(x.shape.rank, ())
    for axis in missing:
        x = tf.expand_dims(x, axis)
    return x


def scale_db(db: Any, db_range: float = DB_RANGE) -> Any:
    """Scales decibels linearly from [-`db_range`, 0] to [0, 1].

    Args:
      db: Level in dB, any shape.
      db_range: Level that is scaled to 0, in dB below full scale.

    Example:

    >>> from ddsp.training import preprocessing
    >>> preprocessing.scale_db(-40.0)
    0.5
    """
    return db / db_range + 1.0


def inv_scale_db(db_scaled: Any, db_range: float = DB_RANGE) -> Any:
    """Scales values linearly from [0, 1] to decibels in [-`db_range`, 0].

    Args:
      db_scaled: Scaled level, any shape.
      db_range: Level that is scaled to 0, in dB below full scale.

    Example:

    >>> from ddsp.training import preprocessing
    >>> preprocessing.inv_scale_db(0.5)
    -40.0
    """
    return (db_scaled - 1.0) * db_range


def scale_f0_hz(f0_hz: ArrayLike) -> tf.Tensor:
    """Scales f0 to MIDI units divided by 127, in [0, 1].

    Args:
      f0_hz: Fundamental frequency in Hz, any shape; 0 Hz is scaled to 0.

    Example:

    >>> from ddsp.training import preprocessing
    >>> round(127 * float(preprocessing.scale_f0_hz(440.0)), 3)
    69.0
    """
    return core.hz_to_midi(f0_hz) / F0_RANGE


def inv_scale_f0_hz(f0_scaled: Any) -> tf.Tensor:
    """Converts MIDI units divided by 127 to Hz.

    Args:
      f0_scaled: Scaled f0, any shape.

    Example:

    >>> from ddsp.training import preprocessing
    >>> round(float(preprocessing.inv_scale_f0_hz(69.0 / 127.0)), 2)
    440.0
    """
    return core.midi_to_hz(f0_scaled * F0_RANGE)
