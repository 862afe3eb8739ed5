"""Rates inferred from the lengths of records."""

import pytest

from ddsp.training.data.record_rates import RecordRates, find

DEFAULTS = RecordRates(16000, 250, 4, False)


def rates(n_samples, n_frames, n_16k=None, **given):
    lengths = {"audio": n_samples} | ({"audio_16k": n_16k} if n_16k else {})
    return find(lengths, n_frames, DEFAULTS, given)


@pytest.mark.parametrize(
    "given",
    [
        {"sample_rate": 44100},
        {"frame_rate": 100},
        {"example_secs": 0.5},
        {"n_16k": 8000},
        {"sample_rate": 44100, "frame_rate": 100},
        {"sample_rate": 44100, "centered": False},
    ],
)
def test_one_value_tells_the_rest(given):
    assert rates(22050, 50, **given) == RecordRates(44100, 100, 0.5, False)


def test_centering_shows_in_the_frames():
    assert rates(22050, 51, sample_rate=44100) == RecordRates(44100, 100, 0.5, True)
    assert rates(64000, 1001) == RecordRates(16000, 250, 4, True)


def test_defaults_where_they_fit():
    assert rates(64000, 1000) == DEFAULTS
    assert rates(64000, None) == DEFAULTS
    assert rates(8000, 125, example_secs=0.5) == RecordRates(16000, 250, 0.5, False)


def test_unknown_without_any_value():
    assert rates(192000, 1000) is None
    assert rates(8000, 125) is None
    assert rates(8000, 125, centered=False) is None


@pytest.mark.parametrize(
    "given",
    [
        {"sample_rate": 22050, "frame_rate": 100},
        {"sample_rate": 48000},
        {"sample_rate": 44100, "frame_rate": 100, "centered": True},
        {"example_secs": 0.3},
    ],
)
def test_contradictions_do_not_fit(given):
    found = rates(22050, 50, **given)
    assert not found.fit(22050, 50)
    for name, value in given.items():
        assert getattr(found, name) == value
