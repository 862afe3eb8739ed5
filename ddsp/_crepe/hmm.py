"""Viterbi decoding of pitch."""

from typing import Any

import numpy as np

N_BINS = 360

_REACH = 11  # bins; further transitions have probability zero
_SELF_EMISSION = 0.1


class HiddenMarkovModel:
    """Pitch as a hidden state, seen through the largest activation of each frame.

    Uniform at the start; from frame to frame the probability of a pitch falls
    linearly with distance, to zero at 12 bins (240 cents); the observed bin is the
    true one with 0.1 more probability than any other.

    Args:
      num_steps: Number of frames.

    Example:

    >>> from ddsp._crepe.hmm import HiddenMarkovModel
    >>> HiddenMarkovModel(3).posterior_mode(np.array([100, 100, 100])).tolist()
    [100, 100, 100]
    """

    def __init__(self, num_steps: int):
        self.num_steps = num_steps
        self.initial_probabilities = np.full(N_BINS, 1.0 / N_BINS)
        bins = np.arange(N_BINS)
        distance = np.abs(bins[:, np.newaxis] - bins)
        weights = np.maximum(_REACH + 1 - distance, 0).astype(np.float64)
        # Both [of, 360]: from one pitch to another, and from pitch to observation.
        self.transition_matrix = weights / weights.sum(axis=1, keepdims=True)
        uniform = np.full([N_BINS, N_BINS], (1.0 - _SELF_EMISSION) / N_BINS)
        self.emission_matrix = uniform + _SELF_EMISSION * np.eye(N_BINS)

    def posterior_mode(self, observations: Any) -> np.ndarray:
        """The most likely states (Viterbi, 1967).

        Transitions are banded, so a step costs 360 x 23 additions.

        Args:
          observations: [num_steps], the bin of the largest activation.

        Returns:
          [num_steps], int64, the bin of each frame.
        """
        observations = np.asarray(observations)
        if observations.shape != (self.num_steps,):
            raise ValueError(
                f"`observations` must be [{self.num_steps}], got shape "
                f"{observations.shape}."
            )
        with np.errstate(divide="ignore"):
            transitions = np.log(self.transition_matrix)
        gain = np.log(self.emission_matrix[0, 0] / self.emission_matrix[0, 1])
        band = _band(transitions, _REACH)

        # Unreachable margins on both sides let every bin look at a full band.
        padded = np.full(N_BINS + 2 * _REACH, -np.inf)
        score = padded[_REACH : _REACH + N_BINS]
        score[:] = 0.0
        neighbors = np.lib.stride_tricks.sliding_window_view(padded, N_BINS)
        candidates = np.empty_like(band)
        scores = np.empty([self.num_steps, N_BINS])
        for t, observed in enumerate(observations):
            if t > 0:
                np.add(neighbors, band, out=candidates)
                np.max(candidates, axis=0, out=score)
                # Only differences count, and a long sum would lose its digits.
                score -= score.max()
            score[observed] += gain
            scores[t] = score

        path = np.empty(self.num_steps, np.int64)
        path[-1] = np.argmax(scores[-1])
        for t in range(self.num_steps - 1, 0, -1):
            low, high = max(path[t] - _REACH, 0), path[t] + _REACH + 1
            arrivals = scores[t - 1, low:high] + transitions[low:high, path[t]]
            path[t - 1] = low + np.argmax(arrivals)
        return path


def _band(matrix: np.ndarray, reach: int) -> np.ndarray:
    """Returns band[d, j] = matrix[j + d - reach, j], -inf outside the matrix."""
    size = len(matrix)
    band = np.full([2 * reach + 1, size], -np.inf)
    for d in range(2 * reach + 1):
        target = np.arange(max(reach - d, 0), min(size + reach - d, size))
        band[d, target] = matrix[target + d - reach, target]
    return band
