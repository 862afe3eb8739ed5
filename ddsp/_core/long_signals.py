"""Convolution of long signals through residues of polynomials.

One long FFT uses neither the vector units nor the second core, and its size misses
the caches. A signal in `n_blocks` blocks of M samples is a polynomial; modulo
z^(n_blocks M) + 1 it splits into residues modulo z^M - r, one for each root r of
r^n_blocks = -1, of which half are the conjugates of the others. Each residue is a sum
of the blocks times powers of r: a small matrix product, to which blocks of silence
cost nothing. Scaling its samples by the M-th root of r to their power makes it
cyclic, so that a short complex FFT finishes (the four-step FFT of Bailey, "FFTs in
External or Hierarchical Memory", 1990, at odd frequencies). Products of such spectra
are convolutions, in whatever order their values stand.
"""

import math

import numpy as np
import tensorflow as tf

from ddsp._core.compilation import fused

# More make the matrix product dear, fewer the FFTs long.
_MOST_BLOCKS = 64


def convolve_long(
    signal: tf.Tensor, responses: tf.Tensor, n_samples: int, size: int
) -> tf.Tensor:
    """Convolves long signals.

    Args:
      signal: [batch, n_signals, signal_size].
      responses: [batch or 1, n_signals, ir_size].
      n_samples: How much of the result is wanted.
      size: `signal_size + ir_size - 1` or more, for which there is room.

    Returns:
      [batch, n_signals, n_samples].
    """

    # Transforms in kernels of their own run side by side, and only where needed.
    @tf.custom_gradient
    def forward(signal, responses):
        spectrum, response = _analyze(signal, size), _analyze(responses, size)

        def grad(upstream):
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
    """Returns a spectrum, complex [batch, n_signals, n_residues, block_size]."""
    n_blocks, block_size = _layout(size)
    n_heard = -(-signal.shape[2] // block_size)
    missing = n_heard * block_size - signal.shape[2]
    blocks = tf.pad(signal, [[0, 0], [0, 0], [0, missing]])
    blocks = tf.reshape(blocks, [-1, n_heard, block_size])
    powers = _powers(n_blocks, np.arange(n_heard))
    residues = _mix(np.concatenate([powers.real, powers.imag]), blocks)
    real, imaginary = tf.split(residues, 2, axis=1)
    spectrum = tf.signal.fft(tf.complex(*_twist(real, imaginary, n_blocks, 1.0)))
    return tf.reshape(spectrum, [-1, signal.shape[1], n_blocks // 2, block_size])


@fused
def _convolve(spectrum, response, n_samples, size):
    return _synthesize(spectrum * response, n_samples, size)


@fused
def _correlate(upstream, spectrum, n_samples, size, over_batch):
    product = upstream * tf.math.conj(spectrum)
    if over_batch:
        product = tf.reduce_sum(product, axis=0, keepdims=True)
    return _synthesize(product, n_samples, size)


def _synthesize(spectrum: tf.Tensor, n_samples: int, size: int) -> tf.Tensor:
    """Undoes `_analyze`, [batch, n_signals, n_samples]."""
    n_blocks, block_size = _layout(size)
    n_heard = -(-n_samples // block_size)
    rows = tf.reshape(spectrum, [-1, n_blocks // 2, block_size])
    residues = tf.signal.ifft(rows)
    real, imaginary = tf.math.real(residues), tf.math.imag(residues)
    residues = tf.concat([*_twist(real, imaginary, n_blocks, -1.0)], axis=1)
    # Each residue stands for its conjugate too.
    powers = _powers(n_blocks, -np.arange(n_heard)).T * (2.0 / n_blocks)
    blocks = _mix(np.concatenate([powers.real, -powers.imag], axis=1), residues)
    blocks = tf.reshape(blocks, [-1, spectrum.shape[1], n_heard * block_size])
    return blocks[:, :, :n_samples]


def _layout(size: int) -> tuple[int, int]:
    """Number of blocks, which is even, and their size, a power of 2."""
    block_size = 2 ** max(math.ceil(math.log2(size / _MOST_BLOCKS)), 0)
    return 2 * -(-size // (2 * block_size)), block_size


def _powers(n_blocks: int, exponents: np.ndarray) -> np.ndarray:
    """Powers of the residues' roots r, [n_residues, n_exponents]."""
    turns = np.outer(np.arange(n_blocks // 2) + 0.5, exponents / n_blocks)
    return np.exp(-2j * np.pi * turns).astype(np.complex64)


def _mix(matrix: np.ndarray, x: tf.Tensor) -> tf.Tensor:
    """Multiplies each row of [n_rows, n, block_size] by a matrix."""
    shape = [tf.shape(x)[0], *matrix.shape]
    return tf.broadcast_to(tf.constant(matrix, tf.float32), shape) @ x


def _twist(
    real: tf.Tensor, imaginary: tf.Tensor, n_blocks: int, sign: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Multiplies the residues' samples m by r^(sign m / M)."""
    block_size = real.shape[2]
    # From two small tables, so that the graph holds no constants as long as a signal.
    n_fine = 2 ** (block_size.bit_length() // 2)
    n_coarse = block_size // n_fine
    fine = _powers(n_blocks, sign * np.arange(n_fine) / block_size)
    coarse = _powers(n_blocks, sign * np.arange(n_coarse) / n_coarse)
    powers = tf.constant(coarse)[:, :, tf.newaxis] * fine[:, tf.newaxis]
    powers = tf.reshape(powers, [-1, block_size])
    cosine, sine = tf.math.real(powers), tf.math.imag(powers)
    return real * cosine - imaginary * sine, real * sine + imaginary * cosine
