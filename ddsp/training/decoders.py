"""Networks from latent features to synthesiser controls."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp._core import checks
from ddsp._core.tensors import tf_float32
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

    def step(self, inputs: Mapping[str, Any], state: Mapping[str, tf.Tensor]):
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
        features = _block(self, keys, inputs, state)
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


@configurable.layer(module="ddsp.training.decoders")
class DilatedConvDecoder(nn.OutputSplitsLayer):
    """Dilated convolutions over time, with conditioning at every layer.

    See `nn.DilatedConvStack`.
    """

    def __init__(
        self,
        ch: int = 256,
        kernel_size: int = 3,
        layers_per_stack: int = 5,
        stacks: int = 2,
        dilation: int = 2,
        norm_type: str | None = "layer",
        resample_stride: int = 1,
        stacks_per_resample: int = 1,
        resample_after_convolve: bool = True,
        input_keys: Sequence[str] = ("ld_scaled", "f0_scaled"),
        output_splits=(("amps", 1), ("harmonic_distribution", 60)),
        conditioning_keys: str | Sequence[str] | None = "z",
        precondition_stack: keras.layers.Layer | None = None,
        spectral_norm: bool = False,
        ortho_init: bool = False,
        causal: bool = False,
        **kwargs,
    ):
        """Initializer.

        Args:
          ch: Number of channels of every layer.
          kernel_size: Number of taps of the convolutions.
          layers_per_stack: Number of layers of a stack.
          stacks: Number of stacks.
          dilation: Base of the dilations within a stack.
          norm_type: 'layer', 'instance', 'group' or None, see `nn.normalize_op`.
          resample_stride: Factor by which the frames become more at each resampling.
          stacks_per_resample: Number of stacks to a resampling.
          resample_after_convolve: Whether to resample after the stacks or before.
          input_keys: Keys of the inputs of the convolutions.
          output_splits: Pairs (name, number of channels) of the outputs.
          conditioning_keys: Keys of further inputs, which set scales and shifts of the
            normalisations. None or none: there are none, scales and shifts are learned.
          precondition_stack: A layer that the conditioning inputs pass first.
          spectral_norm: Whether to divide kernels by their spectral norm while
            training.
          ortho_init: Whether kernels start orthogonal.
          causal: Whether no output depends on later frames: convolutions look back
            only, and every frame is normalised by itself. Such a decoder can be played
            in blocks, see `step`.
          **kwargs: Passed on to `keras.layers.Layer`.

        Raises:
          ValueError: If there is a precondition stack and nothing for it, or as
            `nn.DilatedConvStack`.
        """
        if isinstance(conditioning_keys, str):
            conditioning_keys = [conditioning_keys]
        conditioning_keys = list(conditioning_keys or [])
        super().__init__([*input_keys, *conditioning_keys], output_splits, **kwargs)
        if precondition_stack is not None and not conditioning_keys:
            raise ValueError(
                "`precondition_stack` needs `conditioning_keys`, got "
                f"{precondition_stack} and none."
            )
        self.conditioning_keys = conditioning_keys
        self.precondition_stack = precondition_stack
        self.dilated_conv_stack = nn.DilatedConvStack(
            ch=ch,
            layers_per_stack=layers_per_stack,
            stacks=stacks,
            kernel_size=kernel_size,
            dilation=dilation,
            norm_type=norm_type,
            resample_type="upsample" if resample_stride > 1 else None,
            resample_stride=resample_stride,
            stacks_per_resample=stacks_per_resample,
            resample_after_convolve=resample_after_convolve,
            spectral_norm=spectral_norm,
            ortho_init=ortho_init,
            conditional=bool(conditioning_keys),
            causal=causal,
        )

    def compute_output(self, *inputs):
        """What the stack gives for all inputs, those of `conditioning_keys` last."""
        return self.dilated_conv_stack(self._stack_inputs(inputs))

    def _stack_inputs(self, inputs: Sequence[tf.Tensor]):
        """The inputs side by side, and the conditioning ones."""
        n_inputs = len(inputs) - len(self.conditioning_keys)
        x = tf.concat(inputs[:n_inputs], axis=-1)
        if not self.conditioning_keys:
            return x
        z = tf.concat(inputs[n_inputs:], axis=-1)
        return [x, z if self.precondition_stack is None else self.precondition_stack(z)]

    def initial_state(self, batch_size: int) -> dict[str, list[tf.Tensor]]:
        """The state before the first block of `step`.

        Args:
          batch_size: Rows of the stream.

        Returns:
          A nest of tensors.

        Raises:
          ValueError: If the decoder is not causal, or has not been called yet.
        """
        stack = self.precondition_stack
        if stack is not None and not nn.is_framewise(stack):
            raise ValueError(
                f"`{self.name}` cannot be played in blocks: its `precondition_stack` "
                "must treat every frame by itself, as `nn.FcStack` does, got a "
                f"{type(stack).__name__}."
            )
        return {"convolutions": self.dilated_conv_stack.initial_state(batch_size)}

    def step(self, inputs: Mapping[str, Any], state: Mapping[str, list[tf.Tensor]]):
        """Decodes a block, on from a state; with the weights of `call`.

        Args:
          inputs: {key: [batch, n_frames, channels]} with the inputs' keys.
          state: From `initial_state` or the step before.

        Returns:
          What `call` returns for the block, and the new state.

        Raises:
          ValueError: If an input is missing or of a wrong rank, or if inputs and state
            do not go together.
        """
        features = _block(self, self.input_keys, inputs, state)
        output, after = self.dilated_conv_stack.step(
            self._stack_inputs(features), state["convolutions"]
        )
        outputs = nn.split_to_dict(self.dense_out(output), self.output_splits)
        return outputs, {"convolutions": after}


def _block(
    decoder: nn.DictLayer, keys: Sequence[str], inputs: Mapping[str, Any], state
) -> list[tf.Tensor]:
    """The inputs of a block, in order, once they are known to go together."""
    missing = [key for key in keys if key not in inputs]
    if missing:
        raise ValueError(
            f"A block of `{decoder.name}` needs the inputs {list(keys)}, of which "
            f"{missing} are missing; got {sorted(inputs)}."
        )
    features = [tf_float32(inputs[key]) for key in keys]
    for key, x in zip(keys, features, strict=True):
        checks.rank(key, x, 3)
    shapes = {key: tuple(x.shape) for key, x in zip(keys, features, strict=True)}
    n_rows = {shape[0] for shape in shapes.values()}
    n_rows |= {x.shape[0] for x in tf.nest.flatten(state)}
    n_frames = {shape[1] for shape in shapes.values()}
    if len(n_rows - {None}) > 1 or len(n_frames - {None}) > 1:
        raise ValueError(
            f"Inputs of a block of `{decoder.name}` must have as many frames as each "
            "other and as many rows as the state, got shapes "
            f"{shapes} and {sorted(n_rows - {None})} rows."
        )
    return features
