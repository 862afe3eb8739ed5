"""A hidden Markov model of states that last."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import core
from ddsp._core import checks
from ddsp._losses.base import Loss


class HiddenMarkovModel(Loss):
    """States that last, seen through normally distributed observations.

    Rabiner (1989), "A tutorial on hidden Markov models and selected applications in
    speech recognition". Whatever the state, all others are equally likely to follow
    it, and to be the first. So a step costs a sum over states, not a matrix product.

    Args:
      loc: [n_states, n_dims], mean of the observations in each state.
      scale: [n_states, n_dims], their standard deviations, independent.
      avg_length: Frames that a state lasts on average.
      **kwargs: Passed on to `Loss`.

    Raises:
      ValueError: If there are less than two states, a scale is not positive, or states
        are as likely to be left for each other as to last.
    """

    def __init__(self, loc: Any, scale: Any, avg_length: float, **kwargs: Any):
        super().__init__(**kwargs)
        loc, scale = np.asarray(loc, np.float32), np.asarray(scale, np.float32)
        n_states = len(loc)
        if n_states < 2:
            raise ValueError(f"There must be at least 2 states, got {n_states}.")
        checks.positive("scale", scale.min())
        others = n_states - 1
        if not avg_length > n_states / others:
            raise ValueError(
                f"`avg_length` must be above {n_states / others}, got {avg_length!r}."
            )
        self._loc, self._scale = loc, scale
        self._n_states = n_states
        leave = 1.0 / avg_length
        self._log_stay = math.log1p(-leave)
        self._log_move = math.log(leave / others)
        # A state is moved to from all alike, itself included; this comes on top.
        self._log_hold = math.log(1.0 - leave - leave / others)

    def log_prob(self, observations: Any) -> tf.Tensor:
        """Logarithm of the density of observations, whatever the states.

        Args:
          observations: [batch, n_frames, n_dims].

        Returns:
          [batch], by the forward algorithm.
        """
        log_density = self._log_density(observations)

        def step(
            carry: tuple[tf.Tensor, tf.Tensor], density: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            log_state, total = carry
            # Probabilities of the last states sum to 1, so that each is moved to
            # equally.
            held = self._log_hold - self._log_move + log_state
            joint = self._log_move + tf.nn.softplus(held) + density
            gain = tf.reduce_logsumexp(joint, axis=-1, keepdims=True)
            return joint - gain, total + gain[:, 0]

        start = tf.zeros_like(log_density[0])
        # What is equally likely at first is so after a step without observation.
        uniform = start - math.log(self._n_states)
        return tf.foldl(step, log_density, (uniform, start[:, 0]))[1]

    def posterior_mode(self, observations: Any) -> tf.Tensor:
        """The most likely states (Viterbi, 1967).

        Args:
          observations: [batch, n_frames, n_dims].

        Returns:
          [batch, n_frames], int32.
        """
        log_density = self._log_density(observations)
        states = tf.range(self._n_states)

        def forward(
            carry: tuple[tf.Tensor, tf.Tensor], density: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            score, _ = carry
            best = tf.argmax(score, axis=-1, output_type=tf.int32)[:, tf.newaxis]
            # Only differences count, and a long sum would lose its digits.
            score -= tf.reduce_max(score, axis=-1, keepdims=True)
            stay = score + self._log_stay
            came_from = tf.where(stay >= self._log_move, states, best)
            return tf.maximum(stay, self._log_move) + density, came_from

        def backward(state: tf.Tensor, came_from: tf.Tensor) -> tf.Tensor:
            return tf.gather(came_from, state, batch_dims=1)

        start = tf.zeros_like(log_density[0])
        nowhere = tf.zeros_like(start, tf.int32)
        scores, came_from = tf.scan(forward, log_density, (start, nowhere))
        last = tf.argmax(scores[-1], axis=-1, output_type=tf.int32)
        before = tf.scan(backward, came_from[1:], last, reverse=True)
        return tf.transpose(tf.concat([before, last[tf.newaxis]], axis=0))

    def _log_density(self, observations: Any) -> tf.Tensor:
        """[n_frames, batch, n_states], of each frame in each state."""
        observations = core.tf_float32(observations)
        checks.rank("observations", observations, 3)
        checks.not_empty("observations", observations)
        observations = tf.transpose(observations, [1, 0, 2])[:, :, tf.newaxis]
        distances = (observations - self._loc) / self._scale
        constant = np.sum(np.log(self._scale * math.sqrt(2.0 * math.pi)), axis=-1)
        return -0.5 * tf.reduce_sum(distances**2, axis=-1) - constant
