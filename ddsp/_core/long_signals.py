"""Convolution of long signals through residues of polynomials.

One long FFT uses neither vector units nor several cores, and exceeds the caches. A
signal in `n_blocks` blocks of M samples is a polynomial. Modulo z^(n_blocks M) + 1 it
splits into residues modulo z^M - r, one for each root r of r^n_blocks = -1, half of
which are conjugates of the others. Each residue is a sum of the blocks times powers of
r: a small matrix product, in which blocks of zeros cost nothing. Multiplying sample m
of a residue by r^(m / M) makes it cyclic, so that a short complex FFT completes the
transform (the four-step FFT of Bailey, "FFTs in External or Hierarchical Memory", 1990,
at odd frequencies). Products of these spectra are convolutions, whatever the order of
their bins.
"""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ddsp._core.compilation import fused

# More blocks make the matrix product slow, fewer make the FFTs long.
_MAX_BLOCKS = 64


def convolve_long(
    signal: tf.Tensor, responses: tf.Tensor, n_samples: int, size: int
) -> tf.Tensor:
    """Convolves long signals.

    Args:
      signal: Signals, shape [batch, n_signals, signal_size].
      responses: Impulse responses, shape [batch or 1, n_signals, ir_size].
      n_samples: Length of the output.
      size: Size of the transform, at least `signal_size + ir_size - 1`.

    Returns:
      The first samples, shape [batch, n_signals, n_samples].
    """

    # Separate kernels run in parallel, and unused ones do not run.
    @tf.custom_gradient
    def forward(
        signal: tf.Tensor, responses: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
        spectrum, response = _analyze(signal, size), _analyze(responses, size)

        def grad(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            upstream = _analyze(upstream, size)
            shared = responses.shape[0] == 1
            return (
                _correlate(upstream, response, signal.shape[2], size, False),
                _correlate(upstream, spectrum, responses.shape[2], size, shared),
            )

        return _convolve(spectrum, response, n_samples, size), grad

    return forward(signal, responses)


@fused
def _analyze(signal: tf.Tensor, size: int) -> tf.Tensor:
    """Returns spectra, complex [batch, n_signals, n_residues, block_size]."""
    n_blocks, block_size = _layout(size)
    n_used = -(-signal.shape[2] // block_size)
    missing = n_used * block_size - signal.shape[2]
    blocks = tf.pad(signal, [[0, 0], [0, 0], [0, missing]])
    blocks = tf.reshape(blocks, [-1, n_used, block_size])
    powers = _powers(n_blocks, np.arange(n_used))
    residues = _mix(np.concatenate([powers.real, powers.imag]), blocks)
    real, imaginary = tf.split(residues, 2, axis=1)
    spectrum = tf.signal.fft(tf.complex(*_twist(real, imaginary, n_blocks, 1.0)))
    return tf.reshape(spectrum, [-1, signal.shape[1], n_blocks // 2, block_size])


@fused
def _convolve(
    spectrum: tf.Tensor, response: tf.Tensor, n_samples: int, size: int
) -> tf.Tensor:
    return _synthesize(spectrum * response, n_samples, size)


@fused
def _correlate(
    upstream: tf.Tensor,
    spectrum: tf.Tensor,
    n_samples: int,
    size: int,
    over_batch: bool,
) -> tf.Tensor:
    product = upstream * tf.math.conj(spectrum)
    if over_batch:
        product = tf.reduce_sum(product, axis=0, keepdims=True)
    return _synthesize(product, n_samples, size)


def _synthesize(spectrum: tf.Tensor, n_samples: int, size: int) -> tf.Tensor:
    """Inverts `_analyze`, [batch, n_signals, n_samples]."""
    n_blocks, block_size = _layout(size)
    n_used = -(-n_samples // block_size)
    rows = tf.reshape(spectrum, [-1, n_blocks // 2, block_size])
    residues = tf.signal.ifft(rows)
    real, imaginary = tf.math.real(residues), tf.math.imag(residues)
    residues = tf.concat([*_twist(real, imaginary, n_blocks, -1.0)], axis=1)
    # Each residue also represents its conjugate.
    powers = _powers(n_blocks, -np.arange(n_used)).T * (2.0 / n_blocks)
    blocks = _mix(np.concatenate([powers.real, -powers.imag], axis=1), residues)
    blocks = tf.reshape(blocks, [-1, spectrum.shape[1], n_used * block_size])
    return blocks[:, :, :n_samples]


def _layout(size: int) -> tuple[int, int]:
    """Returns the number of blocks (even) and their size (a power of 2)."""
    block_size = 2 ** max(math.ceil(math.log2(size / _MAX_BLOCKS)), 0)
    return 2 * -(-size // (2 * block_size)), block_size


def _powers(n_blocks: int, exponents: np.ndarray) -> np.ndarray:
    """Returns powers of the roots r of the residues, [n_residues, n_exponents]."""
    turns = np.outer(np.arange(n_blocks // 2) + 0.5, exponents / n_blocks)
    return np.exp(-2j * np.pi * turns).astype(np.complex64)


def _mix(matrix: np.ndarray, x: tf.Tensor) -> tf.Tensor:
    """Multiplies each row of [n_rows, n, block_size] by a matrix."""
    shape = [tf.shape(x)[0], *matrix.shape]
    return tf.broadcast_to(tf.constant(matrix, tf.float32), shape) @ x


def _twist(
    real: tf.Tensor, imaginary: tf.Tensor, n_blocks: int, sign: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Multiplies sample m of each residue by r^(sign m / M)."""
    block_size = real.shape[2]
    # Two small tables, so that the graph has no constants as long as a signal.
    n_fine = 2 ** (block_size.bit_length() // 2)
    n_coarse = block_size // n_fine
    fine = _powers(n_blocks, sign * np.arange(n_fine) / block_size)
    coarse = _powers(n_blocks, sign * np.arange(n_coarse) / n_coarse)
    powers = tf.constant(coarse)[:, :, tf.newaxis] * fine[:, tf.newaxis]
    powers = tf.reshape(powers, [-1, block_size])
    cosine, sine = tf.math.real(powers), tf.math.imag(powers)
    return real * cosine - imaginary * sine, real * sine + imaginary * cosine
