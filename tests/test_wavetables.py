"""Wavetables, against numpy.interp and closed forms."""

import numpy as np
import pytest
import tensorflow as tf

from ddsp import core

RNG = np.random.default_rng(0)


def test_lookup_interpolates_and_wraps():
    table = RNG.standard_normal(50).astype(np.float32)
    phase = RNG.uniform(-3, 3, [1, 400, 1]).astype(np.float32)
    at = phase[0, :, 0].astype(np.float64) % 1 * 50
    expected = np.interp(at, np.arange(51), np.append(table, table[0]))
    got = core.linear_lookup(phase, table[np.newaxis])
    # The phase is rounded to 1e-7, times 50 samples and their slope.
    np.testing.assert_allclose(got[0], expected, atol=5e-5)
    tables = np.tile(table, (1, 400, 1))
    np.testing.assert_allclose(core.linear_lookup(phase, tables), got, atol=1e-6)


@pytest.mark.parametrize(
    ("phase_shape", "table_shape"),
    [
        ((2, 60, 1), (2, 1, 16)),
        ((2, 60, 1), (1, 60, 16)),
        ((1, 60, 1), (3, 16)),
        ((2, 60), (2, 16)),
        ((4, 2, 60, 1), (2, 60, 16)),
        ((2, 1, 1), (2, 60, 16)),
    ],
)
def test_phase_and_tables_broadcast(phase_shape, table_shape):
    phase = RNG.uniform(0, 1, phase_shape)
    tables = RNG.standard_normal(table_shape)
    got = core.linear_lookup(phase, tables)
    leading = phase if len(phase_shape) == 2 else phase[..., 0]
    tables = tables[:, np.newaxis] if tables.ndim == 2 else tables
    shape = np.broadcast_shapes(leading.shape, tables.shape[:-1])
    at = np.broadcast_to(leading, shape)
    rows = np.broadcast_to(tables, [*shape, 16])
    expected = [
        np.interp(16 * at[i], np.arange(17), np.append(rows[i], rows[i][0]))
        for i in np.ndindex(shape)
    ]
    np.testing.assert_allclose(got, np.reshape(expected, shape), atol=2e-5)


@pytest.mark.parametrize(
    ("phase_shape", "table_shape", "message"),
    [
        ((2, 60, 1), (2, 50, 16), "broadcast, got"),
        ((2, 60, 1), (3, 16), "broadcast, got"),
        ((2, 60, 2), (2, 16), "size 1, got"),
    ],
)
def test_phase_and_tables_that_do_not_fit(phase_shape, table_shape, message):
    with pytest.raises(ValueError, match=message):
        core.linear_lookup(np.zeros(phase_shape), np.zeros(table_shape))


def test_a_table_is_a_sum_of_cosines():
    shares = RNG.uniform(0, 1, [2, 3, 5]).astype(np.float32)
    cosines = np.cos(2 * np.pi * np.outer(np.arange(1, 6), np.arange(256)) / 256)
    got = core.harmonic_distribution_to_wavetable(shares, 256)
    np.testing.assert_allclose(got, shares @ cosines, atol=1e-5)


@pytest.mark.parametrize("hop", [64, 160])
def test_synthesis_sounds_at_the_frequency(hop):
    n = 100 * hop
    table = np.cos(2 * np.pi * np.arange(2048) / 2048)[np.newaxis]
    hz, ones = np.full([1, 100, 1], 500.0), np.ones([1, 100, 1])
    got = core.wavetable_synthesis(hz, ones, table, n)[0]
    expected = np.cos(2 * np.pi * 500 * np.arange(n) / 16000)
    np.testing.assert_allclose(got, expected, atol=2e-5)


def oracle(hz, amplitudes, tables, n_samples, upstream):
    """Audio in float64, and its gradients, with a table for every sample."""
    n_frames, size = tables.shape
    at = np.arange(n_samples) * n_frames / n_samples
    # [n_samples, n_frames]: how much of every frame is in a sample.
    lines = np.stack([np.interp(at, np.arange(n_frames), e) for e in np.eye(n_frames)])
    lines = lines.T
    share = at % 1
    hann = np.zeros_like(lines)
    for n, frame in enumerate(at.astype(int)):
        weight = 0.5 - 0.5 * np.cos(np.pi * share[n])
        hann[n, frame] += 1 - weight
        hann[n, min(frame + 1, n_frames - 1)] += weight
    cycles = np.cumsum(lines @ hz) - lines @ hz
    position = (cycles / 16000 % 1) * size
    left = position.astype(int) % size
    right, fraction = (left + 1) % size, position % 1
    reads = np.zeros([n_samples, size])
    rows = np.arange(n_samples)
    reads[rows, left] += 1 - fraction
    reads[rows, right] += fraction
    table = lines @ tables
    audio = np.sum(reads * table, axis=1)
    level = hann @ amplitudes
    d_position = upstream * level * (table[rows, right] - table[rows, left])
    later = np.cumsum(d_position[::-1])[::-1] - d_position
    return (
        level * audio,
        lines.T @ later * size / 16000,
        hann.T @ (upstream * audio),
        lines.T @ ((upstream * level)[:, np.newaxis] * reads),
    )


@pytest.mark.parametrize(("n_frames", "n_samples"), [(10, 640), (7, 350), (1, 90)])
def test_moving_tables_match_a_table_for_every_sample(n_frames, n_samples):
    rng = np.random.default_rng(n_frames)
    hz = rng.uniform(200, 600, n_frames).astype(np.float32)
    amplitudes = rng.uniform(0, 1, n_frames).astype(np.float32)
    tables = rng.standard_normal([n_frames, 64]).astype(np.float32)
    upstream = rng.standard_normal(n_samples).astype(np.float32)
    inputs = [
        tf.constant(hz[np.newaxis, :, np.newaxis]),
        tf.constant(amplitudes[np.newaxis, :, np.newaxis]),
        tf.constant(tables[np.newaxis]),
    ]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        audio = core.wavetable_synthesis(*inputs, n_samples=n_samples)[0]
        loss = tf.reduce_sum(audio * upstream)
    gradients = tape.gradient(loss, inputs)
    doubles = [x.astype(np.float64) for x in (hz, amplitudes, tables)]
    expected, *expected_gradients = oracle(*doubles, n_samples, upstream)
    # The phase is rounded to some 1e-7 cycles, times the 64 steps of a noisy table.
    np.testing.assert_allclose(audio, expected, rtol=0, atol=2e-4)
    for got, want in zip(gradients, expected_gradients, strict=True):
        scale = np.max(np.abs(want))
        np.testing.assert_allclose(np.squeeze(got), np.squeeze(want), atol=2e-4 * scale)


@pytest.mark.parametrize("n_frames", [10, 13])
def test_frames_that_do_not_divide_the_samples_are_mixed_as_resample_does(n_frames):
    n_samples = 1000
    hz, ones = np.full([2, n_frames, 1], 300.0), np.ones([2, 50, 1])
    tables = RNG.standard_normal([2, n_frames, 32]).astype(np.float32)
    got = core.wavetable_synthesis(hz, ones, tables, n_samples)
    phase = np.tile((300.0 / 16000 * np.arange(n_samples) % 1)[:, None], (2, 1, 1))
    expected = core.linear_lookup(phase, core.resample(tables, n_samples))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)


def test_no_table_for_every_sample_is_held():
    n_frames, n_samples, size = 100, 6400, 512

    def gradients(hz, amplitudes, tables):
        audio = core.wavetable_synthesis(hz, amplitudes, tables, n_samples)
        return tf.gradients(audio, [hz, amplitudes, tables])

    graph = (
        tf.function(gradients)
        .get_concrete_function(
            tf.TensorSpec([1, n_frames, 1]),
            tf.TensorSpec([1, n_frames, 1]),
            tf.TensorSpec([1, n_frames, size]),
        )
        .graph
    )
    graphs = [graph, *(f.graph for f in graph._functions.values())]
    shapes = [x.shape for g in graphs for op in g.get_operations() for x in op.outputs]
    sizes = [s.num_elements() or 0 for s in shapes if s.rank is not None]
    # The tables themselves, not the 64 times as many of all samples.
    assert max(sizes) <= 2 * n_frames * size
