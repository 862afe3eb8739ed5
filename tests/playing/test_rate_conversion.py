"""The change of sample rate, compared with closed forms and with scipy."""

import numpy as np
import pytest
import scipy.signal

from ddsp.playing.rate_conversion import RateConverter

RATES = [(48000, 16000), (44100, 16000), (16000, 48000), (22050, 16000)]


def tone(hz, rate, seconds=0.25):
    """[1, n_samples], amplitude 0.5."""
    time = np.arange(int(seconds * rate)) / rate
    return (0.5 * np.sin(2.0 * np.pi * hz * time))[np.newaxis].astype(np.float32)


def inner(audio):
    """Without the edges, where the tone begins and ends."""
    return audio[:, audio.shape[1] // 4 : -audio.shape[1] // 4]


def in_blocks(converter, audio, seed):
    rng = np.random.default_rng(seed)
    state, done, parts = converter.initial_state(len(audio)), 0, []
    while done < audio.shape[1]:
        size = int(rng.integers(0, 700))
        part, state = converter.step(audio[:, done : done + size], state)
        parts.append(part)
        done += size
        heard = min(done, audio.shape[1])
        assert sum(x.shape[1] for x in parts) == converter.known(heard)
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_a_tone_stays_where_it_is(rates, share):
    """Up to 3/4 of Nyquist: its frequency, its level and its phase."""
    hz = share * min(rates) / 2.0
    resampled = RateConverter(*rates).whole(tone(hz, rates[0]))
    expected = tone(hz, rates[1])
    n_samples = min(resampled.shape[1], expected.shape[1])
    # Kaiser's formula sets the ripple at -80 dB of the tone.
    np.testing.assert_allclose(
        inner(resampled[:, :n_samples]), inner(expected[:, :n_samples]), atol=1e-4
    )


@pytest.mark.parametrize("rates", [(48000, 16000), (44100, 16000), (22050, 16000)])
@pytest.mark.parametrize("above", [1.0, 1.2])
def test_a_tone_above_nyquist_is_gone(rates, above):
    hz = above * rates[1] / 2.0
    assert hz < rates[0] / 2.0
    resampled = inner(RateConverter(*rates).whole(tone(hz, rates[0])))
    level = 20.0 * np.log10(np.max(np.abs(resampled)) / 0.5)
    # The formula is a fit: it is kept to within a decibel.
    assert level < -79.0


@pytest.mark.parametrize("rates", [(48000, 16000), (44100, 16000)])
def test_noise_is_what_scipy_makes_of_it(rates):
    """Of noise with nothing beyond the pass band, as any good resampler makes it."""
    rng = np.random.default_rng(0)
    nyquist = rates[1] / rates[0]
    band = scipy.signal.firwin(1001, 0.6 * nyquist)
    audio = scipy.signal.lfilter(band, 1.0, rng.normal(size=[1, rates[0] // 4]))
    resampled = RateConverter(*rates).whole(audio.astype(np.float32))
    # Its own filter, longer than its default, which droops below the pass band's end.
    common = np.gcd(*rates)
    up, down = rates[1] // common, rates[0] // common
    taps = scipy.signal.firwin(
        64 * max(up, down) + 1, 0.85 / max(up, down), window=("kaiser", 9.0)
    )
    expected = scipy.signal.resample_poly(audio, up, down, axis=1, window=taps)
    n_samples = min(resampled.shape[1], expected.shape[1])
    np.testing.assert_allclose(
        inner(resampled[:, :n_samples]),
        inner(expected[:, :n_samples]),
        atol=2e-4 * np.max(np.abs(expected)),
    )


@pytest.mark.parametrize("rates", [*RATES, (16000, 16000)])
def test_cuts_change_nothing(rates):
    audio = np.random.default_rng(1).normal(size=[2, 5000]).astype(np.float32)
    converter = RateConverter(*rates)
    whole = converter.whole(audio)
    assert whole.shape[1] == -(-5000 * rates[1] // rates[0])
    for seed in range(3):
        played = in_blocks(converter, audio, seed)
        np.testing.assert_array_equal(played, whole[:, : played.shape[1]])


@pytest.mark.parametrize("rates", [*RATES, (16000, 16000)])
def test_what_is_needed_and_what_is_known_agree(rates):
    converter = RateConverter(*rates)
    for n_out in (0, 1, 2, 3, 100, 1024, 12345):
        needed = int(converter.needed(n_out))
        assert converter.known(needed) >= n_out
        assert n_out == 0 or converter.known(needed - 1) < n_out


def test_the_same_rate_is_left_alone():
    audio = np.random.default_rng(2).normal(size=[1, 1000]).astype(np.float32)
    converter = RateConverter(16000, 16000)
    assert converter.delay_samples == 0
    np.testing.assert_array_equal(converter.whole(audio), audio)


@pytest.mark.parametrize("rates", [(0, 16000), (16000, -1)])
def test_rates_are_positive(rates):
    with pytest.raises(ValueError, match=f"got {min(rates)}"):
        RateConverter(*rates)
