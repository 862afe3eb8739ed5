"""Notes as hidden states behind pitch and amplitude."""

from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import configurable, core
from ddsp._core import checks
from ddsp._losses.hidden_markov import HiddenMarkovModel


@configurable.layer(module="ddsp.losses")
class HmmTranscriber(HiddenMarkovModel):
    """Hidden Markov model of notes, observed by their pitch and amplitude.

    A state is a MIDI note, 0 for silence. A note's pitch and amplitude are normally
    distributed around it and `amps_on_center`; in silence the amplitude lies around
    `amps_off_center`, and the pitch may be any. As a loss, it is the negative
    log-likelihood of the observations.

    Args:
      avg_length: Frames that a note lasts on average.
      midi_std: Standard deviation of a note's pitch, semitones.
      amps_on_center: Mean amplitude of a note, in the unit of the amplitudes given.
      amps_on_scale: Its standard deviation.
      amps_off_center: Mean amplitude of silence.
      amps_off_scale: Its standard deviation.
      n_timesteps: Accepted for compatibility, without effect: sequences may have any
        length.
      n_pitches: MIDI notes from 0 on, the one for silence included.
      weight: Of the loss.
      **kwargs: Passed on to `Loss`.

    Raises:
      ValueError: If there are less than 2 notes, a standard deviation is not positive,
        or `avg_length` is so short that notes do not last.

    Example:

    >>> loss = ddsp.losses.HmmTranscriber(n_pitches=128)
    >>> pitch, amps = tf.fill([1, 20, 1], 69.0), tf.fill([1, 20, 1], 1.5)
    >>> loss(pitch, amps).shape
    TensorShape([])
    """

    def __init__(
        self,
        avg_length: float = 200,
        midi_std: float = 0.5,
        amps_on_center: float = 1.5,
        amps_on_scale: float = 0.5,
        amps_off_center: float = 0.0,
        amps_off_scale: float = 0.1,
        n_timesteps: int = 1000,
        n_pitches: int = 128,
        weight: float = 1.0,
        **kwargs: Any,
    ):
        checks.positive("midi_std", midi_std)
        checks.positive("amps_on_scale", amps_on_scale)
        checks.positive("amps_off_scale", amps_off_scale)
        checks.positive("n_pitches", n_pitches)
        # Of pitch and amplitude.
        loc = [[note, amps_on_center] for note in range(n_pitches)]
        scale = [[midi_std, amps_on_scale]] * n_pitches
        loc[0] = [n_pitches / 2, amps_off_center]
        scale[0] = [n_pitches, amps_off_scale]
        super().__init__(np.array(loc), np.array(scale), avg_length, **kwargs)
        self.n_timesteps = n_timesteps
        self.n_pitches = n_pitches
        self.weight = weight

    def call(self, pitch: Any, amps: Any) -> tf.Tensor:
        """The loss as a scalar; see `nll`."""
        return self.nll(pitch, amps)

    def nll(self, pitch: Any, amps: Any, per_example_loss: bool = False) -> tf.Tensor:
        """How unlikely pitches and amplitudes are, whatever the notes.

        Args:
          pitch: [batch, n_frames, 1], MIDI.
          amps: [batch, n_frames, 1].
          per_example_loss: Return one number for each example.

        Returns:
          `weight` times the negative log-likelihood per frame: its mean, or [batch].
        """
        observations = _observations(pitch, amps)
        n_frames = tf.cast(tf.shape(observations)[1], tf.float32)
        loss = -self.weight * self.log_prob(observations) / n_frames
        return loss if per_example_loss else tf.reduce_mean(loss)

    def predict_midi(
        self, pitch: Any, amps: Any, channel_dim: bool = True, dtype: Any = tf.float32
    ) -> tf.Tensor:
        """The most likely notes.

        Args:
          pitch: [batch, n_frames, 1], MIDI.
          amps: [batch, n_frames, 1].
          channel_dim: Whether notes have a last axis of 1.
          dtype: Of the notes.

        Returns:
          [batch, n_frames, 1] or [batch, n_frames], 0 for silence.
        """
        notes = tf.cast(self.posterior_mode(_observations(pitch, amps)), dtype)
        return notes[..., tf.newaxis] if channel_dim else notes


def _observations(pitch: Any, amps: Any) -> tf.Tensor:
    pitch, amps = core.tf_float32(pitch), core.tf_float32(amps)
    for name, x in (("pitch", pitch), ("amps", amps)):
        checks.rank(name, x, 3)
        if x.shape[-1] not in (None, 1):
            raise ValueError(f"`{name}` must have one channel, got shape {x.shape}.")
    return tf.concat([pitch, amps], axis=-1)
