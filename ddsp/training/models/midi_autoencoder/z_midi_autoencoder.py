"""MIDI autoencoder with further latent variables."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable
from ddsp.training import nn
from ddsp.training.models.midi_autoencoder.midi_autoencoder import MidiAutoencoder
from ddsp.training.models.model import losses_dict
from ddsp.types import Loss, Outputs, Tensors


@configurable.layer(module="ddsp.training.models")
class ZMidiAutoencoder(MidiAutoencoder):
    """MIDI autoencoder with latent variables in addition to the notes.

    The synthcoder has latent variables, such as the instrument and its timbre over
    time. The MIDI decoder has latent variables of the entire example and of each note.

    Example:

    >>> import keras
    >>> from ddsp.training import models
    >>> class Mean(keras.layers.Layer):
    ...     def call(self, features):
    ...         return {"z": tf.reduce_mean(features["audio"], axis=-1)}
    >>> model = models.ZMidiAutoencoder(reverb=False, z_synth_encoders=[Mean(), Mean()])
    >>> model.z_synth_encode({"audio": tf.zeros([1, 10, 3, 64])}).shape.as_list()
    [1, 10, 6]
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
        qpitch_f0rec_loss: Loss | None = None,
        pitch_f0rec_loss: Loss | None = None,
        pitch_qpitch_loss: Loss | None = None,
        midi_slowness_loss: Loss | None = None,
        mask_f0_loss: bool = True,
        z_synth_encoders: Sequence[keras.layers.Layer] | None = None,
        z_global_encoders: Sequence[keras.layers.Layer] | None = None,
        z_note_encoder: keras.layers.Layer | None = None,
        z_preconditioning_stack: keras.layers.Layer | None = None,
        z_global_prior: Loss | None = None,
        z_note_prior: Loss | None = None,
        **kwargs: Any,
    ) -> None:
        """Initializes the model.

        Args:
          synthcoder: See `MidiAutoencoder`.
          midi_encoder: See `MidiAutoencoder`.
          midi_decoder: See `MidiAutoencoder`.
          sg_before_midiae: See `MidiAutoencoder`.
          reverb: See `MidiAutoencoder`.
          preprocessor: See `MidiAutoencoder`.
          reconstruction_losses: See `MidiAutoencoder`.
          qpitch_f0rec_loss: See `MidiAutoencoder`.
          pitch_f0rec_loss: See `MidiAutoencoder`.
          pitch_qpitch_loss: See `MidiAutoencoder`.
          midi_slowness_loss: See `MidiAutoencoder`.
          mask_f0_loss: See `MidiAutoencoder`.
          z_synth_encoders: Encoders from features to 'z', which are concatenated as the
            latent variables of the synthcoder.
          z_global_encoders: Encoders from features and the controls of the synthcoder,
            'amps_scaled' (dB), 'hd_scaled' and 'noise_scaled' (dB), to 'z', which are
            concatenated as latent variables of the MIDI decoder.
          z_note_encoder: Encoder with the same inputs. Its 'z' is averaged over each
            note and concatenated to those of the MIDI decoder.
          z_preconditioning_stack: Layer for the `z` of the MIDI decoder.
          z_global_prior: Loss of the global `z`. When called with `z`, it returns the
            latent variables to decode.
          z_note_prior: Loss of the `z` of the notes, which is called in the same way.
          **kwargs: Arguments of `keras.Model`.
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

    def z_synth_encode(self, features: Tensors) -> tf.Tensor | None:
        """Returns `z` of the synthcoder, [batch, n_frames, n_channels], or None."""
        return _concatenate([x(features)["z"] for x in self.z_synth_encoders])

    def z_global_encode(self, features: Tensors) -> tf.Tensor | None:
        """Returns global `z` of the MIDI decoder, in the same form, or None."""
        return _concatenate([x(features)["z"] for x in self.z_global_encoders])

    def z_note_encode(self, features: Tensors, q_pitch: tf.Tensor) -> tf.Tensor | None:
        """Returns latent variables that are constant over each note.

        Args:
          features: Features for the encoder.
          q_pitch: MIDI notes, [batch, n_frames, 1].

        Returns:
          Means over each note and 0 in silence, [batch, n_frames, n_channels]. None
          without an encoder.
        """
        if self.z_note_encoder is None:
            return None
        z = self.z_note_encoder(features)["z"]
        return nn.pool_over_notes(z, nn.get_note_mask(q_pitch), return_std=False)

    def _synthcoder_latents(self, features: Tensors) -> tf.Tensor | None:
        return self.z_synth_encode(features)

    def _decoder_latents(
        self, features: Tensors, q_pitch: tf.Tensor
    ) -> tuple[tf.Tensor | None, dict[str, tf.Tensor]]:
        outputs: dict[str, tf.Tensor] = {}
        for name, z, prior in (
            ("z_global", self.z_global_encode(features), self.z_global_prior),
            ("z_notes", self.z_note_encode(features, q_pitch), self.z_note_prior),
        ):
            if z is None:
                continue
            if prior is not None:
                outputs[f"{name}_encoded"], z = z, prior(z)
            outputs[name] = z
        z = _concatenate([outputs[k] for k in ("z_global", "z_notes") if k in outputs])
        if z is not None and self.z_preconditioning_stack is not None:
            z = self.z_preconditioning_stack(z)
        return z, outputs

    def compute_losses(self, outputs: Outputs) -> dict[str, tf.Tensor]:
        """Computes scalar losses by name from the outputs of `call`."""
        losses = super().compute_losses(outputs)
        for name, prior in (
            ("z_global", self.z_global_prior),
            ("z_notes", self.z_note_prior),
        ):
            if f"{name}_encoded" in outputs:
                losses.update(losses_dict(prior, outputs[f"{name}_encoded"]))
        return losses

    def _silence(self) -> tuple[dict[str, tf.Tensor], int]:
        features, n_samples = super()._silence()
        for encoder in [*self.z_synth_encoders, *self.z_global_encoders]:
            if (key := getattr(encoder, "one_hot_key", None)) is not None:
                features[key] = tf.zeros([1], tf.int32)
        return features, n_samples


def _concatenate(tensors: Sequence[tf.Tensor]) -> tf.Tensor | None:
    return tf.concat(tensors, axis=-1) if tensors else None
