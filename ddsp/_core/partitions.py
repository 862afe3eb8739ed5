"""Convolution of a stream with a long response, without delay.

The response is cut into partitions, whose spectra are kept; so are those of as many
stretches of the past (uniformly partitioned overlap-save, Wefers, "Partitioned
Convolution Algorithms for Real-Time Auralization", 2015, section 5.3). What a stretch
adds to the output is a product of its spectrum with each partition's, so that the
work per sample does not grow with the square of the response.

Transforms of this size are matrices, which every runtime has.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from ddsp._core.short_frames import fourier_matrices

State = dict[str, Any]

# So many stretches at a time are laid out one after the other in the graph.
_UNROLLED = 16


def start_convolution(
    batch_size: int, response: tf.Tensor, size: int, any_length: bool
) -> State:
    """The state of `step_convolution` before the first block.

    Args:
      batch_size: Rows of the stream.
      response: [batch_size or 1, ir_size].
      size: Samples of a partition.
      any_length: Whether blocks may be of any length; otherwise they are of whole
        partitions.

    Returns:
      A nest of tensors: the response's spectra, those of the past, the newest first,
      and the last stretch.
    """
    missing = -response.shape[1] % size
    parts = tf.reshape(
        tf.pad(response, [[0, 0], [0, missing]]),
        [-1, (response.shape[1] + missing) // size, size],
    )
    response = _analyse(tf.pad(parts, [[0, 0], [0, 0], [0, size]]))
    n_partitions, n_values = response.shape[1:]
    state = {
        "response": response,
        "spectra": tf.zeros([batch_size, n_partitions - 1, n_values]),
        "previous": tf.zeros([batch_size, size]),
    }
    if any_length:
        state["pending"] = tf.zeros([batch_size, size])
        state["n_pending"] = tf.zeros([], tf.int32)
    return state


def step_convolution(state: State, audio: tf.Tensor) -> tuple[tf.Tensor, State]:
    """Convolves on from a state.

    Args:
      state: From `start_convolution` or the step before.
      audio: [batch, n_samples].

    Returns:
      Audio of the same shape, and the new state.

    Raises:
      ValueError: if the state wants whole partitions and the block has others.
    """
    if "pending" in state:
        return _step_any_length(state, audio)
    size = state["previous"].shape[1]
    n_samples = audio.shape[1]
    if n_samples % size:
        raise ValueError(
            f"Blocks must be of whole partitions of {size} samples, got {n_samples}."
        )
    n_stretches = n_samples // size
    stretches = tf.reshape(audio, [-1, n_stretches, size])
    joined = tf.concat([state["previous"][:, tf.newaxis], stretches], axis=1)
    windows = tf.concat([joined[:, :-1], joined[:, 1:]], axis=2)
    spectra = _analyse(windows)
    past = tf.concat([tf.reverse(spectra, [1]), state["spectra"]], axis=1)
    n_partitions = state["response"].shape[1]

    def heard(stretch):
        first = n_stretches - 1 - stretch
        return _multiply(past[:, first : first + n_partitions], state["response"])

    if n_stretches <= _UNROLLED:
        sums = tf.stack([heard(i) for i in range(n_stretches)], axis=1)
    else:
        sums = tf.map_fn(heard, tf.range(n_stretches), tf.float32)
        sums = tf.transpose(sums, [1, 0, 2])
    wet = tf.reshape(_synthesise(sums, size), [-1, n_samples])
    new_state = {
        **state,
        "spectra": past[:, : n_partitions - 1],
        "previous": joined[:, -1],
    }
    return wet, new_state


def _step_any_length(state: State, audio: tf.Tensor) -> tuple[tf.Tensor, State]:
    """As `step_convolution`, of blocks that end within a stretch.

    A stretch that is not full yet is heard through the first partition again and
    again, until it is.
    """
    response, size = state["response"], state["previous"].shape[1]
    n_samples = audio.shape[1]
    at, within = tf.range(n_samples), tf.range(size)

    def body(done, wet, spectra, previous, pending, n_pending):
        n_new = tf.minimum(size - n_pending, n_samples - done)
        source = within - n_pending + done
        new = (source >= done) & (source < done + n_new)
        taken = tf.gather(audio, tf.clip_by_value(source, 0, n_samples - 1), axis=1)
        pending = tf.where(new, taken, pending)
        window = tf.concat([previous, pending], axis=1)[:, tf.newaxis]
        past = tf.concat([_analyse(window), spectra], axis=1)
        heard = _synthesise(_multiply(past, response)[:, tf.newaxis], size)[:, 0]
        source = at - done + n_pending
        given = tf.gather(heard, tf.clip_by_value(source, 0, size - 1), axis=1)
        wet = tf.where((at >= done) & (at < done + n_new), given, wet)
        n_pending += n_new
        full = n_pending == size
        return (
            done + n_new,
            wet,
            tf.where(full, past[:, :-1], spectra),
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


def _analyse(windows: tf.Tensor) -> tf.Tensor:
    """Spectra of [batch, n, 2 * size]: real parts, then imaginary ones."""
    transform, _ = fourier_matrices(windows.shape[2])
    flat = tf.reshape(windows, [-1, windows.shape[2]]) @ transform
    return tf.reshape(flat, [-1, windows.shape[1], transform.shape[1]])


def _synthesise(spectra: tf.Tensor, size: int) -> tf.Tensor:
    """The last `size` samples of what has the spectra, [batch, n, size]."""
    _, inverse = fourier_matrices(2 * size)
    flat = tf.reshape(spectra, [-1, spectra.shape[2]]) @ np.ascontiguousarray(
        inverse[:, size:]
    )
    return tf.reshape(flat, [-1, spectra.shape[1], size])


def _multiply(past: tf.Tensor, response: tf.Tensor) -> tf.Tensor:
    """Sums the products of spectra [batch, n_partitions, n_values] over partitions."""
    n_bins = past.shape[2] // 2
    real, imaginary = past[..., :n_bins], past[..., n_bins:]
    gain, shift = response[..., :n_bins], response[..., n_bins:]
    return tf.concat(
        [
            tf.reduce_sum(real * gain - imaginary * shift, axis=1),
            tf.reduce_sum(real * shift + imaginary * gain, axis=1),
        ],
        axis=1,
    )
