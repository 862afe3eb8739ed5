"""Networks from latent features to synthesiser controls."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp.training import nn


@configurable.layer(module="ddsp.training.decoders")
class RnnFcDecoder(nn.DictLayer):
    """Fully connected stacks around a recurrent layer.

    The decoder of Engel et al., "DDSP: Differentiable Digital Signal Processing"
    (2020), appendix B.2: every input passes a stack of its own; the recurrent layer
    runs over all of them together; its output, beside what it was given, passes one
    more stack and a linear projection.
    """

    def __init__(
        self,
        rnn_channels: int = 512,
        rnn_type: str = "gru",
        ch: int = 512,
        layers_per_stack: int = 3,
        stateless: bool = False,
        input_keys: Sequence[str] = ("ld_scaled", "f0_scaled", "z"),
        output_splits=(("amps", 1), ("harmonic_distribution", 40)),
        **kwargs,
    ):
        """Initializer.

        Args:
          rnn_channels: Number of units of the recurrent layer.
          rnn_type: 'gru' or 'lstm'.
          ch: Number of channels of the stacks.
          layers_per_stack: Number of layers of each stack. With 0 there are no
            stacks: inputs and outputs pass straight through.
          stateless: Take the recurrent state as a last input 'state' and return the
            new one as a last output 'state', so that a stream can be decoded block by
            block. The state is [batch, rnn_channels] for a GRU, [batch,
            2 * rnn_channels] for an LSTM, and zero at the start.
          input_keys: Keys of the inputs.
          output_splits: Pairs (name, number of channels) of the outputs.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        state_keys = ["state"] if stateless else []
        super().__init__(
            input_keys=[*input_keys, *state_keys],
            output_keys=[name for name, _ in output_splits] + state_keys,
            **kwargs,
        )
        self.stateless = stateless
        self.output_splits = output_splits

        if layers_per_stack:
            self.input_stacks = [nn.FcStack(ch, layers_per_stack) for _ in input_keys]
            self.out_stack = nn.FcStack(ch, layers_per_stack)
        else:
            self.input_stacks = [nn.Identity() for _ in input_keys]
            self.out_stack = nn.Identity()
        rnn_class = nn.StatelessRnn if stateless else nn.Rnn
        self.rnn = rnn_class(rnn_channels, rnn_type)
        self.dense_out = keras.layers.Dense(sum(size for _, size in output_splits))

    def call(self, *inputs, **unused_kwargs):
        """Decodes.

        Args:
          *inputs: [batch, time, channels] for each of `input_keys`; last the state,
            if stateless.

        Returns:
          {name: [batch, time, n_channels]} for each of `output_splits`, and 'state' if
          stateless.
        """
        features = inputs[:-1] if self.stateless else inputs
        stacked = tf.concat(
            [stack(x) for stack, x in zip(self.input_stacks, features, strict=True)],
            axis=-1,
        )
        if self.stateless:
            recurrent, state = self.rnn(stacked, inputs[-1])
        else:
            recurrent = self.rnn(stacked)
        output = self.out_stack(tf.concat([stacked, recurrent], axis=-1))
        outputs = nn.split_to_dict(self.dense_out(output), self.output_splits)
        return {**outputs, "state": state} if self.stateless else outputs
