"""Conversions between units of level and between units of pitch.

Sources: MIDI tuning A4 = 440 Hz; bark scale of Traunmueller (1990), "Analytical
expressions for the tonotopic sensory scale", eq. 6; mel scale of O'Shaughnessy
(1987), "Speech Communication"; equivalent rectangular bandwidth of Glasberg & Moore
(1990), "Derivation of auditory filter shapes from notched-noise data".
"""

from typing import TypeAlias

import numpy as np
import tensorflow as tf

from ddsp._core.safety import logb
from ddsp._core.tensors import tf_float32
from ddsp.types import ArrayLike

DB_RANGE = 80.0

# Values with arithmetic of their own.
Values: TypeAlias = tf.Tensor | np.ndarray | float


def amplitude_to_db(
    amplitude: ArrayLike,
    ref_db: float = 0.0,
    range_db: float = DB_RANGE,
    use_tf: bool = True,
) -> tf.Tensor | np.ndarray:
    """Converts amplitude to decibels.

    Args:
      amplitude: Linear amplitude, any shape.
      ref_db: Level that becomes 0 dB.
      range_db: Levels are clipped at `-range_db`.
      use_tf: Whether to compute in TensorFlow or in NumPy.

    Returns:
      Level in dB, ≥ `-range_db`, in the shape of `amplitude`.

    Example:

    >>> ddsp.core.amplitude_to_db([1.0, 0.1, 0.0]).numpy()
    array([  0., -20., -80.], dtype=float32)
    """
    amplitude = tf_float32(amplitude) if use_tf else np.asarray(amplitude)
    return power_to_db(amplitude**2, ref_db, range_db, use_tf)


def power_to_db(
    power: ArrayLike,
    ref_db: float = 0.0,
    range_db: float = DB_RANGE,
    use_tf: bool = True,
) -> tf.Tensor | np.ndarray:
    """Converts power to decibels.

    Args:
      power: Power, ≥ 0, any shape.
      ref_db: Level that becomes 0 dB.
      range_db: Levels are clipped at `-range_db`.
      use_tf: Whether to compute in TensorFlow or in NumPy.

    Returns:
      Level in dB, ≥ `-range_db`, in the shape of `power`.

    Example:

    >>> ddsp.core.power_to_db([1.0, 0.1, 0.0]).numpy()
    array([  0., -10., -80.], dtype=float32)
    """
    floor = 10.0 ** (-range_db / 10.0)
    if use_tf:
        power = tf.maximum(tf_float32(power), floor)
        db = 10.0 * logb(power, 10.0, eps=floor) - ref_db
        return tf.maximum(db, -range_db)
    db = 10.0 * np.log10(np.maximum(power, floor)) - ref_db
    return np.maximum(db, -range_db)


def db_to_amplitude(db: Values) -> Values:
    """Converts decibels to amplitude.

    Args:
      db: Level in dB: a tensor, an array or a number.

    Returns:
      Linear amplitude; 0 dB becomes 1.

    Example:

    >>> ddsp.core.db_to_amplitude(-20.0)
    0.1
    """
    return db_to_power(db / 2.0)


def db_to_power(db: Values) -> Values:
    """Converts decibels to power.

    Args:
      db: Level in dB: a tensor, an array or a number.

    Returns:
      Power; 0 dB becomes 1.

    Example:

    >>> ddsp.core.db_to_power(-20.0)
    0.01
    """
    return 10.0 ** (db / 10.0)


def midi_to_hz(notes: ArrayLike, midi_zero_silence: bool = False) -> tf.Tensor:
    """Converts MIDI pitch to frequency.

    Args:
      notes: MIDI pitch, fractional values allowed; 69 is A4.
      midi_zero_silence: Whether pitch 0 means silence and becomes 0 Hz.

    Returns:
      Frequency in Hz.

    Example:

    >>> float(ddsp.core.midi_to_hz(69.0))
    440.0
    """
    notes = tf_float32(notes)
    hz = 440.0 * 2.0 ** ((notes - 69.0) / 12.0)
    if midi_zero_silence:
        hz = tf.where(notes == 0.0, 0.0, hz)
    return hz


def hz_to_midi(frequencies: ArrayLike) -> tf.Tensor:
    """Converts frequency to MIDI pitch.

    Args:
      frequencies: Frequency in Hz.

    Returns:
      MIDI pitch; 0 for frequencies ≤ 0 Hz.

    Example:

    >>> ddsp.core.hz_to_midi([440.0, 880.0, 0.0]).numpy()
    array([69., 81.,  0.], dtype=float32)
    """
    frequencies = tf_float32(frequencies)
    midi = 12.0 * (logb(frequencies, 2.0) - logb(440.0, 2.0)) + 69.0
    return tf.where(frequencies <= 0.0, 0.0, midi)


def unit_to_midi(
    unit: ArrayLike, midi_min: float = 20.0, midi_max: float = 90.0, clip: bool = False
) -> tf.Tensor | np.ndarray:
    """Maps [0, 1] linearly to [midi_min, midi_max].

    Args:
      unit: Values in [0, 1], any shape; float64 stays float64.
      midi_min: MIDI pitch of 0.
      midi_max: MIDI pitch of 1.
      clip: Whether to clip `unit` to [0, 1].

    Returns:
      MIDI pitch.

    Example:

    >>> float(ddsp.core.unit_to_midi(0.5, midi_min=20.0, midi_max=90.0))
    55.0
    """
    unit = _as_floats(unit)
    if clip:
        unit = tf.clip_by_value(unit, 0.0, 1.0)
    return midi_min + (midi_max - midi_min) * unit


def midi_to_unit(
    midi: ArrayLike, midi_min: float = 20.0, midi_max: float = 90.0, clip: bool = False
) -> tf.Tensor | np.ndarray:
    """Maps [midi_min, midi_max] linearly to [0, 1].

    Args:
      midi: MIDI pitch, any shape; float64 stays float64.
      midi_min: MIDI pitch that becomes 0.
      midi_max: MIDI pitch that becomes 1.
      clip: Whether to clip the result to [0, 1].

    Returns:
      Values in [0, 1] for pitches in the range.

    Example:

    >>> float(ddsp.core.midi_to_unit(55.0, midi_min=20.0, midi_max=90.0))
    0.5
    """
    unit = (_as_floats(midi) - midi_min) / (midi_max - midi_min)
    return tf.clip_by_value(unit, 0.0, 1.0) if clip else unit


def unit_to_hz(
    unit: ArrayLike, hz_min: ArrayLike, hz_max: ArrayLike, clip: bool = False
) -> tf.Tensor:
    """Maps [0, 1] to [hz_min, hz_max] on a logarithmic scale.

    Args:
      unit: Values in [0, 1], any shape.
      hz_min: Frequency of 0, in Hz.
      hz_max: Frequency of 1, in Hz.
      clip: Whether to clip `unit` to [0, 1].

    Returns:
      Frequency in Hz.

    Example:

    >>> ddsp.core.unit_to_hz([0.0, 0.5, 1.0], 100.0, 400.0).numpy().round(1)
    array([100., 200., 400.], dtype=float32)
    """
    unit = tf_float32(unit)
    midi = unit_to_midi(unit, hz_to_midi(hz_min), hz_to_midi(hz_max), clip)
    return midi_to_hz(midi)


def hz_to_unit(
    hz: ArrayLike, hz_min: ArrayLike, hz_max: ArrayLike, clip: bool = False
) -> tf.Tensor:
    """Maps [hz_min, hz_max] to [0, 1] on a logarithmic scale.

    Args:
      hz: Frequency in Hz, any shape.
      hz_min: Frequency that becomes 0, in Hz.
      hz_max: Frequency that becomes 1, in Hz.
      clip: Whether to clip the result to [0, 1].

    Returns:
      Values in [0, 1] for frequencies in the range.

    Example:

    >>> ddsp.core.hz_to_unit([100.0, 200.0, 400.0], 100.0, 400.0).numpy()
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return midi_to_unit(hz_to_midi(hz), hz_to_midi(hz_min), hz_to_midi(hz_max), clip)


def hz_to_bark(hz: ArrayLike) -> tf.Tensor | np.ndarray:
    """Converts frequency to the bark scale.

    Args:
      hz: Frequency in Hz; float64 stays float64.

    Returns:
      Critical-band rate in bark.

    Example:

    >>> float(ddsp.core.hz_to_bark(1000.0))
    8.53
    """
    hz = _as_floats(hz)
    return 26.81 * hz / (1960.0 + hz) - 0.53


def bark_to_hz(bark: ArrayLike) -> tf.Tensor | np.ndarray:
    """Converts the bark scale to frequency.

    Args:
      bark: Critical-band rate in bark; float64 stays float64.

    Returns:
      Frequency in Hz.

    Example:

    >>> float(ddsp.core.bark_to_hz(ddsp.core.hz_to_bark(1000.0)))
    1000.0
    """
    bark = _as_floats(bark) + 0.53
    return 1960.0 * bark / (26.81 - bark)


def hz_to_mel(hz: ArrayLike) -> tf.Tensor:
    """Converts frequency to the mel scale.

    Args:
      hz: Frequency in Hz.

    Returns:
      Pitch in mel.

    Example:

    >>> float(ddsp.core.hz_to_mel(1000.0))
    1000.0
    """
    return 1127.0 * tf.math.log1p(tf_float32(hz) / 700.0)


def mel_to_hz(mel: ArrayLike) -> tf.Tensor:
    """Converts the mel scale to frequency.

    Args:
      mel: Pitch in mel; float64 stays float64.

    Returns:
      Frequency in Hz.

    Example:

    >>> float(ddsp.core.mel_to_hz(ddsp.core.hz_to_mel(440.0)))
    440.0
    """
    return 700.0 * tf.math.expm1(_as_floats(mel) / 1127.0)


def hz_to_erb(hz: ArrayLike) -> tf.Tensor | np.ndarray:
    """Computes the equivalent rectangular bandwidth at a frequency.

    Args:
      hz: Frequency in Hz; float64 stays float64.

    Returns:
      Bandwidth in Hz.

    Example:

    >>> float(ddsp.core.hz_to_erb(1000.0))
    132.7
    """
    return 0.108 * _as_floats(hz) + 24.7


def _as_floats(x: ArrayLike) -> tf.Tensor | np.ndarray:
    """Keeps float64 arrays and tensors, and converts all else to float32.

    Arrays stay arrays: they can be combined with float32 tensors.
    """
    is_double = getattr(x, "dtype", None) in (tf.float64, np.float64)
    return x if is_double else tf_float32(x)
