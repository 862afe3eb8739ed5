"""Vectors from a codebook."""

from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, losses
from ddsp._core import checks
from ddsp._core.tensors import tf_float32


@configurable.layer(module="ddsp.training.nn")
class VectorQuantization(keras.layers.Layer):
    """Replaces vectors by the nearest of a codebook, which follows their means.

    Van den Oord et al., "Neural Discrete Representation Learning" (2017), appendix A.1;
    Razavi et al., "Generating Diverse High-Fidelity Images with VQ-VAE-2" (2019). The
    codebook learns while training only, from what each of its vectors is chosen for.
    """

    def __init__(
        self,
        k: int,
        gamma: float = 0.99,
        restart_threshold: float = 0.0,
        num_heads: int = 1,
        commitment_loss_weight: float = 0.2,
        **kwargs,
    ):
        """Initializer.

        Args:
          k: Number of vectors in the codebook.
          gamma: Decay of the moving means at each step, in [0, 1).
          restart_threshold: A vector of the codebook that is chosen for no more than
            this share of its equal part of the vectors starts again, from one of them.
          num_heads: Number of equal parts of a vector that are each quantised by
            itself, with the same codebook.
          commitment_loss_weight: Weight of `committment_loss`.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        super().__init__(**{"autocast": False, **kwargs})
        checks.positive("k", k)
        checks.positive("num_heads", num_heads)
        if not 0.0 <= gamma < 1.0:
            raise ValueError(f"`gamma` must be from 0 to below 1, got {gamma}.")
        self.k = k
        self.gamma = gamma
        self.restart_threshold = restart_threshold
        self.num_heads = num_heads
        self.commitment_loss_weight = commitment_loss_weight

    def build(self, input_shapes):
        """Creates the moving sums.

        Raises:
          ValueError: If the heads do not divide the channels.
        """
        self.depth = input_shapes[-1]
        if self.depth % self.num_heads:
            raise ValueError(
                "The number of channels must be a multiple of the number of heads, got "
                f"{self.depth} channels and {self.num_heads} heads."
            )

        def zeros(name, shape):
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

    def call(self, x, training=False):
        """Quantises.

        Args:
          x: [..., channels].
          training: Whether the codebook learns.

        Returns:
          Quantised vectors [..., channels], with the gradient of `x`; and the places in
          the codebook [..., num_heads], int64.
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
        places = tf.argmin(distances, axis=1)
        if training:
            self._learn(places, parts)
        quantized = tf.reshape(tf.gather(codebook, places), tf.shape(x))
        shape = tf.concat([tf.shape(x)[:-1], [self.num_heads]], axis=0)
        return x + tf.stop_gradient(quantized - x), tf.reshape(places, shape)

    def unquantize(self, c: Any) -> tf.Tensor:
        """[..., channels] from places in the codebook [..., num_heads].

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

    def committment_loss(self, z: Any, z_q: Any) -> tf.Tensor:
        """The weighted mean square distance of vectors `z` from the quantised `z_q`."""
        loss = losses.mean_difference(z, tf.stop_gradient(z_q), "L2")
        return self.commitment_loss_weight * loss

    def get_losses_dict(self, z: Any, z_q: Any) -> dict[str, tf.Tensor]:
        """`committment_loss` by its name."""
        return {f"{self.name}_commitment_loss": self.committment_loss(z, z_q)}

    def _codebook(self) -> tf.Tensor:
        """[k, channels / num_heads], the mean of what each was chosen for."""
        counts = tf.convert_to_tensor(self.counts)[:, tf.newaxis]
        return tf.math.divide_no_nan(tf.convert_to_tensor(self.sums), counts)

    def _restarted(self, codebook: tf.Tensor, parts: tf.Tensor) -> tf.Tensor:
        """The codebook with parts of the batch in place of vectors hardly chosen."""
        n_parts = tf.shape(parts)[0]
        equal_part = tf.cast(n_parts, tf.float32) / self.k
        restarts = self.counts <= self.restart_threshold * equal_part
        # Different ones; once none are left, vectors of noise.
        rank = tf.cumsum(tf.cast(restarts, tf.int32)) - 1
        drawn = tf.gather(
            tf.random.shuffle(tf.stop_gradient(parts)),
            tf.clip_by_value(rank, 0, n_parts - 1),
        )
        noise = tf.random.uniform(tf.shape(codebook))
        fresh = tf.where((rank < n_parts)[:, tf.newaxis], drawn, noise)
        return tf.where(restarts[:, tf.newaxis], fresh, codebook)

    def _learn(self, places: tf.Tensor, parts: tf.Tensor) -> None:
        """Moves the sums towards those of a batch."""
        chosen = tf.one_hot(places, self.k)
        counts = tf.reduce_sum(chosen, axis=0)
        sums = tf.matmul(chosen, tf.stop_gradient(parts), transpose_a=True)
        self.counts.assign(self.gamma * self.counts + (1.0 - self.gamma) * counts)
        self.sums.assign(self.gamma * self.sums + (1.0 - self.gamma) * sums)
