"""Base class of models that derive their rates from their layers."""

from typing import Any

import tensorflow as tf

from ddsp import processors, synths
from ddsp._core import checks
from ddsp.training.models.model import Model
from ddsp.types import Outputs

# Enough frames for every analysis frame to start within the signal.
N_BUILD_FRAMES = 32


class SynthesisModel(Model):
    """Base class of models with a `preprocessor` and a `processor_group`.

    Example:

    >>> from ddsp.training.models.synthesis_model import SynthesisModel
    >>> model = ddsp.testing.tiny_autoencoder()
    >>> isinstance(model, SynthesisModel), model.sample_rate, model.hop_size
    (True, 16000, 64)
    """

    preprocessor: Any
    processor_group: Any

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz of the synthesizers, or else of the preprocessor.

        Raises:
          ValueError: If the synthesizers disagree, or no layer has a sample rate.
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
        """Hop size in samples.

        Raises:
          ValueError: If there is no preprocessor with a frame rate.
        """
        return checks.hop_size(self.sample_rate, self._frames().frame_rate)

    def _preprocess(
        self, features: Outputs, n_samples: int | None
    ) -> dict[str, tf.Tensor]:
        """Returns the outputs of the preprocessor for `n_samples` of audio.

        Raises:
          ValueError: If `n_samples` is not a positive multiple of the hop.
        """
        if self.preprocessor is None:
            return {}
        if n_samples is None:
            return self.preprocessor(features)
        return self.preprocessor(features, time_steps=self._n_frames(n_samples))

    def _rendered(self, n_samples: int | None) -> dict[str, int]:
        """Returns the arguments of the processors for `n_samples` of audio."""
        return {} if n_samples is None else {"n_samples": n_samples + self._cropped()}

    def _silence(self) -> tuple[dict[str, tf.Tensor], int]:
        """Returns the common features of silence, and its number of samples."""
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
        """Returns the number of frames for `n_samples` of audio."""
        hop_size = self.hop_size
        rendered = n_samples + self._cropped()
        if n_samples <= 0 or rendered % hop_size:
            raise ValueError(
                f"`n_samples` must be a positive multiple of {hop_size}, the hop size, "
                f"got {n_samples}."
            )
        return rendered // hop_size

    def _cropped(self) -> int:
        """Returns the number of synthesized samples that are cropped."""
        layers = self.processor_group.processors
        return sum(x.frame_size for x in layers if isinstance(x, processors.Crop))

    def _frames(self) -> Any:
        """Returns the preprocessor, which has the frame rate."""
        if self.preprocessor is None:
            raise ValueError(
                "The rates of the model are unknown without a preprocessor: call it "
                "on a batch, without `n_samples`, got preprocessor=None."
            )
        return self.preprocessor
