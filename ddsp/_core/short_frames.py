"""Convolution of short frames, each with its own response, by matrix products.

At this size a Fourier transform is faster as a matrix product than as an FFT, and the
matrix can include any linear map before it: magnitudes of filters are converted to
spectra directly. Transforms span a whole number of frames, so that a delay of one frame
only rotates the phases of a spectrum. All contributions to an output frame are summed
as spectra, with one inverse transform.
"""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ddsp._core.compilation import fused


def convolve_frames(
    frames: tf.Tensor, controls: tf.Tensor, basis: np.ndarray | None = None
) -> tf.Tensor:
    """Convolves frames with their responses and combines them by overlap-add.

    Args:
      frames: Audio, shape [batch, n_frames, frame_size].
      controls: Controls, shape [batch or 1, n_frames, n_controls]; the responses
        themselves if `basis` is None.
      basis: Response of each control, shape [n_controls, ir_size], or None.

    Returns:
      Audio, shape [batch, (n_frames + n_tail) * frame_size], with the tail in the last
      `n_tail` frames.
    """
    frame_size = frames.shape[2]
    ir_size = controls.shape[2] if basis is None else basis.shape[1]
    # Output frames that one input frame contributes to.
    n_overlap = -(-(frame_size + ir_size - 1) // frame_size)
    transform, _ = fourier_matrices(n_overlap * frame_size)
    responses = transform[:ir_size]
    if basis is not None:
        responses = (basis.astype(np.float64) @ responses).astype(np.float32)

    # One kernel per gradient, so that unused gradients are not computed.
    @tf.custom_gradient
    def forward(
        frames: tf.Tensor, controls: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
        def grad(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            d_controls = _controls_gradient(upstream, frames, responses, n_overlap)
            if controls.shape[0] == 1:
                d_controls = tf.reduce_sum(d_controls, axis=0, keepdims=True)
            d_frames = _frames_gradient(upstream, controls, responses, n_overlap)
            return tf.reshape(d_frames, tf.shape(frames)), d_controls

        return _convolve(frames, controls, responses, n_overlap), grad

    return forward(frames, controls)


def _times(x: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Multiplies the last axis of [batch, n_frames, n] by a matrix."""
    flat = tf.reshape(x, [-1, x.shape[2]]) @ matrix
    return tf.reshape(flat, [-1, x.shape[1], matrix.shape[1]])


def _analyze(x: tf.Tensor, matrix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns real and imaginary parts: the two halves of the matrix's columns."""
    n_bins = matrix.shape[1] // 2
    return _times(x, matrix[:, :n_bins]), _times(x, matrix[:, n_bins:])


def _synthesize(real: tf.Tensor, imaginary: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Inverts `_analyze`: the two halves of the matrix's rows."""
    n_bins = matrix.shape[0] // 2
    return _times(real, matrix[:n_bins]) + _times(imaginary, matrix[n_bins:])


@fused
def _convolve(
    frames: tf.Tensor, controls: tf.Tensor, responses: tf.Tensor, n_overlap: int
) -> tf.Tensor:
    frame_size = frames.shape[2]
    transform, inverse = fourier_matrices(n_overlap * frame_size)
    if frames.shape[1] != 1:
        paddings = [[0, 0], [n_overlap - 1, n_overlap - 1], [0, 0]]
        frames, controls = tf.pad(frames, paddings), tf.pad(controls, paddings)
    real, imaginary = _analyze(frames, transform[:frame_size])
    gain, shift = _analyze(controls, responses)
    spectrum = real * gain - imaginary * shift, real * shift + imaginary * gain
    if frames.shape[1] == 1:
        # A block of one frame of a stream overlaps with no other frame.
        return _synthesize(*spectrum, inverse)[:, 0]
    # A frame and those before it contribute to an output frame.
    summed = _sum_rotated(*spectrum, list(reversed(range(n_overlap))), 1)
    audio = _synthesize(*summed, inverse[:, :frame_size])
    return tf.reshape(audio, [-1, audio.shape[1] * frame_size])


def _upstream_spectrum(
    upstream: tf.Tensor, n_overlap: int, frame_size: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the spectrum of the upstream gradient over each frame's output."""
    _, inverse = fourier_matrices(n_overlap * frame_size)
    n_frames = upstream.shape[1] // frame_size
    frames = tf.reshape(upstream, [-1, n_frames, frame_size])
    spectrum = _analyze(frames, tf.transpose(inverse[:, :frame_size]))
    return _sum_rotated(*spectrum, list(range(n_overlap)), -1)


@fused
def _controls_gradient(
    upstream: tf.Tensor, frames: tf.Tensor, responses: tf.Tensor, n_overlap: int
) -> tf.Tensor:
    frame_size = frames.shape[2]
    d_real, d_imaginary = _upstream_spectrum(upstream, n_overlap, frame_size)
    transform, _ = fourier_matrices(n_overlap * frame_size)
    real, imaginary = _analyze(frames, transform[:frame_size])
    return _synthesize(
        d_real * real + d_imaginary * imaginary,
        d_imaginary * real - d_real * imaginary,
        tf.transpose(responses),
    )


@fused
def _frames_gradient(
    upstream: tf.Tensor, controls: tf.Tensor, responses: tf.Tensor, n_overlap: int
) -> tf.Tensor:
    frame_size = upstream.shape[1] // (controls.shape[1] + n_overlap - 1)
    d_real, d_imaginary = _upstream_spectrum(upstream, n_overlap, frame_size)
    gain, shift = _analyze(controls, responses)
    transform, _ = fourier_matrices(n_overlap * frame_size)
    return _synthesize(
        d_real * gain + d_imaginary * shift,
        d_imaginary * gain - d_real * shift,
        tf.transpose(transform[:frame_size]),
    )


def _sum_rotated(
    real: tf.Tensor, imaginary: tf.Tensor, starts: list[int], direction: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Sums spectra from several starts, delayed by 0, 1, 2, ... frames."""
    n_frames = real.shape[1] - len(starts) + 1
    turns = np.outer(np.arange(len(starts)), np.arange(real.shape[2])) / len(starts)
    turns = np.exp(direction * 2j * np.pi * turns).astype(np.complex64)
    real_sum = imaginary_sum = 0.0
    for start, turn in zip(starts, turns, strict=True):
        x = real[:, start : start + n_frames]
        y = imaginary[:, start : start + n_frames]
        real_sum += x * turn.real - y * turn.imag
        imaginary_sum += x * turn.imag + y * turn.real
    return real_sum, imaginary_sum


@functools.cache
def fourier_matrices(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the matrices of the real Fourier transform and of its inverse.

    Real parts come before imaginary parts.

    Returns:
      [size, 2 * n_bins] and [2 * n_bins, size], float32, with `size // 2 + 1` bins.
    """
    n_bins = size // 2 + 1
    turns = np.outer(np.arange(size), np.arange(n_bins)) % size / size
    waves = np.concatenate(
        [np.cos(2 * np.pi * turns), -np.sin(2 * np.pi * turns)], axis=1
    )
    # Bins between 0 Hz and Nyquist also represent negative frequencies.
    alone = (np.arange(n_bins) * 2) % size == 0
    weights = np.tile(np.where(alone, 1.0, 2.0), 2) / size
    return waves.astype(np.float32), (waves * weights).T.astype(np.float32)
