"""Conversion between piano rolls and monophonic notes."""

import tensorflow as tf

from ddsp import core
from ddsp.types import ArrayLike

N_PITCHES = 128


def pianoroll_to_midi(pianoroll: ArrayLike) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the loudest note of each frame.

    Args:
      pianoroll: Velocities, [batch, n_frames, n_pitches].

    Returns:
      MIDI notes and velocities, [batch, n_frames, 1] each. The note is 0 in silence.

    Example:

    >>> from ddsp.training import models
    >>> roll = np.ones([1, 10, 1]) * (np.arange(128) == 69)
    >>> notes, velocities = models.MidiAutoencoder.pianoroll_to_midi(roll)
    >>> float(notes[0, 0, 0]), float(velocities[0, 0, 0])
    (69.0, 1.0)
    """
    pianoroll = core.tf_float32(pianoroll)
    notes = tf.cast(tf.argmax(pianoroll, axis=-1), tf.float32)
    return notes[..., tf.newaxis], tf.reduce_max(pianoroll, axis=-1, keepdims=True)


def midi_to_pianoroll(
    q_pitch: ArrayLike,
    q_vel: ArrayLike,
    piano_keys: int = N_PITCHES,
    thresh: float = 20.0,
) -> tf.Tensor:
    """Converts monophonic notes to a piano roll.

    Args:
      q_pitch: MIDI notes, [batch, n_frames, 1].
      q_vel: Velocities. They have no effect.
      piano_keys: Number of pitches.
      thresh: Notes up to this one become note 0, silence. 0 keeps all notes.

    Returns:
      Piano roll, [batch, n_frames, piano_keys], 1 for the note and 0 elsewhere.

    Example:

    >>> from ddsp.training import models
    >>> notes = np.full([1, 10, 1], 69.0)
    >>> models.MidiAutoencoder.midi_to_pianoroll(notes, notes).shape.as_list()
    [1, 10, 128]
    """
    del q_vel
    notes = core.tf_float32(q_pitch)[..., 0]
    if thresh > 0.0:
        notes = tf.where(notes > thresh, notes, 0.0)
    return tf.one_hot(tf.cast(tf.round(notes), tf.int32), piano_keys)
