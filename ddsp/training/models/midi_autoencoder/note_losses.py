"""What is asked of encoded notes: to be near the pitch, and slow."""

from typing import Any

import tensorflow as tf

from ddsp.training import nn
from ddsp.training.models.model import losses_dict
from ddsp.training.models.synthesis_model import SynthesisModel

# Notes below this length, in frames, are short.
_SHORT_NOTE = 40


class NoteLosses(SynthesisModel):
    """A model with losses of notes, each of which may be None."""

    slowness_loss: Any
    pitch_qpitch_loss: Any
    pitch_f0rec_loss: Any

    def add_zpitch_losses(
        self, z_pitch: Any, q_pitch: Any, f0_midi_pred: Any
    ) -> dict[str, tf.Tensor]:
        """The losses of encoded notes, by name.

        Args:
          z_pitch: [batch, time, 1], unquantised MIDI notes; None if they are not
            encoded, then there are no losses.
          q_pitch: The same, quantised.
          f0_midi_pred: [batch, time, 1], decoded pitch, MIDI notes.
        """
        if z_pitch is None:
            return {}
        return {
            **self.add_slowness_loss(self.slowness_loss, z_pitch, q_pitch),
            **losses_dict(self.pitch_qpitch_loss, z_pitch, q_pitch),
            **self.add_closeness_loss(self.pitch_f0rec_loss, f0_midi_pred, z_pitch),
        }

    def add_closeness_loss(
        self, loss_obj: Any, f0: Any, pitch: Any, tag: str = ""
    ) -> dict[str, tf.Tensor]:
        """A loss of the distance between pitch and notes, by name.

        Args:
          loss_obj: Called with the distance; None for no loss.
          f0: [batch, time, 1], MIDI notes.
          pitch: [batch, time, 1], MIDI notes.
          tag: Follows the name.
        """
        return losses_dict(loss_obj, tf.abs(pitch - f0), suffix=tag)

    def add_slowness_loss(
        self, loss_obj: Any, z_pitch: Any, q_pitch: Any, tag: str = ""
    ) -> dict[str, tf.Tensor]:
        """A loss of unquantised notes where the quantised ones are short, by name.

        Args:
          loss_obj: Called with `z_pitch` and a mask [batch, time, 1] of the frames
            in short notes; None for no loss.
          z_pitch: [batch, time, 1], unquantised MIDI notes.
          q_pitch: The same, quantised.
          tag: Follows the name.
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
