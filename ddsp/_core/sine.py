"""Sine and cosine of a phase in cycles, as polynomials.

Compiled for CPU they are vectorized, unlike the library functions: about ten times
faster, with an error below 1e-6.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.polynomial import Chebyshev, Polynomial


def _in_squares(
    function: Callable[[np.ndarray], np.ndarray], degree: int
) -> list[np.float32]:
    """Returns coefficients, from x^0 up, that interpolate f(sqrt(x)) in [0, 1/4]."""
    interpolated = Chebyshev.interpolate(
        lambda x: function(np.sqrt(x)), degree, [0.0, 0.25]
    )
    return list(interpolated.convert(kind=Polynomial).coef.astype(np.float32))


# sin(2 pi s) without its zeros at 0 and at half a cycle.
_SINE = _in_squares(lambda s: 2 * np.pi * np.sinc(2 * s) / (1 - 4 * s**2), 5)
# cos(2 pi s) without its zero at a quarter.
_COSINE = _in_squares(lambda s: np.cos(2 * np.pi * s) / (1 - 16 * s**2), 5)


def sine(cycles: tf.Tensor) -> tf.Tensor:
    """Returns sin(2 pi cycles), within 1e-6 plus the rounding of `cycles`."""
    s = cycles - tf.round(cycles)
    square = s * s
    return s * (1.0 - 4.0 * square) * _horner(_SINE, square)


def cosine(cycles: tf.Tensor) -> tf.Tensor:
    """Returns cos(2 pi cycles), within 1e-6 plus the rounding of `cycles`."""
    s = cycles - tf.round(cycles)
    square = s * s
    return (1.0 - 16.0 * square) * _horner(_COSINE, square)


def _horner(coefficients: list[np.float32], x: tf.Tensor) -> tf.Tensor:
    y = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        y = y * x + coefficient
    return y
