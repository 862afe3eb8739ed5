"""Recurrent layers."""

from collections.abc import Callable

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp.training.nn.dense import Fc, FcStack
from ddsp.training.nn.gru import GRU

_RNN_TYPES = {"gru": GRU, "lstm": keras.layers.LSTM}
# Up to as many steps of an LSTM are written out, as the GRU does itself.
_UNROLLED = 8


def _make_rnn(dims: int, rnn_type: str, **kwargs) -> keras.layers.RNN:
    if rnn_type not in _RNN_TYPES:
        raise ValueError(
            f"`rnn_type` must be one of {sorted(_RNN_TYPES)}; received {rnn_type!r}."
        )
    return _RNN_TYPES[rnn_type](dims, **kwargs)


def run_from(
    rnn: keras.layers.RNN, x: tf.Tensor, state: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs a built recurrent layer on from a state, whatever it usually returns.

    Args:
      rnn: A GRU or an LSTM.
      x: [batch, time, channels].
      state: [batch, n_states * units]: for an LSTM the hidden state, then the cell's.

    Returns:
      Outputs [batch, time, units], and the new state in the form of `state`.

    Raises:
      ValueError: If the layer also runs backwards, from an end that is not there yet.
    """
    dtype = rnn.compute_dtype
    before = tf.split(tf.cast(state, dtype), len(state_sizes(rnn)), axis=-1)
    x = tf.cast(x, dtype)
    if isinstance(rnn, keras.layers.LSTM) and x.shape[1] in range(1, _UNROLLED + 1):
        steps, after = [], before
        for frame in tf.unstack(x, axis=1):
            output, after = rnn.cell(frame, after, training=False)
            steps.append(output)
        outputs = tf.stack(steps, axis=1)
    else:
        _, outputs, after = rnn.inner_loop(
            x, initial_state=before, mask=None, training=False
        )
    return outputs, tf.cast(tf.concat(list(after), axis=-1), state.dtype)


def state_sizes(rnn: keras.layers.RNN) -> list[int]:
    """Sizes of the states of a recurrent layer that can run on from them.

    Raises:
      ValueError: If the layer also runs backwards, from an end that is not there yet.
    """
    if not isinstance(rnn, keras.layers.GRU | keras.layers.LSTM) or rnn.go_backwards:
        raise ValueError(
            "A recurrent layer that runs backwards cannot be played in blocks: it "
            f"needs the end of the sequence first, got {rnn}."
        )
    sizes = rnn.cell.state_size
    return list(sizes) if isinstance(sizes, list | tuple) else [sizes]


@configurable.layer(module="ddsp.training.nn")
class Rnn(keras.layers.Layer):
    """A GRU or an LSTM, in one direction or in both."""

    def __init__(
        self,
        dims: int,
        rnn_type: str,
        return_sequences: bool = True,
        bidir: bool = False,
        **kwargs,
    ):
        """Initializer.

        Args:
          dims: Number of units.
          rnn_type: 'gru' or 'lstm'.
          return_sequences: Return every step's output, or the last one's only.
          bidir: Run over time in both directions and concatenate the outputs.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        rnn = _make_rnn(dims, rnn_type, return_sequences=return_sequences)
        self.rnn = keras.layers.Bidirectional(rnn) if bidir else rnn

    def call(self, x):
        """[batch, time, channels] to [batch, time, dims] (twice `dims` if bidir)."""
        return self.rnn(x)


@configurable.layer(module="ddsp.training.nn")
class StatelessRnn(keras.layers.Layer):
    """A GRU or an LSTM that takes its state and returns the new one."""

    def __init__(self, dims: int, rnn_type: str, **kwargs):
        """Initializer.

        Args:
          dims: Number of units.
          rnn_type: 'gru' or 'lstm'.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.rnn = _make_rnn(dims, rnn_type, return_sequences=True, return_state=True)
        self.n_states = 2 if rnn_type == "lstm" else 1

    def call(self, x, state):
        """Runs the network on from a state.

        Args:
          x: [batch, time, channels].
          state: [batch, dims] for a GRU, [batch, 2 * dims] (hidden state, then cell
            state) for an LSTM. Zeros at the start.

        Returns:
          Outputs [batch, time, dims], and the new state in the form of `state`.
        """
        initial_state = tf.split(state, self.n_states, axis=-1)
        outputs, *new_state = self.rnn(x, initial_state=initial_state)
        return outputs, tf.concat(new_state, axis=-1)


@configurable.layer(module="ddsp.training.nn")
class RnnSandwich(keras.Sequential):
    """A recurrent layer between two `FcStack`s."""

    def __init__(
        self,
        fc_stack_ch: int = 256,
        fc_stack_layers: int = 2,
        rnn_ch: int = 512,
        rnn_type: str = "gru",
        **kwargs,
    ):
        """Initializer.

        Args:
          fc_stack_ch: Number of channels of the stacks.
          fc_stack_layers: Number of layers of each stack.
          rnn_ch: Number of units of the recurrent layer.
          rnn_type: 'gru' or 'lstm'.
          **kwargs: Passed on to `keras.Sequential`.
        """
        layers = [
            FcStack(fc_stack_ch, fc_stack_layers),
            Rnn(rnn_ch, rnn_type),
            FcStack(fc_stack_ch, fc_stack_layers),
        ]
        super().__init__(layers, **kwargs)


@configurable.layer(module="ddsp.training.nn")
class RnnFc(keras.Sequential):
    """Recurrent layers, then an `Fc`."""

    def __init__(
        self,
        rnn_feat: int,
        out_feat: int,
        rnn_type: str = "lstm",
        nonlinearity: str | Callable = "sigmoid",
        bidir: bool = False,
        n_rnn: int = 1,
        **kwargs,
    ):
        """Initializer.

        Args:
          rnn_feat: Number of units of the recurrent layers.
          out_feat: Number of output channels.
          rnn_type: 'gru' or 'lstm'.
          nonlinearity: See `get_nonlinearity`.
          bidir: Run over time in both directions.
          n_rnn: Number of recurrent layers.
          **kwargs: Passed on to `keras.Sequential`.
        """
        layers = [Rnn(rnn_feat, rnn_type, bidir=bidir) for _ in range(n_rnn)]
        super().__init__([*layers, Fc(out_feat, nonlinearity)], **kwargs)


@configurable.layer(module="ddsp.training.nn")
class SingleGru(keras.Sequential):
    """A GRU, then layer normalisation."""

    def __init__(self, gru_dim: int = 128, **kwargs):
        """Initializer.

        Args:
          gru_dim: Number of units.
          **kwargs: Passed on to `keras.Sequential`.
        """
        layers = [
            GRU(gru_dim, return_sequences=True),
            keras.layers.LayerNormalization(),
        ]
        super().__init__(layers, **kwargs)
