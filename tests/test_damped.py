"""Damped sinusoids against closed forms, and frequencies that they learn."""

import numpy as np
import pytest
import tensorflow as tf

from ddsp import core, losses
from ddsp._core import damped

RATE = 16000
N_SAMPLES = 1024


def test_powers_of_poles_match_numpy():
    z = np.array([[0.9 * np.exp(0.3j), 0.999 * np.exp(-2.0j), np.exp(3.1j)]])
    amplitudes = np.array([[0.5, 2.0, 1.0]])
    powers = z[:, np.newaxis] ** np.arange(2000)[:, np.newaxis]
    poles = np.stack([z.real, z.imag], axis=-1)
    # Phase and logarithm of a float32 pole, 6e-8 of each, times 2000.
    np.testing.assert_allclose(
        core.damped_sinusoids(poles, amplitudes, 2000),
        np.sum(amplitudes * powers.real, axis=-1),
        atol=2e-3,
    )
    np.testing.assert_allclose(
        core.damped_sinusoids(poles, n_samples=100),
        np.sum(powers.real, axis=-1)[:, :100],
        atol=1e-4,
    )


def test_a_long_sinusoid_stays_bounded():
    """Also from a pole far outside the circle, which counts as one upon it."""
    poles = 1e20 * core.hz_to_poles([[440.0]], 1.0, RATE)
    audio = core.damped_sinusoids(poles, n_samples=100000)
    assert np.max(np.abs(audio)) <= 1.0 + 1e-6
    expected = np.cos(2.0 * np.pi * 440.0 / RATE * np.arange(1000))
    np.testing.assert_allclose(audio[0, :1000], expected, atol=1e-3)


def test_poles_and_hz():
    hz = np.array([[20.0, 440.0, 7999.0]])
    poles = core.hz_to_poles(hz, 0.7, RATE)
    np.testing.assert_allclose(np.linalg.norm(poles, axis=-1), 0.7, rtol=1e-6)
    # An angle near pi has a rounding of 2e-7.
    np.testing.assert_allclose(core.poles_to_hz(poles, RATE), hz, atol=1e-3)
    conjugates = poles * [1.0, -1.0]
    np.testing.assert_allclose(core.poles_to_hz(conjugates, RATE), hz, atol=1e-3)


def test_the_residual_is_that_of_least_squares():
    rng = np.random.default_rng(0)
    audio = rng.normal(size=[2, 300])
    z = rng.uniform(0.9, 1.0, [2, 3]) * np.exp(1j * rng.uniform(0.2, 3.0, [2, 3]))
    expected = []
    for x, poles in zip(audio, z, strict=True):
        powers = poles ** np.arange(300)[:, np.newaxis]
        waves = np.concatenate([powers.real, powers.imag], axis=1)
        left = np.linalg.lstsq(waves, x, rcond=None)[1][0]
        expected.append(left / np.sum(x**2))
    poles = np.stack([z.real, z.imag], axis=-1)
    # What regularizes is 1e-6 of a wave's energy.
    np.testing.assert_allclose(core.damped_residual(audio, poles), expected, 1e-4)


def test_silence_is_explained_by_nothing_and_leaves_nothing():
    poles = core.hz_to_poles([[440.0]])
    assert core.damped_residual(np.zeros([1, 100]), poles) == 0.0


def test_a_pole_outside_can_come_back():
    """Only the part of a gradient that leads further out is left out."""
    poles = tf.constant([[[3.0, 4.0]]])
    for upstream, expected in [([0.6, 0.8], [0.6, 0.8]), ([-0.6, -0.8], [0.0, 0.0])]:
        with tf.GradientTape() as tape:
            tape.watch(poles)
            loss = tf.reduce_sum(damped._into_disc(poles) * upstream)
        slope = tape.gradient(loss, poles)
        np.testing.assert_allclose(slope[0, 0], expected, atol=1e-6)


def learn(audio, poles, n_steps=1000):
    """Adam on real and imaginary parts, every row of the batch for itself."""
    poles = tf.Variable(poles)
    schedule = tf.keras.optimizers.schedules.CosineDecay(0.003, n_steps)
    optimizer = tf.keras.optimizers.Adam(schedule)
    loss = losses.DampedSinusoidLoss()

    @tf.function(jit_compile=True, autograph=False)
    def gradient(poles):
        with tf.GradientTape() as tape:
            tape.watch(poles)
            value = loss(audio, poles)
        return tape.gradient(value, poles)

    for _ in range(n_steps):
        optimizer.apply_gradients([(gradient(tf.convert_to_tensor(poles)), poles)])
    return tf.convert_to_tensor(poles)


def recording(chords, rng):
    """Sinusoids of random phase, and of amplitudes within 6 dB."""
    time = np.arange(N_SAMPLES) / RATE
    rows = []
    for chord in chords:
        amplitudes = rng.uniform(0.25, 0.5, len(chord))
        phases = rng.uniform(0.0, 2.0 * np.pi, len(chord))
        angles = 2.0 * np.pi * np.outer(time, chord) + phases
        rows.append(np.cos(angles) @ amplitudes)
    return np.array(rows, np.float32)


def cents(hz, target):
    return 1200.0 * np.abs(np.log2(hz / target))


def test_a_frequency_is_learned_from_two_octaves_away():
    """220 Hz from 308 Hz, and others from a semitone to two octaves on both sides."""
    semitones = np.array([1, -1, 7, -7, 12, -12, 24, -24])
    pairs = [(220.0, 308.0)]
    pairs += [
        (hz, hz * 2.0 ** (n / 12.0)) for hz in (110, 440, 1000) for n in semitones
    ]
    target, start = np.array(pairs).T[..., np.newaxis]
    audio = recording(target, np.random.default_rng(0))
    poles = learn(audio, core.hz_to_poles(start, sample_rate=RATE))
    assert np.max(cents(core.poles_to_hz(poles, RATE), target)) < 0.1


def test_several_are_learned_one_after_another():
    chord = (220.0, 277.0, 330.0)
    semitones = np.array([[1], [-1], [12], [-12], [24], [-24]])
    audio = recording([chord] * len(semitones), np.random.default_rng(1))
    poles = tf.zeros([len(semitones), 0, 2])
    for hz in chord:
        new = core.hz_to_poles(hz * 2.0 ** (semitones / 12.0), sample_rate=RATE)
        poles = learn(audio, tf.concat([poles, new], axis=1))
    found = np.sort(core.poles_to_hz(poles, RATE), axis=1)
    assert np.max(cents(found, np.array(chord))) < 0.1


def test_a_frequency_is_learned_from_a_noisy_recording():
    """20 dB of noise: the Cramer-Rao bound of 64 ms is 0.2 cents at 220 Hz."""
    rng = np.random.default_rng(2)
    audio = recording([[220.0]] * 8, rng)
    power = np.mean(audio**2, axis=1, keepdims=True)
    audio += rng.normal(size=audio.shape).astype(np.float32) * np.sqrt(power) / 10.0
    poles = learn(audio, core.hz_to_poles(np.full([8, 1], 308.0), sample_rate=RATE))
    assert np.max(cents(core.poles_to_hz(poles, RATE), 220.0)) < 1.0


def test_refused_arguments():
    poles = core.hz_to_poles([[440.0]])
    for call, message in [
        (lambda: core.damped_sinusoids(poles[..., :1]), r"shape \(1, 1, 1\)"),
        (lambda: core.damped_sinusoids(poles, n_samples=0), "got 0"),
        (lambda: core.damped_sinusoids(poles, [1.0]), r"shape \(1,\)"),
        (lambda: core.damped_residual(np.zeros([100]), poles), r"shape \(100,\)"),
        (lambda: core.hz_to_poles([440.0], sample_rate=0), "got 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
