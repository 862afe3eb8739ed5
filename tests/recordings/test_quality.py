"""Warnings about what a model learns little from, and pitch out of range."""

import numpy as np
import pytest

from ddsp import pitch, spectral_ops
from ddsp.recordings import quality
from ddsp.recordings.pitch_range import PeriodFinder, Periods, period
from tests.training.data_preparation import signals


def partials(hz, numbers=(1, 2, 3, 4, 5, 6, 7, 8), seconds=2.0):
    t = np.arange(int(seconds * 16000)) / 16000
    audio = sum(np.sin(2 * np.pi * hz * k * t) / k for k in numbers if hz * k < 7500)
    noise = np.random.default_rng(0).standard_normal(len(t))
    return (0.2 * audio + 1e-3 * noise).astype(np.float32)


# Shares of the energy by partial, of a bowed double bass on its E string and of a cello
# on its C string: next to nothing in the fundamental.
DOUBLE_BASS = (1, 40, 10, 8, 3, 10, 12, 3, 2, 2, 2, 3, 12, 4, 2, 1)
CELLO = (2, 3, 4, 5, 5, 26, 24, 2, 2, 2, 2, 2, 3, 11, 2, 1)


def string(hz, shares, stiffness=0.0, seconds=2.0):
    """A held note of a stiff string: partial n at n * sqrt(1 + stiffness * n ** 2)."""
    t = np.arange(int(seconds * 16000)) / 16000
    audio = sum(
        np.sqrt(share) * np.sin(2 * np.pi * hz * n * np.sqrt(1 + stiffness * n**2) * t)
        for n, share in enumerate(shares, start=1)
    )
    noise = np.random.default_rng(0).standard_normal(len(t))
    return (0.01 * audio + 1e-3 * noise).astype(np.float32)


def warnings(audio):
    f0_hz, confidence = pitch.estimate_f0(audio, 125, viterbi=False)
    loudness = spectral_ops.compute_loudness(audio, frame_rate=125)
    features = np.stack([f0_hz, confidence, loudness], axis=-1)
    periods = PeriodFinder()
    for _ in periods.watch(np.array_split(audio, 7)):
        pass
    return quality.warnings_for(features, periods.at_frames(len(features), 125))


@pytest.mark.parametrize("hz", [20.0, 55.0, 440.0, 1900.0, 2200.0, 4000.0])
@pytest.mark.parametrize("numbers", [(1,), (1, 2, 3, 4, 5, 6, 7, 8)])
def test_frequency_of_a_tone(hz, numbers):
    # One sample at four times the rate.
    tolerance = max(0.005, hz / 64000)
    assert period(partials(hz, numbers)[:4096]).hz == pytest.approx(hz, rel=tolerance)


def test_frequency_of_what_does_not_repeat():
    assert period(np.zeros(4096, np.float32)).hz == 0.0
    assert period(np.ones(4096, np.float32)).hz == 0.0
    assert period(np.zeros(0, np.float32)).hz == 0.0
    noise = np.random.default_rng(0).standard_normal(4096)
    assert period(noise).hz == 0.0


@pytest.mark.parametrize("hz", [20.0, 33.0, 41.2, 65.4, 92.5])
@pytest.mark.parametrize("shares", [DOUBLE_BASS, CELLO])
@pytest.mark.parametrize("stiffness", [0.0, 3e-5, 1e-4])
def test_period_of_a_low_string(hz, shares, stiffness):
    found = period(string(hz, shares, stiffness)[:4096])
    # The greatest stiffness raises the thirteenth partial by 0.8%.
    assert found.hz == pytest.approx(hz, rel=0.01)
    assert found.one_tone


@pytest.mark.parametrize("decibels", [-80.0, 80.0])
def test_period_of_a_low_string_that_decays_or_grows(decibels):
    envelope = 10 ** (decibels * np.arange(4096) / 16000 / 20)
    found = period(envelope * string(41.2, DOUBLE_BASS)[:4096])
    assert found.hz == pytest.approx(41.2, rel=0.005)
    assert found.one_tone


@pytest.mark.parametrize("root", [41.2, 65.4, 130.8, 220.0, 330.0])
@pytest.mark.parametrize("ratios", [(2, 3), (3, 4), (4, 5, 6), (10, 12, 15), (5, 7)])
@pytest.mark.parametrize("tempered", [False, True])
def test_the_common_period_of_a_chord_is_no_tone(root, ratios, tempered):
    intervals = np.array(ratios) / ratios[0]
    if tempered:
        intervals = 2 ** (np.round(12 * np.log2(intervals)) / 12)
    chord = sum(partials(root * interval) for interval in intervals)
    assert not period(chord[:4096]).one_tone


@pytest.mark.parametrize(
    "hz, one_tone, expected",
    [
        (66.0, True, "has its pitch at 66 Hz, where the pitch tracker finds another"),
        (25.0, True, "has its pitch at 25 Hz, out of the pitch tracker's range"),
        (66.0, False, "sounds polyphonic or unpitched"),
        (0.0, False, "sounds polyphonic or unpitched"),
        (200.0, True, None),
        (200.0, False, None),
    ],
)
def test_what_is_said_where_the_tracker_is_unsure(hz, one_tone, expected):
    features = np.tile([200.0, 0.3, -20.0], (100, 1))
    periods = Periods(np.full(100, hz), np.full(100, one_tone))
    found = quality.warnings_for(features, periods)
    assert len(found) == (expected is not None)
    assert all(warning.startswith(expected) for warning in found)
    features[:, 1] = 0.9
    assert quality.warnings_for(features, periods) == []


@pytest.mark.parametrize("hz", [33.0, 41.2])
def test_a_low_string_is_not_called_polyphonic(hz):
    (warning,) = warnings(string(hz, CELLO, 3e-5))
    assert "where the pitch tracker finds another" in warning
    named = float(warning.split("pitch at ")[1].split(" Hz")[0])
    assert named == pytest.approx(hz, rel=0.02)


def test_a_finder_looks_at_every_tenth_of_a_second():
    audio = np.concatenate([partials(220.0), partials(440.0)])
    for n_blocks in (1, 13, 500):
        periods = PeriodFinder()
        passed = list(periods.watch(np.array_split(audio, n_blocks)))
        np.testing.assert_array_equal(np.concatenate(passed), audio)
        found = periods.at_frames(400, 100).hz
        np.testing.assert_allclose(found[:180], 220.0, rtol=0.01)
        np.testing.assert_allclose(found[220:], 440.0, rtol=0.01)
    # Shorter than one look, and nothing at all.
    for n_samples, expected in ((1000, 220.0), (0, 0.0)):
        periods = PeriodFinder()
        assert len(list(periods.watch([audio[:n_samples]]))) == 1
        np.testing.assert_allclose(periods.at_frames(5, 100).hz, expected, rtol=0.01)


def test_solo_chords_and_silence():
    solo = signals.tones(3)
    assert warnings(solo) == []
    for midi in ((57, 60, 64), (36, 40, 43), (48, 55), (33, 40)):
        chord = sum(signals.tones(3, midi=[note]) for note in midi)
        (warning,) = warnings(chord)
        assert "polyphonic" in warning
    (warning,) = warnings(np.random.default_rng(0).standard_normal(32000) * 0.1)
    assert "polyphonic or unpitched" in warning
    pause = np.concatenate([solo[:16000], np.zeros(32000, np.float32)])
    (warning,) = warnings(pause)
    assert "mostly silent" in warning
    # What is soft all along is not silent.
    assert warnings(0.01 * solo) == []


@pytest.mark.parametrize("hz", [20.0, 25.0, 28.0, 2200.0, 2500.0, 3500.0])
@pytest.mark.parametrize("numbers", [(1,), (1, 2, 3, 4, 5, 6, 7, 8)])
def test_pitch_out_of_range_is_said(hz, numbers):
    (warning,) = warnings(partials(hz, numbers))
    assert "out of the pitch tracker's range of 33 Hz to 2 kHz" in warning
    named = float(warning.split("pitch at ")[1].split(" Hz")[0])
    assert named == pytest.approx(hz, rel=0.03)


@pytest.mark.parametrize("hz", [34.0, 38.0, 42.0, 60.0, 1000.0, 1700.0, 1950.0])
@pytest.mark.parametrize("numbers", [(1,), (1, 2, 3, 4, 5, 6, 7, 8), (2, 3, 4, 5)])
def test_pitch_within_range_raises_no_alarm(hz, numbers):
    if hz * len(numbers) > 7500 and numbers[0] == 2:
        pytest.skip("nothing of the partials is left")
    assert warnings(partials(hz, numbers)) == []
