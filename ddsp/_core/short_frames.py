"""Convolution of short frames, each with a response of its own, by matrices.

At this size a Fourier transform is faster as a matrix than as an FFT, and whatever is
linear before it can be part of the matrix: filters given by their magnitudes go
straight to spectra. Transforms span a whole number of frames, so that a frame's delay
by one more frame only turns the phases of its spectrum; what reaches a frame of the
result is added up as spectra, and transformed back together.
"""

import functools

import numpy as np
import tensorflow as tf

from ddsp._core.compilation import fused


def convolve_frames(
    frames: tf.Tensor, controls: tf.Tensor, units: np.ndarray | None = None
) -> tf.Tensor:
    """Convolves frames with their responses, overlaps and adds.

    Args:
      frames: [batch, n_frames, frame_size].
      controls: [batch or 1, n_frames, n_controls], responses or what they are linear
        in.
      units: [n_controls, ir_size], the response of each control; None for responses.

    Returns:
      [batch, (n_frames + n_late) * frame_size], where `n_late` frames hold the tail.
    """
    frame_size = frames.shape[2]
    ir_size = controls.shape[2] if units is None else units.shape[1]
    # Frames that one frame is heard in.
    n_heard = -(-(frame_size + ir_size - 1) // frame_size)
    transform, _ = fourier_matrices(n_heard * frame_size)
    responses = transform[:ir_size]
    if units is not None:
        responses = (units.astype(np.float64) @ responses).astype(np.float32)

    # A kernel for each gradient, so that one which nobody asks for is not computed.
    @tf.custom_gradient
    def forward(frames, controls):
        def grad(upstream):
            d_controls = _controls_gradient(upstream, frames, responses, n_heard)
            if controls.shape[0] == 1:
                d_controls = tf.reduce_sum(d_controls, axis=0, keepdims=True)
            d_frames = _frames_gradient(upstream, controls, responses, n_heard)
            return tf.reshape(d_frames, tf.shape(frames)), d_controls

        return _convolve(frames, controls, responses, n_heard), grad

    return forward(frames, controls)


def _times(x: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Multiplies the last axis of [batch, n_frames, n] by a matrix."""
    flat = tf.reshape(x, [-1, x.shape[2]]) @ matrix
    return tf.reshape(flat, [-1, x.shape[1], matrix.shape[1]])


def _analyze(x: tf.Tensor, matrix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Real and imaginary parts, which are the halves of the matrix's columns."""
    n_bins = matrix.shape[1] // 2
    return _times(x, matrix[:, :n_bins]), _times(x, matrix[:, n_bins:])


def _synthesize(real: tf.Tensor, imaginary: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """The inverse, where they are the halves of its rows."""
    n_bins = matrix.shape[0] // 2
    return _times(real, matrix[:n_bins]) + _times(imaginary, matrix[n_bins:])


@fused
def _convolve(frames, controls, responses, n_heard):
    frame_size = frames.shape[2]
    transform, inverse = fourier_matrices(n_heard * frame_size)
    if frames.shape[1] != 1:
        late = [[0, 0], [n_heard - 1, n_heard - 1], [0, 0]]
        frames, controls = tf.pad(frames, late), tf.pad(controls, late)
    real, imaginary = _analyze(frames, transform[:frame_size])
    gain, shift = _analyze(controls, responses)
    spectrum = real * gain - imaginary * shift, real * shift + imaginary * gain
    if frames.shape[1] == 1:
        # A stream's block of one frame, which overlaps with no other.
        return _synthesize(*spectrum, inverse)[:, 0]
    # The frames heard in one are itself and those before it.
    heard = _add_turned(*spectrum, list(reversed(range(n_heard))), 1)
    audio = _synthesize(*heard, inverse[:, :frame_size])
    return tf.reshape(audio, [-1, audio.shape[1] * frame_size])


def _upstream_spectrum(upstream, n_heard, frame_size):
    """Of all that each frame is heard in."""
    _, inverse = fourier_matrices(n_heard * frame_size)
    n_frames = upstream.shape[1] // frame_size
    frames = tf.reshape(upstream, [-1, n_frames, frame_size])
    spectrum = _analyze(frames, tf.transpose(inverse[:, :frame_size]))
    return _add_turned(*spectrum, list(range(n_heard)), -1)


@fused
def _controls_gradient(upstream, frames, responses, n_heard):
    frame_size = frames.shape[2]
    heard_real, heard_imaginary = _upstream_spectrum(upstream, n_heard, frame_size)
    transform, _ = fourier_matrices(n_heard * frame_size)
    real, imaginary = _analyze(frames, transform[:frame_size])
    return _synthesize(
        heard_real * real + heard_imaginary * imaginary,
        heard_imaginary * real - heard_real * imaginary,
        tf.transpose(responses),
    )


@fused
def _frames_gradient(upstream, controls, responses, n_heard):
    frame_size = upstream.shape[1] // (controls.shape[1] + n_heard - 1)
    heard_real, heard_imaginary = _upstream_spectrum(upstream, n_heard, frame_size)
    gain, shift = _analyze(controls, responses)
    transform, _ = fourier_matrices(n_heard * frame_size)
    return _synthesize(
        heard_real * gain + heard_imaginary * shift,
        heard_imaginary * gain - heard_real * shift,
        tf.transpose(transform[:frame_size]),
    )


def _add_turned(
    real: tf.Tensor, imaginary: tf.Tensor, starts: list[int], direction: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Adds up frames from several starts on, turned by 0, 1, 2, ... frames."""
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
    """Real Fourier transform, real parts before imaginary ones, and its inverse.

    Returns:
      [size, 2 * n_bins] and [2 * n_bins, size], float32, with `size // 2 + 1` bins.
    """
    n_bins = size // 2 + 1
    turns = np.outer(np.arange(size), np.arange(n_bins)) % size / size
    waves = np.concatenate(
        [np.cos(2 * np.pi * turns), -np.sin(2 * np.pi * turns)], axis=1
    )
    # Bins between 0 Hz and Nyquist stand for those of negative frequency too.
    alone = (np.arange(n_bins) * 2) % size == 0
    weights = np.tile(np.where(alone, 1.0, 2.0), 2) / size
    return waves.astype(np.float32), (waves * weights).T.astype(np.float32)
