"""Conversions of level and pitch, against librosa and closed forms."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from ddsp import core

HZ = np.exp(np.random.default_rng(0).uniform(np.log(20), np.log(20000), 500))


def test_midi_matches_librosa():
    np.testing.assert_allclose(core.hz_to_midi(HZ), librosa.hz_to_midi(HZ), rtol=1e-5)
    midi = np.linspace(0, 127, 255)
    np.testing.assert_allclose(core.midi_to_hz(midi), librosa.midi_to_hz(midi), 1e-5)


@pytest.mark.parametrize("as_tensor", [False, True])
def test_scaled_pitch_keeps_the_digits_of_float64(as_tensor):
    unit = np.linspace(-0.5, 1.5, 101) + 1e-10
    given = tf.constant(unit) if as_tensor else unit
    midi = core.unit_to_midi(given, 20.0, 90.0)
    # Float32 would be off by 1e-6.
    np.testing.assert_allclose(midi, 20.0 + 70.0 * unit, rtol=0, atol=1e-12)
    np.testing.assert_allclose(core.midi_to_unit(midi), unit, rtol=0, atol=1e-12)
    clipped = core.unit_to_midi(given, 20.0, 90.0, clip=True)
    np.testing.assert_allclose(
        clipped, 20.0 + 70.0 * np.clip(unit, 0, 1), rtol=0, atol=1e-12
    )
    assert core.unit_to_midi([0.5]).dtype == tf.float32
    assert core.unit_to_hz(given, 20.0, 2000.0).dtype == tf.float32


@pytest.mark.parametrize("as_tensor", [False, True])
def test_scales_of_hearing_keep_the_digits_of_float64(as_tensor):
    given = tf.constant(HZ) if as_tensor else HZ
    bark = 26.81 * HZ / (1960.0 + HZ) - 0.53
    np.testing.assert_allclose(core.hz_to_bark(given), bark, rtol=1e-12)
    np.testing.assert_allclose(core.bark_to_hz(core.hz_to_bark(given)), HZ, rtol=1e-12)
    np.testing.assert_allclose(core.hz_to_erb(given), 0.108 * HZ + 24.7, rtol=1e-12)
    mel = given / 10.0
    np.testing.assert_allclose(
        core.mel_to_hz(mel), 700.0 * np.expm1(HZ / 11270.0), rtol=1e-12
    )
    # What comes of an array goes together with float32.
    assert (tf.ones([], tf.float32) * core.hz_to_erb(HZ)).dtype == tf.float32


def test_silence_has_no_pitch():
    np.testing.assert_array_equal(core.hz_to_midi([0.0, -5.0]), [0.0, 0.0])
    np.testing.assert_allclose(core.midi_to_hz([0.0]), [440 * 2 ** (-69 / 12)], 1e-6)
    got = core.midi_to_hz([0.0, 69.0], midi_zero_silence=True)
    np.testing.assert_allclose(got, [0.0, 440.0])


def test_mel_matches_librosa():
    expected = librosa.hz_to_mel(HZ, htk=True)
    # 1127 stands for 2595 / ln 10.
    np.testing.assert_allclose(core.hz_to_mel(HZ), expected, rtol=1e-4)
    np.testing.assert_allclose(core.mel_to_hz(expected), HZ, rtol=1e-3)


def test_bark_and_erb_are_the_published_formulas():
    bark = 26.81 / (1 + 1960 / HZ) - 0.53
    np.testing.assert_allclose(core.hz_to_bark(HZ), bark, rtol=1e-5)
    # Glasberg & Moore (1990): 24.7 (4.37 f / kHz + 1).
    np.testing.assert_allclose(
        core.hz_to_erb(HZ), 24.7 * (4.37 * HZ / 1000 + 1), rtol=2e-3
    )


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (core.hz_to_midi, core.midi_to_hz),
        (core.hz_to_mel, core.mel_to_hz),
        (core.hz_to_bark, core.bark_to_hz),
        (
            lambda x: core.hz_to_unit(x, 20.0, 2e4),
            lambda x: core.unit_to_hz(x, 20.0, 2e4),
        ),
        (lambda x: core.midi_to_unit(x), lambda x: core.unit_to_midi(x)),
    ],
    ids=["midi", "mel", "bark", "unit_hz", "unit_midi"],
)
def test_there_and_back(there, back):
    np.testing.assert_allclose(back(there(HZ)), HZ, rtol=2e-4)


def test_units_are_logarithmic_in_frequency():
    got = core.unit_to_hz([0.0, 0.5, 1.0], 100.0, 400.0)
    np.testing.assert_allclose(got, [100.0, 200.0, 400.0], rtol=1e-5)


def test_clipping():
    np.testing.assert_allclose(core.midi_to_unit([0.0, 127.0], clip=True), [0, 1])
    np.testing.assert_allclose(core.unit_to_midi([-1.0, 2.0], clip=True), [20, 90])
    np.testing.assert_allclose(core.midi_to_unit([160.0]), [2.0])
    np.testing.assert_allclose(core.hz_to_unit([1.0], 20.0, 90.0, clip=True), [0.0])


@pytest.mark.parametrize("use_tf", [True, False])
def test_decibels(use_tf):
    power = np.array([0.0, 1e-12, 1e-3, 1.0, 50.0], np.float32)
    expected = np.maximum(10 * np.log10(np.maximum(power, 1e-20)), -80)
    np.testing.assert_allclose(
        core.power_to_db(power, use_tf=use_tf), expected, atol=1e-4
    )
    np.testing.assert_allclose(
        core.amplitude_to_db(np.sqrt(power), use_tf=use_tf), expected, atol=1e-4
    )
    got = core.power_to_db(power, ref_db=6.0, range_db=20.0, use_tf=use_tf)
    expected = np.maximum(10 * np.log10(np.maximum(power, 1e-2)) - 6.0, -20.0)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_decibels_back():
    db = np.linspace(-60, 10, 50)
    np.testing.assert_allclose(core.power_to_db(core.db_to_power(db)), db, atol=1e-4)
    np.testing.assert_allclose(
        core.amplitude_to_db(core.db_to_amplitude(db)), db, atol=1e-4
    )


@pytest.mark.parametrize(
    "function",
    [
        core.hz_to_midi,
        core.hz_to_bark,
        core.bark_to_hz,
        core.hz_to_mel,
        core.power_to_db,
        core.amplitude_to_db,
    ],
)
def test_gradients_at_zero_are_finite(function):
    x = tf.constant([0.0, -0.53, 1e-30, 5.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    assert np.all(np.isfinite(y))
    assert np.all(np.isfinite(tape.gradient(y, x)))
