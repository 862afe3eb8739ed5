"""Vector quantization with a learned codebook.

Oord et al., "Neural Discrete Representation Learning" (2017), appendix A.1; Razavi et
al., "Generating Diverse High-Fidelity Images with VQ-VAE-2" (2019).
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, losses
from ddsp._core import checks
from ddsp._core.tensors import tf_float32
from ddsp.types import ArrayLike


@configurable.layer(module="ddsp.training.nn")
class VectorQuantization(keras.layers.Layer):
    """Vector quantization with a codebook of moving averages.

    Each vector is replaced by the nearest code. During training, each code follows the
    mean of the vectors assigned to it.

    Example:

    >>> from ddsp.training import nn
    >>> quantize = nn.VectorQuantization(k=8)
    >>> z_q, codes = quantize(tf.zeros([1, 10, 4]))
    >>> z_q.shape.as_list(), codes.shape.as_list()
    ([1, 10, 4], [1, 10, 1])
    """

    def __init__(
        self,
        k: int,
        gamma: float = 0.99,
        restart_threshold: float = 0.0,
        num_heads: int = 1,
        commitment_loss_weight: float = 0.2,
        **kwargs: Any,
    ) -> None:
        """Initializes the layer.

        Args:
          k: Number of codes in the codebook.
          gamma: Decay of the moving averages per step, in [0, 1).
          restart_threshold: Minimum usage of a code, relative to uniform usage. A code
            with less is replaced by a vector of the batch.
          num_heads: Number of equal parts into which vectors are split. All are
            quantized with the same codebook.
          commitment_loss_weight: Weight of `committment_loss`.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If a number is out of range.
        """
        super().__init__(**{"autocast": False, **kwargs})
        checks.positive("k", k)
        checks.positive("num_heads", num_heads)
        if not 0.0 <= gamma < 1.0:
            raise ValueError(f"`gamma` must be in [0, 1), got {gamma}.")
        self.k = k
        self.gamma = gamma
        self.restart_threshold = restart_threshold
        self.num_heads = num_heads
        self.commitment_loss_weight = commitment_loss_weight

    def build(self, input_shapes: Sequence[int]) -> None:
        """Creates the moving averages.

        Args:
          input_shapes: Sequence[int] of the input.

        Raises:
          ValueError: If `num_heads` does not divide the number of channels.
        """
        self.depth = input_shapes[-1]
        if self.depth % self.num_heads:
            raise ValueError(
                "The number of channels must be a multiple of the number of heads, got "
                f"{self.depth} channels and {self.num_heads} heads."
            )

        def zeros(name: str, shape: list[int]) -> keras.Variable:
            return self.add_weight(
                name=name,
                shape=shape,
                dtype="float32",
                initializer="zeros",
                trainable=False,
                aggregation="mean",
            )

        self.counts = zeros("counts", [self.k])
        self.sums = zeros("sums", [self.k, self.depth // self.num_heads])

    def call(self, x: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """Quantizes vectors.

        Args:
          x: Shape [..., channels].
          training: Whether to update the codebook.

        Returns:
          Quantized vectors of shape [..., channels], with the gradient of `x`, and
          codebook indices of shape [..., num_heads], int64.
        """
        x = tf_float32(x)
        parts = tf.reshape(x, [-1, self.depth // self.num_heads])
        codebook = self._codebook()
        if training:
            codebook = self._restarted(codebook, parts)
        distances = (
            tf.reduce_sum(parts**2, axis=1, keepdims=True)
            - 2.0 * tf.matmul(parts, codebook, transpose_b=True)
            + tf.reduce_sum(codebook**2, axis=1)
        )
        indices = tf.argmin(distances, axis=1)
        if training:
            self._update(indices, parts)
        quantized = tf.reshape(tf.gather(codebook, indices), tf.shape(x))
        shape = tf.concat([tf.shape(x)[:-1], [self.num_heads]], axis=0)
        return x + tf.stop_gradient(quantized - x), tf.reshape(indices, shape)

    def unquantize(self, c: ArrayLike) -> tf.Tensor:
        """Looks up codes by index.

        Args:
          c: Codebook indices, shape [..., num_heads].

        Returns:
          Vectors of shape [..., channels].

        Raises:
          ValueError: If the layer has not been called yet.
        """
        if not self.built:
            raise ValueError(
                f"`{self.name}` must be called before `unquantize`, got no call."
            )
        c = tf.convert_to_tensor(c)
        shape = tf.concat([tf.shape(c)[:-1], [self.depth]], axis=0)
        return tf.reshape(tf.gather(self._codebook(), c), shape)

    def committment_loss(self, z: ArrayLike, z_q: ArrayLike) -> tf.Tensor:
        """Computes the weighted mean squared distance of `z` from `z_q`."""
        loss = losses.mean_difference(z, tf.stop_gradient(z_q), "L2")
        return self.commitment_loss_weight * loss

    def get_losses_dict(self, z: ArrayLike, z_q: ArrayLike) -> dict[str, tf.Tensor]:
        """Returns `committment_loss` under its name."""
        return {f"{self.name}_commitment_loss": self.committment_loss(z, z_q)}

    def _codebook(self) -> tf.Tensor:
        """Returns the codebook, shape [k, channels / num_heads]."""
        counts = tf.convert_to_tensor(self.counts)[:, tf.newaxis]
        return tf.math.divide_no_nan(tf.convert_to_tensor(self.sums), counts)

    def _restarted(self, codebook: tf.Tensor, parts: tf.Tensor) -> tf.Tensor:
        """Replaces rarely used codes by vectors of the batch."""
        n_parts = tf.shape(parts)[0]
        uniform_count = tf.cast(n_parts, tf.float32) / self.k
        restarts = self.counts <= self.restart_threshold * uniform_count
        # Distinct vectors of the batch; noise once none are left.
        rank = tf.cumsum(tf.cast(restarts, tf.int32)) - 1
        drawn = tf.gather(
            tf.random.shuffle(tf.stop_gradient(parts)),
            tf.clip_by_value(rank, 0, n_parts - 1),
        )
        noise = tf.random.uniform(tf.shape(codebook))
        fresh = tf.where((rank < n_parts)[:, tf.newaxis], drawn, noise)
        return tf.where(restarts[:, tf.newaxis], fresh, codebook)

    def _update(self, indices: tf.Tensor, parts: tf.Tensor) -> None:
        """Updates the moving averages with a batch."""
        assignments = tf.one_hot(indices, self.k)
        counts = tf.reduce_sum(assignments, axis=0)
        sums = tf.matmul(assignments, tf.stop_gradient(parts), transpose_a=True)
        self.counts.assign(self.gamma * self.counts + (1.0 - self.gamma) * counts)
        self.sums.assign(self.gamma * self.sums + (1.0 - self.gamma) * sums)
