"""MIDI autoencoder: from audio features to notes to audio."""

from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core, effects, processors, synths
from ddsp.training import nn, preprocessing, rates
from ddsp.training.models.midi_autoencoder import pianorolls, synth_controls
from ddsp.training.models.midi_autoencoder.note_losses import NoteLosses
from ddsp.training.models.synthesis_model import N_BUILD_FRAMES
from ddsp.types import ArrayLike, Loss, Outputs, Tensors

# Maximum distance of f0 and note, in semitones. A larger one indicates a label that is
# not aligned, or an octave error of the pitch tracker.
_MAX_DISTANCE = 2.0


@configurable.layer(module="ddsp.training.models")
class MidiAutoencoder(NoteLosses):
    """Hierarchical autoencoder with notes as its innermost level.

    The synthcoder decodes f0 and loudness to controls of a harmonic and a noise
    synthesizer. The MIDI encoder encodes these controls to notes, unless the batch has
    notes, and the MIDI decoder decodes the notes to controls.

    Example:

    >>> from ddsp.training import decoders, models, preprocessing
    >>> splits = (("amplitudes", 1), ("harmonic_distribution", 4), ("magnitudes", 5))
    >>> synthcoder = decoders.RnnFcDecoder(
    ...     4, ch=4, input_keys=("ld_scaled", "f0_scaled"), output_splits=splits
    ... )
    >>> scaler = preprocessing.F0LoudnessPreprocessor()
    >>> model = models.MidiAutoencoder(synthcoder, preprocessor=scaler, reverb=False)
    >>> features = {
    ...     "f0_hz": np.full([1, 4], 440.0),
    ...     "loudness_db": np.full([1, 4], -30.0),
    ...     "note_active_velocities": np.ones([1, 4, 1]) * (np.arange(128) == 69),
    ... }
    >>> outputs = model(features, n_samples=256)
    >>> outputs["synth_audio"].shape.as_list(), outputs["q_pitch"][0, :, 0].numpy()
    ([1, 256], array([69., 69., 69., 69.], dtype=float32))
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
        **kwargs: Any,
    ) -> None:
        """Initializes the model.

        Args:
          synthcoder: Decoder from scaled f0 and loudness, and optionally 'z', to raw
            'amplitudes', 'harmonic_distribution' and 'magnitudes'.
          midi_encoder: Encoder from f0 and controls to notes, such as
            `encoders.HarmonicToMidiEncoder`. Without an encoder, the notes are the
            feature 'note_active_velocities' of the batch.
          midi_decoder: Decoder from notes to f0 and raw controls, such as
            `decoders.MidiToHarmonicDecoder`. Without a decoder, the controls of the
            synthcoder are used.
          sg_before_midiae: Whether gradients stop between synthcoder and MIDI encoder.
          reverb: Whether to learn one reverb for all audio.
          preprocessor: Preprocessor from a batch of features to scaled features.
          reconstruction_losses: A `losses.LossGroup` over the outputs of `call`.
          qpitch_f0rec_loss: Loss of the distance between quantized notes and decoded
            f0.
          pitch_f0rec_loss: Loss of the distance between notes before quantization and
            decoded f0.
          pitch_qpitch_loss: Loss between notes before and after quantization.
          midi_slowness_loss: Loss of notes before quantization, with a mask of the
            frames in short notes.
          mask_f0_loss: Whether frames in which a note from the batch is two semitones
            or more from the f0 have the weight 0; see 'f0_loss_weights'.
          **kwargs: Arguments of `keras.Model`.
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
        self.db_key = "loudness_db"
        if isinstance(preprocessor, preprocessing.Preprocessor):
            self.db_key = preprocessor.level_name

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

    def preprocess(self, features: Tensors, n_samples: int | None = None) -> Outputs:
        """Adds scaled features.

        Args:
          features: Features for the preprocessor.
          n_samples: Length of the synthesized audio; see `call`.

        Returns:
          A new dictionary of features and scaled features, with the f0 in MIDI notes as
          'f0_midi' and the level in dB as 'db', both [batch, n_frames, 1].
        """
        outputs = {**features, **self._preprocess(dict(features), n_samples)}
        outputs["f0_midi"] = core.hz_to_midi(outputs["f0_hz"])
        scaled_from = {"power_db": "pw_db"}.get(self.db_key, self.db_key)
        outputs["db"] = outputs[scaled_from]
        return outputs

    def synthcoder_branch(
        self,
        features: Tensors,
        training: bool = True,
        z: tf.Tensor | None = None,
        n_samples: int | None = None,
    ) -> tuple[tf.Tensor, Outputs]:
        """Calls `synthesize_audio` on the features that `preprocess` returns."""
        return self.synthesize_audio(
            features["f0_hz"], features["db"], z, training, True, n_samples
        )

    def synthesize_audio(
        self,
        f0_hz: ArrayLike,
        db: ArrayLike,
        z: tf.Tensor | None = None,
        training: bool = False,
        return_params: bool = False,
        n_samples: int | None = None,
    ) -> Any:
        """Decodes f0 and level to audio.

        Args:
          f0_hz: f0 in Hz, [batch, n_frames, 1].
          db: Loudness or power in dB, depending on the preprocessor, [batch, n_frames,
            1].
          z: Latent variables, [batch, n_frames, n_channels], if the synthcoder has
            them as input.
          training: Whether this is a training step.
          return_params: Whether to also return the outputs of the processors.
          n_samples: Length of the audio; see `call`.

        Returns:
          Audio, [batch, n_samples], or a tuple of audio and a dictionary.
        """
        del training  # Keras passes it to the sublayers.
        features = {"f0_hz": f0_hz, self.db_key: db}
        if z is not None:
            features["z"] = z
        features.update(self._preprocess(features, n_samples))
        features.update(self.synthcoder(features))
        return self._render(features, return_params, n_samples)

    def midi_to_audio(
        self,
        q_pitch: ArrayLike,
        q_vel: ArrayLike,
        z: tf.Tensor | None = None,
        return_synth_params: bool = False,
        n_samples: int | None = None,
    ) -> Any:
        """Decodes notes to audio.

        Args:
          q_pitch: MIDI notes, [batch, n_frames, 1].
          q_vel: Velocities, [batch, n_frames, 1].
          z: Latent variables, [batch, n_frames, n_channels], if the decoder has them as
            input.
          return_synth_params: Whether to also return the outputs of the processors.
          n_samples: Length of the audio; see `call`.

        Returns:
          Audio, [batch, n_samples], or a tuple of audio and a dictionary.
        """
        controls = self.midi_decoder(q_pitch, q_vel, z)
        return self._render(controls, return_synth_params, n_samples)

    def _render(
        self, controls: Outputs, with_params: bool, n_samples: int | None
    ) -> Any:
        params = self.processor_group.get_controls(
            controls, **self._rendered(n_samples)
        )
        audio = self.processor_group.get_signal(params)
        return (audio, params) if with_params else audio

    extract_harm_controls = staticmethod(synth_controls.extract_harm_controls)

    def encode_to_midi(
        self, *args: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Encodes f0 and controls to notes.

        Args:
          *args: Inputs of the MIDI encoder: f0 in MIDI notes, amplitudes in dB,
            harmonic distribution, magnitudes in dB.

        Returns:
          Notes before and after quantization, velocities before and after quantization,
          each [batch, n_frames, 1]. Velocities are zero, since they are not learned.
        """
        if self.sg_before_midiae:
            args = tuple(map(tf.stop_gradient, args))
        z_pitch = self.midi_encoder(*args)["z_pitch"]
        velocity = tf.zeros_like(z_pitch)
        q_pitch = nn.straight_through_int_quantization(z_pitch)
        return z_pitch, q_pitch, velocity, velocity

    def get_gt_midi(self, features: Tensors) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the notes of a batch.

        Args:
          features: Piano roll 'note_active_velocities', [batch, n_frames, 128], and f0
            in MIDI notes, 'f0_midi', [batch, n_frames, 1].

        Returns:
          Notes (0 in silence), velocities (all zero) and weights of the f0
          reconstruction (0 or 1), each [batch, n_frames, 1].

        Raises:
          ValueError: If there are no notes, or their number of frames differs from the
            f0.
        """
        self._require(features, "note_active_velocities")
        pianoroll = core.tf_float32(features["note_active_velocities"])
        f0_midi = features["f0_midi"]
        if not pianoroll.shape[:2].is_compatible_with(f0_midi.shape[:2]):
            raise ValueError(
                "'note_active_velocities' must have the batch size and the number of "
                f"frames of the f0, {tuple(f0_midi.shape[:2])}, got shape "
                f"{tuple(pianoroll.shape)}."
            )
        q_pitch, q_vel = self.pianoroll_to_midi(pianoroll)
        weights = tf.ones_like(q_pitch)
        if self.mask_f0_loss:
            weights = tf.cast(tf.abs(f0_midi - q_pitch) < _MAX_DISTANCE, tf.float32)
        return q_pitch, tf.zeros_like(q_vel), weights

    pianoroll_to_midi = staticmethod(pianorolls.pianoroll_to_midi)
    midi_to_pianoroll = staticmethod(pianorolls.midi_to_pianoroll)

    def get_audio_from_outputs(self, outputs: Outputs) -> tf.Tensor:
        """Returns the audio from the controls of the synthcoder, [batch, n_samples].

        The audio from the notes is the output 'midi_audio'.
        """
        return outputs["synth_audio"]

    def call(  # type: ignore[override]
        self,
        features: Tensors,
        training: bool = True,
        n_samples: int | None = None,
    ) -> Outputs:
        """Decodes f0 and level to controls, and these through notes to controls again.

        Args:
          features: Features for the preprocessor; the piano roll
            'note_active_velocities', [batch, n_frames, 128], if there is no MIDI
            encoder; 'audio', [batch, n_samples], for losses.
          training: Whether this is a training step.
          n_samples: Length of the audio, a multiple of the hop. By default, the length
            for which preprocessor and synthesizers are configured.

        Returns:
          Dictionary of:

          - The features, the scaled features, and the controls and outputs of each
            processor for the synthcoder.
          - 'synth_params' and 'midi_synth_params': Outputs of all processors for the
            synthcoder and for the MIDI decoder.
          - 'synth_audio' and 'midi_audio': Their audio, [batch, n_samples].
          - 'q_pitch', 'q_vel' and, with a MIDI encoder, 'z_pitch': Notes, [batch,
            n_frames, 1], and 'pianoroll', [batch, n_frames, 128].
          - 'amps' (dB), 'hd' and 'noise' (dB): Controls from the synthcoder;
            'amps_pred', 'hd_pred' and 'noise_pred': Controls from the MIDI decoder.
          - 'f0_midi_pred' (MIDI notes) and 'f0_hz_pred' (Hz): f0 from the MIDI decoder;
            'f0_loss_weights': Weights of its frames in losses.

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

    def _synthcoder_latents(self, features: Tensors) -> tf.Tensor | None:
        """Returns `z` for the synthcoder."""
        del features
        return None

    def _decoder_latents(
        self, features: Tensors, q_pitch: tf.Tensor
    ) -> tuple[tf.Tensor | None, dict[str, tf.Tensor]]:
        """Returns `z` for the MIDI decoder, and its parts as outputs by name."""
        del features, q_pitch
        return None, {}

    def compute_losses(self, outputs: Outputs) -> dict[str, tf.Tensor]:
        """Computes scalar losses by name from the outputs of `call`."""
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
        """Creates the variables by running the model on silence.

        Raises:
          ValueError: If the model needs features other than audio, f0, loudness, power
            and notes. Call it on a batch instead.
        """
        if self.built:
            return
        features, n_samples = self._silence()
        shape = [1, N_BUILD_FRAMES, pianorolls.N_PITCHES]
        features["note_active_velocities"] = tf.zeros(shape)
        self(features, training=False, n_samples=n_samples)
