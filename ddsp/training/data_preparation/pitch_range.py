"""Pitch found apart from the tracker, to see what the tracker cannot.

CREPE knows pitches from 33 Hz to 2 kHz. A flute above is reported octaves too low and
a contrabass below too high, with little confidence, as chords are. The autocorrelation
of the recording (McLeod and Wyvill, "A smarter way to find pitch", 2005) tells them
apart.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from ddsp.training.data_preparation.settings import CREPE_SAMPLE_RATE

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
# Chords repeat with a common period too. Fifths and triads have no energy in those of
# its partials whose numbers 2, 3 and 5 do not divide.
_OWN_PARTIALS = (1, 7, 11, 13, 17, 19)
_OWN_SHARE = 0.002


class PeriodFinder:
    """Finds the period of audio at 16 kHz, every tenth of a second, as it passes.

    Attributes:
      hz: One frequency for each tenth of a second; 0 where nothing repeats clearly.
    """

    def __init__(self):
        self.hz: list[float] = []
        self._rest = np.zeros(0, np.float32)

    def watch(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Passes blocks on, [n_samples] each, and looks at them."""
        hop = round(HOP_SECS * CREPE_SAMPLE_RATE)
        for block in blocks:
            audio = np.concatenate([self._rest, block])
            n_frames = max((len(audio) - _WINDOW) // hop + 1, 0)
            for first in range(0, n_frames * hop, hop):
                self.hz.append(frequency(audio[first : first + _WINDOW]))
            self._rest = audio[n_frames * hop :]
            yield block

    def at_frames(self, n_frames: int, frame_rate: int) -> np.ndarray:
        """The frequencies at times `i / frame_rate`: [n_frames], Hz, 0 if none."""
        hz = np.array(self.hz or [frequency(self._rest)])
        times = np.arange(n_frames) / frame_rate - _WINDOW / 2 / CREPE_SAMPLE_RATE
        return hz[np.clip(np.round(times / HOP_SECS).astype(int), 0, len(hz) - 1)]


def frequency(audio: np.ndarray) -> float:
    """Frequency at which audio repeats.

    Args:
      audio: [n_samples], at 16 kHz.

    Returns:
      Hz; 0 if it does not repeat clearly between 16 Hz and 6 kHz.

    Example:
      >>> t = np.arange(4096) / 16000
      >>> round(frequency(np.sin(2 * np.pi * 2200 * t)))
      2207
    """
    n_samples = len(audio)
    if not np.any(audio):
        return 0.0
    n_fft = 2 ** int(np.ceil(np.log2(2 * n_samples)))
    centered = audio - np.mean(audio)
    power = np.abs(np.fft.rfft(centered, n_fft)) ** 2
    # Zeros above the spectrum: the autocorrelation at four times the rate.
    rate = _OVERSAMPLING * CREPE_SAMPLE_RATE
    longest = min(int(rate / _LOWEST_LOOKED_FOR_HZ), _OVERSAMPLING * n_samples // 2)
    correlation = np.fft.irfft(power, _OVERSAMPLING * n_fft)[: longest + 1]
    if correlation[0] <= 0.0:
        return 0.0
    overlap = 1.0 - np.arange(longest + 1) / (_OVERSAMPLING * n_samples)
    likeness = correlation / (correlation[0] * overlap)
    negative = np.flatnonzero(likeness < 0.0)
    shortest = int(rate / _HIGHEST_LOOKED_FOR_HZ)
    first = max(negative[0] if len(negative) else longest, shortest)
    inner = likeness[first:]
    is_peak = (inner[1:-1] > inner[:-2]) & (inner[1:-1] >= inner[2:])
    lags = first + 1 + np.flatnonzero(is_peak)
    if not len(lags) or np.max(likeness[lags]) < _CLEAR:
        return 0.0
    lag = lags[np.argmax(likeness[lags] >= _NEARLY * np.max(likeness[lags]))]
    hz = rate / lag
    return hz if hz > LOWEST_HZ or _is_one_tone(centered, hz) else 0.0


def _is_one_tone(audio: np.ndarray, hz: float) -> bool:
    power = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
    frequencies = np.arange(len(power)) * CREPE_SAMPLE_RATE / len(audio)
    near = [np.abs(frequencies - n * hz) < 0.25 * hz for n in _OWN_PARTIALS]
    return bool(np.sum(power[np.any(near, axis=0)]) > _OWN_SHARE * np.sum(power))
