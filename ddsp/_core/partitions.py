"""Convolution of a stream with a long response, without latency.

The response is divided into partitions. The state holds their spectra, and the spectra
of as many segments of past input (uniformly partitioned overlap-save, Wefers,
"Partitioned Convolution Algorithms for Real-Time Auralization", 2015, section 5.3).
Each segment contributes the product of its spectrum with that of each partition, so the
cost per sample is linear in the length of the response.

Transforms of this size are matrix products, which all runtimes have. So is the sum of
complex products: each bin has a matrix, with the real and imaginary parts of its
partitions as rows, and the parts of the past input in that bin are vectors.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from ddsp._core import compilation, filters
from ddsp._core.short_frames import fourier_matrices

State = dict[str, Any]
Parts = tuple[tf.Tensor, tf.Tensor]

# Up to this number of partitions per block, their products are unrolled in the graph.
_UNROLLED = 16
# From this number on, one long FFT is faster.
_LONG = 64


def start_convolution(
    batch_size: int, response: tf.Tensor, size: int, any_length: bool
) -> State:
    """Returns the initial state of `step_convolution`.

    Args:
      batch_size: Rows of the stream.
      response: Impulse response, shape [batch_size or 1, ir_size].
      size: Samples per partition.
      any_length: Whether blocks may have any length; otherwise they must contain whole
        partitions.

    Returns:
      Nest of tensors: matrices of the first partition and of the others,
      [batch or 1, n_bins, 2, n]; real and imaginary spectra of past input, newest
      first, [batch, n_bins, n]; and the last segment of input.
    """
    missing = -response.shape[1] % size
    parts = tf.reshape(
        tf.pad(response, [[0, 0], [0, missing]]),
        [-1, (response.shape[1] + missing) // size, size],
    )
    spectra = _analyze(tf.pad(parts, [[0, 0], [0, 0], [0, size]]))
    matrices = tf.stack(spectra, axis=2)
    past = tf.zeros([batch_size, matrices.shape[1], matrices.shape[3] - 1])
    state = {
        "response": {"first": matrices[..., :1], "others": matrices[..., 1:]},
        "spectra": (past, past),
        "previous": tf.zeros([batch_size, size]),
    }
    if any_length:
        state["pending"] = tf.zeros([batch_size, size])
        state["n_pending"] = tf.zeros([], tf.int32)
    return state


def tail_size(state: State) -> int:
    """Returns the length of the tail in samples, in whole partitions."""
    return state["previous"].shape[1] * _response(state).shape[3]


def step_convolution(state: State, audio: tf.Tensor) -> tuple[tf.Tensor, State]:
    """Convolves a block.

    Args:
      state: State from `start_convolution` or the previous step.
      audio: Audio, shape [batch, n_samples].

    Returns:
      Audio of the same shape, and the new state.

    Raises:
      ValueError: If the state needs whole partitions and the block does not contain
        whole partitions.
    """
    if "pending" in state:
        return _step_any_length(state, audio)
    size = state["previous"].shape[1]
    n_samples = audio.shape[1]
    if n_samples % size:
        raise ValueError(
            f"A block must contain whole partitions of {size} samples, got {n_samples}."
        )
    n_segments = n_samples // size
    if (
        n_segments >= _LONG
        and state["spectra"][0].shape[2]
        and not compilation.is_exporting()
    ):
        return _step_long(state, audio)
    segments = tf.reshape(audio, [-1, n_segments, size])
    joined = tf.concat([state["previous"][:, tf.newaxis], segments], axis=1)
    windows = tf.concat([joined[:, :-1], joined[:, 1:]], axis=2)
    if n_segments == 1:
        # The most frequent case in real time: nothing large is moved more than once.
        new = _analyze(windows)
        sums = _multiply(new, state["response"]["first"])
        sums += _multiply(state["spectra"], state["response"]["others"])
        sums = sums[:, tf.newaxis]
        spectra = _push(new, state["spectra"])
    else:
        new = _analyze(tf.reverse(windows, [1]))
        past = _push(new, state["spectra"], drop=False)
        response = _response(state)
        n_partitions = response.shape[3]

        def output_spectrum(segment: int | tf.Tensor) -> tf.Tensor:
            first = n_segments - 1 - segment
            return _multiply(
                tuple(x[:, :, first : first + n_partitions] for x in past), response
            )

        if n_segments <= _UNROLLED:
            sums = tf.stack([output_spectrum(i) for i in range(n_segments)], axis=1)
        else:
            sums = tf.map_fn(
                output_spectrum, tf.range(n_segments), fn_output_signature=tf.float32
            )
            sums = tf.transpose(sums, [1, 0, 2])
        spectra = tuple(x[:, :, : n_partitions - 1] for x in past)
    wet = tf.reshape(_synthesize(sums, size), [-1, n_samples])
    return wet, {**state, "spectra": spectra, "previous": joined[:, -1]}


def _step_long(state: State, audio: tf.Tensor) -> tuple[tf.Tensor, State]:
    """Convolves as `step_convolution`, with one FFT over past input and block."""
    size = state["previous"].shape[1]
    n_samples = audio.shape[1]
    _, inverse = fourier_matrices(2 * size)
    # [batch or 1, 2 * n_bins, n_partitions], then the first half of each window.
    matrices = tf.concat(tf.unstack(_response(state), axis=2), axis=1)
    parts = tf.matmul(inverse[:, :size], matrices, transpose_a=True)
    response = _in_sequence(parts)
    # Windows of past input, newest first; neighbors overlap by half.
    windows = tf.matmul(inverse, tf.concat(state["spectra"], axis=1), transpose_a=True)
    n_kept = windows.shape[2]
    past = [windows[:, :size, -1], _in_sequence(windows[:, size:, ::-1])]
    joined = tf.concat([*past, audio], axis=1)
    wet = filters.fft_convolve(joined, response, "same", delay_compensation=0)
    needed = joined[:, -(n_kept + 1) * size :]
    segments = tf.reshape(needed, [-1, n_kept + 1, size])
    windows = tf.concat([segments[:, :-1], segments[:, 1:]], axis=2)
    spectra = _analyze(tf.reverse(windows, [1]))
    new = {**state, "spectra": spectra, "previous": audio[:, -size:]}
    return wet[:, -n_samples:], new


def _in_sequence(parts: tf.Tensor) -> tf.Tensor:
    """Joins [batch, size, n] along time, [batch, n * size]."""
    n_samples = parts.shape[1] * parts.shape[2]
    return tf.reshape(tf.transpose(parts, [0, 2, 1]), [-1, n_samples])


def _step_any_length(state: State, audio: tf.Tensor) -> tuple[tf.Tensor, State]:
    """Convolves as `step_convolution`, with blocks of any length.

    An incomplete segment is convolved with the first partition again in each step,
    until it is complete.
    """
    first, others = state["response"]["first"], state["response"]["others"]
    size = state["previous"].shape[1]
    n_samples = audio.shape[1]
    at, within = tf.range(n_samples), tf.range(size)

    def body(
        done: tf.Tensor,
        wet: tf.Tensor,
        spectra: Parts,
        previous: tf.Tensor,
        pending: tf.Tensor,
        n_pending: tf.Tensor,
    ) -> tuple[tf.Tensor | Parts, ...]:
        n_new = tf.minimum(size - n_pending, n_samples - done)
        source = within - n_pending + done
        new = (source >= done) & (source < done + n_new)
        taken = tf.gather(audio, tf.clip_by_value(source, 0, n_samples - 1), axis=1)
        pending = tf.where(new, taken, pending)
        spectrum = _analyze(tf.concat([previous, pending], axis=1)[:, tf.newaxis])
        sums = _multiply(spectrum, first) + _multiply(spectra, others)
        output = _synthesize(sums[:, tf.newaxis], size)[:, 0]
        source = at - done + n_pending
        values = tf.gather(output, tf.clip_by_value(source, 0, size - 1), axis=1)
        wet = tf.where((at >= done) & (at < done + n_new), values, wet)
        n_pending += n_new
        full = n_pending == size
        pushed = _push(spectrum, spectra)
        return (
            done + n_new,
            wet,
            tuple(tf.where(full, x, y) for x, y in zip(pushed, spectra, strict=True)),
            tf.where(full, pending, previous),
            tf.where(full, tf.zeros_like(pending), pending),
            tf.where(full, 0, n_pending),
        )

    names = ("spectra", "previous", "pending", "n_pending")
    _, wet, *values = tf.while_loop(
        lambda done, *_: done < n_samples,
        body,
        (0, tf.zeros_like(audio), *(state[name] for name in names)),
        maximum_iterations=n_samples // size + 2,
    )
    return wet, {**state, **dict(zip(names, values, strict=True))}


def _response(state: State) -> tf.Tensor:
    """Returns matrices of all partitions, [batch or 1, n_bins, 2, n_partitions]."""
    return tf.concat([state["response"]["first"], state["response"]["others"]], axis=3)


def _analyze(windows: tf.Tensor) -> Parts:
    """Returns the spectra of [batch, n, 2 * size], two parts [batch, n_bins, n]."""
    n, size = windows.shape[1:]
    transform, _ = fourier_matrices(size)
    flat = tf.reshape(windows, [-1, size]) @ transform
    flat = tf.reshape(flat, [-1, n, transform.shape[1]])
    real, imaginary = tf.split(tf.transpose(flat, [0, 2, 1]), 2, axis=1)
    return real, imaginary


def _push(new: Parts, past: Parts, drop: bool = True) -> Parts:
    """Prepends new spectra to past ones; optionally drops as many of the oldest."""
    real, imaginary = (
        tf.concat([x, y[:, :, : y.shape[2] - x.shape[2]] if drop else y], axis=2)
        for x, y in zip(new, past, strict=True)
    )
    return real, imaginary


def _multiply(past: Parts, response: tf.Tensor) -> tf.Tensor:
    """Sums the products of spectra over partitions, [batch, 2 * n_bins]."""
    real, imaginary = (tf.matmul(response, x[..., tf.newaxis])[..., 0] for x in past)
    sums = [real[..., 0] - imaginary[..., 1], real[..., 1] + imaginary[..., 0]]
    return tf.concat(sums, axis=1)


def _synthesize(spectra: tf.Tensor, size: int) -> tf.Tensor:
    """Returns the last `size` samples of windows from [batch, n, 2 * n_bins]."""
    _, inverse = fourier_matrices(2 * size)
    flat = tf.reshape(spectra, [-1, spectra.shape[2]]) @ np.ascontiguousarray(
        inverse[:, size:]
    )
    return tf.reshape(flat, [-1, spectra.shape[1], size])
