"""Encoders of labels and of features over time."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core
from ddsp._core.tensors import tf_float32
from ddsp.training import nn
from ddsp.training.encoders.mfcc import audible_mfccs
from ddsp.training.encoders.z_encoder import ZEncoder


@configurable.layer(module="ddsp.training.encoders")
class OneHotEncoder(ZEncoder):
    """A learned vector for each label, such as that of an instrument."""

    def __init__(
        self,
        one_hot_key: str = "instrument",
        vocab_size: int = 1024,
        n_dims: int = 256,
        skip_expand: bool = True,
        **kwargs,
    ):
        """Initializer.

        Args:
          one_hot_key: Key of the labels, whole numbers.
          vocab_size: Labels are from 0 to below this.
          n_dims: Number of channels of the vectors.
          skip_expand: Whether `z` is left without time steps of its own, for what can
            broadcast it.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        super().__init__(input_keys=[one_hot_key], **kwargs)
        self.one_hot_key = one_hot_key
        self.skip_expand = skip_expand
        self.embedding = nn.get_embedding(vocab_size, n_dims)

    def compute_z(self, one_hot: tf.Tensor) -> tf.Tensor:
        """[..., n_dims] from labels [batch] or [batch, 1]."""
        return self.embedding(one_hot)

    def expand_z(self, z: tf.Tensor, time_steps: int) -> tf.Tensor:
        """`z` as it is, or with time steps: see `skip_expand`."""
        return z if self.skip_expand else super().expand_z(z, time_steps)


@configurable.layer(module="ddsp.training.encoders")
class AggregateFeaturesEncoder(ZEncoder):
    """The mean over time of projected pitch and loudness."""

    def __init__(self, ch: int = 512, **kwargs):
        """Initializer.

        Args:
          ch: Number of channels of `z`.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.fc = keras.layers.Dense(ch)

    def compute_z(self, f0_scaled: tf.Tensor, ld_scaled: tf.Tensor) -> tf.Tensor:
        """[batch, 1, ch] from features [batch, time, 1]."""
        x = self.fc(tf.concat([f0_scaled, ld_scaled], axis=-1))
        return tf.reduce_mean(x, axis=1, keepdims=True)


@configurable.layer(module="ddsp.training.encoders")
class ExpressionEncoder(ZEncoder):
    """A latent variable from features side by side, MFCCs of the audio among them."""

    def __init__(
        self,
        net: keras.layers.Layer | None = None,
        z_dims: int = 128,
        input_keys: Sequence[str] = ("f0_scaled", "ld_scaled"),
        mfcc_bins: int = 60,
        fft_size: int = 1024,
        mel_bins: int = 128,
        pool_time: bool = True,
        **kwargs,
    ):
        """Initializer.

        Args:
          net: From [batch, time, channels] to [batch, time, other channels].
          z_dims: Number of channels of `z`.
          input_keys: Keys of the features, [batch, time, channels]. With 'audio',
            [batch, n_samples], among them its MFCCs are put behind the others.
          mfcc_bins: Number of MFCCs.
          fft_size: Samples in a frame of these.
          mel_bins: Number of mel bands of these.
          pool_time: Whether to take the mean over time.
          **kwargs: Passed on to `keras.layers.Layer`.

        Raises:
          ValueError: If there is no network.
        """
        if net is None:
            raise ValueError(
                "`ExpressionEncoder` needs a network: give it `net`, such as "
                "`nn.DilatedConvStack()`, got None."
            )
        super().__init__(input_keys, **kwargs)
        self.compute_mfccs = "audio" in self.z_keys
        self.mfcc_bins = mfcc_bins
        self.fft_size = fft_size
        self.mel_bins = mel_bins
        self.pool_time = pool_time
        self.net: Any = net
        self.norm = nn.Normalize("layer")
        self.dense_out = keras.layers.Dense(z_dims)
        if self.compute_mfccs:
            self.norm_mfcc = nn.Normalize("instance")

    def compute_z(self, *inputs: tf.Tensor) -> tf.Tensor:
        """[batch, time, z_dims] from the features; one time step if pooled."""
        features = [tf_float32(x) for x in inputs]
        if self.compute_mfccs:
            audio = features.pop(self.z_keys.index("audio"))
            mfccs = self.norm_mfcc(
                audible_mfccs(audio, self.fft_size, self.mel_bins, self.mfcc_bins)
            )
            if features:
                n_frames = features[0].shape[1] or tf.shape(features[0])[1]
                mfccs = core.resample(mfccs, n_frames)
            features.append(tf_float32(mfccs))
        z = self.dense_out(self.norm(self.net(tf.concat(features, axis=-1))))
        return tf.reduce_mean(z, axis=1, keepdims=True) if self.pool_time else z
