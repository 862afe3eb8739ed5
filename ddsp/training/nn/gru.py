"""Gated recurrent unit optimized for CPU, compatible with that of Keras.

Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical
Machine Translation" (2014).

The loop over time contains only the recurrence: the input projection is one matrix
product before it, and the weight gradients are matrix products after it. Both loops are
compiled; the gradient is written by hand.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import keras
import tensorflow as tf

from ddsp._compat import keras_internals
from ddsp._core import compilation

# Number of steps per chunk of the gradient, which bounds its memory.
_CHUNK_SIZE = 250
# Sequences up to this length are unrolled: faster, and exports need no loop.
_MAX_UNROLLED_STEPS = 8

_Step: TypeAlias = Callable[
    [Sequence[tf.Tensor], tf.Tensor], tuple[tf.Tensor, tf.Tensor]
]


@keras.saving.register_keras_serializable(package="ddsp")
class GRU(keras_internals.CustomLoopGRU):
    """GRU with the variables, arguments and results of `keras.layers.GRU`.

    The fast loop covers the default configuration (`reset_after`, bias, tanh and
    sigmoid, no mask, no dropout). Other configurations, and GPUs with cuDNN, run the
    implementation of Keras.

    Example:

    >>> from ddsp.training.nn.gru import GRU
    >>> GRU(4, return_sequences=True)(tf.zeros([1, 5, 3])).shape.as_list()
    [1, 5, 4]
    """

    def plain_loop(
        self, inputs: tf.Tensor, state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Runs the recurrence; see the base class."""
        kernel, recurrent_kernel, bias = (
            tf.convert_to_tensor(variable)
            for variable in (
                self.cell.kernel,
                self.cell.recurrent_kernel,
                self.cell.bias,
            )
        )
        inputs = tf.transpose(inputs, [1, 0, 2])
        if self.go_backwards:
            inputs = tf.reverse(inputs, [0])
        projected = tf.tensordot(inputs, kernel, 1) + bias[0]
        states = recur(projected, state, recurrent_kernel, bias[1])
        return tf.transpose(states, [1, 0, 2]), states[-1]


@tf.custom_gradient
def recur(
    projected: tf.Tensor, state: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
    """Runs the recurrence of a GRU.

    Args:
      projected: Input projection of the update gate, the reset gate and the candidate,
        shape [time, batch, 3 * units], time >= 1.
      state: Initial state, shape [batch, units].
      kernel: Recurrent weights, shape [units, 3 * units].
      bias: Recurrent bias, shape [3 * units].

    Returns:
      The state after each step, shape [time, batch, units].

    Example:

    >>> from ddsp.training.nn.gru import recur
    >>> projected, state = tf.zeros([5, 1, 6]), tf.zeros([1, 2])
    >>> recur(projected, state, tf.zeros([2, 6]), tf.zeros([6])).shape.as_list()
    [5, 1, 2]
    """
    # Hide the compiled loop from the tape, which would prepare another gradient.
    arguments = map(tf.stop_gradient, (projected, state, kernel, bias))
    states = _forward(*arguments)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
        previous = tf.concat([state[tf.newaxis], states[:-1]], axis=0)
        d_state, d_kernel, d_bias = (tf.zeros_like(x) for x in (state, kernel, bias))
        d_projected: list[tf.Tensor] = []
        # Backward in time, in chunks: the intermediates of a step are large.
        n_steps = projected.shape[0]
        starts = range(0, n_steps, _CHUNK_SIZE) if n_steps else [0]
        for start in reversed(starts):
            chunk = slice(start, start + _CHUNK_SIZE if n_steps else None)
            d_projected_chunk, d_state, d_kernel_chunk, d_bias_chunk = _backward(
                *(x[chunk] for x in (upstream, projected, previous)),
                d_state,
                kernel,
                bias,
            )
            d_projected.insert(0, d_projected_chunk)
            d_kernel += d_kernel_chunk
            d_bias += d_bias_chunk
        return tf.concat(d_projected, axis=0), d_state, d_kernel, d_bias

    return states, gradient


def _gates(
    projected: tf.Tensor, recurrent: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns update gate, reset gate, candidate and its recurrent projection."""
    units = projected.shape[-1] // 3
    gates = tf.sigmoid(projected[..., : 2 * units] + recurrent[..., : 2 * units])
    update, reset = gates[..., :units], gates[..., units:]
    projection = recurrent[..., 2 * units :]
    candidate = tf.tanh(projected[..., 2 * units :] + reset * projection)
    return update, reset, candidate, projection


@compilation.fused
def _forward(
    inputs: tf.Tensor, state: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor
) -> tf.Tensor:
    def step(
        slices: Sequence[tf.Tensor], state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        (projected,) = slices
        update, _, candidate, _ = _gates(projected, tf.matmul(state, kernel) + bias)
        state = candidate + update * (state - candidate)
        return state, state

    return _scan(step, [inputs], state)[0]


@compilation.fused
def _backward(
    upstream: tf.Tensor,
    projected: tf.Tensor,
    previous: tf.Tensor,
    d_state: tf.Tensor,
    kernel: tf.Tensor,
    bias: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    # One product here is cheaper than keeping the result of the forward loop.
    recurrent = tf.tensordot(previous, kernel, 1) + bias
    update, reset, candidate, projection = _gates(projected, recurrent)
    # Derivatives of the state with respect to the inputs of the nonlinearities.
    d_update = (previous - candidate) * update * (1.0 - update)
    d_candidate = (1.0 - update) * (1.0 - tf.square(candidate))
    d_reset = d_candidate * projection * reset * (1.0 - reset)
    derivatives = tf.concat([d_update, d_reset, d_candidate * reset], axis=-1)
    transposed = tf.transpose(kernel)

    def step(
        inputs: Sequence[tf.Tensor], carry: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        upstream, derivatives, update = inputs
        total = upstream + carry
        d_recurrent = tf.tile(total, [1, 3]) * derivatives
        return total, total * update + tf.matmul(d_recurrent, transposed)

    totals, d_state = _scan(
        step, [upstream, derivatives, update], d_state, reverse=True
    )
    d_recurrent = tf.tile(totals, [1, 1, 3]) * derivatives
    units = kernel.shape[0]
    d_projected = tf.concat(
        [d_recurrent[..., : 2 * units], totals * d_candidate], axis=-1
    )
    d_kernel = tf.tensordot(previous, d_recurrent, [[0, 1], [0, 1]])
    return d_projected, d_state, d_kernel, tf.reduce_sum(d_recurrent, [0, 1])


def _scan(
    step: _Step, inputs: Sequence[tf.Tensor], carry: tf.Tensor, reverse: bool = False
) -> tuple[tf.Tensor, tf.Tensor]:
    """Scans over the first axis.

    Args:
      step: Maps a slice of each input and the carry to an output and a new carry.
      inputs: Tensors of shape [time, ...], time >= 1.
      carry: Initial carry, of the shape of an output.
      reverse: Whether to scan backward.

    Returns:
      The outputs of shape [time, ...], in the order of the inputs, and the last carry.
    """
    n_steps = inputs[0].shape[0]
    if n_steps is not None and n_steps <= _MAX_UNROLLED_STEPS:
        return _unrolled_scan(step, inputs, carry, reverse)
    last = tf.shape(inputs[0])[0] - 1
    arrays = [
        # The last slice is read twice.
        tf.TensorArray(x.dtype, last + 1, clear_after_read=False).unstack(x)
        for x in inputs
    ]
    outputs = tf.TensorArray(carry.dtype, last + 1, element_shape=carry.shape)

    def read(i: tf.Tensor | int) -> list[tf.Tensor]:
        return [array.read(last - i if reverse else i) for array in arrays]

    def body(
        i: tf.Tensor, x: list[tf.Tensor], carry: tf.Tensor, outputs: tf.TensorArray
    ) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor, tf.TensorArray]:
        output, new_carry = step(x, carry)
        new_carry.set_shape(carry.shape)
        outputs = outputs.write(last - i if reverse else i, output)
        # Reading one step ahead separates slicing from arithmetic. If fused into one
        # kernel, XLA vectorizes neither on CPU.
        return i + 1, read(tf.minimum(i + 1, last)), new_carry, outputs

    _, _, carry, outputs = tf.while_loop(
        lambda i, *_: i <= last, body, (0, read(0), carry, outputs)
    )
    return outputs.stack(), carry


def _unrolled_scan(
    step: _Step, inputs: Sequence[tf.Tensor], carry: tf.Tensor, reverse: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Unrolled `_scan` for a small, static number of steps."""
    slices = list(zip(*(tf.unstack(x) for x in inputs), strict=True))
    outputs = []
    for x in reversed(slices) if reverse else slices:
        output, carry = step(x, carry)
        outputs.append(output)
    return tf.stack(outputs[::-1] if reverse else outputs), carry
