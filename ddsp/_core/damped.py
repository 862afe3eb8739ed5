"""Damped sinusoids, whose frequencies can be learned by gradient.

As a function of its frequency, the distance of a sinusoid from a recording has a local
minimum wherever sidelobes meet, and gradient descent stops in the nearest. Hayes,
Saitis & Fazekas, "Sinusoidal frequency estimation by gradient descent" (ICASSP 2023),
move a complex pole z instead, and compare Re(z^n) with the recording: inside the unit
circle the sinusoid decays and its spectrum is wide, so that it reaches the target.

Here phase and amplitude are solved for in closed form. What is left to be learned then
has no local minimum for a long complex exponential: the energy that z^n explains of
w^n, |w| = 1, is proportional to (1 - |z|^2) / |1 - z conj(w)|^2, the Poisson kernel,
which is harmonic in the disc and grows along circles that end in w.
"""

import math
from typing import Any

import tensorflow as tf

from ddsp._core import checks
from ddsp._core.phase import radians
from ddsp._core.safety import safe_divide
from ddsp._core.tensors import tf_float32

# A pole closer to 0 has no direction.
_SMALLEST_RADIUS = 1e-6
# Share of a sinusoid's energy below which what the others leave of it does not count.
_LEAST_NEW = 1e-6


def damped_sinusoids(
    poles: Any, amplitudes: Any = None, n_samples: int = 64000
) -> tf.Tensor:
    """Renders sums of amplitude * Re(pole^n), for sample n.

    Args:
      poles: [batch, n_sinusoids, 2], real and imaginary parts; what lies outside the
        unit circle counts as the nearest point on it. The angle is the frequency, in
        radians a sample, the radius the decay from sample to sample.
      amplitudes: [batch, n_sinusoids]; None for 1.
      n_samples: Length of the result.

    Returns:
      [batch, n_samples].

    Raises:
      ValueError: If the shapes are others, or nothing is to be rendered.

    Example:
      poles = ddsp.core.hz_to_poles([[220.0]], radius=0.999)
      audio = ddsp.core.damped_sinusoids(poles, n_samples=16000)
    """
    cosines, _ = _exponentials(poles, n_samples)
    if amplitudes is None:
        return tf.reduce_sum(cosines, axis=2)
    amplitudes = tf_float32(amplitudes)
    checks.rank("amplitudes", amplitudes, 2)
    return tf.reduce_sum(cosines * amplitudes[:, tf.newaxis], axis=2)


def damped_residual(audio: Any, poles: Any) -> tf.Tensor:
    """Share of the energy that damped sinusoids of any phase and amplitude leave.

    The distance of the audio from all sums of Re(c pole^n), c complex.

    Args:
      audio: [batch, n_samples].
      poles: [batch, n_sinusoids, 2], see `damped_sinusoids`; few, as the steps grow
        with their number.

    Returns:
      [batch], 0 to 1; 0 for silence.

    Raises:
      ValueError: If the shapes are others, or the length is not known when a graph is
        built.

    Example:
      loss = tf.reduce_sum(ddsp.core.damped_residual(audio, poles))
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
    # Gram and Schmidt's process: what each wave has in common with those that are left,
    # and with the audio, is taken off these.
    left = tf.concat([waves, audio[:, :, tf.newaxis]], axis=2)
    for _ in range(waves.shape[2]):
        wave, left = left[:, :, :1], left[:, :, 1:]
        energy = tf.reduce_sum(wave**2, axis=1, keepdims=True)
        wave *= tf.math.rsqrt(energy + _LEAST_NEW)
        left -= wave * tf.reduce_sum(wave * left, axis=1, keepdims=True)
    residual = tf.reduce_sum(left[:, :, 0] ** 2, axis=1)
    return safe_divide(residual, tf.reduce_sum(audio**2, axis=1))


def hz_to_poles(hz: Any, radius: Any = 0.9, sample_rate: int = 16000) -> tf.Tensor:
    """Poles of sinusoids.

    Args:
      hz: [..., n_sinusoids], Hz.
      radius: Decay from sample to sample, 0 to 1; must broadcast with `hz`.
      sample_rate: Samples per second.

    Returns:
      [..., n_sinusoids, 2], real and imaginary parts.

    Example:
      poles = tf.Variable(ddsp.core.hz_to_poles([[308.0]]))
    """
    checks.positive("sample_rate", sample_rate)
    angle = radians(tf_float32(hz) / float(sample_rate))
    radius = tf_float32(radius)
    return tf.stack([radius * tf.cos(angle), radius * tf.sin(angle)], axis=-1)


def poles_to_hz(poles: Any, sample_rate: int = 16000) -> tf.Tensor:
    """Frequencies of poles; a pole and its conjugate have the same.

    Args:
      poles: [..., n_sinusoids, 2], real and imaginary parts.
      sample_rate: Samples per second.

    Returns:
      [..., n_sinusoids], Hz, from 0 to half the sample rate.

    Example:
      hz = ddsp.core.poles_to_hz(poles)
    """
    checks.positive("sample_rate", sample_rate)
    real, imaginary = _parts(poles)
    return tf.abs(tf.atan2(imaginary, real)) * (sample_rate / (2.0 * math.pi))


def _exponentials(poles: Any, n_samples: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Real and imaginary parts of pole^n, [batch, n_samples, n_sinusoids] each."""
    poles = tf_float32(poles)
    checks.rank("poles", poles, 3)
    if isinstance(n_samples, int):
        checks.positive("n_samples", n_samples)
    real, imaginary = (x[:, tf.newaxis] for x in _parts(_into_disc(poles)))
    n = tf.range(n_samples, dtype=tf.float32)[:, tf.newaxis]
    angle = radians(n * tf.atan2(imaginary, real) / (2.0 * math.pi))
    envelope = tf.exp(0.5 * n * tf.math.log(real**2 + imaginary**2))
    return envelope * tf.cos(angle), envelope * tf.sin(angle)


def _parts(poles: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Real and imaginary parts, moved away from 0, where no angle has a gradient."""
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
def _into_disc(poles: tf.Tensor):
    """Moves poles to the nearest point of the unit disc.

    A pole outside can come back: only a step further out has no effect.
    """
    largest = tf.reduce_max(tf.abs(poles), axis=-1, keepdims=True)
    scale = tf.maximum(largest, 1.0)
    # Scaled before it is squared, for any float32.
    radius = scale * tf.norm(poles / scale, axis=-1, keepdims=True)
    outside = radius > 1.0
    inside = poles / tf.maximum(radius, 1.0)

    def grad(upstream):
        inwards = tf.reduce_sum(upstream * inside, axis=-1, keepdims=True)
        along = (upstream - inwards * inside) / tf.maximum(radius, 1.0)
        # Descent goes against the gradient.
        return tf.where(outside & (inwards < 0.0), along, upstream)

    return inside, grad
