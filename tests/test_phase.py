"""Exact phase, against float64 and whole-number arithmetic."""

import math

import numpy as np
import pytest
import tensorflow as tf

from ddsp import core
from ddsp._core import phase

SAMPLE_RATE = 48000


def circle_distance(a, b, cycle=1.0):
    """Distance of two phases on the circle."""
    away = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    return np.abs((away + cycle / 2) % cycle - cycle / 2)


def exact_cycles(f0_hz, hop, sample_rate, samples):
    """Phase after the given samples in float64, of linearly interpolated frames."""
    f0 = np.asarray(f0_hz, np.float64)
    following = np.append(f0[1:], f0[-1])
    hops = ((hop + 1) * f0 + (hop - 1) * following) / 2
    starts = np.append(0.0, np.cumsum(hops / sample_rate % 1.0))
    frame, n = np.divmod(np.asarray(samples), hop)
    n = n + 1.0
    within = f0[frame] * n + (following - f0)[frame] * n * (n - 1) / (2 * hop)
    return starts[frame] + within / sample_rate


def test_ten_minutes_at_7900_hz():
    hop, n_frames = 192, 600 * 250
    rng = np.random.default_rng(0)
    # Eighteen harmonics of a wavering tone: the top one is at about 7.9 kHz.
    vibrato = 3.0 * np.sin(np.arange(n_frames) / 8.0) + rng.normal(0, 0.2, n_frames)
    f0 = (438.9 + vibrato).astype(np.float32)
    coarse, fine, end = phase.frame_starts(
        f0[np.newaxis, :, np.newaxis], hop, SAMPLE_RATE
    )
    start = coarse + fine
    expected = exact_cycles(f0, hop, SAMPLE_RATE, [n_frames * hop - 1])
    last = exact_cycles(f0, hop, SAMPLE_RATE, np.arange(1, n_frames) * hop - 1)
    # 1e-3 rad in harmonic 18.
    bound = 1e-3 / (2 * math.pi) / 18
    assert np.max(circle_distance(start[0, 1:, 0], last)) < bound
    assert np.max(circle_distance(end[0, 0], expected)) < bound


def test_the_last_seconds_of_ten_minutes_sound_right():
    """A long steady tone, then one second of it after ten minutes, as samples."""
    n_samples = 600 * SAMPLE_RATE
    hz = np.float32(7899.37)
    cycles, _ = phase.interpolated_phase(
        np.full([1, n_samples // 4800, 1], hz), n_samples, SAMPLE_RATE
    )
    samples = np.arange(n_samples - SAMPLE_RATE, n_samples)
    expected = float(hz) * (samples + 1) / SAMPLE_RATE
    error = circle_distance(np.asarray(cycles)[0, samples, 0], expected)
    # Within a hop of 0.1 s the phase grows to 800 cycles: 3e-5 of float32 each.
    assert 2 * math.pi * error.max() < 1e-3


@pytest.mark.parametrize("cycle", [2 * math.pi, 1.0, 16000.0, 44100.0])
def test_wrapped_cumsum_matches_exact_sums(cycle):
    rng = np.random.default_rng(1)
    x = (cycle * rng.uniform(-0.5, 0.5, [2, 50000, 3])).astype(np.float32)
    expected = np.cumsum(x.astype(np.float64), axis=1)
    got = phase.wrapped_cumsum(x, cycle)
    assert np.all((got >= 0.0) & (got <= np.float32(cycle)))
    # Rounding of the result to float32, and nothing that grows.
    assert np.max(circle_distance(got, expected, cycle)) < 3e-7 * cycle


@pytest.mark.parametrize("chunk_size", [1, 7, 1000, 10**6])
def test_the_size_of_chunks_changes_nothing(chunk_size):
    x = np.random.default_rng(2).uniform(0, 3, [1, 2500]).astype(np.float32)
    np.testing.assert_array_equal(
        core.angular_cumsum(x, chunk_size), core.angular_cumsum(x)
    )


def test_angular_frequency_is_summed_without_drift():
    omega = np.float32(2 * np.pi * 440 / 16000)
    n = 2_000_000
    got = core.angular_cumsum(np.full([1, n], omega, np.float32))
    expected = float(omega) * np.arange(1, n + 1)
    assert np.max(circle_distance(got, expected, 2 * np.pi)) < 2e-6


def test_many_frames_of_one_sample_do_not_overflow():
    n = 5_000_000
    f0 = np.full([1, n, 1], 12345.0, np.float32)
    _, final = phase.interpolated_phase(f0, n, SAMPLE_RATE)
    assert circle_distance(final[0, 0, 0], 12345.0 * n / SAMPLE_RATE) < 1e-6


@pytest.mark.parametrize("n_samples", [640, 650, 30, 10])
@pytest.mark.parametrize("inclusive", [True, False])
def test_interpolated_phase_is_the_sum_of_interpolated_frequency(n_samples, inclusive):
    rng = np.random.default_rng(3)
    f0 = rng.uniform(100.0, 900.0, [2, 20, 2]).astype(np.float32)
    envelope = np.asarray(core.resample(f0, n_samples), np.float64)
    expected = np.cumsum(envelope, axis=1) / 16000
    cycles, final = phase.interpolated_phase(f0, n_samples, 16000, inclusive)
    at = expected if inclusive else expected - envelope / 16000
    # Each sample's frequency is rounded to float32, 3e-5 Hz, and read off.
    assert np.max(circle_distance(cycles, at)) < 2e-6
    assert np.max(circle_distance(final, expected[:, -1:])) < 2e-6


@pytest.mark.parametrize("n_samples", [96, 100])
def test_gradients_are_those_of_the_plain_sum(n_samples):
    rng = np.random.default_rng(4)
    f0 = tf.constant(rng.uniform(100.0, 900.0, [2, 6, 1]), tf.float32)
    w_cycles = rng.standard_normal([2, n_samples, 1]).astype(np.float32)
    w_final = rng.standard_normal([2, 1, 1]).astype(np.float32)
    gradients = []
    for exact in (True, False):
        with tf.GradientTape() as tape:
            tape.watch(f0)
            if exact:
                cycles, final = phase.interpolated_phase(f0, n_samples, 16000)
            else:
                cycles = tf.cumsum(core.resample(f0, n_samples), axis=1) / 16000.0
                final = cycles[:, -1:]
            y = tf.reduce_sum(w_cycles * cycles) + tf.reduce_sum(w_final * final)
        gradients.append(tape.gradient(y, f0))
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-6)


def test_gradient_of_the_wrapped_sum_is_that_of_the_plain_sum():
    x = tf.constant(np.random.default_rng(5).uniform(0, 3, [2, 2300, 1]), tf.float32)
    weights = np.random.default_rng(6).standard_normal(x.shape).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(weights * core.angular_cumsum(x))
    expected = np.cumsum(weights[:, ::-1].astype(np.float64), axis=1)[:, ::-1]
    np.testing.assert_allclose(tape.gradient(y, x), expected, atol=1e-3)


def test_a_sum_of_frequencies_continues_across_blocks():
    rng = np.random.default_rng(7)
    x = rng.uniform(0, 8000, [1, 3000, 1]).astype(np.float32)
    whole = phase.wrapped_cumsum(x, 16000.0)
    first = phase.wrapped_cumsum(x[:, :1100], 16000.0)
    rest = phase.wrapped_cumsum(x[:, 1100:], 16000.0)
    joined = np.asarray(rest, np.float64) + float(first[0, -1, 0])
    assert np.max(circle_distance(joined, whole[:, 1100:], 16000.0)) < 2e-3


def test_the_bank_of_oscillators_keeps_exact_phase():
    n = 200_000
    hz = np.array([439.3, 3210.7, 7900.1], np.float32)
    frequencies = np.tile(hz, (1, n, 1))
    last = core.oscillator_bank(
        frequencies, np.ones_like(frequencies), sum_sinusoids=False
    )[0, -1000:]
    samples = np.arange(n - 1000, n)[:, np.newaxis] + 1
    expected = np.sin(2 * np.pi * samples * hz.astype(np.float64) / 16000)
    np.testing.assert_allclose(last, expected, atol=1e-5)
