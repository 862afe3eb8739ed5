"""Losses of encoded notes: closeness to the f0, and slowness."""

import tensorflow as tf

from ddsp.training import nn
from ddsp.training.models.model import losses_dict
from ddsp.training.models.synthesis_model import SynthesisModel
from ddsp.types import Loss

# Minimum length of a note in frames. Shorter notes are penalized.
_SHORT_NOTE = 40


class NoteLosses(SynthesisModel):
    """Base class of models with losses of notes, which are optional.

    Example:

    >>> from ddsp.training.models.midi_autoencoder.note_losses import NoteLosses
    >>> loss = ddsp.losses.Loss(name="distance")
    >>> loss.call = lambda distance: tf.reduce_mean(distance)
    >>> pitch, f0 = tf.fill([1, 9, 1], 60.0), tf.fill([1, 9, 1], 61.0)
    >>> losses = NoteLosses().add_closeness_loss(loss, f0, pitch)
    >>> float(losses["distance"])
    1.0
    """

    slowness_loss: Loss | None
    pitch_qpitch_loss: Loss | None
    pitch_f0rec_loss: Loss | None

    def add_zpitch_losses(
        self, z_pitch: tf.Tensor | None, q_pitch: tf.Tensor, f0_midi_pred: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Computes the losses of encoded notes.

        Args:
          z_pitch: Notes before quantization, in MIDI, [batch, n_frames, 1]; None if the
            model does not encode notes, in which case there are no losses.
          q_pitch: Quantized notes, [batch, n_frames, 1].
          f0_midi_pred: Decoded f0 in MIDI notes, [batch, n_frames, 1].

        Returns:
          Scalar losses by name.
        """
        if z_pitch is None:
            return {}
        return {
            **self.add_slowness_loss(self.slowness_loss, z_pitch, q_pitch),
            **losses_dict(self.pitch_qpitch_loss, z_pitch, q_pitch),
            **self.add_closeness_loss(self.pitch_f0rec_loss, f0_midi_pred, z_pitch),
        }

    def add_closeness_loss(
        self, loss_obj: Loss | None, f0: tf.Tensor, pitch: tf.Tensor, tag: str = ""
    ) -> dict[str, tf.Tensor]:
        """Computes a loss of the distance between f0 and notes.

        Args:
          loss_obj: Loss of the distance in semitones; None for no loss.
          f0: f0 in MIDI notes, [batch, n_frames, 1].
          pitch: MIDI notes, [batch, n_frames, 1].
          tag: Suffix of the name.

        Returns:
          Scalar losses by name.
        """
        return losses_dict(loss_obj, tf.abs(pitch - f0), suffix=tag)

    def add_slowness_loss(
        self,
        loss_obj: Loss | None,
        z_pitch: tf.Tensor,
        q_pitch: tf.Tensor,
        tag: str = "",
    ) -> dict[str, tf.Tensor]:
        """Computes a loss of the notes before quantization, in short notes only.

        Args:
          loss_obj: Loss of `z_pitch` and a mask of the frames in short notes, [batch,
            n_frames, 1]; None for no loss.
          z_pitch: Notes before quantization, in MIDI, [batch, n_frames, 1].
          q_pitch: Quantized notes, [batch, n_frames, 1].
          tag: Suffix of the name.

        Returns:
          Scalar losses by name.
        """
        if loss_obj is None:
            return {}
        mask = nn.get_note_mask(q_pitch, note_on_only=False)
        short = nn.get_short_note_loss_mask(
            mask,
            nn.get_note_lengths(mask),
            nn.get_note_moments(q_pitch, mask, return_std=False)[..., 0],
            min_length=_SHORT_NOTE,
        )
        return losses_dict(loss_obj, z_pitch, short[..., tf.newaxis], suffix=tag)
