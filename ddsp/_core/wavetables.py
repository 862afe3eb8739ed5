"""Wavetable synthesis."""

import math
from typing import Any

import tensorflow as tf

from ddsp._core import checks
from ddsp._core.phase import interpolated_phase
from ddsp._core.resampling import resample
from ddsp._core.tensors import tf_float32


def linear_lookup(phase: Any, wavetables: Any) -> tf.Tensor:
    """Reads wavetables at a phase, interpolating linearly and wrapping around.

    Args:
      phase: [batch, n_samples, 1], cycles; whole cycles do not matter.
      wavetables: [batch, n_wavetable], or [batch, n_samples, n_wavetable] with a
        table for each sample.

    Returns:
      [batch, n_samples].
    """
    phase, tables = tf_float32(phase), tf_float32(wavetables)
    checks.rank("phase", phase, 3)
    checks.rank("wavetables", tables, (2, 3))
    if tables.shape.rank == 2:
        tables = tables[:, tf.newaxis]
        rows = tf.zeros_like(phase[:1, :, 0], tf.int32)
    else:
        rows = tf.range(tf.shape(phase)[1])[tf.newaxis]
    return _lookup(phase[:, :, 0], tables, rows)


def _lookup(phase: tf.Tensor, tables: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Reads `tables` [batch, n_tables, n_wavetable] at `phase` [batch, n_samples].

    `rows` [1, n_samples] says which table each sample reads.
    """
    batch, n_samples = tf.shape(phase)[0], tf.shape(phase)[1]
    tables = tf.broadcast_to(tables, [batch, tf.shape(tables)[1], tf.shape(tables)[2]])
    size = tf.shape(tables)[2]
    position = tf.math.floormod(phase, 1.0) * tf.cast(size, tf.float32)
    below = tf.floor(position)
    fraction = position - below
    index = tf.cast(below, tf.int32)
    rows = tf.broadcast_to(rows, [batch, n_samples])
    offset = (tf.range(batch)[:, tf.newaxis] * tf.shape(tables)[1] + rows) * size
    flat = tf.reshape(tables, [-1])
    # floormod also catches a phase so close to 1 that it rounds up to it.
    left = tf.gather(flat, offset + tf.math.floormod(index, size))
    right = tf.gather(flat, offset + tf.math.floormod(index + 1, size))
    return left + fraction * (right - left)


def harmonic_distribution_to_wavetable(
    harmonic_distribution: Any, n_wavetable: int = 2048
) -> tf.Tensor:
    """Renders one cycle of a sum of cosines.

    Args:
      harmonic_distribution: [batch, time, n_harmonics], amplitudes.
      n_wavetable: Samples of a cycle.

    Returns:
      [batch, time, n_wavetable].
    """
    distribution = tf_float32(harmonic_distribution)
    numbers = tf.range(1, distribution.shape[-1] + 1, dtype=tf.float32)
    phase = 2.0 * math.pi / n_wavetable * tf.range(n_wavetable, dtype=tf.float32)
    cosines = tf.cos(numbers[:, tf.newaxis] * phase)
    return tf.einsum("btk,kw->btw", distribution, cosines)


def wavetable_synthesis(
    frequencies: Any,
    amplitudes: Any,
    wavetables: Any,
    n_samples: int = 64000,
    sample_rate: int = 16000,
) -> tf.Tensor:
    """Renders a wavetable oscillator from frame-rate controls.

    Args:
      frequencies: [batch, n_frames, 1], Hz.
      amplitudes: [batch, n_frames, 1].
      wavetables: [batch, n_wavetable], or [batch, n_frames, n_wavetable] with tables
        that change over time.
      n_samples: Length of the result.
      sample_rate: Samples a second.

    Returns:
      [batch, n_samples].
    """
    frequencies, wavetables = tf_float32(frequencies), tf_float32(wavetables)
    checks.rank("frequencies", frequencies, 3)
    checks.rank("amplitudes", amplitudes, 3)
    amplitude = resample(tf_float32(amplitudes), n_samples, method="window")[:, :, 0]
    cycles, _ = interpolated_phase(frequencies, n_samples, sample_rate, inclusive=False)
    if wavetables.shape.rank == 3:
        wavetables = resample(wavetables, n_samples)
    return amplitude * linear_lookup(cycles, wavetables)
