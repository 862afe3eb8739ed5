"""Damped sinusoids, with frequencies that gradient descent can learn.

The distance between a sinusoid and a recording has local minima over frequency, one
between each pair of sidelobes, and gradient descent stops in the nearest. Hayes,
Saitis & Fazekas, "Sinusoidal frequency estimation by gradient descent" (ICASSP 2023),
move a complex pole z instead, and compare Re(z^n) with the recording: inside the unit
circle the sinusoid decays, and its spectrum is wide enough to reach the target.

Here phase and amplitude are solved for in closed form, so that only poles are learned.
For a long complex exponential the remaining loss has no local minimum: the energy of
w^n, |w| = 1, that z^n explains is proportional to (1 - |z|^2) / |1 - z conj(w)|^2, the
Poisson kernel, which is harmonic in the disc and grows along circles that end in w.
"""

import math
from collections.abc import Callable

import tensorflow as tf

from ddsp._core import checks
from ddsp._core.phase import radians
from ddsp._core.safety import safe_divide
from ddsp._core.tensors import tf_float32
from ddsp.types import ArrayLike

# Poles closer to 0 have no usable angle.
_SMALLEST_RADIUS = 1e-6
# Least share of a sinusoid's energy that must be independent of the others.
_LEAST_NEW = 1e-6


def damped_sinusoids(
    poles: ArrayLike, amplitudes: ArrayLike | None = None, n_samples: int = 64000
) -> tf.Tensor:
    """Renders sums of damped sinusoids, amplitude * Re(pole^n) at sample n.

    Args:
      poles: Real and imaginary parts, shape [batch, n_sinusoids, 2]. The angle is the
        frequency in radians per sample, the radius the gain per sample. Poles outside
        the unit circle are moved to the nearest point on it.
      amplitudes: Amplitude of each sinusoid, shape [batch, n_sinusoids]; None for 1.
      n_samples: Length of the output.

    Returns:
      Audio, shape [batch, n_samples].

    Raises:
      ValueError: If a shape is wrong or `n_samples` is not positive.

    Example:

    >>> poles = ddsp.core.hz_to_poles([[220.0]], radius=0.999)
    >>> ddsp.core.damped_sinusoids(poles, n_samples=1000).shape.as_list()
    [1, 1000]
    """
    cosines, _ = _exponentials(poles, n_samples)
    if amplitudes is None:
        return tf.reduce_sum(cosines, axis=2)
    gains = tf_float32(amplitudes)
    checks.rank("amplitudes", gains, 2)
    return tf.reduce_sum(cosines * gains[:, tf.newaxis], axis=2)


def damped_residual(audio: ArrayLike, poles: ArrayLike) -> tf.Tensor:
    """Computes the share of energy that damped sinusoids cannot explain.

    It is the squared distance from the audio to the nearest sum of Re(c pole^n), over
    all complex c, relative to the energy of the audio.

    Args:
      audio: Audio, shape [batch, n_samples].
      poles: Real and imaginary parts, shape [batch, n_sinusoids, 2], see
        `damped_sinusoids`. The graph grows with their number.

    Returns:
      Share of energy in [0, 1], shape [batch]; 0 for silence.

    Raises:
      ValueError: If a shape is wrong.

    Example:

    >>> poles = ddsp.core.hz_to_poles([[220.0]], radius=0.99)
    >>> audio = 0.5 * ddsp.core.damped_sinusoids(poles, n_samples=512)
    >>> bool(ddsp.core.damped_residual(audio, poles)[0] < 1e-3)
    True
    """
    audio = tf_float32(audio)
    checks.rank("audio", audio, 2)
    n_samples = audio.shape[1]
    cosines, sines = _exponentials(
        poles, tf.shape(audio)[1] if n_samples is None else n_samples
    )
    waves = tf.concat([cosines, sines], axis=2)
    energy = tf.reduce_sum(waves**2, axis=1, keepdims=True)
    waves *= tf.math.rsqrt(energy + _LEAST_NEW)
    # Gram-Schmidt process: each wave is projected out of the remaining waves and of the
    # audio.
    rest = tf.concat([waves, audio[:, :, tf.newaxis]], axis=2)
    for _ in range(waves.shape[2]):
        wave, rest = rest[:, :, :1], rest[:, :, 1:]
        energy = tf.reduce_sum(wave**2, axis=1, keepdims=True)
        wave *= tf.math.rsqrt(energy + _LEAST_NEW)
        rest -= wave * tf.reduce_sum(wave * rest, axis=1, keepdims=True)
    residual = tf.reduce_sum(rest[:, :, 0] ** 2, axis=1)
    return safe_divide(residual, tf.reduce_sum(audio**2, axis=1))


def hz_to_poles(
    hz: ArrayLike, radius: ArrayLike = 0.9, sample_rate: int = 16000
) -> tf.Tensor:
    """Converts frequencies to poles.

    Args:
      hz: Frequencies in Hz, shape [..., n_sinusoids].
      radius: Gain per sample, in [0, 1]; must broadcast with `hz`.
      sample_rate: Samples per second.

    Returns:
      Real and imaginary parts, shape [..., n_sinusoids, 2].

    Raises:
      ValueError: If the sample rate is not positive.

    Example:

    >>> ddsp.core.hz_to_poles([[4000.0]], radius=0.5).numpy().round(3)
    array([[[-0. ,  0.5]]], dtype=float32)
    """
    checks.positive("sample_rate", sample_rate)
    angle = radians(tf_float32(hz) / float(sample_rate))
    radius = tf_float32(radius)
    return tf.stack([radius * tf.cos(angle), radius * tf.sin(angle)], axis=-1)


def poles_to_hz(poles: ArrayLike, sample_rate: int = 16000) -> tf.Tensor:
    """Computes the frequencies of poles.

    A pole and its conjugate have the same frequency.

    Args:
      poles: Real and imaginary parts, shape [..., n_sinusoids, 2].
      sample_rate: Samples per second.

    Returns:
      Frequencies in Hz, from 0 to Nyquist, shape [..., n_sinusoids].

    Raises:
      ValueError: If the sample rate is not positive or the last axis does not have
        size 2.

    Example:

    >>> ddsp.core.poles_to_hz([[0.0, 0.5]], sample_rate=16000).numpy()
    array([4000.], dtype=float32)
    """
    checks.positive("sample_rate", sample_rate)
    real, imaginary = _parts(poles)
    return tf.abs(tf.atan2(imaginary, real)) * (sample_rate / (2.0 * math.pi))


def _exponentials(
    poles: ArrayLike, n_samples: int | tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the parts of pole^n, [batch, n_samples, n_sinusoids] each."""
    poles = tf_float32(poles)
    checks.rank("poles", poles, 3)
    if isinstance(n_samples, int):
        checks.positive("n_samples", n_samples)
    real, imaginary = (x[:, tf.newaxis] for x in _parts(_into_disc(poles)))
    n = tf.range(n_samples, dtype=tf.float32)[:, tf.newaxis]
    angle = radians(n * tf.atan2(imaginary, real) / (2.0 * math.pi))
    envelope = tf.exp(0.5 * n * tf.math.log(real**2 + imaginary**2))
    return envelope * tf.cos(angle), envelope * tf.sin(angle)


def _parts(poles: ArrayLike) -> tuple[tf.Tensor, tf.Tensor]:
    """Splits poles into parts, moved away from 0, where the angle has no gradient."""
    poles = tf_float32(poles)
    if poles.shape[-1] != 2:
        raise ValueError(
            "The last axis of `poles` must hold real and imaginary parts, got shape "
            f"{poles.shape}."
        )
    real, imaginary = tf.unstack(poles, axis=-1)
    at_zero = real**2 + imaginary**2 < _SMALLEST_RADIUS**2
    return (
        tf.where(at_zero, _SMALLEST_RADIUS, real),
        tf.where(at_zero, 0.0, imaginary),
    )


@tf.custom_gradient
def _into_disc(
    poles: tf.Tensor,
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Moves poles to the nearest point of the unit disc.

    A pole outside the disc can return: only gradients that point outward are removed.
    """
    largest = tf.reduce_max(tf.abs(poles), axis=-1, keepdims=True)
    scale = tf.maximum(largest, 1.0)
    # Scaled before squaring, so that no float32 overflows.
    radius = scale * tf.norm(poles / scale, axis=-1, keepdims=True)
    outside = radius > 1.0
    inside = poles / tf.maximum(radius, 1.0)

    def grad(upstream: tf.Tensor) -> tf.Tensor:
        inwards = tf.reduce_sum(upstream * inside, axis=-1, keepdims=True)
        along = (upstream - inwards * inside) / tf.maximum(radius, 1.0)
        # Gradient descent steps against the gradient.
        return tf.where(outside & (inwards < 0.0), along, upstream)

    return inside, grad
