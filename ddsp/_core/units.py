"""Conversions between units of level and of pitch.

Sources: MIDI tuning A4 = 440 Hz; bark scale of Traunmueller (1990), "Analytical
expressions for the tonotopic sensory scale", eq. 6; mel scale of O'Shaughnessy
(1987), "Speech Communication"; equivalent rectangular bandwidth of Glasberg & Moore
(1990), "Derivation of auditory filter shapes from notched-noise data".
"""

from typing import Any

import numpy as np
import tensorflow as tf

from ddsp._core.safety import logb
from ddsp._core.tensors import tf_float32

DB_RANGE = 80.0


def amplitude_to_db(
    amplitude: Any, ref_db: float = 0.0, range_db: float = DB_RANGE, use_tf: bool = True
) -> Any:
    """Converts amplitude to decibels: `power_to_db` of its square."""
    amplitude = tf_float32(amplitude) if use_tf else np.asarray(amplitude)
    return power_to_db(amplitude**2, ref_db, range_db, use_tf)


def power_to_db(
    power: Any, ref_db: float = 0.0, range_db: float = DB_RANGE, use_tf: bool = True
) -> Any:
    """Converts power to decibels.

    Args:
      power: Any shape, >= 0.
      ref_db: Level that becomes 0 dB.
      range_db: Nothing comes out below `-range_db`.
      use_tf: Compute in TensorFlow; otherwise in NumPy.

    Returns:
      Level in dB, at least `-range_db`, in the shape of `power`.
    """
    floor = 10.0 ** (-range_db / 10.0)
    if use_tf:
        power = tf.maximum(tf_float32(power), floor)
        db = 10.0 * logb(power, 10.0, eps=floor) - ref_db
        return tf.maximum(db, -range_db)
    db = 10.0 * np.log10(np.maximum(power, floor)) - ref_db
    return np.maximum(db, -range_db)


def db_to_amplitude(db: Any) -> Any:
    """Converts decibels to amplitude, 0 dB to 1."""
    return db_to_power(db / 2.0)


def db_to_power(db: Any) -> Any:
    """Converts decibels to power, 0 dB to 1."""
    return 10.0 ** (db / 10.0)


def midi_to_hz(notes: Any, midi_zero_silence: bool = False) -> tf.Tensor:
    """Converts MIDI pitch to Hz.

    Args:
      notes: MIDI pitch, 69 is A4, fractions allowed.
      midi_zero_silence: Whether pitch 0 means silence and becomes 0 Hz.
    """
    notes = tf_float32(notes)
    hz = 440.0 * 2.0 ** ((notes - 69.0) / 12.0)
    if midi_zero_silence:
        hz = tf.where(notes == 0.0, 0.0, hz)
    return hz


def hz_to_midi(frequencies: Any) -> tf.Tensor:
    """Converts Hz to MIDI pitch; 0 Hz and below become 0."""
    frequencies = tf_float32(frequencies)
    midi = 12.0 * (logb(frequencies, 2.0) - logb(440.0, 2.0)) + 69.0
    return tf.where(frequencies <= 0.0, 0.0, midi)


def unit_to_midi(
    unit: Any, midi_min: float = 20.0, midi_max: float = 90.0, clip: bool = False
) -> Any:
    """Maps [0, 1] to [midi_min, midi_max]; `clip` keeps it inside.

    Float64 remains float64.
    """
    unit = _as_floats(unit)
    if clip:
        unit = tf.clip_by_value(unit, 0.0, 1.0)
    return midi_min + (midi_max - midi_min) * unit


def midi_to_unit(
    midi: Any, midi_min: float = 20.0, midi_max: float = 90.0, clip: bool = False
) -> Any:
    """Maps [midi_min, midi_max] to [0, 1]; `clip` keeps it inside.

    Float64 remains float64.
    """
    unit = (_as_floats(midi) - midi_min) / (midi_max - midi_min)
    return tf.clip_by_value(unit, 0.0, 1.0) if clip else unit


def unit_to_hz(unit: Any, hz_min: Any, hz_max: Any, clip: bool = False) -> tf.Tensor:
    """Maps [0, 1] to [hz_min, hz_max] along a logarithmic scale."""
    unit = tf_float32(unit)
    midi = unit_to_midi(unit, hz_to_midi(hz_min), hz_to_midi(hz_max), clip)
    return midi_to_hz(midi)


def hz_to_unit(hz: Any, hz_min: Any, hz_max: Any, clip: bool = False) -> tf.Tensor:
    """Maps [hz_min, hz_max] to [0, 1] along a logarithmic scale."""
    return midi_to_unit(hz_to_midi(hz), hz_to_midi(hz_min), hz_to_midi(hz_max), clip)


def hz_to_bark(hz: Any) -> Any:
    """Converts Hz to the bark scale; float64 remains float64."""
    hz = _as_floats(hz)
    return 26.81 * hz / (1960.0 + hz) - 0.53


def bark_to_hz(bark: Any) -> Any:
    """Converts the bark scale to Hz; float64 remains float64."""
    bark = _as_floats(bark) + 0.53
    return 1960.0 * bark / (26.81 - bark)


def hz_to_mel(hz: Any) -> tf.Tensor:
    """Converts Hz to the mel scale."""
    return 1127.0 * tf.math.log1p(tf_float32(hz) / 700.0)


def mel_to_hz(mel: Any) -> tf.Tensor:
    """Converts the mel scale to Hz; float64 remains float64."""
    return 700.0 * tf.math.expm1(_as_floats(mel) / 1127.0)


def hz_to_erb(hz: Any) -> Any:
    """Returns the equivalent rectangular bandwidth, in Hz, at a frequency in Hz.

    Float64 remains float64.
    """
    return 0.108 * _as_floats(hz) + 24.7


def _as_floats(x: Any) -> Any:
    """Returns `x` as it is if it is a float64 array or tensor, else in float32.

    Arrays remain arrays, which go together with tensors of float32.
    """
    is_double = getattr(x, "dtype", None) in (tf.float64, np.float64)
    return x if is_double else tf_float32(x)
