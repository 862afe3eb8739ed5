"""The autoencoder: from audio features to controls to audio."""

from collections.abc import Mapping
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
from ddsp.types import State


@configurable.layer(module="ddsp.training.models")
class Autoencoder(SynthesisModel, Stream):
    """A preprocessor, an encoder, a decoder and synthesizers in series.

    The model of Engel et al., "DDSP: Differentiable Digital Signal Processing" (2020),
    section 3.

    Without an encoder it is also a stream from f0 and level to audio, see
    `ddsp.streaming`:

        state = model.initial_state(batch_size=1)
        audio, state = model.step({"f0_hz": f0_hz, "loudness_db": loudness_db}, state)
    """

    def __init__(
        self,
        preprocessor: keras.layers.Layer | None = None,
        encoder: keras.layers.Layer | None = None,
        decoder: keras.layers.Layer | None = None,
        processor_group: keras.layers.Layer | None = None,
        losses: Any = None,
        **kwargs,
    ):
        """Initializer.

        Args:
          preprocessor: From a batch of features to scaled features.
          encoder: From scaled features to a latent variable; optional.
          decoder: From features to the controls of the synthesizers.
          processor_group: From controls to audio.
          losses: A loss or a list of losses between the batch's audio and the
            synthesized.
          **kwargs: Passed on to `keras.Model`.

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
        self, features: dict[str, Any], training: bool = True, n_samples=None
    ) -> dict[str, Any]:
        """The features with scaled features and the latent variable beside them.

        Args:
          features: {key: tensor}, what the preprocessor takes.
          training: Whether this is a training step.
          n_samples: Length of the audio to be synthesized, see `call`.

        Returns:
          A new dictionary.
        """
        features = dict(features)
        features.update(self._preprocess(features, n_samples))
        if self.encoder is not None:
            features.update(self.encoder(features))
        return features

    def decode(
        self, features: dict[str, Any], training: bool = True, n_samples=None
    ) -> tf.Tensor:
        """[batch, n_samples] audio from what `encode` returned."""
        outputs = self._synthesize(features, n_samples)
        return self.get_audio_from_outputs(outputs)

    def get_audio_from_outputs(self, outputs: dict[str, Any]) -> tf.Tensor:
        """[batch, n_samples], the synthesized audio."""
        return outputs["audio_synth"]

    def call(  # type: ignore[override]
        self, features: dict[str, Any], training: bool = True, n_samples=None
    ) -> dict[str, Any]:
        """Synthesizes audio from features.

        Args:
          features: {key: tensor}, what the preprocessor takes: for instance `f0_hz`
            and `loudness_db` [batch, frames]; `audio` [batch, n_samples] for losses.
          training: Whether this is a training step.
          n_samples: Length of the audio, a multiple of the hop, when it is another
            than the one that preprocessor and synthesizers were configured for.

        Returns:
          The features, scaled features and controls under their keys, the outputs of
          each processor in a dictionary under its name, and 'audio_synth', [batch,
          n_samples].

        Raises:
          ValueError: If `n_samples` is not a positive multiple of the hop.
        """
        features = self.encode(features, training=training, n_samples=n_samples)
        return self._synthesize(features, n_samples)

    def _synthesize(self, features: dict[str, Any], n_samples) -> dict[str, Any]:
        controls = {**features, **self.decoder(features)}
        outputs = self.processor_group(
            controls, return_outputs_dict=True, **self._rendered(n_samples)
        )
        return {**outputs["controls"], "audio_synth": outputs["signal"]}

    def compute_losses(self, outputs: dict[str, Any]) -> dict[str, tf.Tensor]:
        """{name: scalar}: each loss between 'audio' and 'audio_synth'."""
        return losses_dict(self.loss_objs, outputs["audio"], outputs["audio_synth"])

    def build_variables(self) -> None:
        """Creates the variables by running the model on a moment of silence.

        Raises:
          ValueError: If the model takes other features than audio, f0, loudness and
            power; then it has to be called on a batch.
        """
        if self.built:
            return
        features, n_samples = self._silence()
        self(features, training=False, n_samples=n_samples)

    def level_stream(self, latency_frames: int | None = None) -> LevelStream:
        """Returns the stream that measures the level this model is driven by.

        Args:
          latency_frames: Latency in frames; by default as low as possible.

        Raises:
          ValueError: If the model is not driven by f0 and a level, or its level
            cannot be measured block by block.
        """
        return self._level().level_stream(self.sample_rate, latency_frames)

    @property
    def level_name(self) -> str:
        """Name of the level in `step`'s inputs, `'loudness_db'` or `'power_db'`."""
        return self._level().level_name

    @property
    def latency_samples(self) -> int:
        """Latency from features to audio, in samples."""
        return self.processor_group.latency_samples

    def input_specs(
        self, n_frames: int, batch_size: int = 1
    ) -> dict[str, tf.TensorSpec]:
        """Returns the shapes of `step`'s inputs, `{name: [batch, n_frames, 1]}`."""
        checks.positive("n_frames", n_frames)
        spec = tf.TensorSpec([batch_size, n_frames, 1])
        return {"f0_hz": spec, self.level_name: spec}

    def initial_state(self, batch_size: int, decoding: bool = True) -> State:
        """Returns the state before the first block.

        Args:
          batch_size: Rows of the stream.
          decoding: Whether the decoder has state too. False for `render_step` alone,
            with controls that were decoded elsewhere.

        Raises:
          ValueError: If a part of the model cannot run block by block, with the
            reason.
        """
        if decoding:
            self.check_streams()
        if self.processor_group.hop_size not in (None, self.hop_size):
            raise ValueError(
                f"The model has a hop of {self.hop_size} samples, its synthesizers got "
                f"{self.processor_group.hop_size}."
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
          inputs: `f0_hz` in Hz and the level in dB, [batch, n_frames, 1] each, by the
            names of `input_specs`.
          state: From `initial_state` or the previous step.
          noise: {name of a processor: [batch, n_frames * hop_size]}, uniform in
            [-1, 1), for processors that otherwise draw their own.

        Returns:
          Audio [batch, n_frames * hop_size], delayed by `latency_samples`, and the new
          state.

        Raises:
          ValueError: If an input is missing, or has another shape than the state.
        """
        controls, state = self.decode_step(inputs, state)
        return self.render_step(controls, state, noise)

    def decode_step(
        self, inputs: Mapping[str, Any], state: State
    ) -> tuple[dict[str, tf.Tensor], State]:
        """Returns the controls of a block, scaled features included; see `step`."""
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
          state: After the last block.
          tail: Whether to append the reverb's tail.

        Returns:
          [batch, latency_samples], and the tail.
        """
        return self.processor_group.flush(state["synthesis"], tail)

    def check_streams(self) -> None:
        """Checks that the model runs block by block from f0 and a level.

        Raises:
          ValueError: If it has an encoder, or a preprocessor of other features.
        """
        if self.encoder is not None:
            raise ValueError(
                "A model with an encoder needs all of the audio at once and does not "
                f"run block by block, got encoder={self.encoder!r}."
            )
        self._level()

    def _level(self) -> preprocessing.Preprocessor:
        """The preprocessor, if it is one of f0 and a level."""
        if not isinstance(self.preprocessor, preprocessing.Preprocessor):
            raise ValueError(
                "Only models of f0 and loudness or power run block by block, got "
                f"preprocessor={self.preprocessor!r}."
            )
        return self.preprocessor

    def _fix_hop(self) -> None:
        """Passes the hop size to processors that were given a length instead."""
        if (
            isinstance(self.processor_group, processors.ProcessorGroup)
            and isinstance(self.preprocessor, preprocessing.Preprocessor)
            and self.processor_group.hop_size is None
        ):
            self.processor_group.hop_size = self.hop_size
