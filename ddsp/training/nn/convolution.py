"""Dilated convolutions over time, offline or block by block.

Oord et al., "WaveNet: A Generative Model for Raw Audio" (2016).
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp._core import checks
from ddsp.training.nn.normalization import ensure_4d, get_norm

SpectralNormalization = keras.layers.SpectralNormalization


@keras.saving.register_keras_serializable(package="ddsp")
class CausalConv(keras.layers.Conv2D):
    """Causal dilated convolution over time.

    Has the variables of `keras.layers.Conv2D` with a kernel one column wide. Each tap
    is a matrix product, so the cost of a short block is proportional to its frames.

    Example:

    >>> from ddsp.training.nn.convolution import CausalConv
    >>> conv = CausalConv(4, (3, 1), dilation_rate=(2, 1))
    >>> conv(tf.zeros([1, 10, 1, 3])).shape.as_list(), conv.n_before
    ([1, 10, 1, 4], 4)
    """

    @property
    def n_before(self) -> int:
        """Number of past frames that an output frame depends on."""
        return (self.kernel_size[0] - 1) * self.dilation_rate[0]

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolves a whole sequence, zero-padded at the start.

        Args:
          inputs: Shape [batch, time, 1, channels].

        Returns:
          Tensor of shape [batch, time, 1, filters].
        """
        n_before = self.n_before
        return self._convolve(tf.pad(inputs, [[0, 0], [n_before, 0], [0, 0], [0, 0]]))

    def advance(
        self, inputs: tf.Tensor, before: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Convolves a block.

        Args:
          inputs: Shape [batch, n_frames, 1, channels].
          before: The preceding inputs, shape [batch, n_before, 1, channels].

        Returns:
          Output of shape [batch, n_frames, 1, filters], and the inputs that precede
          the next block.
        """
        padded = tf.concat([before, tf.cast(inputs, before.dtype)], axis=1)
        after = padded[:, -self.n_before :] if self.n_before else before
        return self._convolve(tf.cast(padded, inputs.dtype)), after

    def _convolve(self, padded: tf.Tensor) -> tf.Tensor:
        """Returns the outputs of all frames after the first `n_before`."""
        kernel, bias = (
            tf.cast(tf.convert_to_tensor(variable), padded.dtype)
            for variable in (self.kernel, self.bias)
        )
        n_taps, dilation = self.kernel_size[0], self.dilation_rate[0]
        taps = [
            tf.tensordot(
                padded[:, i * dilation : i * dilation - self.n_before or None],
                kernel[i, 0],
                axes=1,
            )
            for i in range(n_taps)
        ]
        return tf.add_n(taps) + bias


@configurable.layer(module="ddsp.training.nn")
class DilatedConvStack(keras.layers.Layer):
    """Residual stack of dilated convolutions over time, as in WaveNet.

    WaveNet, section 2.1, without gates: the residual branch of a layer is a ReLU, a
    dilated convolution and a normalization. A second input can set the scales and
    shifts of the normalizations (Perez et al., "FiLM: Visual Reasoning with a General
    Conditioning Layer", 2018).

    Example:

    >>> from ddsp.training import nn
    >>> stack = nn.DilatedConvStack(ch=4, layers_per_stack=2, stacks=1, causal=True)
    >>> stack(tf.zeros([1, 10, 3])).shape.as_list()
    [1, 10, 4]

    A causal stack also runs block by block:

    >>> state = stack.initial_state(batch_size=1)
    >>> block, state = stack.step(tf.zeros([1, 2, 3]), state)
    >>> block.shape.as_list()
    [1, 2, 4]
    """

    def __init__(
        self,
        ch: int = 256,
        layers_per_stack: int = 5,
        stacks: int = 2,
        kernel_size: int = 3,
        dilation: int = 2,
        norm_type: str | None = None,
        resample_type: str | None = None,
        resample_stride: int = 1,
        stacks_per_resample: int = 1,
        resample_after_convolve: bool = True,
        spectral_norm: bool = False,
        ortho_init: bool = False,
        shift_only: bool = False,
        conditional: bool = False,
        causal: bool = False,
        **kwargs: Any,
    ):
        """Initializes the stack.

        Args:
          ch: Number of channels of every layer.
          layers_per_stack: Number of layers per stack.
          stacks: Number of stacks. The dilations restart in each.
          kernel_size: Number of taps of the convolutions.
          dilation: Base of the dilations: the convolution at depth i of a stack has
            dilation `dilation**i`, in frames. If negative, the order is reversed, so
            that dilations shrink with depth.
          norm_type: 'layer', 'instance', 'group' or None, see `normalize_op`.
          resample_type: 'upsample', 'downsample' or None.
          resample_stride: Factor of each resampling layer.
          stacks_per_resample: Number of stacks per resampling layer; must divide
            `stacks`.
          resample_after_convolve: Whether to resample after the stacks or before.
          spectral_norm: Whether to apply spectral normalization to the kernels during
            training (Miyato et al., 2018).
          ortho_init: Whether to initialize kernels as orthogonal matrices.
          shift_only: Whether the second input sets shifts only, no scales.
          conditional: Whether the stack takes a second, conditioning input.
          causal: Whether the stack is causal: convolutions use past frames only, and
            each frame is normalized separately. A causal stack can run block by block,
            see `step`. Its variables are the same.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If a size is not positive, a name is unknown, or the arguments
            are inconsistent.
        """
        super().__init__(**kwargs)
        sizes = {
            "ch": ch,
            "layers_per_stack": layers_per_stack,
            "stacks": stacks,
            "kernel_size": kernel_size,
            "abs(dilation)": abs(dilation),
            "resample_stride": resample_stride,
            "stacks_per_resample": stacks_per_resample,
        }
        for name, size in sizes.items():
            checks.positive(name, size)
        checks.one_of("resample_type", resample_type, [None, "upsample", "downsample"])
        if resample_type and stacks % stacks_per_resample:
            raise ValueError(
                "`stacks` must be a multiple of `stacks_per_resample`, got "
                f"{stacks} and {stacks_per_resample}."
            )
        if causal and resample_type:
            raise ValueError(
                "A causal stack cannot resample, because resampling looks ahead; set "
                "`resample_stride=1` and `resample_type=None` or `causal=False`, got "
                f"resample_type={resample_type!r}."
            )
        if causal and norm_type == "instance":
            raise ValueError(
                "A causal stack normalizes each frame separately, which leaves one "
                "value per channel: set `norm_type` to 'layer', 'group' or None, got "
                "'instance'."
            )
        self.conditional = conditional
        self.causal = causal
        self.norm_type = norm_type
        self.resample_after_convolve = resample_after_convolve

        def make(
            layer_class: type[keras.layers.Layer], k: int, **settings: Any
        ) -> keras.layers.Layer:
            layer = layer_class(
                ch,
                (k, 1),
                padding="same",
                kernel_initializer="orthogonal" if ortho_init else "glorot_uniform",
                **settings,
            )
            return SpectralNormalization(layer) if spectral_norm else layer

        def dilated(depth: int) -> keras.Sequential:
            exponent = depth if dilation > 0 else layers_per_stack - 1 - depth
            rate = int(abs(dilation) ** exponent)
            conv_class = CausalConv if causal else keras.layers.Conv2D
            conv = make(conv_class, kernel_size, dilation_rate=(rate, 1))
            relu = keras.layers.Activation("relu")
            return keras.Sequential([relu, conv], name="dilated_conv")

        def resampling() -> keras.layers.Layer:
            strides = (resample_stride, 1)
            if resample_type == "downsample":
                return make(keras.layers.Conv2D, resample_stride, strides=strides)
            return make(
                keras.layers.Conv2DTranspose, 2 * resample_stride, strides=strides
            )

        self.conv_in = make(CausalConv if causal else keras.layers.Conv2D, kernel_size)
        depths = [*range(layers_per_stack)] * stacks
        self.layers = [dilated(depth) for depth in depths]
        self.norms = [
            get_norm(norm_type, conditional, shift_only, per_frame=causal)
            for _ in depths
        ]
        n_resamplings = stacks // stacks_per_resample if resample_type else 0
        self.resample_layers = [resampling() for _ in range(n_resamplings)]

    def call(self, inputs: tf.Tensor | Sequence[tf.Tensor]) -> tf.Tensor:
        """Runs the stack over a whole sequence.

        Args:
          inputs: Shape [batch, time, channels]. If conditional, a pair of this and a
            conditioning tensor of shape [batch, time, n_conditioning], whose time axis
            broadcasts to that of every layer.

        Returns:
          Tensor of shape [batch, time, ch], where time changes by the resampling
          factors.
        """
        return self._run(inputs, lambda layer, x: layer(x))

    def initial_state(self, batch_size: int) -> list[tf.Tensor]:
        """Returns the state before the first block of `step`.

        Args:
          batch_size: Number of rows of the stream.

        Returns:
          The past inputs of each convolution, zeros.

        Raises:
          ValueError: If the stack is not causal, or has not been called yet.
        """
        checks.positive("batch_size", batch_size)
        if not self.causal:
            resampling = ", its resampling" if self.resample_layers else ""
            raise ValueError(
                f"`{self.name}` cannot run block by block: its convolutions"
                f"{resampling} and its normalization look ahead. Build and train it "
                "with `causal=True` and without resampling, got causal=False."
            )
        if not self.conv_in.built:
            raise ValueError(
                f"`{self.name}` must be called once before it can run block by block, "
                "got no call."
            )
        convs = [_inner(layer) for layer in (self.conv_in, *self.layers)]
        return [
            tf.zeros([batch_size, conv.n_before, 1, conv.kernel.shape[-2]])
            for conv in convs
        ]

    def step(
        self, inputs: tf.Tensor | Sequence[tf.Tensor], state: list[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Runs a causal stack over a block.

        Args:
          inputs: As in `call`, with n_frames time steps.
          state: From `initial_state` or the previous step.

        Returns:
          Output of shape [batch, n_frames, ch], and the new state.
        """
        before = iter(state)
        after: list[tf.Tensor] = []

        def advance(layer: keras.layers.Layer, x: tf.Tensor) -> tf.Tensor:
            if isinstance(layer, keras.Sequential):
                x = layer.layers[0](x)
            y, rest = _inner(layer).advance(x, next(before))
            after.append(rest)
            return y

        return self._run(inputs, advance), after

    def _run(
        self,
        inputs: tf.Tensor | Sequence[tf.Tensor],
        convolve: Callable[[keras.layers.Layer, tf.Tensor], tf.Tensor],
    ) -> tf.Tensor:
        """Runs the stack, with `convolve` applying each convolution."""
        x, z = inputs if self.conditional else (inputs, None)
        x = convolve(self.conv_in, ensure_4d(x))
        n_layers = len(self.layers) // max(1, len(self.resample_layers))
        for i, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            if not self.resample_after_convolve and i % n_layers == 0:
                x = self._resample(i // n_layers, x)
            y = convolve(layer, x)
            x += norm([y, ensure_4d(z)]) if self.conditional else norm(y)
            if self.resample_after_convolve and (i + 1) % n_layers == 0:
                x = self._resample(i // n_layers, x)
        return x[:, :, 0, :]

    def _resample(self, i: int, x: tf.Tensor) -> tf.Tensor:
        return self.resample_layers[i](x) if self.resample_layers else x


def _inner(layer: keras.layers.Layer) -> CausalConv:
    """Returns the convolution inside `Sequential` and `SpectralNormalization`."""
    if isinstance(layer, keras.Sequential):
        layer = layer.layers[-1]
    return layer.layer if isinstance(layer, SpectralNormalization) else layer
