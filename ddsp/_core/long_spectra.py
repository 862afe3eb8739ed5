"""Spectra of long signals, whose products are convolutions.

One long FFT uses neither the vector units nor the second core, and its size misses
the caches. A signal of `n_blocks` blocks of M samples is a polynomial; modulo
z^(n_blocks M) + 1 it splits into residues modulo z^M - r, one for each root r of
r^n_blocks = -1, of which half are the conjugates of the others. Each residue is a sum
of the blocks times powers of r: a small matrix product, to which blocks of silence
cost nothing. Scaling its samples by the M-th root of r to their power makes it
cyclic, so that a short complex FFT finishes (the four-step FFT of Bailey, "FFTs in
External or Hierarchical Memory", 1990, at odd frequencies).
"""

import math

import numpy as np
import tensorflow as tf

from ddsp._core.compilation import fused

# More make the matrix product dear, fewer the FFTs long.
_MOST_BLOCKS = 64


def analyse(signal: tf.Tensor, size: int) -> tf.Tensor:
    """Returns spectra that multiply where signals are convolved.

    Args:
      signal: [batch, n_frames, n_samples], of at most `size` samples.
      size: Samples of the longest convolution that is to be had from the spectra.

    Returns:
      complex [batch, n_frames, n_residues, block_size].
    """
    return _analyse(signal, size)


def synthesise(spectrum: tf.Tensor, n_samples: int, size: int) -> tf.Tensor:
    """Returns what `analyse` has analysed, [batch, n_frames, n_samples]."""
    return _synthesise(spectrum, n_samples, size)


def _layout(size: int) -> tuple[int, int]:
    """Number of blocks, which is even, and their size, a power of 2."""
    block_size = 2 ** max(math.ceil(math.log2(size / _MOST_BLOCKS)), 0)
    return 2 * -(-size // (2 * block_size)), block_size


def _powers(n_blocks: int, exponents: np.ndarray) -> np.ndarray:
    """Powers of the residues' roots r, [n_residues, n_exponents]."""
    turns = np.outer(np.arange(n_blocks // 2) + 0.5, exponents / n_blocks)
    return np.exp(-2j * np.pi * turns)


def _twist(real: tf.Tensor, imaginary: tf.Tensor, n_blocks: int, sign: float):
    """Multiplies residues' samples m by r^(sign m / M), from two small tables."""
    block_size = real.shape[2]
    n_fine = 2 ** (block_size.bit_length() // 2)
    for n, step in ((n_fine, 1), (block_size // n_fine, n_fine)):
        shape = (-1, 1, n) if step == 1 else (-1, n, 1)
        powers = _powers(n_blocks, sign * step * np.arange(n) / block_size)
        powers = powers.reshape(shape).astype(np.complex64)
        real, imaginary = (
            tf.reshape(x, [-1, n_blocks // 2, block_size // n_fine, n_fine])
            for x in (real, imaginary)
        )
        real, imaginary = (
            real * powers.real - imaginary * powers.imag,
            real * powers.imag + imaginary * powers.real,
        )
    return (tf.reshape(x, [-1, n_blocks // 2, block_size]) for x in (real, imaginary))


def _mix(matrix: np.ndarray, x: tf.Tensor) -> tf.Tensor:
    """Multiplies each row of [n_rows, n, block_size] by a matrix."""
    shape = [tf.shape(x)[0], *matrix.shape]
    return tf.broadcast_to(tf.constant(matrix, tf.float32), shape) @ x


@fused
def _analyse(signal: tf.Tensor, size: int) -> tf.Tensor:
    n_blocks, block_size = _layout(size)
    n_heard = -(-signal.shape[2] // block_size)
    missing = n_heard * block_size - signal.shape[2]
    blocks = tf.pad(signal, [[0, 0], [0, 0], [0, missing]])
    blocks = tf.reshape(blocks, [-1, n_heard, block_size])
    powers = _powers(n_blocks, np.arange(n_heard))
    residues = _mix(np.concatenate([powers.real, powers.imag]), blocks)
    real, imaginary = tf.split(residues, 2, axis=1)
    spectrum = tf.signal.fft(tf.complex(*_twist(real, imaginary, n_blocks, 1.0)))
    shape = [-1, signal.shape[1], n_blocks // 2, block_size]
    return tf.reshape(spectrum, shape)


@fused
def _synthesise(spectrum: tf.Tensor, n_samples: int, size: int) -> tf.Tensor:
    n_blocks, block_size = _layout(size)
    n_heard = -(-n_samples // block_size)
    rows = tf.reshape(spectrum, [-1, n_blocks // 2, block_size])
    residues = tf.signal.ifft(rows)
    real, imaginary = tf.math.real(residues), tf.math.imag(residues)
    residues = tf.concat([*_twist(real, imaginary, n_blocks, -1.0)], axis=1)
    # Each residue stands for its conjugate too.
    powers = _powers(n_blocks, -np.arange(n_heard)).T * (2.0 / n_blocks)
    blocks = _mix(np.concatenate([powers.real, -powers.imag], axis=1), residues)
    shape = [-1, spectrum.shape[1], n_heard * block_size]
    return tf.reshape(blocks, shape)[:, :, :n_samples]
