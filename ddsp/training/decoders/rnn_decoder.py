"""Recurrent decoder."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp._core import checks
from ddsp.training import nn
from ddsp.training.decoders.streaming_decoder import StreamingDecoder
from ddsp.training.nn.dict_layer import OutputSplits
from ddsp.types import Features, Outputs, State


@configurable.layer(module="ddsp.training.decoders")
class RnnFcDecoder(StreamingDecoder, nn.DictLayer):
    """Recurrent layer between fully connected stacks.

    The decoder of Engel et al., "DDSP: Differentiable Digital Signal Processing"
    (2020), appendix B.2: each input has its own stack; the recurrent layer runs on the
    concatenated outputs; its input and output pass another stack and a linear
    projection.

    Example:

    >>> from ddsp.training import decoders
    >>> decoder = decoders.RnnFcDecoder(
    ...     rnn_channels=4, ch=4, layers_per_stack=1, input_keys=["ld_scaled"]
    ... )
    >>> outputs = decoder({"ld_scaled": tf.zeros([1, 5, 1])})
    >>> {name: x.shape.as_list() for name, x in outputs.items()}
    {'amps': [1, 5, 1], 'harmonic_distribution': [1, 5, 40]}
    """

    def __init__(
        self,
        rnn_channels: int = 512,
        rnn_type: str = "gru",
        ch: int = 512,
        layers_per_stack: int = 3,
        stateless: bool = False,
        input_keys: Sequence[str] = ("ld_scaled", "f0_scaled", "z"),
        output_splits: OutputSplits = (("amps", 1), ("harmonic_distribution", 40)),
        **kwargs: Any,
    ) -> None:
        """Initializes the decoder.

        Args:
          rnn_channels: Number of units of the recurrent layer.
          rnn_type: 'gru' or 'lstm'.
          ch: Number of channels of the stacks.
          layers_per_stack: Number of layers of each stack; 0 for no stacks.
          stateless: Whether the recurrent state is the last input and output, 'state',
            for decoding block by block. The state has shape [batch, rnn_channels] for
            a GRU, [batch, 2 * rnn_channels] for an LSTM, and is initially zero.
          input_keys: Keys of the inputs.
          output_splits: Pairs (name, number of channels) of the outputs.
          **kwargs: Arguments of `keras.layers.Layer`.
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

    def call(self, *inputs: tf.Tensor, **unused_kwargs: Any) -> Outputs:
        """Decodes a sequence.

        Args:
          *inputs: Tensors of shape [batch, time, channels], in the order of
            `input_keys`. If stateless, the last one is the state.

        Returns:
          A tensor of shape [batch, time, n_channels] for each of `output_splits`, and
          'state' if stateless.
        """
        if not self.stateless:
            return self._decode(inputs, self.rnn)
        *features, state = inputs
        new_state = []

        def run(stacked: tf.Tensor) -> tf.Tensor:
            outputs, last = self.rnn(stacked, state)
            new_state.append(last)
            return outputs

        outputs = self._decode(features, run)
        return {**outputs, "state": new_state[0]}

    def _decode(
        self, features: Sequence[tf.Tensor], run: Callable[[tf.Tensor], tf.Tensor]
    ) -> Outputs:
        """Decodes features, with `run` as the recurrent layer."""
        stacked = tf.concat(
            [stack(x) for stack, x in zip(self.input_stacks, features, strict=True)],
            axis=-1,
        )
        output = self.out_stack(tf.concat([stacked, run(stacked)], axis=-1))
        return nn.split_to_dict(self.dense_out(output), self.output_splits)

    def initial_state(self, batch_size: int) -> dict[str, tf.Tensor]:
        """Returns the state before the first block of `step`.

        Args:
          batch_size: Number of rows of the stream.

        Returns:
          A nest of tensors.

        Raises:
          ValueError: If the recurrent layer also runs backward.
        """
        checks.positive("batch_size", batch_size)
        n_values = sum(nn.state_sizes(self.rnn.rnn))
        return {"rnn": tf.zeros([batch_size, n_values])}

    def step(self, inputs: Features, state: State) -> tuple[Outputs, State]:
        """Decodes a block with the weights of `call`.

        Args:
          inputs: Inputs by key, shape [batch, n_frames, channels].
          state: From `initial_state` or the previous step.

        Returns:
          The outputs of `call` for the block, and the new state.

        Raises:
          ValueError: If an input is missing or has a wrong rank, if inputs and state
            do not match, or if the decoder has not been called yet.
        """
        keys = self.input_keys[:-1] if self.stateless else self.input_keys
        features = self._check(keys, inputs, state)
        if not self.built:
            raise ValueError(
                f"`{self.name}` must be called once before it can run block by block, "
                "got no call."
            )
        new_state: State = {}

        def run(stacked: tf.Tensor) -> tf.Tensor:
            outputs, new_state["rnn"] = nn.run_from(self.rnn.rnn, stacked, state["rnn"])
            return outputs

        return self._decode(features, run), new_state
