"""The autoencoder with notes in its middle, and latent variables beside them."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp.training import nn
from ddsp.training.models.midi_autoencoder.base import MidiAutoencoder
from ddsp.training.models.model import losses_dict


@configurable.layer(module="ddsp.training.models")
class ZMidiAutoencoder(MidiAutoencoder):
    """A `MidiAutoencoder` that also encodes what notes do not tell.

    There are latent variables for the synthcoder, such as the instrument and its timbre
    over time, and for the MIDI decoder: one for a whole example and one for each note.
    """

    def __init__(
        self,
        synthcoder: keras.layers.Layer | None = None,
        midi_encoder: keras.layers.Layer | None = None,
        midi_decoder: keras.layers.Layer | None = None,
        sg_before_midiae: bool = True,
        reverb: bool = True,
        preprocessor: keras.layers.Layer | None = None,
        reconstruction_losses: keras.layers.Layer | None = None,
        qpitch_f0rec_loss: keras.layers.Layer | None = None,
        pitch_f0rec_loss: keras.layers.Layer | None = None,
        pitch_qpitch_loss: keras.layers.Layer | None = None,
        midi_slowness_loss: keras.layers.Layer | None = None,
        mask_f0_loss: bool = True,
        z_synth_encoders: Sequence[keras.layers.Layer] | None = None,
        z_global_encoders: Sequence[keras.layers.Layer] | None = None,
        z_note_encoder: keras.layers.Layer | None = None,
        z_preconditioning_stack: keras.layers.Layer | None = None,
        z_global_prior: Any = None,
        z_note_prior: Any = None,
        **kwargs,
    ):
        """Initializer.

        Args:
          synthcoder: As for `MidiAutoencoder`, like all that follow up to
            `mask_f0_loss`.
          midi_encoder: See there.
          midi_decoder: See there.
          sg_before_midiae: See there.
          reverb: See there.
          preprocessor: See there.
          reconstruction_losses: See there.
          qpitch_f0rec_loss: See there.
          pitch_f0rec_loss: See there.
          pitch_qpitch_loss: See there.
          midi_slowness_loss: See there.
          mask_f0_loss: See there.
          z_synth_encoders: From features to 'z', side by side that of the synthcoder.
          z_global_encoders: From features and the synthcoder's controls, 'amps_scaled'
            (dB), 'hd_scaled' and 'noise_scaled' (dB), to 'z', side by side that of the
            MIDI decoder.
          z_note_encoder: From the same to 'z', pooled over each note and put beside it.
          z_preconditioning_stack: A layer that the MIDI decoder's `z` passes first.
          z_global_prior: A loss of the global `z` that, called with it, returns what
            is decoded in its stead.
          z_note_prior: The same for the `z` of the notes.
          **kwargs: Passed on to `keras.Model`.
        """
        super().__init__(
            synthcoder=synthcoder,
            midi_encoder=midi_encoder,
            midi_decoder=midi_decoder,
            sg_before_midiae=sg_before_midiae,
            reverb=reverb,
            preprocessor=preprocessor,
            reconstruction_losses=reconstruction_losses,
            qpitch_f0rec_loss=qpitch_f0rec_loss,
            pitch_f0rec_loss=pitch_f0rec_loss,
            pitch_qpitch_loss=pitch_qpitch_loss,
            midi_slowness_loss=midi_slowness_loss,
            mask_f0_loss=mask_f0_loss,
            **kwargs,
        )
        self.z_synth_encoders = list(z_synth_encoders or [])
        self.z_global_encoders = list(z_global_encoders or [])
        self.z_note_encoder: Any = z_note_encoder
        self.z_preconditioning_stack: Any = z_preconditioning_stack
        self.z_global_prior = z_global_prior
        self.z_note_prior = z_note_prior

    def z_synth_encode(self, features: Mapping[str, Any]) -> tf.Tensor | None:
        """[batch, time, channels] for the synthcoder; None without encoders."""
        return _side_by_side([x(features)["z"] for x in self.z_synth_encoders])

    def z_global_encode(self, features: Mapping[str, Any]) -> tf.Tensor | None:
        """[batch, time, channels] for the MIDI decoder; None without encoders."""
        return _side_by_side([x(features)["z"] for x in self.z_global_encoders])

    def z_note_encode(
        self, features: Mapping[str, Any], q_pitch: tf.Tensor
    ) -> tf.Tensor | None:
        """Latent variables of each note, the same in all of its frames.

        Args:
          features: What the encoder takes.
          q_pitch: [batch, time, 1], MIDI notes.

        Returns:
          [batch, time, channels], means over each note and 0 in silence; None without
          an encoder.
        """
        if self.z_note_encoder is None:
            return None
        z = self.z_note_encoder(features)["z"]
        return nn.pool_over_notes(z, nn.get_note_mask(q_pitch), return_std=False)

    def _synthcoder_latents(self, features):
        return self.z_synth_encode(features)

    def _decoder_latents(self, features, q_pitch):
        outputs = {}
        for name, z, prior in (
            ("z_global", self.z_global_encode(features), self.z_global_prior),
            ("z_notes", self.z_note_encode(features, q_pitch), self.z_note_prior),
        ):
            if z is None:
                continue
            if prior is not None:
                outputs[f"{name}_encoded"], z = z, prior(z)
            outputs[name] = z
        z = _side_by_side([outputs[k] for k in ("z_global", "z_notes") if k in outputs])
        if z is not None and self.z_preconditioning_stack is not None:
            z = self.z_preconditioning_stack(z)
        return z, outputs

    def compute_losses(self, outputs: dict[str, Any]) -> dict[str, tf.Tensor]:
        """{name: scalar} from what `call` returned."""
        losses = super().compute_losses(outputs)
        for name, prior in (
            ("z_global", self.z_global_prior),
            ("z_notes", self.z_note_prior),
        ):
            if f"{name}_encoded" in outputs:
                losses.update(losses_dict(prior, outputs[f"{name}_encoded"]))
        return losses

    def _silence(self):
        features, n_samples = super()._silence()
        for encoder in [*self.z_synth_encoders, *self.z_global_encoders]:
            if (key := getattr(encoder, "one_hot_key", None)) is not None:
                features[key] = tf.zeros([1], tf.int32)
        return features, n_samples


def _side_by_side(tensors: Sequence[tf.Tensor]) -> tf.Tensor | None:
    return tf.concat(tensors, axis=-1) if tensors else None
