"""A change of sample rate that can be cut anywhere.

What comes out depends on nothing but the samples around it, so neither the values nor
the moment at which each is known depend on how a stream is cut. (A general resampler
buffers as it likes, and its state can be neither saved nor restored.)
"""

import math
from typing import Any

import numpy as np

from ddsp._core import checks

# Of the lower of the two Nyquist frequencies: what is kept, and where the stop band
# begins. For CREPE at 16 kHz that is 6 kHz, the third harmonic of its highest pitch.
_PASS, _STOP = 0.75, 1.0
_ATTENUATION_DB = 80.0

_BLOCK = 2**14  # samples of a whole recording that are resampled at a time

State = dict[str, Any]


class RateConverter:
    """Resamples by a ratio of whole numbers with one linear-phase filter.

    A polyphase low-pass, designed with Kaiser's window (Kaiser, "Nonrecursive digital
    filter design using the I0-sinh window function", 1974): flat up to 3/4 of the
    lower Nyquist frequency, 80 dB down from that frequency on.

    Attributes:
      delay_samples: Samples at the input rate that must be heard past the moment of a
        sample that comes out.
    """

    def __init__(self, rate_in: int, rate_out: int):
        """Initializer.

        Args:
          rate_in: Samples a second that go in.
          rate_out: Samples a second that come out.
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
        """[up, taps]: the filter at each position between two samples."""
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
        """Samples that must have gone in before `n_samples` come out; elementwise."""
        last = (np.asarray(n_samples) - 1) * self._down // self._up
        return np.where(np.asarray(n_samples) > 0, last + self.delay_samples + 1, 0)

    def known(self, n_samples: Any) -> Any:
        """Samples that have come out once `n_samples` have gone in; elementwise."""
        heard = np.maximum(np.asarray(n_samples) - self.delay_samples, 0)
        return -(-heard * self._up // self._down)

    def initial_state(self, batch_size: int = 1) -> State:
        """The state before the first block."""
        return {
            "audio": np.zeros([batch_size, self._taps.shape[1] - 1], np.float32),
            "n_in": 0,
            "n_out": 0,
        }

    def step(self, audio: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Resamples the next block.

        Args:
          audio: [batch, n_samples], float32, of any length.
          state: From `initial_state` or the step before.

        Returns:
          [batch, n], the samples that can be known now, and the new state.
        """
        heard = np.concatenate([state["audio"], audio], axis=1)
        n_in, n_taps = state["n_in"] + audio.shape[1], self._taps.shape[1]
        stop = int(self.known(n_in))
        numbers = np.arange(state["n_out"], stop)
        # The first of the samples that each output is a sum of: of sample `p`,
        # numbers from `p + 1 - delay` on, which `heard` counts from its own start.
        at = numbers * self._down // self._up
        earliest = at + 1 - max(self.delay_samples, 1) - (n_in - heard.shape[1])
        windows = heard[:, earliest[:, np.newaxis] + np.arange(n_taps)]
        taps = self._taps[numbers * self._down % self._up]
        # Summed along rows, whose rounding does not depend on how many there are.
        resampled = np.sum(windows * taps, axis=-1)
        # Nothing before the window of the next output is needed again.
        following = stop * self._down // self._up + 1 - max(self.delay_samples, 1)
        kept = heard[:, max(following - (n_in - heard.shape[1]), 0) :]
        return resampled, {"audio": kept.copy(), "n_in": n_in, "n_out": stop}

    def whole(self, audio: np.ndarray) -> np.ndarray:
        """All of a recording: [batch, n_samples] -> [batch, ceil(n_samples * ratio)].

        Sample i of what comes out stands at i / rate_out seconds.
        """
        padded = np.pad(audio, [(0, 0), (0, self.delay_samples)])
        state = self.initial_state(len(audio))
        parts = []
        for start in range(0, padded.shape[1], _BLOCK):
            part, state = self.step(padded[:, start : start + _BLOCK], state)
            parts.append(part)
        return np.concatenate(parts, axis=1)
