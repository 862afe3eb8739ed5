"""A residual network over spectrograms, which keeps their time steps.

He et al., "Identity Mappings in Deep Residual Networks" (2016): the normalisation and
the nonlinearity come before the convolutions, and the layers are bottlenecks.
"""

from collections.abc import Sequence

import keras

from ddsp import configurable
from ddsp._core import checks
from ddsp.training.nn.dense import get_nonlinearity
from ddsp.training.nn.normalization import Normalize, ensure_4d, get_norm

# Channels of the first bottlenecks, and numbers of layers at each of their widths.
_SIZES = {
    "tiny": (16, [2, 2, 2]),
    "small": (32, [2, 3, 4]),
    "medium": (32, [3, 4, 6]),
    "large": (64, [3, 4, 6]),
}
# A bottleneck puts out as many times the channels that it has inside.
_EXPANSION = 4


@configurable.layer(module="ddsp.training.nn")
class NormReluConv(keras.Sequential):
    """A normalisation, a rectifier and a convolution over time and frequency."""

    def __init__(self, ch: int, k: int, s: int, norm_type: str | None, **kwargs):
        """Initializer.

        Args:
          ch: Number of output channels.
          k: Size of the kernel in time and in frequency.
          s: Stride in frequency.
          norm_type: 'layer', 'instance', 'group' or None, see `normalize_op`.
          **kwargs: Passed on to `keras.Sequential`.
        """
        layers = [
            Normalize(norm_type),
            keras.layers.Activation("relu"),
            keras.layers.Conv2D(ch, (k, k), (1, s), padding="same"),
        ]
        super().__init__(layers, **kwargs)


@configurable.layer(module="ddsp.training.nn")
class ResidualLayer(keras.layers.Layer):
    """Adds to its input what a bottleneck of three convolutions makes of it."""

    def __init__(
        self,
        ch: int,
        stride: int,
        shortcut: bool,
        norm_type: str | None,
        conditional: bool,
        shift_only: bool,
        **kwargs,
    ):
        """Initializer.

        Args:
          ch: Number of channels in the bottleneck; four times as many come out.
          stride: Stride in frequency.
          shortcut: Whether the input is projected before it is added, as it must be
            where shapes change.
          norm_type: 'layer', 'instance', 'group' or None, see `normalize_op`.
          conditional: Whether a second input sets scales and shifts of the first
            normalisation.
          shift_only: Whether the second input sets shifts only.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.conditional = conditional
        self.shortcut = shortcut
        n_out = _EXPANSION * ch
        self.norm_input = get_norm(norm_type, conditional, shift_only)
        if shortcut:
            self.conv_proj = keras.layers.Conv2D(
                n_out, 1, (1, stride), padding="same", name="conv_proj"
            )
        self.bottleneck = keras.Sequential(
            [
                keras.layers.Conv2D(ch, 1, padding="same"),
                NormReluConv(ch, 3, stride, norm_type),
                NormReluConv(n_out, 1, 1, norm_type),
            ],
            name="bottleneck",
        )

    def call(self, inputs):
        """Runs the layer.

        Args:
          inputs: [batch, time, frequency, channels], or a pair of that and a
            conditioning tensor of 2 to 4 axes if conditional.

        Returns:
          [batch, time, frequency / stride, 4 * ch].
        """
        if self.conditional:
            x, z = inputs
            x = ensure_4d(x)
            y = self.norm_input([x, ensure_4d(z)])
        else:
            x = ensure_4d(inputs)
            y = self.norm_input(x)
        y = keras.activations.relu(y)
        return self.bottleneck(y) + (self.conv_proj(y) if self.shortcut else x)


@configurable.layer(module="ddsp.training.nn")
class ResidualStack(keras.layers.Layer):
    """Blocks of `ResidualLayer`s, then a normalisation and a nonlinearity."""

    def __init__(
        self,
        filters: Sequence[int],
        block_sizes: Sequence[int],
        strides: Sequence[int],
        norm_type: str | None,
        conditional: bool = False,
        shift_only: bool = False,
        nonlinearity: str = "relu",
        **kwargs,
    ):
        """Initializer.

        Args:
          filters: For each block, the channels in its bottlenecks.
          block_sizes: For each block, the number of its layers.
          strides: For each block, the stride in frequency of its first layer.
          norm_type: 'layer', 'instance', 'group' or None, see `normalize_op`.
          conditional: Whether a second input sets scales and shifts of the first
            normalisation in every layer.
          shift_only: Whether the second input sets shifts only.
          nonlinearity: See `get_nonlinearity`.
          **kwargs: Passed on to `keras.layers.Layer`.

        Raises:
          ValueError: If there are not as many filters, sizes and strides.
        """
        super().__init__(**kwargs)
        if not len(filters) == len(block_sizes) == len(strides):
            raise ValueError(
                "`filters`, `block_sizes` and `strides` must tell of as many blocks, "
                f"got {list(filters)}, {list(block_sizes)} and {list(strides)}."
            )
        self.conditional = conditional
        self.layers: list[keras.layers.Layer] = []
        for ch, n_layers, stride in zip(filters, block_sizes, strides, strict=True):
            for i in range(n_layers):
                first = i == 0
                self.layers.append(
                    ResidualLayer(
                        ch,
                        stride if first else 1,
                        first,
                        norm_type,
                        conditional,
                        shift_only,
                    )
                )
        self.layers.append(Normalize(norm_type))
        self.layers.append(keras.layers.Activation(get_nonlinearity(nonlinearity)))

    def call(self, inputs):
        """Runs the stack.

        Args:
          inputs: [batch, time, frequency, channels], or a pair of that and a
            conditioning tensor of 2 to 4 axes if conditional.

        Returns:
          [batch, time, fewer frequencies, 4 * filters[-1]].
        """
        return _in_a_row(self, inputs, ResidualLayer)


@configurable.layer(module="ddsp.training.nn")
class ResNet(keras.layers.Layer):
    """A residual network of 29 to 50 layers, which strides along frequency alone.

    He et al., "Deep Residual Learning for Image Recognition" (2016), table 1; 'large'
    is its network of 50 layers.
    """

    def __init__(
        self,
        size: str = "large",
        norm_type: str | None = "layer",
        conditional: bool = False,
        shift_only: bool = False,
        **kwargs,
    ):
        """Initializer.

        Args:
          size: 'tiny', 'small', 'medium' or 'large'.
          norm_type: 'layer', 'instance', 'group' (not with 'tiny', whose layers have
            too few channels) or None, see `normalize_op`.
          conditional: Whether a second input sets scales and shifts of the first
            normalisation in every layer.
          shift_only: Whether the second input sets shifts only.
          **kwargs: Passed on to `keras.layers.Layer`.

        Raises:
          ValueError: If there is no such size.
        """
        super().__init__(**kwargs)
        checks.one_of("size", size, _SIZES)
        self.conditional = conditional
        ch, block_sizes = _SIZES[size]
        norms = (norm_type, conditional, shift_only)
        self.layers = [
            keras.layers.Conv2D(64, 7, (1, 2), padding="same"),
            keras.layers.MaxPool2D((1, 3), (1, 2), padding="same"),
            ResidualStack([ch, 2 * ch, 4 * ch], block_sizes, [1, 2, 2], *norms),
            ResidualStack([8 * ch], [3], [2], *norms),
        ]

    def call(self, inputs):
        """Runs the network.

        Args:
          inputs: [batch, time, frequency, channels], or a pair of that and a
            conditioning tensor of 2 to 4 axes if conditional.

        Returns:
          [batch, time, frequency / 32, channels], of which there are 512 for 'tiny',
          1024 for 'small' and 'medium', 2048 for 'large'.
        """
        return _in_a_row(self, inputs, ResidualStack)


def _in_a_row(parent, inputs, conditional_class: type):
    """Runs the layers of a parent; of a conditional one, some take its second input."""
    x, z = inputs if parent.conditional else (inputs, None)
    for layer in parent.layers:
        takes_z = parent.conditional and isinstance(layer, conditional_class)
        x = layer([x, z] if takes_z else x)
    return x
