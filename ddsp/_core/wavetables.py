"""Wavetable synthesis."""

import math
from collections.abc import Callable

import tensorflow as tf

from ddsp._core import checks
from ddsp._core.compilation import fused
from ddsp._core.phase import interpolated_phase
from ddsp._core.resampling import neighbors, resample
from ddsp._core.tensors import tf_float32
from ddsp.types import ArrayLike


def linear_lookup(phase: ArrayLike, wavetables: ArrayLike) -> tf.Tensor:
    """Reads wavetables at a phase, with linear interpolation and wrapping.

    Args:
      phase: Phase in cycles, modulo 1, shape [batch, n_samples, 1] or
        [batch, n_samples]. More axes before the last one are allowed.
      wavetables: Tables, shape [batch, n_wavetable], or [batch, n_samples, n_wavetable]
        for one table per sample. Batch and samples broadcast with those of the phase.

    Returns:
      Samples, shape [batch, n_samples].

    Raises:
      ValueError: If the shapes do not broadcast.

    Example:

    >>> ddsp.core.linear_lookup([[0.0, 0.125, 0.25]], [[0.0, 1.0, 0.0, -1.0]]).numpy()
    array([[0. , 0.5, 1. ]], dtype=float32)
    """
    phase, tables = tf_float32(phase), tf_float32(wavetables)
    checks.rank("phase", phase, (2, 3, 4))
    checks.rank("wavetables", tables, (2, 3))
    if phase.shape.rank > 2:
        phase = _without_channel(phase)
    if tables.shape.rank == 2:
        tables = tables[:, tf.newaxis]
    try:
        tf.broadcast_static_shape(phase.shape, tables.shape[:-1])
    except ValueError as error:
        raise ValueError(
            "Phase and wavetables must have batches and samples that broadcast, got "
            f"{phase.shape} and {tables.shape[:-1]}."
        ) from error
    shape = tf.shape(tables)
    rows = tf.reshape(tf.range(shape[0] * shape[1]), shape[:2])
    return _read(phase, tf.reshape(tables, [-1]), rows, shape[2])


def _without_channel(phase: tf.Tensor) -> tf.Tensor:
    if phase.shape[-1] not in (1, None):
        raise ValueError(
            f"The last axis of `phase` must have size 1, got shape {phase.shape}."
        )
    return phase[..., 0]


def lookup(phase: tf.Tensor, tables: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Reads `tables` [batch or 1, n_tables, n_wavetable] at `phase` [batch, n_samples].

    `rows`, [n_samples] or [1], is the index of the table for each sample.
    """
    if tables.shape[0] != 1:
        rows += tf.range(tf.shape(tables)[0])[:, tf.newaxis] * tf.shape(tables)[1]
    return _read(phase, tf.reshape(tables, [-1]), rows, tf.shape(tables)[2])


def _read(
    phase: tf.Tensor, flat: tf.Tensor, rows: tf.Tensor, size: int | tf.Tensor
) -> tf.Tensor:
    """Reads tables of `size` values, concatenated in `flat`, at `phase`.

    `rows` is the index of the table for each value of `phase`, and broadcasts with it.
    """
    position = (phase - tf.floor(phase)) * tf.cast(size, tf.float32)
    below = tf.floor(position)
    fraction = position - below
    # A NaN or infinite phase reads any sample; its fraction makes the result NaN.
    index = tf.clip_by_value(tf.cast(below, tf.int32), 0, size)

    def read(index: tf.Tensor) -> tf.Tensor:
        # A phase that rounds up to 1 wraps too.
        return tf.gather(
            flat, rows * size + tf.where(index < size, index, index - size)
        )

    left, right = read(index), read(index + 1)
    return left + fraction * (right - left)


def _lookup_between(phase: tf.Tensor, tables: tf.Tensor) -> tf.Tensor:
    """Reads tables that are interpolated linearly between frames.

    Samples of the two tables are mixed, which equals reading a mixed table, without the
    memory for one table per sample.
    """
    current, following, ramp = neighbors(tf.shape(tables)[1], tf.shape(phase)[1])
    before = lookup(phase, tables, current)
    return before + ramp * (lookup(phase, tables, following) - before)


_fused_lookup_between = fused(_lookup_between)


@tf.custom_gradient
def _moving_lookup(
    phase: tf.Tensor, tables: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], list[tf.Tensor]]]:
    """Compiled `_lookup_between`; not its gradient, as XLA scatters value by value."""

    def grad(upstream: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([phase, tables])
            audio = _lookup_between(phase, tables)
        return tape.gradient(audio, [phase, tables], upstream)

    return _fused_lookup_between(phase, tables), grad


def harmonic_distribution_to_wavetable(
    harmonic_distribution: ArrayLike, n_wavetable: int = 2048
) -> tf.Tensor:
    """Renders one cycle of a sum of cosines as a wavetable.

    Args:
      harmonic_distribution: Amplitudes of the harmonics, shape
        [batch, time, n_harmonics].
      n_wavetable: Samples per cycle.

    Returns:
      Wavetables, shape [batch, time, n_wavetable].

    Example:

    >>> table = ddsp.core.harmonic_distribution_to_wavetable([[[1.0]]], n_wavetable=4)
    >>> np.abs(table).round(3)
    array([[[1., 0., 1., 0.]]], dtype=float32)
    """
    distribution = tf_float32(harmonic_distribution)
    numbers = tf.range(1, distribution.shape[-1] + 1, dtype=tf.float32)
    phase = 2.0 * math.pi / n_wavetable * tf.range(n_wavetable, dtype=tf.float32)
    cosines = tf.cos(numbers[:, tf.newaxis] * phase)
    return tf.einsum("btk,kw->btw", distribution, cosines)


def wavetable_synthesis(
    frequencies: ArrayLike,
    amplitudes: ArrayLike,
    wavetables: ArrayLike,
    n_samples: int = 64000,
    sample_rate: int = 16000,
) -> tf.Tensor:
    """Renders a wavetable oscillator from frame-rate controls.

    Args:
      frequencies: Frequency in Hz, shape [batch, n_frames, 1].
      amplitudes: Amplitude, shape [batch, n_frames, 1].
      wavetables: Tables, shape [batch, n_wavetable], or
        [batch, n_frames, n_wavetable] for tables that change over time.
      n_samples: Length of the output.
      sample_rate: Samples per second.

    Returns:
      Audio, shape [batch, n_samples].

    Raises:
      ValueError: If a rank is wrong.

    Example:

    >>> ddsp.core.wavetable_synthesis(
    ...     tf.fill([1, 5, 1], 440.0), tf.ones([1, 5, 1]), [[0.0, 1.0, 0.0, -1.0]],
    ...     n_samples=320).shape.as_list()
    [1, 320]
    """
    frequencies, wavetables = tf_float32(frequencies), tf_float32(wavetables)
    checks.rank("frequencies", frequencies, 3)
    checks.rank("amplitudes", amplitudes, 3)
    checks.rank("wavetables", wavetables, (2, 3))
    amplitude = resample(tf_float32(amplitudes), n_samples, method="window")[:, :, 0]
    cycles, _ = interpolated_phase(frequencies, n_samples, sample_rate, inclusive=False)
    if wavetables.shape.rank == 2:
        return amplitude * linear_lookup(cycles, wavetables)
    return amplitude * _moving_lookup(cycles[:, :, 0], wavetables)
