"""Encoders of notes."""

from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp._core.tensors import tf_float32
from ddsp.training import nn


class _NoteEncoder(nn.DictLayer):
    """Network from concatenated features to pitch and velocity."""

    def __init__(
        self,
        net: keras.layers.Layer | None = None,
        f0_residual: bool = True,
        **kwargs: Any,
    ) -> None:
        """Initializes the encoder.

        Args:
          net: Network from [batch, time, channels] to [batch, time, n_out].
          f0_residual: Whether the network predicts the difference from f0 instead of
            the pitch itself.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If `net` is None.
        """
        if net is None:
            raise ValueError(
                f"`{type(self).__name__}` requires a network `net`, such as "
                "`nn.DilatedConvStack()`, got None."
            )
        # Pitch needs float32; inner layers cast their own inputs.
        super().__init__(
            output_keys=["z_pitch", "z_vel"], **{"autocast": False, **kwargs}
        )
        self.net = net
        self.f0_residual = f0_residual
        self.dense_out = keras.layers.Dense(2)
        self.norm = nn.Normalize("layer")

    def _encode(
        self, f0_midi: tf.Tensor, *features: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        inputs = [tf_float32(x) for x in (f0_midi, *features)]
        z = tf_float32(self.dense_out(self.norm(self.net(tf.concat(inputs, axis=-1)))))
        z_pitch, z_vel = tf.split(z, 2, axis=-1)
        return (z_pitch + inputs[0] if self.f0_residual else z_pitch), z_vel


@configurable.layer(module="ddsp.training.encoders")
class MidiEncoder(_NoteEncoder):
    """Encoder from f0 and loudness to unquantized pitch and velocity.

    Example:

    >>> from ddsp.training import encoders, nn
    >>> encoder = encoders.MidiEncoder(net=nn.FcStack(4, 1))
    >>> f0_midi, loudness = tf.fill([1, 5, 1], 60.0), tf.fill([1, 5, 1], -30.0)
    >>> encoder(f0_midi, loudness)["z_pitch"].shape.as_list()
    [1, 5, 1]
    """

    def call(
        self, f0_midi: tf.Tensor, loudness: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Encodes f0 and loudness.

        Args:
          f0_midi: f0 in MIDI units, shape [batch, time, 1].
          loudness: Loudness in dB, shape [batch, time, 1].

        Returns:
          Pitch in MIDI units and velocity, shape [batch, time, 1].
        """
        return self._encode(f0_midi, loudness)


@configurable.layer(module="ddsp.training.encoders")
class HarmonicToMidiEncoder(_NoteEncoder):
    """Encoder from synthesizer controls to unquantized pitch and velocity.

    Example:

    >>> from ddsp.training import encoders, nn
    >>> encoder = encoders.HarmonicToMidiEncoder(net=nn.FcStack(4, 1))
    >>> outputs = encoder(
    ...     f0_midi=tf.fill([1, 5, 1], 60.0),
    ...     amps=tf.zeros([1, 5, 1]),
    ...     hd=tf.zeros([1, 5, 8]),
    ...     noise=tf.zeros([1, 5, 4]),
    ... )
    >>> outputs["z_vel"].shape.as_list()
    [1, 5, 1]
    """

    def call(
        self, f0_midi: tf.Tensor, amps: tf.Tensor, hd: tf.Tensor, noise: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Encodes controls.

        Args:
          f0_midi: f0 in MIDI units, shape [batch, time, 1].
          amps: Amplitudes on a logarithmic scale, shape [batch, time, 1].
          hd: Harmonic distribution on a logarithmic scale, shape [batch, time,
            n_harmonics].
          noise: Noise magnitudes on a logarithmic scale, shape [batch, time, n_bands].

        Returns:
          Pitch in MIDI units and velocity, shape [batch, time, 1].
        """
        return self._encode(f0_midi, amps, hd, noise)
