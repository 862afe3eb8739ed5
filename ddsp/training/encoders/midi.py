"""Encoders of notes."""

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp._core.tensors import tf_float32
from ddsp.training import nn


class _NoteEncoder(nn.DictLayer):
    """A network over features side by side, then pitch and velocity."""

    def __init__(
        self, net: keras.layers.Layer | None = None, f0_residual: bool = True, **kwargs
    ):
        """Initializer.

        Args:
          net: From [batch, time, channels] to [batch, time, other channels].
          f0_residual: Whether the network gives the note's distance from the pitch,
            not the note itself.
          **kwargs: Passed on to `keras.layers.Layer`.

        Raises:
          ValueError: If there is no network.
        """
        if net is None:
            raise ValueError(
                f"`{type(self).__name__}` needs a network: give it `net`, such as "
                "`nn.DilatedConvStack()`, got None."
            )
        # Half precision cannot hold a pitch; the layers inside cast for themselves.
        super().__init__(
            output_keys=["z_pitch", "z_vel"], **{"autocast": False, **kwargs}
        )
        self.net = net
        self.f0_residual = f0_residual
        self.dense_out = keras.layers.Dense(2)
        self.norm = nn.Normalize("layer")

    def _encode(self, f0_midi, *features) -> tuple[tf.Tensor, tf.Tensor]:
        inputs = [tf_float32(x) for x in (f0_midi, *features)]
        z = tf_float32(self.dense_out(self.norm(self.net(tf.concat(inputs, axis=-1)))))
        z_pitch, z_vel = tf.split(z, 2, axis=-1)
        return (z_pitch + inputs[0] if self.f0_residual else z_pitch), z_vel


@configurable.layer(module="ddsp.training.encoders")
class MidiEncoder(_NoteEncoder):
    """From pitch and loudness to notes, not yet quantised."""

    def call(self, f0_midi, loudness):
        """Encodes pitch and loudness.

        Args:
          f0_midi: [batch, time, 1], MIDI notes.
          loudness: [batch, time, 1], dB.

        Returns:
          Pitch in MIDI notes and velocity, [batch, time, 1].
        """
        return self._encode(f0_midi, loudness)


@configurable.layer(module="ddsp.training.encoders")
class HarmonicToMidiEncoder(_NoteEncoder):
    """From the controls of the synthesisers to notes, not yet quantised."""

    def call(self, f0_midi, amps, hd, noise):
        """Encodes controls.

        Args:
          f0_midi: [batch, time, 1], MIDI notes.
          amps: [batch, time, 1], amplitudes on a logarithmic scale.
          hd: [batch, time, n_harmonics], harmonic distribution on that scale.
          noise: [batch, time, n_bands], magnitudes of noise on that scale.

        Returns:
          Pitch in MIDI notes and velocity, [batch, time, 1].
        """
        return self._encode(f0_midi, amps, hd, noise)
