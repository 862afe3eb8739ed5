"""Sums of harmonics without an array of harmonics times samples.

sin(k x) obeys a three-term recurrence in k, so a sum over harmonics needs a state of
two values a sample, whatever their number: Clenshaw, "A note on the summation of
Chebyshev series" (1955). Run over many harmonics in float32 the recurrence loses
digits near multiples of pi, so it starts afresh from an exact angle every
`_BLOCK_SIZE` harmonics: exp(i (j + m) x) = exp(i j x) exp(i m x).

Amplitudes are given at frames and interpolated inside the same loop.
"""

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ddsp._core.phase import radians

_BLOCK_SIZE = 16


def harmonic_sum(
    cycles: tf.Tensor,
    amplitudes: tf.Tensor,
    ramp: tf.Tensor,
    max_harmonic: tf.Tensor | None = None,
) -> tf.Tensor:
    """Sums harmonics whose amplitudes move from frame to frame along a ramp.

    Args:
      cycles: [batch, n_frames, hop_size], phase of the fundamental in cycles.
      amplitudes: [batch, n_frames + 1, n_harmonics], of harmonics 1, 2, ...
      ramp: [hop_size], weight of the next frame's amplitudes in each sample.
      max_harmonic: [batch, n_frames, hop_size]; harmonics of this number and above
        are silent. No gradient flows into it. None silences nothing.

    Returns:
      [batch, n_frames, hop_size]: the sum of a_k sin(2 pi k cycles).
    """
    n_harmonics = amplitudes.shape[-1]
    if max_harmonic is not None:
        max_harmonic = tf.stop_gradient(max_harmonic)

    @tf.custom_gradient
    def forward(cycles, amplitudes):
        by_harmonic = tf.transpose(amplitudes, [2, 0, 1])[..., tf.newaxis]
        start = by_harmonic[:, :, :-1]
        step = by_harmonic[:, :, 1:] - start
        # Wrapped, whole multiples of it keep float32's full precision.
        cycles = cycles - tf.round(cycles)
        angle = radians(cycles)

        def amplitude(k):
            a = start[k] + step[k] * ramp
            if max_harmonic is None:
                return a
            return tf.where(tf.cast(k + 1, tf.float32) < max_harmonic, a, 0.0)

        def grad(upstream):
            slope = _clenshaw(
                cycles,
                angle,
                n_harmonics,
                lambda k: tf.cast(k + 1, tf.float32) * amplitude(k),
                lambda cosine, sine, c, s: cosine * c - sine * s,
            )
            d_cycles = 2.0 * math.pi * upstream * slope
            d_amplitudes = _project(
                cycles, angle, n_harmonics, upstream, ramp, max_harmonic
            )
            return d_cycles, d_amplitudes

        audio = _clenshaw(
            cycles,
            angle,
            n_harmonics,
            amplitude,
            lambda cosine, sine, c, s: sine * c + cosine * s,
        )
        return audio, grad

    return forward(cycles, amplitudes)


def _blocks(n_harmonics: int) -> list[tuple[int, int]]:
    """First and behind-last index of each block of harmonics, counted from 0."""
    starts = range(0, n_harmonics, _BLOCK_SIZE)
    return [(first, min(first + _BLOCK_SIZE, n_harmonics)) for first in starts]


def _clenshaw(
    cycles: tf.Tensor,
    angle: tf.Tensor,
    n_harmonics: int,
    coefficient: Callable[[tf.Tensor], tf.Tensor],
    combine: Callable[..., tf.Tensor],
) -> tf.Tensor:
    """Sums blocks of harmonics.

    Args:
      cycles: Wrapped phase of the fundamental.
      angle: The same in radians.
      n_harmonics: Number of harmonics.
      coefficient: Returns the coefficient of a harmonic, counted from 0.
      combine: Joins cosine and sine of the angle where a block starts with the
        block's own sums of cosines and of sines.
    """
    sine, cosine = tf.sin(angle), tf.cos(angle)
    two_cosine = 2.0 * cosine
    shape = angle.shape
    total = tf.zeros_like(angle)
    for first, last in _blocks(n_harmonics):

        def body(k, b1, b2):
            b = coefficient(k) + two_cosine * b1 - b2
            return k - 1, tf.ensure_shape(b, shape), b1

        _, b1, b2 = tf.while_loop(
            lambda k, b1, b2, first=first: k >= first,
            body,
            (tf.constant(last - 1), tf.zeros_like(angle), tf.zeros_like(angle)),
            maximum_iterations=last - first,
        )
        # b1 belongs to the block's first harmonic, which is 1 in its own count.
        sines, cosines = b1 * sine, b1 * cosine - b2
        block_angle = radians(cycles * float(first))
        total += combine(tf.cos(block_angle), tf.sin(block_angle), cosines, sines)
    return total


def _project(
    cycles: tf.Tensor,
    angle: tf.Tensor,
    n_harmonics: int,
    upstream: tf.Tensor,
    ramp: tf.Tensor,
    max_harmonic: Any,
) -> tf.Tensor:
    """Gradient of the amplitudes: the recurrence upwards, a reduction per frame."""
    two_cosine = 2.0 * tf.cos(angle)
    # What a sample gives to its own frame's amplitudes and to the next frame's.
    shares = tf.stack([1.0 - ramp, ramp], axis=1)
    gradients = []
    for first, last in _blocks(n_harmonics):
        results = tf.TensorArray(tf.float32, size=last - first)

        def body(k, before, now, results, first=first):
            heard = now * upstream
            if max_harmonic is not None:
                audible = tf.cast(k + 1, tf.float32) < max_harmonic
                heard = tf.where(audible, heard, 0.0)
            results = results.write(k - first, tf.matmul(heard, shares))
            return k + 1, now, two_cosine * now - before, results

        *_, results = tf.while_loop(
            lambda k, before, now, results, last=last: k < last,
            body,
            (
                tf.constant(first),
                tf.sin(radians(cycles * float(first))),
                tf.sin(radians(cycles * float(first + 1))),
                results,
            ),
            maximum_iterations=last - first,
        )
        gradients.append(results.stack())
    gradient = tf.transpose(tf.concat(gradients, axis=0), [1, 2, 0, 3])
    own, following = gradient[..., 0], gradient[..., 1]
    return tf.pad(own, [[0, 0], [0, 1], [0, 0]]) + tf.pad(
        following, [[0, 0], [1, 0], [0, 0]]
    )
