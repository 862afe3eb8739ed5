"""Dilated convolutions over time, all at once or block by block."""

from collections.abc import Callable

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp._core import checks
from ddsp.training.nn.normalization import ensure_4d, get_norm

SpectralNormalization = keras.layers.SpectralNormalization


@keras.saving.register_keras_serializable(package="ddsp")
class CausalConv(keras.layers.Conv2D):
    """A dilated convolution over time whose outputs depend on no later input.

    Has the variables of `keras.layers.Conv2D` with a kernel of one column. Every tap
    is a matrix product, which costs a block of few frames no more than these frames.
    """

    @property
    def n_before(self) -> int:
        """Frames before an output on which it depends."""
        return (self.kernel_size[0] - 1) * self.dilation_rate[0]

    def call(self, inputs):
        """[batch, time, 1, channels] to [batch, time, 1, filters], after silence."""
        n_before = self.n_before
        return self._convolve(tf.pad(inputs, [[0, 0], [n_before, 0], [0, 0], [0, 0]]))

    def advance(
        self, inputs: tf.Tensor, before: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Convolves a block.

        Args:
          inputs: [batch, n_frames, 1, channels].
          before: [batch, n_before, 1, channels], the inputs before them.

        Returns:
          [batch, n_frames, 1, filters], and the inputs before the next block.
        """
        known = tf.concat([before, tf.cast(inputs, before.dtype)], axis=1)
        after = known[:, -self.n_before :] if self.n_before else before
        return self._convolve(tf.cast(known, inputs.dtype)), after

    def _convolve(self, known: tf.Tensor) -> tf.Tensor:
        """The outputs of all frames but the first `n_before`."""
        kernel, bias = (
            tf.cast(tf.convert_to_tensor(variable), known.dtype)
            for variable in (self.kernel, self.bias)
        )
        n_taps, dilation = self.kernel_size[0], self.dilation_rate[0]
        taps = [
            tf.tensordot(
                known[:, i * dilation : i * dilation - self.n_before or None],
                kernel[i, 0],
                axes=1,
            )
            for i in range(n_taps)
        ]
        return tf.add_n(taps) + bias


@configurable.layer(module="ddsp.training.nn")
class DilatedConvStack(keras.layers.Layer):
    """Residual layers of dilated convolutions over time, like WaveNet's.

    After van den Oord et al., "WaveNet: A Generative Model for Raw Audio" (2016),
    section 2.1, without its gates: each layer adds to its input a nonlinearity, a
    dilated convolution and a normalisation of it. A second input can set the scales
    and shifts of the normalisations (Perez et al., "FiLM", 2018).
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
        **kwargs,
    ):
        """Initializer.

        Args:
          ch: Number of channels of every layer.
          layers_per_stack: Number of layers of a stack.
          stacks: Number of stacks; each begins with the first dilation again.
          kernel_size: Number of taps of the convolutions.
          dilation: The convolution at depth i of a stack is dilated by
            `dilation**i` frames. A negative number counts its size from the end of the
            stack, so that dilations shrink with depth.
          norm_type: 'layer', 'instance', 'group' or None, see `normalize_op`.
          resample_type: 'upsample', 'downsample' or None.
          resample_stride: Factor of each resampling.
          stacks_per_resample: Number of stacks to a resampling, which divides `stacks`.
          resample_after_convolve: Whether to resample after the stacks or before.
          spectral_norm: Whether to divide kernels by their spectral norm while
            training (Miyato et al., 2018).
          ortho_init: Whether kernels start orthogonal.
          shift_only: Whether the second input sets shifts alone, no scales.
          conditional: Whether there is a second input.
          causal: Whether no output depends on later frames: convolutions look back
            only, and every frame is normalised by itself. Such a stack can be played
            in blocks, see `step`. It needs the same variables.
          **kwargs: Passed on to `keras.layers.Layer`.

        Raises:
          ValueError: If a size is not positive, a name unknown, or what is asked for
            does not go together.
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
                "A causal stack cannot resample, for that looks ahead; set "
                "`resample_stride=1` and `resample_type=None` or `causal=False`, got "
                f"resample_type={resample_type!r}."
            )
        if causal and norm_type == "instance":
            raise ValueError(
                "A causal stack normalises every frame by itself, where a channel has "
                "one value: choose `norm_type` 'layer', 'group' or None, got "
                "'instance'."
            )
        self.conditional = conditional
        self.causal = causal
        self.norm_type = norm_type
        self.resample_after_convolve = resample_after_convolve

        def made(layer_class, k, **settings):
            layer = layer_class(
                ch,
                (k, 1),
                padding="same",
                kernel_initializer="orthogonal" if ortho_init else "glorot_uniform",
                **settings,
            )
            return SpectralNormalization(layer) if spectral_norm else layer

        def dilated(depth):
            exponent = depth if dilation > 0 else layers_per_stack - 1 - depth
            rate = int(abs(dilation) ** exponent)
            conv_class = CausalConv if causal else keras.layers.Conv2D
            conv = made(conv_class, kernel_size, dilation_rate=(rate, 1))
            relu = keras.layers.Activation("relu")
            return keras.Sequential([relu, conv], name="dilated_conv")

        def resampling():
            strides = (resample_stride, 1)
            if resample_type == "downsample":
                return made(keras.layers.Conv2D, resample_stride, strides=strides)
            return made(
                keras.layers.Conv2DTranspose, 2 * resample_stride, strides=strides
            )

        self.conv_in = made(CausalConv if causal else keras.layers.Conv2D, kernel_size)
        depths = [*range(layers_per_stack)] * stacks
        self.layers = [dilated(depth) for depth in depths]
        self.norms = [
            get_norm(norm_type, conditional, shift_only, per_frame=causal)
            for _ in depths
        ]
        n_resamplings = stacks // stacks_per_resample if resample_type else 0
        self.resample_layers = [resampling() for _ in range(n_resamplings)]

    def call(self, inputs):
        """Runs the stack over a whole sequence.

        Args:
          inputs: [batch, time, channels]; a pair if conditional, whose second is
            [batch, time, conditioning channels], where the time is 1 or the
            first's at every layer.

        Returns:
          [batch, time, ch], the time longer or shorter by all resamplings.
        """
        return self._run(inputs, lambda layer, x: layer(x))

    def initial_state(self, batch_size: int) -> list[tf.Tensor]:
        """The state before the first block of `step`.

        Args:
          batch_size: Rows of the stream.

        Returns:
          For each convolution the inputs it looks back on, zeros.

        Raises:
          ValueError: If the stack is not causal, or has not been called yet.
        """
        checks.positive("batch_size", batch_size)
        if not self.causal:
            resampling = ", its resampling" if self.resample_layers else ""
            raise ValueError(
                f"`{self.name}` cannot be played in blocks: its convolutions"
                f"{resampling} and its normalisation look ahead. Make and train it "
                "with `causal=True` and no resampling, got causal=False."
            )
        if not self.conv_in.built:
            raise ValueError(
                f"`{self.name}` must be called once before it can be played in blocks, "
                "got no call."
            )
        convs = [_inner(layer) for layer in (self.conv_in, *self.layers)]
        return [
            tf.zeros([batch_size, conv.n_before, 1, conv.kernel.shape[-2]])
            for conv in convs
        ]

    def step(self, inputs, state: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Runs a causal stack over a block, on from a state.

        Args:
          inputs: As for `call`, n frames.
          state: From `initial_state` or the step before.

        Returns:
          [batch, n_frames, ch], and the new state.
        """
        before = iter(state)
        after = []

        def advance(layer, x):
            if isinstance(layer, keras.Sequential):
                x = layer.layers[0](x)
            y, rest = _inner(layer).advance(x, next(before))
            after.append(rest)
            return y

        return self._run(inputs, advance), after

    def _run(self, inputs, convolve: Callable) -> tf.Tensor:
        """The output, where `convolve` runs each convolution."""
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
    """The convolution within what may be around it."""
    if isinstance(layer, keras.Sequential):
        layer = layer.layers[-1]
    return layer.layer if isinstance(layer, SpectralNormalization) else layer
