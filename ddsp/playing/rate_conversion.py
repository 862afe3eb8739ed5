"""Sample rate conversion, block by block.

Each output sample depends only on the input around it, so neither the values nor their
latency depend on the partition into blocks. (The buffers of a general resampler can be
neither saved nor restored.)
"""

import math
from typing import Any

import numpy as np

from ddsp._core import checks

# Edges of the pass band and the stop band, as parts of the lower Nyquist frequency.
# At 16 kHz the pass band ends at 6 kHz, the third harmonic of CREPE's highest pitch.
_PASS, _STOP = 0.75, 1.0
_ATTENUATION_DB = 80.0

_BLOCK = 2**14  # samples per call for whole recordings

State = dict[str, Any]


class RateConverter:
    """Resamples by a rational factor with one linear-phase filter.

    A polyphase low-pass, designed with Kaiser's window (Kaiser, "Nonrecursive digital
    filter design using the I0-sinh window function", 1974): flat up to 3/4 of the
    lower Nyquist frequency, 80 dB down from that frequency on.

    Attributes:
      delay_samples: Look-ahead of an output sample, in input samples.

    Example:

    >>> from ddsp.playing.rate_conversion import RateConverter
    >>> converter = RateConverter(48000, 16000)
    >>> converter.whole(np.ones([1, 300], np.float32)).shape
    (1, 100)
    """

    def __init__(self, rate_in: int, rate_out: int):
        """Initializes the converter.

        Args:
          rate_in: Sample rate of the input.
          rate_out: Sample rate of the output.
        """
        checks.positive("rate_in", rate_in)
        checks.positive("rate_out", rate_out)
        common = math.gcd(rate_in, rate_out)
        self._up, self._down = rate_out // common, rate_in // common
        nyquist = min(rate_in, rate_out) / 2.0
        width = 2.0 * np.pi * (_STOP - _PASS) * nyquist / rate_in
        self.delay_samples = 0
        if self._up != self._down:
            length = (_ATTENUATION_DB - 7.95) / (2.285 * width)
            self.delay_samples = math.ceil(length / 2.0)
        cutoff = (_PASS + _STOP) * nyquist / rate_in  # 1 is the input's Nyquist
        self._taps = self._design(cutoff)

    def _design(self, cutoff: float) -> np.ndarray:
        """Returns the filter at each position between two samples, [up, taps]."""
        half = self.delay_samples
        if not half:
            return np.ones([1, 1], np.float32)
        offsets = np.arange(1 - half, half + 1)
        distance = offsets - np.arange(self._up)[:, np.newaxis] / self._up
        inside = np.clip(1.0 - (distance / half) ** 2, 0.0, None)
        beta = 0.1102 * (_ATTENUATION_DB - 8.7)
        taps = np.sinc(cutoff * distance) * np.i0(beta * np.sqrt(inside))
        return (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)

    def needed(self, n_samples: Any) -> Any:
        """Returns the input samples needed for `n_samples` of output; elementwise."""
        last = (np.asarray(n_samples) - 1) * self._down // self._up
        return np.where(np.asarray(n_samples) > 0, last + self.delay_samples + 1, 0)

    def known(self, n_samples: Any) -> Any:
        """Returns the output samples known from `n_samples` of input; elementwise."""
        complete = np.maximum(np.asarray(n_samples) - self.delay_samples, 0)
        return -(-complete * self._up // self._down)

    def initial_state(self, batch_size: int = 1) -> State:
        """Returns the state before the first block."""
        return {
            "audio": np.zeros([batch_size, self._taps.shape[1] - 1], np.float32),
            "n_in": 0,
            "n_out": 0,
        }

    def step(self, audio: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Resamples a block.

        Args:
          audio: [batch, n_samples], float32, of any length.
          state: From `initial_state` or the previous step.

        Returns:
          [batch, n], the output samples that are complete, and the new state.
        """
        joined = np.concatenate([state["audio"], audio], axis=1)
        n_in, n_taps = state["n_in"] + audio.shape[1], self._taps.shape[1]
        stop = int(self.known(n_in))
        numbers = np.arange(state["n_out"], stop)
        # Output `p` is a sum of input samples from `p + 1 - delay` on; `earliest` is
        # the index of the first in `joined`.
        at = numbers * self._down // self._up
        earliest = at + 1 - max(self.delay_samples, 1) - (n_in - joined.shape[1])
        windows = joined[:, earliest[:, np.newaxis] + np.arange(n_taps)]
        taps = self._taps[numbers * self._down % self._up]
        # The rounding of a sum along rows does not depend on the number of rows.
        resampled = np.sum(windows * taps, axis=-1)
        # Nothing before the window of the next output is needed again.
        following = stop * self._down // self._up + 1 - max(self.delay_samples, 1)
        kept = joined[:, max(following - (n_in - joined.shape[1]), 0) :]
        return resampled, {"audio": kept.copy(), "n_in": n_in, "n_out": stop}

    def whole(self, audio: np.ndarray) -> np.ndarray:
        """Resamples whole recordings to [batch, ceil(n_samples * ratio)].

        Output sample i belongs to the time i / rate_out seconds.
        """
        padded = np.pad(audio, [(0, 0), (0, self.delay_samples)])
        state = self.initial_state(len(audio))
        parts = []
        for start in range(0, padded.shape[1], _BLOCK):
            part, state = self.step(padded[:, start : start + _BLOCK], state)
            parts.append(part)
        return np.concatenate(parts, axis=1)
