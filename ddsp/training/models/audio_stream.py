"""An autoencoder driven by audio and f0, block by block."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from ddsp.streaming import Stream
from ddsp.training.models.autoencoder import Autoencoder
from ddsp.types import State


class AudioStream(Stream):
    """Measures the level of audio and synthesizes from it and a given f0.

    Attributes:
      latency_frames: Latency of the level in frames; f0 must be delayed by as many.

    Example:

    >>> from ddsp.training.models.audio_stream import AudioStream
    >>> stream = AudioStream(ddsp.testing.tiny_autoencoder())
    >>> inputs = {"audio": tf.zeros([1, 128]), "f0_hz": tf.fill([1, 2, 1], 440.0)}
    >>> audio, state = stream.step(inputs, stream.initial_state(1))
    >>> audio.shape
    TensorShape([1, 128])
    """

    def __init__(self, model: Autoencoder, latency_frames: int | None = None):
        """Initializes the stream.

        Args:
          model: An autoencoder of f0 and loudness or power, built.
          latency_frames: Latency of the level; by default as low as possible.

        Raises:
          ValueError: If the model does not run block by block, with the reason.
        """
        model.check_streams()
        self._model = model
        self._level = model.level_stream(latency_frames)
        self.latency_frames = self._level.latency_frames

    @property
    def latency_samples(self) -> int:
        """Latency from audio to audio, in samples."""
        return self.latency_frames * self._model.hop_size + self._model.latency_samples

    def input_specs(
        self, n_frames: int, batch_size: int = 1
    ) -> dict[str, tf.TensorSpec]:
        """Returns the shapes of `step`'s inputs."""
        specs = self._model.input_specs(n_frames, batch_size)
        audio = tf.TensorSpec([batch_size, n_frames * self._model.hop_size])
        return {"audio": audio, "f0_hz": specs["f0_hz"]}

    def initial_state(self, batch_size: int) -> State:
        """Returns the state before the first block."""
        return {
            "level": self._level.initial_state(batch_size),
            **self._model.initial_state(batch_size),
        }

    def step(
        self, inputs: Mapping[str, Any], state: State, level_shift: Any = 0.0
    ) -> tuple[tf.Tensor, State]:
        """Synthesizes a block.

        Args:
          inputs: `audio` [batch, n_frames * hop_size], and `f0_hz` in Hz, [batch,
            n_frames, 1], which belongs to the audio of `latency_frames` before.
          state: From `initial_state` or the previous step.
          level_shift: Added to the measured level, dB.

        Returns:
          Audio [batch, n_frames * hop_size], delayed by `latency_samples`, and the new
          state.
        """
        level_db, state = self._measure(inputs["audio"], state)
        level_db = (level_db + level_shift)[:, :, tf.newaxis]
        features = {"f0_hz": inputs["f0_hz"], self._model.level_name: level_db}
        return self._model.step(features, state)

    def skip(self, audio: tf.Tensor, state: State) -> State:
        """Returns the state after audio whose features precede the stream's start."""
        return self._measure(audio, state)[1]

    def flush(self, state: State) -> tf.Tensor:
        """Returns the synthesizers' remaining audio, [batch, model latency]."""
        return self._model.flush(state)

    def _measure(self, audio: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        level_db, level = self._level.step(audio, state["level"])
        return level_db, {**state, "level": level}
