"""Losses between what a pretrained network makes of two sounds."""

from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core, pitch
from ddsp._core import checks
from ddsp._losses.base import LOSS_TYPES, Loss, mean_difference

# What differences are multiplied by, so that every layer's are of one size.
_SCALES = {
    "conv1-BN": 1.3,
    "conv1-maxpool": 1.0,
    "conv2-BN": 1.4,
    "conv2-maxpool": 1.1,
    "conv3-BN": 1.9,
    "conv3-maxpool": 1.6,
    "conv4-BN": 1.5,
    "conv4-maxpool": 1.4,
    "conv5-BN": 1.9,
    "conv5-maxpool": 1.7,
    "conv6-BN": 30.0,
    "conv6-maxpool": 25.0,
    "classifier": 130.0,
}
_WEIGHT = 20.0


@configurable.layer(module="ddsp.losses")
class EmbeddingLoss(Loss):
    """Difference of a pretrained network's answers to two sounds.

    Such networks hear structure, which spectra do not tell from energy at the right
    places: a noise can have the spectrum of a note, but not its pitch.

    Args:
      weight: Of the loss.
      loss_type: See `mean_difference`.
      pretrained_model: From audio [batch, n_samples] to embeddings.
      name: Name of the loss.

    Raises:
      ValueError: If `loss_type` is unknown.

    Example:

    >>> import keras
    >>> loss = ddsp.losses.EmbeddingLoss(pretrained_model=keras.layers.ReLU())
    >>> float(loss([[1.0, -1.0]], [[0.0, -2.0]]))
    0.5
    """

    def __init__(
        self,
        weight: float = 1.0,
        loss_type: str = "L1",
        pretrained_model: Any = None,
        name: str = "embedding_loss",
    ):
        super().__init__(name=name)
        checks.one_of("loss_type", loss_type.upper(), LOSS_TYPES)
        self.weight = weight
        self.loss_type = loss_type
        self.pretrained_model = pretrained_model

    def call(self, target_audio: Any, audio: Any) -> tf.Tensor:
        """Compares audio [batch, n_samples] with its target; returns a scalar.

        Raises:
          ValueError: If there is no pretrained model.
        """
        if self.pretrained_model is None:
            raise ValueError(
                f"`{self.name}` needs a network: pretrained_model=..., got None."
            )
        target, value = (
            self.pretrained_model(core.tf_float32(x)) for x in (target_audio, audio)
        )
        return self.weight * mean_difference(target, value, self.loss_type)


@configurable.layer(module="ddsp.losses")
class PretrainedCREPEEmbeddingLoss(EmbeddingLoss):
    """Difference of what the pitch tracker makes of two sounds.

    Args:
      weight: Of the loss; a layer's own scale comes on top.
      loss_type: See `mean_difference`.
      model_capacity: Size of CREPE, see `pitch.find_weights`.
      activation_layer: Whose output is compared, see `PretrainedCREPE`.
      name: Name of the loss.
      sample_rate: Samples per second; the tracker is given 16 kHz.

    Raises:
      ValueError: If there is no such layer, or `loss_type` is unknown.
      FileNotFoundError: If the weights are not installed.

    Example:

    >>> loss = ddsp.losses.PretrainedCREPEEmbeddingLoss(
    ...     activation_layer="conv1-maxpool")
    >>> audio = 0.1 * tf.random.normal([1, 2048])
    >>> float(loss(audio, audio))
    0.0
    """

    def __init__(
        self,
        weight: float = 1.0,
        loss_type: str = "L1",
        model_capacity: str = "tiny",
        activation_layer: str = "classifier",
        name: str = "pretrained_crepe_embedding_loss",
        sample_rate: int = pitch.SAMPLE_RATE,
    ):
        checks.positive("sample_rate", sample_rate)
        network = PretrainedCREPE(model_capacity, activation_layer)
        super().__init__(
            _WEIGHT * _SCALES[activation_layer] * weight, loss_type, network, name
        )
        self.sample_rate = sample_rate

    def call(self, target_audio: Any, audio: Any) -> tf.Tensor:
        """Compares audio [batch, n_samples] with its target; returns a scalar."""
        signals = (core.tf_float32(x) for x in (target_audio, audio))
        return super().call(*(_at_16k(x, self.sample_rate) for x in signals))


def _at_16k(audio: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """[batch, n_samples] with the spectrum cut off, or filled up, to that of 16 kHz."""
    if sample_rate == pitch.SAMPLE_RATE:
        return audio
    n_samples = tf.shape(audio)[1]
    resampled = tf.cast(tf.round(n_samples * pitch.SAMPLE_RATE / sample_rate), tf.int32)
    spectrum = tf.signal.rfft(audio)[:, : resampled // 2 + 1]
    missing = resampled // 2 + 1 - tf.shape(spectrum)[1]
    spectrum = tf.pad(spectrum, [[0, 0], [0, missing]])
    scale = tf.cast(resampled / n_samples, tf.float32)
    return scale * tf.signal.irfft(spectrum, [resampled])


@configurable.layer(module="ddsp.losses")
class PretrainedCREPE(keras.layers.Layer):
    """The pitch tracker up to one of its layers; differentiable, not trained.

    Args:
      model_capacity: Size of CREPE, see `pitch.find_weights`.
      activation_layer: `'conv1-maxpool'` to `'conv6-maxpool'`, `'conv1-BN'` to
        `'conv6-BN'` before pooling, or `'classifier'`.
      name: Name of the layer.
      trainable: Accepted for compatibility; the weights are constant.

    Raises:
      ValueError: If there is no such layer.
      FileNotFoundError: If the weights are not installed.

    Example:

    >>> crepe = ddsp.losses.PretrainedCREPE(activation_layer="classifier")
    >>> crepe(0.1 * tf.random.normal([1, 1024])).shape[-1]
    360
    """

    def __init__(
        self,
        model_capacity: str = "tiny",
        activation_layer: str = "conv5-maxpool",
        name: str = "pretrained_crepe",
        trainable: bool = False,
    ):
        super().__init__(name=name, trainable=trainable, dtype="float32")
        checks.one_of("activation_layer", activation_layer, tuple(_SCALES))
        self.frame_length = pitch.FRAME_SIZE
        self.activation_layer = activation_layer
        # By its function alone, which is not tracked: a checkpoint of the model that is
        # trained needs no copy of constants.
        self._layer_output = pitch.load(model_capacity).layer_output
        self.build(None)

    def build(self, unused_x_shape: Any) -> None:
        """Nothing is left to be made."""
        self.built = True

    def frame_audio(
        self, audio: Any, hop_length: int = 1024, center: bool = True
    ) -> tf.Tensor:
        """Cuts audio into frames, each of mean 0 and standard deviation 1.

        Args:
          audio: [batch, n_samples], at 16 kHz.
          hop_length: Samples between two frames.
          center: Whether frames are centered at their times.

        Returns:
          [batch, n_frames, 1024].
        """
        audio = core.tf_float32(audio)
        checks.rank("audio", audio, 2)
        if center:
            audio = tf.pad(audio, [[0, 0], [self.frame_length // 2] * 2])
        frames = tf.signal.frame(audio, self.frame_length, hop_length)
        return pitch.normalize_frames(frames)

    def call(self, audio: Any) -> tf.Tensor:
        """[batch, n_samples] at 16 kHz to [batch, n_frames, n_activations]."""
        frames = self.frame_audio(audio)
        shape = tf.shape(frames)
        flat = tf.reshape(frames, [-1, self.frame_length])
        activations = self._layer_output(flat, self.activation_layer)
        n_activations = activations.shape[1]
        return tf.reshape(activations, [shape[0], shape[1], n_activations])
