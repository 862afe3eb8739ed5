"""A whole model of a fixed length."""

from typing import Any

import tensorflow as tf

from ddsp import configurable, gin_state, streaming
from ddsp._core import checks
from ddsp.playing import reverbs, trained_model
from ddsp.playing.signatures import Forms, Specs, floats
from ddsp.training import models


@configurable.layer(module="ddsp.training.inference")
class AutoencoderInference(Forms, models.Autoencoder):
    """A trained autoencoder that renders a fixed length, optionally without reverb.

    A call takes a dictionary of features and returns the outputs of the autoencoder.

    The form 'serving_default' takes the features that the model needs as arguments:
    `f0_hz`, `loudness_db` or `power_db` [n_frames], `audio` [n_samples]. It returns
    {'audio_synth': [1, n_samples]}. 'call_with_noise' also takes `white_noise`
    [n_frames * hop_size] in [-1, 1), which 'serving_default' draws.

    The constructor leaves gin's global settings unchanged.

    Attributes:
      n_frames: Frames of the features.
      n_samples: Length of the audio.

    Example:

    A run of the original's or of this library's training is required:

    >>> from ddsp.playing import AutoencoderInference
    >>> AutoencoderInference(tmp_path, length_seconds=1)
    Traceback (most recent call last):
      ...
    FileNotFoundError: ...
    """

    def __init__(
        self,
        ckpt,
        length_seconds=4,
        remove_reverb=True,
        verbose=True,
        trusted=False,
        **kwargs,
    ):
        """Initializes the model.

        Args:
          ckpt: Directory of a training run, or a checkpoint in it.
          length_seconds: Length of the audio in seconds, rounded down to whole frames.
          remove_reverb: Whether to leave out reverbs, for hosts with their own. Noise
            in the response of a reverb that stays is drawn once, here.
          verbose: Whether to log what was restored.
          trusted: Whether the model's config may import modules and name anything;
            see `models.load`.
          **kwargs: Passed on to `keras.Model`.

        Raises:
          FileNotFoundError: If the checkpoint or the operative config beside it is
            missing.
          ValueError: If the model is not an Autoencoder, the checkpoint belongs to
            another model, or the length is shorter than a frame.
        """
        checks.positive("length_seconds", length_seconds)
        self.length_seconds = length_seconds
        self.remove_reverb = remove_reverb
        self.trusted = trusted
        with gin_state.isolated():
            self.configure_gin(ckpt)
            model = trained_model.restored_autoencoder(ckpt, verbose)
            change = (
                reverbs.without_reverbs if remove_reverb else reverbs.with_fixed_reverbs
            )
            super().__init__(
                preprocessor=model.preprocessor,
                encoder=model.encoder,
                decoder=model.decoder,
                processor_group=change(model.processor_group),
                **kwargs,
            )
        self.n_samples = int(length_seconds * self.sample_rate) // self.hop_size
        self.n_samples *= self.hop_size
        if not self.n_samples:
            raise ValueError(
                f"`length_seconds` must be at least a frame, "
                f"{self.hop_size / self.sample_rate} s, got {length_seconds}."
            )
        self.n_frames = self._n_frames(self.n_samples)
        self.build_network()

    def configure_gin(self, ckpt) -> None:
        """Reads the model's operative config; see `parse_operative_config`."""
        trained_model.parse_operative_config(ckpt, self.trusted)

    def build_network(self) -> None:
        """Runs the model once on zeros, so that later calls are fast."""
        specs = self.call_specs["serving_default"]
        self({name: tf.zeros([1, *spec.shape]) for name, spec in specs.items()})

    def __call__(self, inputs, **unused_kwargs) -> dict[str, Any]:  # type: ignore[override]
        """Renders `n_samples` of audio.

        Args:
          inputs: Features by name, as the preprocessor takes them.

        Returns:
          The outputs of `models.Autoencoder`.
        """
        return self._graph()(dict(inputs))

    def call(self, inputs, **unused_kwargs) -> dict[str, Any]:  # type: ignore[override]
        """Renders, see `__call__`."""
        return models.Autoencoder.call(
            self, inputs, training=False, n_samples=self.n_samples
        )

    @property
    def call_specs(self) -> dict[str, Specs]:
        """{name of a form: {feature: shape and dtype}}."""
        specs = {key: floats(self._length(key)) for key in self._feature_names()}
        forms = {"serving_default": specs}
        if self._noise_name() is not None:
            white_noise = floats(self.n_frames * self.hop_size)
            forms["call_with_noise"] = {**specs, "white_noise": white_noise}
        return forms

    def _exported(self, white_noise=None, **features) -> dict[str, tf.Tensor]:
        features = {key: x[tf.newaxis] for key, x in features.items()}
        if white_noise is None:
            audio = self.call(features)["audio_synth"]
        else:
            audio = self._with_noise(features, white_noise[tf.newaxis])
        return {"audio_synth": audio}

    def _with_noise(self, features, white_noise) -> tf.Tensor:
        """Renders one block of a stream, [1, n_samples], with given noise."""
        features = self.encode(features, training=False, n_samples=self.n_samples)
        audio, state = self.render_step(
            {**features, **self.decoder(features)},
            self.initial_state(1, decoding=False),
            dict.fromkeys(self.processor_group.noise_names, white_noise),
        )
        audio = tf.concat([audio, self.flush(state)], axis=1)
        return audio[:, self.latency_samples :]

    def _noise_name(self) -> str | None:
        """Name of the one processor that draws noise, where noise can be given."""
        names = self.processor_group.noise_names
        in_blocks = all(
            isinstance(x, streaming.Stream) for x in self.processor_group.processors
        )
        return names[0] if len(names) == 1 and in_blocks else None

    def _feature_names(self) -> list[str]:
        """Names of the features that the model needs."""
        names = self.preprocessor.feature_names
        needs_audio = self.encoder is not None and "audio" not in names
        return [*names, "audio"] if needs_audio else names

    def _length(self, key: str) -> int:
        if key != "audio":
            return self.n_frames
        n_frames = self.n_samples // self.hop_size
        return n_frames * self.preprocessor.sample_rate // self.preprocessor.frame_rate
