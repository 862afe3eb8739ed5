"""Models that know their rates from their layers."""

from typing import Any

import tensorflow as tf

from ddsp import processors, synths
from ddsp._core import checks
from ddsp.training.models.model import Model

# Enough frames for every analysis frame to start inside the signal.
N_BUILD_FRAMES = 32


class SynthesisModel(Model):
    """A model with a `preprocessor` at one end and a `processor_group` at the other."""

    preprocessor: Any
    processor_group: Any

    @property
    def sample_rate(self) -> int:
        """Samples a second of the audio: the synthesizers', else the preprocessor's.

        Raises:
          ValueError: If the synthesizers disagree, or no layer knows it.
        """
        rates = {
            layer.sample_rate
            for layer in self.processor_group.processors
            if isinstance(layer, synths.Synth) and hasattr(layer, "sample_rate")
        }
        if len(rates) > 1:
            raise ValueError(
                "The synthesizers of a model must have one sample rate, got "
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

    def _preprocess(self, features: dict[str, Any], n_samples: int | None):
        """What the preprocessor, if any, makes of features for `n_samples` of audio.

        Raises:
          ValueError: If `n_samples` is not a positive multiple of the hop.
        """
        if self.preprocessor is None:
            return {}
        if n_samples is None:
            return self.preprocessor(features)
        return self.preprocessor(features, time_steps=self._n_frames(n_samples))

    def _rendered(self, n_samples: int | None) -> dict[str, int]:
        """The arguments that make the processors render `n_samples`, if given."""
        return {} if n_samples is None else {"n_samples": n_samples + self._cropped()}

    def _silence(self) -> tuple[dict[str, tf.Tensor], int]:
        """The usual features of a moment of silence, and its samples to synthesize."""
        n_samples = N_BUILD_FRAMES * self.hop_size
        frames = tf.zeros([1, N_BUILD_FRAMES, 1])
        features = {
            "audio": tf.zeros([1, n_samples]),
            "f0_hz": frames,
            "f0_confidence": frames[:, :, 0],
            "loudness_db": frames,
            "power_db": frames,
        }
        return features, n_samples - self._cropped()

    def _n_frames(self, n_samples: int) -> int:
        """Frames to synthesize for `n_samples` of audio."""
        hop_size = self.hop_size
        rendered = n_samples + self._cropped()
        if n_samples <= 0 or rendered % hop_size:
            raise ValueError(
                f"`n_samples` must be a positive multiple of {hop_size}, the samples "
                f"between two frames; received {n_samples}."
            )
        return rendered // hop_size

    def _cropped(self) -> int:
        """Samples that are synthesized but cut off the audio."""
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
