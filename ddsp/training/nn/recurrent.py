"""Recurrent layers."""

from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp.training.nn.dense import Activation, Fc, FcStack
from ddsp.training.nn.gru import GRU

_RNN_TYPES = {"gru": GRU, "lstm": keras.layers.LSTM}
# LSTM sequences up to this length are unrolled; the GRU unrolls its own loop.
_MAX_UNROLLED_STEPS = 8


def _make_rnn(dims: int, rnn_type: str, **kwargs: Any) -> keras.layers.RNN:
    if rnn_type not in _RNN_TYPES:
        raise ValueError(
            f"`rnn_type` must be one of {sorted(_RNN_TYPES)}, got {rnn_type!r}."
        )
    return _RNN_TYPES[rnn_type](dims, **kwargs)


def run_from(
    rnn: keras.layers.RNN, x: tf.Tensor, state: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs a built recurrent layer from a given state.

    Args:
      rnn: GRU or LSTM. Its `return_sequences` and `return_state` are ignored.
      x: Shape [batch, time, channels].
      state: Shape [batch, n_states * units]; for an LSTM the hidden state followed by
        the cell state.

    Returns:
      Outputs of shape [batch, time, units], and the new state in the form of `state`.

    Raises:
      ValueError: If the layer also runs backward.

    Example:

    >>> from ddsp.training import nn
    >>> rnn = nn.Rnn(4, "gru")
    >>> _ = rnn(tf.zeros([1, 5, 3]))
    >>> outputs, state = nn.run_from(rnn.rnn, tf.zeros([1, 2, 3]), tf.zeros([1, 4]))
    >>> outputs.shape.as_list(), state.shape.as_list()
    ([1, 2, 4], [1, 4])
    """
    dtype = rnn.compute_dtype
    before = tf.split(tf.cast(state, dtype), len(state_sizes(rnn)), axis=-1)
    x = tf.cast(x, dtype)
    if isinstance(rnn, keras.layers.LSTM) and x.shape[1] in range(
        1, _MAX_UNROLLED_STEPS + 1
    ):
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
    """Returns the sizes of the states of a recurrent layer.

    Args:
      rnn: GRU or LSTM that runs forward.

    Raises:
      ValueError: If the layer also runs backward.

    Example:

    >>> from ddsp.training import nn
    >>> nn.state_sizes(nn.Rnn(4, "lstm").rnn)
    [4, 4]
    """
    if not isinstance(rnn, keras.layers.GRU | keras.layers.LSTM) or rnn.go_backwards:
        raise ValueError(
            "A recurrent layer that runs backward cannot run block by block: it "
            f"starts at the end of the sequence, got {rnn}."
        )
    sizes = rnn.cell.state_size
    return list(sizes) if isinstance(sizes, list | tuple) else [sizes]


@configurable.layer(module="ddsp.training.nn")
class Rnn(keras.layers.Layer):
    """GRU or LSTM, in one direction or in both.

    Example:

    >>> from ddsp.training import nn
    >>> nn.Rnn(4, "gru")(tf.zeros([1, 5, 3])).shape.as_list()
    [1, 5, 4]
    """

    def __init__(
        self,
        dims: int,
        rnn_type: str,
        return_sequences: bool = True,
        bidir: bool = False,
        **kwargs: Any,
    ) -> None:
        """Initializes the layer.

        Args:
          dims: Number of units.
          rnn_type: 'gru' or 'lstm'.
          return_sequences: Whether to return the outputs of all steps or only the last.
          bidir: Whether to run in both directions and concatenate the outputs.
          **kwargs: Arguments of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        rnn = _make_rnn(dims, rnn_type, return_sequences=return_sequences)
        self.rnn = keras.layers.Bidirectional(rnn) if bidir else rnn

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Maps [batch, time, channels] to [batch, time, dims], or 2 * dims if bidir."""
        return self.rnn(x)


@configurable.layer(module="ddsp.training.nn")
class StatelessRnn(keras.layers.Layer):
    """GRU or LSTM with the state as input and output.

    Example:

    >>> from ddsp.training import nn
    >>> rnn = nn.StatelessRnn(4, "gru")
    >>> outputs, state = rnn(tf.zeros([1, 2, 3]), tf.zeros([1, 4]))
    >>> outputs.shape.as_list(), state.shape.as_list()
    ([1, 2, 4], [1, 4])
    """

    def __init__(self, dims: int, rnn_type: str, **kwargs: Any) -> None:
        """Initializes the layer.

        Args:
          dims: Number of units.
          rnn_type: 'gru' or 'lstm'.
          **kwargs: Arguments of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.rnn = _make_rnn(dims, rnn_type, return_sequences=True, return_state=True)
        self.n_states = 2 if rnn_type == "lstm" else 1

    def call(self, x: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Runs the network from a given state.

        Args:
          x: Shape [batch, time, channels].
          state: Shape [batch, dims] for a GRU, [batch, 2 * dims] (hidden state, cell
            state) for an LSTM. Initially zeros.

        Returns:
          Outputs of shape [batch, time, dims], and the new state in the form of
          `state`.
        """
        initial_state = tf.split(state, self.n_states, axis=-1)
        outputs, *new_state = self.rnn(x, initial_state=initial_state)
        return outputs, tf.concat(new_state, axis=-1)


@configurable.layer(module="ddsp.training.nn")
class RnnSandwich(keras.Sequential):
    """Recurrent layer between two `FcStack`s.

    Example:

    >>> from ddsp.training import nn
    >>> net = nn.RnnSandwich(fc_stack_ch=4, fc_stack_layers=1, rnn_ch=4)
    >>> net(tf.zeros([1, 5, 3])).shape.as_list()
    [1, 5, 4]
    """

    def __init__(
        self,
        fc_stack_ch: int = 256,
        fc_stack_layers: int = 2,
        rnn_ch: int = 512,
        rnn_type: str = "gru",
        **kwargs: Any,
    ) -> None:
        """Initializes the layer.

        Args:
          fc_stack_ch: Number of channels of the stacks.
          fc_stack_layers: Number of layers of each stack.
          rnn_ch: Number of units of the recurrent layer.
          rnn_type: 'gru' or 'lstm'.
          **kwargs: Arguments of `keras.Sequential`.
        """
        layers = [
            FcStack(fc_stack_ch, fc_stack_layers),
            Rnn(rnn_ch, rnn_type),
            FcStack(fc_stack_ch, fc_stack_layers),
        ]
        super().__init__(layers, **kwargs)


@configurable.layer(module="ddsp.training.nn")
class RnnFc(keras.Sequential):
    """Recurrent layers followed by an `Fc`.

    Example:

    >>> from ddsp.training import nn
    >>> nn.RnnFc(rnn_feat=4, out_feat=2)(tf.zeros([1, 5, 3])).shape.as_list()
    [1, 5, 2]
    """

    def __init__(
        self,
        rnn_feat: int,
        out_feat: int,
        rnn_type: str = "lstm",
        nonlinearity: str | Activation = "sigmoid",
        bidir: bool = False,
        n_rnn: int = 1,
        **kwargs: Any,
    ) -> None:
        """Initializes the layer.

        Args:
          rnn_feat: Number of units of the recurrent layers.
          out_feat: Number of output channels.
          rnn_type: 'gru' or 'lstm'.
          nonlinearity: See `get_nonlinearity`.
          bidir: Whether to run in both directions.
          n_rnn: Number of recurrent layers.
          **kwargs: Arguments of `keras.Sequential`.
        """
        layers = [Rnn(rnn_feat, rnn_type, bidir=bidir) for _ in range(n_rnn)]
        super().__init__([*layers, Fc(out_feat, nonlinearity)], **kwargs)


@configurable.layer(module="ddsp.training.nn")
class SingleGru(keras.Sequential):
    """GRU followed by layer normalization.

    Example:

    >>> from ddsp.training import nn
    >>> nn.SingleGru(gru_dim=4)(tf.zeros([1, 5, 3])).shape.as_list()
    [1, 5, 4]
    """

    def __init__(self, gru_dim: int = 128, **kwargs: Any) -> None:
        """Initializes the layer.

        Args:
          gru_dim: Number of units.
          **kwargs: Arguments of `keras.Sequential`.
        """
        layers = [
            GRU(gru_dim, return_sequences=True),
            keras.layers.LayerNormalization(),
        ]
        super().__init__(layers, **kwargs)
