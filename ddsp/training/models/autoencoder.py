"""The autoencoder: from audio features to controls to audio."""

from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core
from ddsp.training import rates
from ddsp.training.models.model import losses_dict
from ddsp.training.models.synthesis_model import SynthesisModel


@configurable.layer(module="ddsp.training.models")
class Autoencoder(SynthesisModel):
    """Preprocessor, encoder, decoder and synthesisers in a row.

    The model of Engel et al., "DDSP: Differentiable Digital Signal Processing" (2020).
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
          decoder: From features to the controls of the synthesisers.
          processor_group: From controls to audio.
          losses: A loss or a list of losses between the batch's audio and the
            synthesised.
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

    def encode(
        self, features: dict[str, Any], training: bool = True, n_samples=None
    ) -> dict[str, Any]:
        """The features with scaled features and the latent variable beside them.

        Args:
          features: {key: tensor}, what the preprocessor takes.
          training: Whether this is a training step.
          n_samples: Length of the audio to be synthesised, see `call`.

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
        """[batch, n_samples], the synthesised audio."""
        return outputs["audio_synth"]

    def call(
        self, features: dict[str, Any], training: bool = True, n_samples=None
    ) -> dict[str, Any]:
        """Synthesises audio from features.

        Args:
          features: {key: tensor}, what the preprocessor takes: for instance `f0_hz`
            and `loudness_db` [batch, frames]; `audio` [batch, n_samples] for losses.
          training: Whether this is a training step.
          n_samples: Length of the audio, a multiple of the hop, when it is another
            than the one that preprocessor and synthesisers were configured for.

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
