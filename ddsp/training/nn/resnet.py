"""Residual network over spectrograms that preserves the frame rate.

He et al., "Identity Mappings in Deep Residual Networks" (2016): pre-activation
bottleneck layers.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp._core import checks
from ddsp.training.nn.dense import Activation, get_nonlinearity
from ddsp.training.nn.normalization import Normalize, ensure_4d, get_norm

# Channels of the first bottleneck, and numbers of layers per block.
_SIZES = {
    "tiny": (16, [2, 2, 2]),
    "small": (32, [2, 3, 4]),
    "medium": (32, [3, 4, 6]),
    "large": (64, [3, 4, 6]),
}
# Ratio of the output channels of a bottleneck to its inner channels.
_EXPANSION = 4


@configurable.layer(module="ddsp.training.nn")
class NormReluConv(keras.Sequential):
    """Normalization, ReLU and a convolution over time and frequency.

    Example:

    >>> from ddsp.training import nn
    >>> layer = nn.NormReluConv(ch=4, k=3, s=2, norm_type="layer")
    >>> layer(tf.zeros([1, 10, 8, 3])).shape.as_list()
    [1, 10, 4, 4]
    """

    def __init__(
        self, ch: int, k: int, s: int, norm_type: str | None, **kwargs: Any
    ) -> None:
        """Initializes the layer.

        Args:
          ch: Number of output channels.
          k: Kernel size in time and frequency.
          s: Stride in frequency.
          norm_type: 'layer', 'instance', 'group' or None, see `normalize_op`.
          **kwargs: Arguments of `keras.Sequential`.
        """
        layers = [
            Normalize(norm_type),
            keras.layers.Activation("relu"),
            keras.layers.Conv2D(ch, (k, k), (1, s), padding="same"),
        ]
        super().__init__(layers, **kwargs)


@configurable.layer(module="ddsp.training.nn")
class ResidualLayer(keras.layers.Layer):
    """Residual layer with a bottleneck of three convolutions.

    Example:

    >>> from ddsp.training import nn
    >>> layer = nn.ResidualLayer(
    ...     ch=2,
    ...     stride=2,
    ...     shortcut=True,
    ...     norm_type="layer",
    ...     conditional=False,
    ...     shift_only=False,
    ... )
    >>> layer(tf.zeros([1, 10, 8, 3])).shape.as_list()
    [1, 10, 4, 8]
    """

    def __init__(
        self,
        ch: int,
        stride: int,
        shortcut: bool,
        norm_type: str | None,
        conditional: bool,
        shift_only: bool,
        **kwargs: Any,
    ) -> None:
        """Initializes the layer.

        Args:
          ch: Number of inner channels. The output has four times that number.
          stride: Stride in frequency.
          shortcut: Whether the input is projected before it is added, which is
            required where the shape changes.
          norm_type: 'layer', 'instance', 'group' or None, see `normalize_op`.
          conditional: Whether a second input sets scale and shift of the first
            normalization.
          shift_only: Whether the second input sets the shift only.
          **kwargs: Arguments of `keras.layers.Layer`.
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

    def call(self, inputs: tf.Tensor | Sequence[tf.Tensor]) -> tf.Tensor:
        """Runs the layer.

        Args:
          inputs: Shape [batch, time, frequency, channels]. If conditional, a pair of
            this and a conditioning tensor with 2 to 4 axes.

        Returns:
          Tensor of shape [batch, time, frequency / stride, 4 * ch].
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
    """Blocks of `ResidualLayer`s, followed by normalization and a nonlinearity.

    Example:

    >>> from ddsp.training import nn
    >>> stack = nn.ResidualStack(
    ...     filters=[2], block_sizes=[1], strides=[2], norm_type="layer"
    ... )
    >>> stack(tf.zeros([1, 10, 8, 3])).shape.as_list()
    [1, 10, 4, 8]
    """

    def __init__(
        self,
        filters: Sequence[int],
        block_sizes: Sequence[int],
        strides: Sequence[int],
        norm_type: str | None,
        conditional: bool = False,
        shift_only: bool = False,
        nonlinearity: str | Activation = "relu",
        **kwargs: Any,
    ) -> None:
        """Initializes the stack.

        Args:
          filters: Number of inner channels of each block.
          block_sizes: Number of layers of each block.
          strides: Stride in frequency of the first layer of each block.
          norm_type: 'layer', 'instance', 'group' or None, see `normalize_op`.
          conditional: Whether a second input sets scale and shift of the first
            normalization in every layer.
          shift_only: Whether the second input sets the shift only.
          nonlinearity: See `get_nonlinearity`.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If filters, sizes and strides differ in length.
        """
        super().__init__(**kwargs)
        if not len(filters) == len(block_sizes) == len(strides):
            raise ValueError(
                "`filters`, `block_sizes` and `strides` must have one value per block, "
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

    def call(self, inputs: tf.Tensor | Sequence[tf.Tensor]) -> tf.Tensor:
        """Runs the stack.

        Args:
          inputs: Shape [batch, time, frequency, channels]. If conditional, a pair of
            this and a conditioning tensor with 2 to 4 axes.

        Returns:
          Tensor of shape [batch, time, frequency / prod(strides), 4 * filters[-1]].
        """
        return _run_layers(self, inputs, ResidualLayer)


@configurable.layer(module="ddsp.training.nn")
class ResNet(keras.layers.Layer):
    """Residual network of 29 to 50 layers with strides in frequency only.

    He et al., "Deep Residual Learning for Image Recognition" (2016), table 1. 'large'
    is ResNet-50.

    Example:

    >>> from ddsp.training import nn
    >>> nn.ResNet(size="tiny")(tf.zeros([1, 2, 32, 1])).shape.as_list()
    [1, 2, 1, 512]
    """

    def __init__(
        self,
        size: str = "large",
        norm_type: str | None = "layer",
        conditional: bool = False,
        shift_only: bool = False,
        **kwargs: Any,
    ) -> None:
        """Initializes the network.

        Args:
          size: 'tiny', 'small', 'medium' or 'large'.
          norm_type: 'layer', 'instance', 'group' (except with 'tiny', whose layers have
            too few channels) or None, see `normalize_op`.
          conditional: Whether a second input sets scale and shift of the first
            normalization in every layer.
          shift_only: Whether the second input sets the shift only.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If the size is unknown.
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

    def call(self, inputs: tf.Tensor | Sequence[tf.Tensor]) -> tf.Tensor:
        """Runs the network.

        Args:
          inputs: Shape [batch, time, frequency, channels]. If conditional, a pair of
            this and a conditioning tensor with 2 to 4 axes.

        Returns:
          Tensor of shape [batch, time, frequency / 32, channels], with 512 channels for
          'tiny', 1024 for 'small' and 'medium', 2048 for 'large'.
        """
        return _run_layers(self, inputs, ResidualStack)


def _run_layers(
    parent: ResidualStack | ResNet,
    inputs: tf.Tensor | Sequence[tf.Tensor],
    conditional_class: type,
) -> tf.Tensor:
    """Runs layers in sequence; those of `conditional_class` take the second input."""
    x, z = inputs if parent.conditional else (inputs, None)
    for layer in parent.layers:
        takes_z = parent.conditional and isinstance(layer, conditional_class)
        x = layer([x, z] if takes_z else x)
    return x
