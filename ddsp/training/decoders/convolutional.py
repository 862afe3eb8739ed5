"""A decoder of dilated convolutions."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp.training import nn
from ddsp.training.decoders.streaming_decoder import StreamingDecoder
from ddsp.types import State


@configurable.layer(module="ddsp.training.decoders")
class DilatedConvDecoder(StreamingDecoder, nn.OutputSplitsLayer):
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
            normalizations. None or none: there are none, scales and shifts are learned.
          precondition_stack: A layer that the conditioning inputs pass first.
          spectral_norm: Whether to divide kernels by their spectral norm while
            training.
          ortho_init: Whether kernels start orthogonal.
          causal: Whether no output depends on later frames: convolutions look back
            only, and every frame is normalized by itself. Such a decoder can be played
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

    def step(self, inputs: Mapping[str, Any], state: State):
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
        features = self._check(self.input_keys, inputs, state)
        output, after = self.dilated_conv_stack.step(
            self._stack_inputs(features), state["convolutions"]
        )
        outputs = nn.split_to_dict(self.dense_out(output), self.output_splits)
        return outputs, {"convolutions": after}
