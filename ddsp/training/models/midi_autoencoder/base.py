"""The autoencoder with notes in its middle."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core, effects, processors, synths
from ddsp.training import nn, preprocessing, rates
from ddsp.training.models.midi_autoencoder import pianorolls
from ddsp.training.models.midi_autoencoder.note_losses import NoteLosses
from ddsp.training.models.synthesis_model import N_BUILD_FRAMES

# Pitch and note further apart than this, in semitones, are not of one sound: the labels
# are late, or the tracked pitch is an octave off.
_MAX_DISTANCE = 2.0


@configurable.layer(module="ddsp.training.models")
class MidiAutoencoder(NoteLosses):
    """Two autoencoders, one inside the other.

    The first, the synthcoder, is a `models.Autoencoder`: it decodes pitch and loudness
    of a recording to controls of a harmonic and a noise synthesiser. The second takes
    these controls for its input: it encodes them to notes, or is given the notes, and
    decodes the notes to controls again. Both sets of controls are rendered by the same
    synthesisers.
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
        **kwargs,
    ):
        """Initializer.

        Args:
          synthcoder: From scaled pitch and loudness, and 'z' if it takes that, to raw
            'amplitudes', 'harmonic_distribution' and 'magnitudes'.
          midi_encoder: From pitch and controls to unquantised notes, such as
            `encoders.HarmonicToMidiEncoder`. Without one the notes come with the batch,
            as 'note_active_velocities'.
          midi_decoder: From notes to pitch and raw controls, such as
            `decoders.MidiToHarmonicDecoder`. Without one the synthcoder's controls
            stand in for its.
          sg_before_midiae: Whether gradients stop between synthcoder and MIDI encoder.
          reverb: Whether to learn one reverb for all audio.
          preprocessor: From a batch of features to scaled features.
          reconstruction_losses: A `losses.LossGroup` over the outputs of `call`.
          qpitch_f0rec_loss: Loss of the distance between notes and decoded pitch.
          pitch_f0rec_loss: Loss of the distance between unquantised notes and decoded
            pitch.
          pitch_qpitch_loss: Loss between unquantised and quantised notes.
          midi_slowness_loss: Loss of unquantised notes with a mask of the frames in
            short notes.
          mask_f0_loss: Whether frames in which a given note is two semitones or more
            off the pitch weigh nothing, see 'f0_loss_weights'.
          **kwargs: Passed on to `keras.Model`.
        """
        super().__init__(**kwargs)
        self.synthcoder: Any = synthcoder
        self.midi_encoder: Any = midi_encoder
        self.midi_decoder: Any = midi_decoder
        self.reconstruction_losses: Any = reconstruction_losses
        self.qpitch_f0rec_loss = qpitch_f0rec_loss
        self.pitch_f0rec_loss = pitch_f0rec_loss
        self.pitch_qpitch_loss = pitch_qpitch_loss
        self.slowness_loss = midi_slowness_loss
        self.mask_f0_loss = mask_f0_loss
        self.sg_before_midiae = sg_before_midiae
        self.preprocessor: Any = preprocessor
        by_power = isinstance(preprocessor, preprocessing.F0PowerPreprocessor)
        self.db_key = "power_db" if by_power else "loudness_db"

        dag: list[tuple] = [
            (synths.Harmonic(), ["amplitudes", "harmonic_distribution", "f0_hz"]),
            (synths.FilteredNoise(), ["magnitudes"]),
            (processors.Add(), ["filtered_noise/signal", "harmonic/signal"]),
        ]
        if reverb:
            module = effects.FilteredNoiseReverb(
                trainable=True,
                reverb_length=24000,
                n_frames=500,
                n_filter_banks=32,
                name="reverb",
            )
            dag.append((module, ["add/signal"]))
        self.processor_group = processors.ProcessorGroup(dag=dag)
        rates.check(self)

    def preprocess(
        self, features: Mapping[str, Any], n_samples: int | None = None
    ) -> dict[str, Any]:
        """The features with scaled ones beside them.

        Args:
          features: What the preprocessor takes.
          n_samples: Length of the audio to be synthesised, see `call`.

        Returns:
          A new dictionary; with the pitch in MIDI notes under 'f0_midi', the level in
          dB under 'db', [batch, time, 1] both.
        """
        features = {**features, **self._preprocess(dict(features), n_samples)}
        features["f0_midi"] = core.hz_to_midi(features["f0_hz"])
        scaled_from = {"power_db": "pw_db"}.get(self.db_key, self.db_key)
        features["db"] = features[scaled_from]
        return features

    def synthcoder_branch(
        self,
        features: Mapping[str, Any],
        training: bool = True,
        z: Any = None,
        n_samples: int | None = None,
    ) -> tuple[tf.Tensor, dict[str, Any]]:
        """`synthesize_audio` of what `preprocess` returned, with all it returns."""
        return self.synthesize_audio(
            features["f0_hz"], features["db"], z, training, True, n_samples
        )

    def synthesize_audio(
        self,
        f0_hz: Any,
        db: Any,
        z: Any = None,
        training: bool = False,
        return_params: bool = False,
        n_samples: int | None = None,
    ) -> Any:
        """Decodes pitch and level to audio.

        Args:
          f0_hz: [batch, time, 1], Hz.
          db: [batch, time, 1], loudness or power in dB, as the preprocessor takes.
          z: [batch, time, channels], for a synthcoder that takes it.
          training: Whether this is a training step.
          return_params: Whether to return the outputs of the processors too.
          n_samples: Length of the audio, see `call`.

        Returns:
          Audio [batch, n_samples]; with `return_params` also a dictionary.
        """
        del training  # Keras tells the layers inside.
        features = {"f0_hz": f0_hz, self.db_key: db}
        if z is not None:
            features["z"] = z
        features.update(self._preprocess(features, n_samples))
        features.update(self.synthcoder(features))
        return self._render(features, return_params, n_samples)

    def midi_to_audio(
        self,
        q_pitch: Any,
        q_vel: Any,
        z: Any = None,
        return_synth_params: bool = False,
        n_samples: int | None = None,
    ) -> Any:
        """Decodes notes to audio.

        Args:
          q_pitch: [batch, time, 1], MIDI notes.
          q_vel: [batch, time, 1], velocities.
          z: [batch, time, channels], for a decoder that takes it.
          return_synth_params: Whether to return the outputs of the processors too.
          n_samples: Length of the audio, see `call`.

        Returns:
          Audio [batch, n_samples]; with `return_synth_params` also a dictionary.
        """
        controls = self.midi_decoder(q_pitch, q_vel, z)
        return self._render(controls, return_synth_params, n_samples)

    def _render(self, controls: dict[str, Any], with_params: bool, n_samples):
        params = self.processor_group.get_controls(
            controls, **self._rendered(n_samples)
        )
        audio = self.processor_group.get_signal(params)
        return (audio, params) if with_params else audio

    @staticmethod
    def extract_harm_controls(
        synth_params: Mapping[str, Any],
        log_scale: bool = True,
        stop_gradient: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The controls of the synthesisers.

        Args:
          synth_params: Outputs of the processors.
          log_scale: Whether amplitudes and magnitudes become dB.
          stop_gradient: Whether gradients stop here.

        Returns:
          Amplitudes [batch, time, 1], harmonic distribution [batch, time, n_harmonics],
          magnitudes of the noise [batch, time, n_bands].
        """
        harmonic = synth_params["harmonic"]["controls"]
        amps, hd = harmonic["amplitudes"], harmonic["harmonic_distribution"]
        noise = synth_params["filtered_noise"]["controls"]["magnitudes"]
        if log_scale:
            amps, noise = core.amplitude_to_db(amps), core.amplitude_to_db(noise)
        if stop_gradient:
            amps, hd, noise = map(tf.stop_gradient, (amps, hd, noise))
        return amps, hd, noise

    def encode_to_midi(
        self, *args: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Encodes pitch and controls to notes.

        Args:
          *args: What the MIDI encoder takes: pitch (MIDI notes), amplitudes (dB),
            harmonic distribution, magnitudes (dB).

        Returns:
          Unquantised notes, quantised notes, unquantised velocities, quantised
          velocities; [batch, time, 1] each. Velocities are zero: none are learned.
        """
        if self.sg_before_midiae:
            args = tuple(map(tf.stop_gradient, args))
        z_pitch = self.midi_encoder(*args)["z_pitch"]
        velocity = tf.zeros_like(z_pitch)
        q_pitch = nn.straight_through_int_quantization(z_pitch)
        return z_pitch, q_pitch, velocity, velocity

    def get_gt_midi(
        self, features: Mapping[str, Any]
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The notes that come with a batch.

        Args:
          features: 'note_active_velocities' [batch, time, 128], zero where a note is
            silent; 'f0_midi' [batch, time, 1], the pitch in MIDI notes.

        Returns:
          Notes, 0 in silence; velocities, all zero; weights of the pitch's
          reconstruction, 0 or 1. [batch, time, 1] each.

        Raises:
          ValueError: If there are none, or not as many frames as of pitch.
        """
        self._require(features, "note_active_velocities")
        pianoroll = core.tf_float32(features["note_active_velocities"])
        f0_midi = features["f0_midi"]
        if not pianoroll.shape[:2].is_compatible_with(f0_midi.shape[:2]):
            raise ValueError(
                "'note_active_velocities' must have as many examples and frames as "
                f"the scaled pitch, {tuple(f0_midi.shape[:2])}; got shape "
                f"{tuple(pianoroll.shape)}."
            )
        q_pitch, q_vel = self.pianoroll_to_midi(pianoroll)
        weights = tf.ones_like(q_pitch)
        if self.mask_f0_loss:
            weights = tf.cast(tf.abs(f0_midi - q_pitch) < _MAX_DISTANCE, tf.float32)
        return q_pitch, tf.zeros_like(q_vel), weights

    pianoroll_to_midi = staticmethod(pianorolls.pianoroll_to_midi)
    midi_to_pianoroll = staticmethod(pianorolls.midi_to_pianoroll)

    def get_audio_from_outputs(self, outputs: dict[str, Any]) -> tf.Tensor:
        """[batch, n_samples], rendered from the synthcoder's controls.

        What is rendered from the notes stands in the outputs as 'midi_audio'.
        """
        return outputs["synth_audio"]

    def call(
        self,
        features: dict[str, Any],
        training: bool = True,
        n_samples: int | None = None,
    ) -> dict[str, Any]:
        """Decodes pitch and level to controls, and those by way of notes to controls.

        Args:
          features: What the preprocessor takes; 'note_active_velocities' [batch, time,
            128] without a MIDI encoder; 'audio' [batch, n_samples] for losses.
          training: Whether this is a training step.
          n_samples: Length of the audio, a multiple of the hop, when it is another
            than the one that preprocessor and synthesisers were configured for.

        Returns:
          The features, scaled features and controls, and the outputs of each processor
          in a dictionary under its name, all of the inner branch; all outputs of the
          processors under 'synth_params' and 'midi_synth_params'; 'synth_audio' and
          'midi_audio' [batch, n_samples]; notes 'q_pitch', 'q_vel' and 'z_pitch' (with
          a MIDI encoder), [batch, time, 1], and 'pianoroll' [batch, time, 128]; 'amps'
          (dB), 'hd' and 'noise' (dB) of the inner branch, and the same with '_pred' of
          the outer one; its pitch 'f0_midi_pred' (MIDI notes) and 'f0_hz_pred' (Hz),
          and the weights 'f0_loss_weights' of comparing that.

        Raises:
          ValueError: If a feature is missing, or `n_samples` is not a positive multiple
            of the hop.
        """
        features = self.preprocess(features, n_samples)
        z = self._synthcoder_latents(features)
        synth_audio, synth_params = self.synthcoder_branch(
            features, training, z, n_samples
        )
        amps, hd, noise = self.extract_harm_controls(synth_params)

        f0_midi = features["f0_midi"]
        encoded: dict[str, tf.Tensor] = {}
        if self.midi_encoder is None:
            q_pitch, q_vel, weights = self.get_gt_midi(features)
        else:
            encoded["z_pitch"], q_pitch, encoded["z_vel"], q_vel = self.encode_to_midi(
                f0_midi, amps, hd, noise
            )
            weights = tf.ones_like(f0_midi)

        midi_audio, midi_params, f0_midi_pred = synth_audio, synth_params, q_pitch
        if self.midi_decoder is not None:
            features.update(amps_scaled=amps, hd_scaled=hd, noise_scaled=noise)
            z, latents = self._decoder_latents(features, q_pitch)
            encoded.update(latents)
            midi_audio, midi_params = self.midi_to_audio(
                q_pitch, q_vel, z, return_synth_params=True, n_samples=n_samples
            )
            f0_midi_pred = midi_params["f0_midi"]
        amps_pred, hd_pred, noise_pred = self.extract_harm_controls(midi_params)
        return {
            **features,
            **synth_params,
            **encoded,
            "synth_params": synth_params,
            "synth_audio": synth_audio,
            "midi_synth_params": midi_params,
            "midi_audio": midi_audio,
            "q_pitch": q_pitch,
            "q_vel": q_vel,
            "pianoroll": self.midi_to_pianoroll(q_pitch, q_vel),
            "f0_midi_pred": f0_midi_pred,
            "f0_hz_pred": core.midi_to_hz(f0_midi_pred),
            "amps": amps,
            "hd": hd,
            "noise": noise,
            "amps_pred": amps_pred,
            "hd_pred": hd_pred,
            "noise_pred": noise_pred,
            "f0_loss_weights": weights,
            f"{self.db_key}_pred": features["db"],
        }

    def _synthcoder_latents(self, features: Mapping[str, Any]) -> tf.Tensor | None:
        """`z` for the synthcoder."""
        del features
        return None

    def _decoder_latents(
        self, features: Mapping[str, Any], q_pitch: tf.Tensor
    ) -> tuple[tf.Tensor | None, dict[str, tf.Tensor]]:
        """`z` for the MIDI decoder, and outputs that tell of it."""
        del features, q_pitch
        return None, {}

    def compute_losses(self, outputs: dict[str, Any]) -> dict[str, tf.Tensor]:
        """{name: scalar} from what `call` returned."""
        losses: dict[str, tf.Tensor] = {}
        if self.midi_decoder is not None:
            f0_midi, q_pitch = outputs["f0_midi_pred"], outputs["q_pitch"]
            losses.update(
                self.add_zpitch_losses(outputs.get("z_pitch"), q_pitch, f0_midi)
            )
            losses.update(
                self.add_closeness_loss(self.qpitch_f0rec_loss, f0_midi, q_pitch)
            )
        if self.reconstruction_losses is not None:
            losses.update(self.reconstruction_losses(outputs))
        return losses

    def build_variables(self) -> None:
        """Creates the variables by running the model on a moment of silence.

        Raises:
          ValueError: If the model takes other features than audio, f0, loudness, power
            and notes; then it has to be called on a batch.
        """
        if self.built:
            return
        features, n_samples = self._silence()
        shape = [1, N_BUILD_FRAMES, pianorolls.N_PITCHES]
        features["note_active_velocities"] = tf.zeros(shape)
        self(features, training=False, n_samples=n_samples)
