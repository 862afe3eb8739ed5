"""The autoencoder: from audio features to controls to audio."""

from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core, processors, synths
from ddsp._core import checks
from ddsp.training.models.model import Model

# Enough frames for every analysis frame to start inside the signal.
_N_BUILD_FRAMES = 32


@configurable.layer(module="ddsp.training.models")
class Autoencoder(Model):
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
        """
        super().__init__(**kwargs)
        self.preprocessor: Any = preprocessor
        self.encoder = encoder
        self.decoder: Any = decoder
        self.processor_group: Any = processor_group
        self.loss_objs = [] if losses is None else list(core.make_iterable(losses))

    @property
    def sample_rate(self) -> int:
        """Samples a second of the audio: the synthesisers', else the preprocessor's.

        Raises:
          ValueError: If the synthesisers disagree, or no layer knows it.
        """
        rates = {
            layer.sample_rate
            for layer in self.processor_group.processors
            if isinstance(layer, synths.Synth) and hasattr(layer, "sample_rate")
        }
        if len(rates) > 1:
            raise ValueError(
                "The synthesisers of a model must have one sample rate, got "
                f"{sorted(rates)}."
            )
        return rates.pop() if rates else self._frames().sample_rate

    @property
    def hop_size(self) -> int:
        """Samples of audio between two frames.

        Raises:
          ValueError: If there is no preprocessor to know the frame rate.
        """
        return checks.hop_size(self.sample_rate, self._frames().frame_rate)

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
        if self.preprocessor is not None:
            arguments = {}
            if n_samples is not None:
                arguments["time_steps"] = self._n_frames(n_samples)
            features.update(self.preprocessor(features, **arguments))
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
        arguments = {}
        if n_samples is not None:
            arguments["n_samples"] = n_samples + self._cropped()
        outputs = self.processor_group(controls, return_outputs_dict=True, **arguments)
        return {**outputs["controls"], "audio_synth": outputs["signal"]}

    def compute_losses(self, outputs: dict[str, Any]) -> dict[str, tf.Tensor]:
        """{name: scalar}: each loss between 'audio' and 'audio_synth'."""
        losses: dict[str, tf.Tensor] = {}
        for loss in self.loss_objs:
            losses.update(
                loss.get_losses_dict(outputs["audio"], outputs["audio_synth"])
            )
        return losses

    def build_variables(self) -> None:
        """Creates the variables by running the model on a moment of silence.

        Raises:
          ValueError: If the model takes other features than audio, f0, loudness and
            power; then it has to be called on a batch.
        """
        if self.built:
            return
        n_samples = _N_BUILD_FRAMES * self.hop_size
        frames = tf.zeros([1, _N_BUILD_FRAMES, 1])
        features = {
            "audio": tf.zeros([1, n_samples]),
            "f0_hz": frames,
            "f0_confidence": frames[:, :, 0],
            "loudness_db": frames,
            "power_db": frames,
        }
        self(features, training=False, n_samples=n_samples - self._cropped())

    def _n_frames(self, n_samples: int) -> int:
        """Frames to synthesise for `n_samples` of audio."""
        hop_size = self.hop_size
        rendered = n_samples + self._cropped()
        if n_samples <= 0 or rendered % hop_size:
            raise ValueError(
                f"`n_samples` must be a positive multiple of {hop_size}, the samples "
                f"between two frames; received {n_samples}."
            )
        return rendered // hop_size

    def _cropped(self) -> int:
        """Samples that are synthesised but cut off the audio."""
        layers = self.processor_group.processors
        return sum(x.frame_size for x in layers if isinstance(x, processors.Crop))

    def _frames(self) -> Any:
        """The preprocessor, which knows the frame rate."""
        if self.preprocessor is None:
            raise ValueError(
                "Without a preprocessor the model does not know its rates: call it on "
                "a batch, without `n_samples`; received preprocessor=None."
            )
        return self.preprocessor
