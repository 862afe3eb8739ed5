"""A GRU that is fast on CPU, in place of Keras's.

Only what depends on the step before is left in the loop over time: the input's
projection is one product before it, the gradients of all weights are products after
it. Both loops are compiled, the backward one is written by hand.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from ddsp._compat import keras_internals
from ddsp._core import compilation

# Steps of which the gradient is made at a time.
_STRETCH = 250
# Up to as many steps are written out: faster, and exported formats need no loop.
_UNROLLED = 8


@keras.saving.register_keras_serializable(package="ddsp")
class GRU(keras_internals.CustomLoopGRU):
    """`keras.layers.GRU` with the same variables, arguments and results.

    Gated recurrent unit (Cho et al., 2014), the reset gate after the product. What is
    not plain (a mask, dropout, other activations, no bias, the reset gate before the
    product) runs as Keras would run it, and so does everything on a GPU, with cuDNN.
    """

    def plain_loop(
        self, inputs: tf.Tensor, state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
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
def recur(projected, state, kernel, bias):
    """Runs the recurrence of a GRU.

    Args:
      projected: [time, batch, 3 * units], the inputs' share of the update gate, the
        reset gate and the candidate; time >= 1.
      state: [batch, units], the state before.
      kernel: [units, 3 * units], the state's weights for the three.
      bias: [3 * units], added to the state's share.

    Returns:
      [time, batch, units], the state after each step.
    """
    # A tape must not see the compiled loop: it would prepare a gradient of its own.
    arguments = map(tf.stop_gradient, (projected, state, kernel, bias))
    states = _forward(*arguments)

    def gradient(upstream):
        previous = tf.concat([state[tf.newaxis], states[:-1]], axis=0)
        d_state, d_kernel, d_bias = (tf.zeros_like(x) for x in (state, kernel, bias))
        d_projected: list[tf.Tensor] = []
        # The last steps first; a stretch at a time, for what a step needs is large.
        n_steps = projected.shape[0]
        starts = range(0, n_steps, _STRETCH) if n_steps else [0]
        for start in reversed(starts):
            stretch = slice(start, start + _STRETCH if n_steps else None)
            of_stretch, d_state, of_kernel, of_bias = _backward(
                *(x[stretch] for x in (upstream, projected, previous)),
                d_state,
                kernel,
                bias,
            )
            d_projected.insert(0, of_stretch)
            d_kernel += of_kernel
            d_bias += of_bias
        return tf.concat(d_projected, axis=0), d_state, d_kernel, d_bias

    return states, gradient


def _gates(projected, recurrent):
    """Update gate, reset gate, candidate, and the state's share of the candidate."""
    units = projected.shape[-1] // 3
    gates = tf.sigmoid(projected[..., : 2 * units] + recurrent[..., : 2 * units])
    update, reset = gates[..., :units], gates[..., units:]
    share = recurrent[..., 2 * units :]
    return update, reset, tf.tanh(projected[..., 2 * units :] + reset * share), share


@compilation.fused
def _forward(inputs, state, kernel, bias):
    def step(slices, state):
        (projected,) = slices
        update, _, candidate, _ = _gates(projected, tf.matmul(state, kernel) + bias)
        state = candidate + update * (state - candidate)
        return state, state

    return _scan(step, [inputs], state)[0]


@compilation.fused
def _backward(upstream, projected, previous, d_state, kernel, bias):
    # Cheaper than keeping it from the forward loop: here it is one product.
    recurrent = tf.tensordot(previous, kernel, 1) + bias
    update, reset, candidate, share = _gates(projected, recurrent)
    # Slopes of the state with respect to what enters each nonlinearity.
    of_update = (previous - candidate) * update * (1.0 - update)
    of_candidate = (1.0 - update) * (1.0 - tf.square(candidate))
    of_reset = of_candidate * share * reset * (1.0 - reset)
    slopes = tf.concat([of_update, of_reset, of_candidate * reset], axis=-1)
    transposed = tf.transpose(kernel)

    def step(inputs, carried):
        upstream, slopes, update = inputs
        total = upstream + carried
        into = tf.tile(total, [1, 3]) * slopes
        return total, total * update + tf.matmul(into, transposed)

    totals, d_state = _scan(step, [upstream, slopes, update], d_state, reverse=True)
    d_recurrent = tf.tile(totals, [1, 1, 3]) * slopes
    units = kernel.shape[0]
    d_projected = tf.concat(
        [d_recurrent[..., : 2 * units], totals * of_candidate], axis=-1
    )
    d_kernel = tf.tensordot(previous, d_recurrent, [[0, 1], [0, 1]])
    return d_projected, d_state, d_kernel, tf.reduce_sum(d_recurrent, [0, 1])


def _scan(
    step: Callable, inputs: Sequence[tf.Tensor], carry: tf.Tensor, reverse: bool = False
) -> tuple[tf.Tensor, tf.Tensor]:
    """Loops over the first axis.

    Args:
      step: From a slice of every input, and the carry, to an output and a new carry.
      inputs: Tensors [time, ...], time >= 1.
      carry: Carry before the first step, of the shape of an output.
      reverse: From the last slice to the first.

    Returns:
      The outputs [time, ...], each where its slice was, and the last carry.
    """
    n_steps = inputs[0].shape[0]
    if n_steps is not None and n_steps <= _UNROLLED:
        return _unrolled_scan(step, inputs, carry, reverse)
    last = tf.shape(inputs[0])[0] - 1
    arrays = [
        # The last slice is read twice.
        tf.TensorArray(x.dtype, last + 1, clear_after_read=False).unstack(x)
        for x in inputs
    ]
    outputs = tf.TensorArray(carry.dtype, last + 1, element_shape=carry.shape)

    def read(i):
        return [array.read(last - i if reverse else i) for array in arrays]

    def body(i, x, carry, outputs):
        output, new_carry = step(x, carry)
        new_carry.set_shape(carry.shape)
        outputs = outputs.write(last - i if reverse else i, output)
        # Reading ahead keeps the slicing apart from the arithmetic: fused into one
        # kernel, XLA would not vectorise either on CPU.
        return i + 1, read(tf.minimum(i + 1, last)), new_carry, outputs

    _, _, carry, outputs = tf.while_loop(
        lambda i, *_: i <= last, body, (0, read(0), carry, outputs)
    )
    return outputs.stack(), carry


def _unrolled_scan(
    step: Callable, inputs: Sequence[tf.Tensor], carry: tf.Tensor, reverse: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """`_scan` over few steps, whose number is known."""
    slices = list(zip(*(tf.unstack(x) for x in inputs), strict=True))
    outputs = []
    for x in reversed(slices) if reverse else slices:
        output, carry = step(x, carry)
        outputs.append(output)
    return tf.stack(outputs[::-1] if reverse else outputs), carry
