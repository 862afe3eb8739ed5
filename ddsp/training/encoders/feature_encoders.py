"""Encoders of labels and features."""

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
    """Embedding of labels, such as instruments.

    Example:

    >>> from ddsp.training import encoders
    >>> encoder = encoders.OneHotEncoder(vocab_size=10, n_dims=4)
    >>> z = encoder({"instrument": [3], "f0_scaled": tf.zeros([1, 5, 1])})["z"]
    >>> z.shape.as_list()
    [1, 4]
    """

    def __init__(
        self,
        one_hot_key: str = "instrument",
        vocab_size: int = 1024,
        n_dims: int = 256,
        skip_expand: bool = True,
        **kwargs: Any,
    ) -> None:
        """Initializes the encoder.

        Args:
          one_hot_key: Key of the labels, integers.
          vocab_size: Number of labels; labels are in [0, vocab_size).
          n_dims: Number of channels of the embedding.
          skip_expand: Whether to return `z` without expansion over time.
          **kwargs: Arguments of `keras.layers.Layer`.
        """
        super().__init__(input_keys=[one_hot_key], **kwargs)
        self.one_hot_key = one_hot_key
        self.skip_expand = skip_expand
        self.embedding = nn.get_embedding(vocab_size, n_dims)

    def compute_z(self, one_hot: tf.Tensor) -> tf.Tensor:
        """Embeds labels [batch] or [batch, 1] as [..., n_dims]."""
        return self.embedding(one_hot)

    def expand_z(self, z: tf.Tensor, time_steps: int) -> tf.Tensor:
        """Expands `z` over time, unless `skip_expand` is set."""
        return z if self.skip_expand else super().expand_z(z, time_steps)


@configurable.layer(module="ddsp.training.encoders")
class AggregateFeaturesEncoder(ZEncoder):
    """Mean over time of a projection of f0 and loudness.

    Example:

    >>> from ddsp.training import encoders
    >>> encoder = encoders.AggregateFeaturesEncoder(ch=4)
    >>> features = {"f0_scaled": tf.zeros([1, 5, 1]), "ld_scaled": tf.zeros([1, 5, 1])}
    >>> encoder(features)["z"].shape.as_list()
    [1, 5, 4]
    """

    def __init__(self, ch: int = 512, **kwargs: Any) -> None:
        """Initializes the encoder.

        Args:
          ch: Number of channels of `z`.
          **kwargs: Arguments of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.fc = keras.layers.Dense(ch)

    def compute_z(self, f0_scaled: tf.Tensor, ld_scaled: tf.Tensor) -> tf.Tensor:
        """Encodes features [batch, time, 1] as [batch, 1, ch]."""
        x = self.fc(tf.concat([f0_scaled, ld_scaled], axis=-1))
        return tf.reduce_mean(x, axis=1, keepdims=True)


@configurable.layer(module="ddsp.training.encoders")
class ExpressionEncoder(ZEncoder):
    """Latent variable from concatenated features, optionally with MFCCs of the audio.

    Example:

    >>> from ddsp.training import encoders, nn
    >>> encoder = encoders.ExpressionEncoder(net=nn.FcStack(4, 1), z_dims=2)
    >>> features = {"f0_scaled": tf.zeros([1, 5, 1]), "ld_scaled": tf.zeros([1, 5, 1])}
    >>> encoder(features)["z"].shape.as_list()
    [1, 5, 2]
    """

    def __init__(
        self,
        net: keras.layers.Layer | None = None,
        z_dims: int = 128,
        input_keys: Sequence[str] = ("f0_scaled", "ld_scaled"),
        mfcc_bins: int = 60,
        fft_size: int = 1024,
        mel_bins: int = 128,
        pool_time: bool = True,
        **kwargs: Any,
    ) -> None:
        """Initializes the encoder.

        Args:
          net: Network from [batch, time, channels] to [batch, time, n_out].
          z_dims: Number of channels of `z`.
          input_keys: Keys of the features, of shape [batch, time, channels]. For
            'audio', of shape [batch, n_samples], MFCCs are appended to the features.
          mfcc_bins: Number of MFCCs.
          fft_size: FFT size of the MFCCs, in samples.
          mel_bins: Number of mel bands of the MFCCs.
          pool_time: Whether to average over time.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If `net` is None.
        """
        if net is None:
            raise ValueError(
                "`ExpressionEncoder` requires a network `net`, such as "
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
        """Encodes features as [batch, time, z_dims], with one time step if pooled."""
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
