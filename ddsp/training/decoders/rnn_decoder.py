"""A recurrent decoder."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp._core import checks
from ddsp.training import nn
from ddsp.training.decoders.streaming_decoder import StreamingDecoder
from ddsp.types import State


@configurable.layer(module="ddsp.training.decoders")
class RnnFcDecoder(StreamingDecoder, nn.DictLayer):
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
        if not self.stateless:
            return self._decode(inputs, self.rnn)
        *features, state = inputs
        new_state = []

        def run(stacked):
            outputs, last = self.rnn(stacked, state)
            new_state.append(last)
            return outputs

        outputs = self._decode(features, run)
        return {**outputs, "state": new_state[0]}

    def _decode(self, features, run: Callable[[tf.Tensor], tf.Tensor]):
        """The outputs, where `run` is the recurrent layer."""
        stacked = tf.concat(
            [stack(x) for stack, x in zip(self.input_stacks, features, strict=True)],
            axis=-1,
        )
        output = self.out_stack(tf.concat([stacked, run(stacked)], axis=-1))
        return nn.split_to_dict(self.dense_out(output), self.output_splits)

    def initial_state(self, batch_size: int) -> dict[str, tf.Tensor]:
        """The state before the first block of `step`.

        Args:
          batch_size: Rows of the stream.

        Returns:
          A nest of tensors.

        Raises:
          ValueError: If the recurrent layer also runs backwards.
        """
        checks.positive("batch_size", batch_size)
        n_values = sum(nn.state_sizes(self.rnn.rnn))
        return {"rnn": tf.zeros([batch_size, n_values])}

    def step(self, inputs: Mapping[str, Any], state: State):
        """Decodes a block, on from a state; with the weights of `call`.

        Args:
          inputs: {key: [batch, n_frames, channels]} with the inputs' keys.
          state: From `initial_state` or the step before.

        Returns:
          What `call` returns for the block, and the new state.

        Raises:
          ValueError: If an input is missing or of a wrong rank, if inputs and state
            do not go together, or if the decoder has not been called yet.
        """
        keys = self.input_keys[:-1] if self.stateless else self.input_keys
        features = self._check(keys, inputs, state)
        if not self.built:
            raise ValueError(
                f"'{self.name}' must be called once before it can be played in blocks, "
                "got no call."
            )
        new_state = {}

        def run(stacked):
            outputs, new_state["rnn"] = nn.run_from(self.rnn.rnn, stacked, state["rnn"])
            return outputs

        return self._decode(features, run), new_state
