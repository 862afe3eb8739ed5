"""Decoder of dilated convolutions."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp.training import nn
from ddsp.training.decoders.streaming_decoder import StreamingDecoder
from ddsp.training.nn.dict_layer import OutputSplits
from ddsp.types import Features, Outputs, State


@configurable.layer(module="ddsp.training.decoders")
class DilatedConvDecoder(StreamingDecoder, nn.OutputSplitsLayer):
    """Dilated convolutions over time, with conditioning at every layer.

    See `nn.DilatedConvStack`.

    Example:

    >>> from ddsp.training import decoders
    >>> decoder = decoders.DilatedConvDecoder(
    ...     ch=4,
    ...     layers_per_stack=2,
    ...     stacks=1,
    ...     input_keys=["ld_scaled"],
    ...     conditioning_keys=None,
    ... )
    >>> outputs = decoder({"ld_scaled": tf.zeros([1, 5, 1])})
    >>> {name: x.shape.as_list() for name, x in outputs.items()}
    {'amps': [1, 5, 1], 'harmonic_distribution': [1, 5, 60]}
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
        output_splits: OutputSplits = (("amps", 1), ("harmonic_distribution", 60)),
        conditioning_keys: str | Sequence[str] | None = "z",
        precondition_stack: keras.layers.Layer | None = None,
        spectral_norm: bool = False,
        ortho_init: bool = False,
        causal: bool = False,
        **kwargs: Any,
    ) -> None:
        """Initializes the decoder.

        Args:
          ch: Number of channels of every layer.
          kernel_size: Number of taps of the convolutions.
          layers_per_stack: Number of layers per stack.
          stacks: Number of stacks.
          dilation: Base of the dilations within a stack.
          norm_type: 'layer', 'instance', 'group' or None, see `nn.normalize_op`.
          resample_stride: Upsampling factor of each resampling layer.
          stacks_per_resample: Number of stacks per resampling layer.
          resample_after_convolve: Whether to resample after the stacks or before.
          input_keys: Keys of the inputs of the convolutions.
          output_splits: Pairs (name, number of channels) of the outputs.
          conditioning_keys: Keys of the inputs that set scales and shifts of the
            normalizations. If None or empty, scales and shifts are learned.
          precondition_stack: Layer applied to the conditioning inputs.
          spectral_norm: Whether to apply spectral normalization to the kernels during
            training.
          ortho_init: Whether to initialize kernels as orthogonal matrices.
          causal: Whether the decoder is causal: convolutions use past frames only, and
            each frame is normalized separately. A causal decoder can run block by
            block, see `step`.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If there is a precondition stack without conditioning inputs, or
            the arguments of `nn.DilatedConvStack` are inconsistent.
        """
        if isinstance(conditioning_keys, str):
            conditioning_keys = [conditioning_keys]
        conditioning_keys = list(conditioning_keys or [])
        super().__init__([*input_keys, *conditioning_keys], output_splits, **kwargs)
        if precondition_stack is not None and not conditioning_keys:
            raise ValueError(
                "`precondition_stack` requires `conditioning_keys`, got "
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

    def compute_output(self, *inputs: tf.Tensor) -> tf.Tensor:
        """Runs the stack; the inputs of `conditioning_keys` come last."""
        return self.dilated_conv_stack(self._stack_inputs(inputs))

    def _stack_inputs(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor | list[tf.Tensor]:
        """Concatenates the inputs, and separately the conditioning inputs."""
        n_inputs = len(inputs) - len(self.conditioning_keys)
        x = tf.concat(inputs[:n_inputs], axis=-1)
        if not self.conditioning_keys:
            return x
        z = tf.concat(inputs[n_inputs:], axis=-1)
        return [x, z if self.precondition_stack is None else self.precondition_stack(z)]

    def initial_state(self, batch_size: int) -> dict[str, list[tf.Tensor]]:
        """Returns the state before the first block of `step`.

        Args:
          batch_size: Number of rows of the stream.

        Returns:
          A nest of tensors.

        Raises:
          ValueError: If the decoder is not causal, or has not been called yet.
        """
        stack = self.precondition_stack
        if stack is not None and not nn.is_framewise(stack):
            raise ValueError(
                f"`{self.name}` cannot run block by block: its `precondition_stack` "
                "must process each frame independently, like `nn.FcStack`, got a "
                f"{type(stack).__name__}."
            )
        return {"convolutions": self.dilated_conv_stack.initial_state(batch_size)}

    def step(self, inputs: Features, state: State) -> tuple[Outputs, State]:
        """Decodes a block with the weights of `call`.

        Args:
          inputs: Inputs by key, shape [batch, n_frames, channels].
          state: From `initial_state` or the previous step.

        Returns:
          The outputs of `call` for the block, and the new state.

        Raises:
          ValueError: If an input is missing or has a wrong rank, or if inputs and state
            do not match.
        """
        features = self._check(self.input_keys, inputs, state)
        output, after = self.dilated_conv_stack.step(
            self._stack_inputs(features), state["convolutions"]
        )
        outputs = nn.split_to_dict(self.dense_out(output), self.output_splits)
        return outputs, {"convolutions": after}
