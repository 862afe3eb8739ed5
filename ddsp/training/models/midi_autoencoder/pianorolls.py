"""Notes of one voice, and piano rolls."""

from typing import Any

import tensorflow as tf

from ddsp import core

N_PITCHES = 128


def pianoroll_to_midi(pianoroll: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """The loudest note of every frame.

    Args:
      pianoroll: [batch, time, n_pitches], velocities.

    Returns:
      Notes and velocities, [batch, time, 1] each; note 0 where all are silent.
    """
    pianoroll = core.tf_float32(pianoroll)
    notes = tf.cast(tf.argmax(pianoroll, axis=-1), tf.float32)
    return notes[..., tf.newaxis], tf.reduce_max(pianoroll, axis=-1, keepdims=True)


def midi_to_pianoroll(
    q_pitch: Any, q_vel: Any, piano_keys: int = N_PITCHES, thresh: float = 20.0
) -> tf.Tensor:
    """One voice as a piano roll.

    Args:
      q_pitch: [batch, time, 1], MIDI notes.
      q_vel: Velocities, without effect.
      piano_keys: Number of pitches.
      thresh: Notes that are not above it become note 0, silence; none does if it is 0.

    Returns:
      [batch, time, piano_keys], 1 for the note, else 0.
    """
    del q_vel
    notes = core.tf_float32(q_pitch)[..., 0]
    if thresh > 0.0:
        notes = tf.where(notes > thresh, notes, 0.0)
    return tf.one_hot(tf.cast(tf.round(notes), tf.int32), piano_keys)
