"""Pitch found apart from the tracker, to see what the tracker cannot.

CREPE knows pitches from 33 Hz to 2 kHz. A flute above is reported octaves too low and
a contrabass below too high, with little confidence, as chords are. So are low notes
within: their fundamentals are weak, and it takes the third, fifth or seventh partial
for the pitch. The autocorrelation of the recording (McLeod and Wyvill, "A smarter way
to find pitch", 2005) tells them apart.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from ddsp.recordings.analysis_settings import CREPE_SAMPLE_RATE

# Of the tracker. At its ends it is right to 2%.
LOWEST_HZ, HIGHEST_HZ = 32.0, 2020.0
HOP_SECS = 0.1
# Four periods of the lowest pitch looked for.
_WINDOW = 4096
_LOWEST_LOOKED_FOR_HZ, _HIGHEST_LOOKED_FOR_HZ = 16.0, 6000.0
_OVERSAMPLING = 4
# Clear: periods as alike as that. The first peak nearly as high as the highest is the
# period, the later ones are its multiples.
_CLEAR = 0.85
_NEARLY = 0.9
# Chords repeat with a common period too, though less exactly where they are tempered.
# But their notes are no first, eleventh or thirteenth partials of it: just ratios are
# made of 2, 3, 5 and 7, and 16 : 19 : 24 is a tempered minor triad. Of windows of real
# notes below 116 Hz 93% pass as one tone, of thirds to sixths, triads and sevenths
# mixed from them 1%.
_ONE_TONE_CLEAR = 0.95
_OWN_PARTIALS = (1, 11, 13)
_OWN_SHARE = 0.005


class Period(NamedTuple):
    """Period of a window of audio.

    Attributes:
      hz: Fundamental frequency in Hz; 0 without a clear period.
      one_tone: Whether the period is that of one tone, not the common one of a chord.

    Example:

    >>> from ddsp.recordings.pitch_range import Period
    >>> Period(440.0, one_tone=True).hz
    440.0
    """

    hz: float
    one_tone: bool


_NOTHING = Period(0.0, False)


class Periods(NamedTuple):
    """`Period` of each frame.

    Attributes:
      hz: [n_frames], Hz.
      one_tone: [n_frames], bool.

    Example:

    >>> from ddsp.recordings.pitch_range import Periods
    >>> Periods(np.array([440.0]), np.array([True])).hz.shape
    (1,)
    """

    hz: np.ndarray
    one_tone: np.ndarray


class PeriodFinder:
    """Finds the period of audio at 16 kHz, every tenth of a second, as it passes.

    Attributes:
      found: One period for each tenth of a second.
    """

    def __init__(self) -> None:
        self.found: list[Period] = []
        self._rest = np.zeros(0, np.float32)

    def watch(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Passes blocks on, [n_samples] each, and looks at them."""
        hop = round(HOP_SECS * CREPE_SAMPLE_RATE)
        for block in blocks:
            audio = np.concatenate([self._rest, block])
            n_frames = max((len(audio) - _WINDOW) // hop + 1, 0)
            for first in range(0, n_frames * hop, hop):
                self.found.append(period(audio[first : first + _WINDOW]))
            self._rest = audio[n_frames * hop :]
            yield block

    def at_frames(self, n_frames: int, frame_rate: int) -> Periods:
        """The periods at times `i / frame_rate`."""
        hz, one_tone = zip(*(self.found or [period(self._rest)]), strict=True)
        times = np.arange(n_frames) / frame_rate - _WINDOW / 2 / CREPE_SAMPLE_RATE
        looks = np.clip(np.round(times / HOP_SECS).astype(int), 0, len(hz) - 1)
        return Periods(np.array(hz)[looks], np.array(one_tone)[looks])


def period(audio: np.ndarray) -> Period:
    """Finds the period of audio.

    Args:
      audio: [n_samples], at 16 kHz.

    Returns:
      The period; 0 Hz if it does not repeat clearly between 16 Hz and 6 kHz.

    Example:
      >>> t = np.arange(4096) / 16000
      >>> round(period(np.sin(2 * np.pi * 2200 * t)).hz)
      2207
    """
    n_samples = len(audio)
    if not np.any(audio):
        return _NOTHING
    n_fft = 2 ** int(np.ceil(np.log2(2 * n_samples)))
    centered = audio - np.mean(audio)
    power = np.abs(np.fft.rfft(centered, n_fft)) ** 2
    # Zeros above the spectrum: the autocorrelation at four times the rate.
    rate = _OVERSAMPLING * CREPE_SAMPLE_RATE
    longest = min(int(rate / _LOWEST_LOOKED_FOR_HZ), _OVERSAMPLING * n_samples // 2)
    correlation = np.fft.irfft(power, _OVERSAMPLING * n_fft)[: longest + 1]
    if correlation[0] <= 0.0:
        return _NOTHING
    # Against the energy of the two parts compared, so that decays are alike too.
    energy = np.concatenate([[0.0], np.cumsum(centered**2, dtype=np.float64)])
    compared = energy[::-1] + energy[-1] - energy
    lag_samples = np.arange(longest + 1) / _OVERSAMPLING
    compared = np.interp(lag_samples, np.arange(n_samples + 1), compared)
    likeness = correlation / correlation[0] * 2.0 * energy[-1] / compared
    negative = np.flatnonzero(likeness < 0.0)
    shortest = int(rate / _HIGHEST_LOOKED_FOR_HZ)
    first = max(negative[0] if len(negative) else longest, shortest)
    inner = likeness[first:]
    is_peak = (inner[1:-1] > inner[:-2]) & (inner[1:-1] >= inner[2:])
    lags = first + 1 + np.flatnonzero(is_peak)
    if not len(lags) or np.max(likeness[lags]) < _CLEAR:
        return _NOTHING
    lag = lags[np.argmax(likeness[lags] >= _NEARLY * np.max(likeness[lags]))]
    hz = rate / lag
    one_tone = np.max(likeness[lags]) >= _ONE_TONE_CLEAR and _has_own(centered, hz)
    # No chord has a common period above the tracker's range.
    return Period(hz, bool(hz > HIGHEST_HZ or one_tone))


def _has_own(audio: np.ndarray, hz: float) -> bool:
    power = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
    frequencies = np.arange(len(power)) * CREPE_SAMPLE_RATE / len(audio)
    near = [np.abs(frequencies - n * hz) < 0.25 * hz for n in _OWN_PARTIALS]
    return bool(np.sum(power[np.any(near, axis=0)]) > _OWN_SHARE * np.sum(power))
