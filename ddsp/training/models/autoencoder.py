"""Autoencoder: from audio features to controls to audio."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core, processors
from ddsp._core import checks
from ddsp.streaming import Stream
from ddsp.training import preprocessing, rates
from ddsp.training.level_streams import LevelStream
from ddsp.training.models.model import losses_dict
from ddsp.training.models.synthesis_model import SynthesisModel
from ddsp.types import Loss, Outputs, State, Tensors


@configurable.layer(module="ddsp.training.models")
class Autoencoder(SynthesisModel, Stream):
    """Autoencoder with preprocessor, encoder, decoder and synthesizers in series.

    The model of Engel et al., "DDSP: Differentiable Digital Signal Processing" (2020),
    section 3. Without an encoder it is also a stream from f0 and level to audio; see
    `ddsp.streaming`.

    Example:

    >>> model = ddsp.testing.tiny_autoencoder()
    >>> f0_hz, loudness_db = np.full([1, 10, 1], 440.0), np.full([1, 10, 1], -30.0)
    >>> outputs = model({"f0_hz": f0_hz, "loudness_db": loudness_db}, training=False)
    >>> outputs["audio_synth"].shape.as_list()
    [1, 640]
    """

    def __init__(
        self,
        preprocessor: keras.layers.Layer | None = None,
        encoder: keras.layers.Layer | None = None,
        decoder: keras.layers.Layer | None = None,
        processor_group: keras.layers.Layer | None = None,
        losses: Loss | Sequence[Loss] | None = None,
        **kwargs: Any,
    ):
        """Initializes the model.

        Args:
          preprocessor: Preprocessor from a batch of features to scaled features.
          encoder: Optional encoder from scaled features to latent variables.
          decoder: Decoder from features to the controls of the synthesizers.
          processor_group: Processor group from controls to audio.
          losses: Losses between recorded and synthesized audio.
          **kwargs: Arguments of `keras.Model`.

        Raises:
          ValueError: If the layers have different sample rates, frame rates or lengths.
        """
        super().__init__(**kwargs)
        self.preprocessor: Any = preprocessor
        self.encoder = encoder
        self.decoder: Any = decoder
        self.processor_group: Any = processor_group
        self.loss_objs = list(core.make_iterable(losses))
        rates.check(self)
        self._fix_hop()

    def encode(
        self, features: Tensors, training: bool = True, n_samples: int | None = None
    ) -> Outputs:
        """Adds scaled features and latent variables.

        Args:
          features: Features for the preprocessor.
          training: Whether this is a training step.
          n_samples: Length of the synthesized audio; see `call`.

        Returns:
          A new dictionary of the features, scaled features and latent variables.
        """
        outputs: Outputs = dict(features)
        outputs.update(self._preprocess(outputs, n_samples))
        if self.encoder is not None:
            outputs.update(self.encoder(outputs))
        return outputs

    def decode(
        self, features: Tensors, training: bool = True, n_samples: int | None = None
    ) -> tf.Tensor:
        """Synthesizes audio, [batch, n_samples], from the outputs of `encode`."""
        outputs = self._synthesize(features, n_samples)
        return self.get_audio_from_outputs(outputs)

    def get_audio_from_outputs(self, outputs: Outputs) -> tf.Tensor:
        """Returns the synthesized audio, [batch, n_samples]."""
        return outputs["audio_synth"]

    def call(  # type: ignore[override]
        self, features: Tensors, training: bool = True, n_samples: int | None = None
    ) -> Outputs:
        """Synthesizes audio from features.

        Args:
          features: Features for the preprocessor, for instance `f0_hz` and
            `loudness_db`, [batch, n_frames]; `audio`, [batch, n_samples], for losses.
          training: Whether this is a training step.
          n_samples: Length of the audio, a multiple of the hop. By default, the length
            for which preprocessor and synthesizers are configured.

        Returns:
          Dictionary of features, scaled features, latent variables and controls, a
          dictionary of outputs per processor, and 'audio_synth', [batch, n_samples].

        Raises:
          ValueError: If `n_samples` is not a positive multiple of the hop.
        """
        encoded = self.encode(features, training=training, n_samples=n_samples)
        return self._synthesize(encoded, n_samples)

    def _synthesize(self, features: Tensors, n_samples: int | None) -> Outputs:
        controls = {**features, **self.decoder(features)}
        outputs = self.processor_group(
            controls, return_outputs_dict=True, **self._rendered(n_samples)
        )
        return {**outputs["controls"], "audio_synth": outputs["signal"]}

    def compute_losses(self, outputs: Outputs) -> dict[str, tf.Tensor]:
        """Computes the losses between 'audio' and 'audio_synth' by name."""
        return losses_dict(self.loss_objs, outputs["audio"], outputs["audio_synth"])

    def build_variables(self) -> None:
        """Creates the variables by running the model on silence.

        Raises:
          ValueError: If the model needs features other than audio, f0, loudness and
            power. Call it on a batch instead.
        """
        if self.built:
            return
        features, n_samples = self._silence()
        self(features, training=False, n_samples=n_samples)

    def level_stream(self, latency_frames: int | None = None) -> LevelStream:
        """Returns the stream that measures the level for this model.

        Args:
          latency_frames: Latency in frames; by default as low as possible.

        Raises:
          ValueError: If f0 and a level are not the inputs of the model, or the level
            cannot be measured block by block.
        """
        return self._level().level_stream(self.sample_rate, latency_frames)

    @property
    def level_name(self) -> str:
        """Name of the level in the inputs: `'loudness_db'` or `'power_db'`."""
        return self._level().level_name

    @property
    def latency_samples(self) -> int:
        """Latency from features to audio, in samples."""
        return self.processor_group.latency_samples

    def input_specs(
        self, n_frames: int, batch_size: int = 1
    ) -> dict[str, tf.TensorSpec]:
        """Returns the shapes of the inputs of `step`, [batch, n_frames, 1] each."""
        checks.positive("n_frames", n_frames)
        spec = tf.TensorSpec([batch_size, n_frames, 1])
        return {"f0_hz": spec, self.level_name: spec}

    def initial_state(self, batch_size: int, decoding: bool = True) -> State:
        """Returns the state before the first block.

        Args:
          batch_size: Number of rows.
          decoding: Whether to include the state of the decoder. False if only
            `render_step` is called, with controls from elsewhere.

        Raises:
          ValueError: If a part of the model cannot run block by block.
        """
        if decoding:
            self.check_streams()
        if self.processor_group.hop_size not in (None, self.hop_size):
            raise ValueError(
                f"The synthesizers must have the hop of the model, {self.hop_size} "
                f"samples, got {self.processor_group.hop_size}."
            )
        state: State = {"synthesis": self.processor_group.initial_state(batch_size)}
        if decoding:
            state["decoder"] = self.decoder.initial_state(batch_size)
        return state

    def step(
        self,
        inputs: Mapping[str, Any],
        state: State,
        noise: Mapping[str, Any] | None = None,
    ) -> tuple[tf.Tensor, State]:
        """Synthesizes a block.

        Args:
          inputs: `f0_hz` in Hz and the level in dB, [batch, n_frames, 1] each; see
            `input_specs`.
          state: State from `initial_state` or the previous step.
          noise: Noise by the name of the processor, uniform in [-1, 1), [batch,
            n_frames * hop_size]. By default processors draw their own.

        Returns:
          Audio, [batch, n_frames * hop_size], delayed by `latency_samples`, and the new
          state.

        Raises:
          ValueError: If an input is missing, or has another shape than the state.
        """
        controls, state = self.decode_step(inputs, state)
        return self.render_step(controls, state, noise)

    def decode_step(
        self, inputs: Mapping[str, Any], state: State
    ) -> tuple[dict[str, tf.Tensor], State]:
        """Returns the scaled features and the controls of a block; see `step`."""
        self._require(inputs, "f0_hz", self.level_name)
        features = self._level().scale(inputs["f0_hz"], inputs[self.level_name])
        controls, decoder_state = self.decoder.step(features, state["decoder"])
        return {**features, **controls}, {**state, "decoder": decoder_state}

    def render_step(
        self,
        controls: Mapping[str, Any],
        state: State,
        noise: Mapping[str, Any] | None = None,
    ) -> tuple[tf.Tensor, State]:
        """Renders a block of controls as audio; see `step`."""
        audio, synthesis = self.processor_group.step(
            controls, state["synthesis"], noise
        )
        return audio, {**state, "synthesis": synthesis}

    def flush(self, state: State, tail: bool = False) -> tf.Tensor:
        """Returns the remaining audio at the end of a stream.

        Args:
          state: State after the last block.
          tail: Whether to append the tail of the reverb.

        Returns:
          Audio, [batch, latency_samples], longer if `tail`.
        """
        return self.processor_group.flush(state["synthesis"], tail)

    def check_streams(self) -> None:
        """Checks that the model runs block by block from f0 and a level.

        Raises:
          ValueError: If it has an encoder, or a preprocessor for other features.
        """
        if self.encoder is not None:
            raise ValueError(
                "A model with an encoder needs the entire audio and cannot run block "
                f"by block, got encoder={self.encoder!r}."
            )
        self._level()

    def _level(self) -> preprocessing.Preprocessor:
        """Returns the preprocessor, if its features are f0 and a level."""
        if not isinstance(self.preprocessor, preprocessing.Preprocessor):
            raise ValueError(
                "Only models of f0 and loudness or power can run block by block, got "
                f"preprocessor={self.preprocessor!r}."
            )
        return self.preprocessor

    def _fix_hop(self) -> None:
        """Sets the hop size of processors that only have a length."""
        if (
            isinstance(self.processor_group, processors.ProcessorGroup)
            and isinstance(self.preprocessor, preprocessing.Preprocessor)
            and self.processor_group.hop_size is None
        ):
            self.processor_group.hop_size = self.hop_size
