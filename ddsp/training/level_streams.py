"""Loudness and power of audio that arrives in blocks.

A stream keeps the samples that the next frames share with those before. Its step is a
pure function of tensors: it can be traced, compiled and exported.
"""

from typing import Any

import tensorflow as tf

from ddsp import spectral_ops
from ddsp._core import checks, framing
from ddsp._core.blocks import check_audio
from ddsp.streaming import Stream
from ddsp.types import State

# What can be framed without knowing where the audio ends.
PADDINGS = ("causal", "center", "same")


class LevelStream(Stream):
    """Frames of a level in blocks; `LoudnessStream` and `PowerStream` say which.

    A block of n hops gives n frames. Frame i covers samples that may arrive after hop
    i, so the frames that come out with a hop are those of `latency_frames` hops before;
    the first `latency_frames` of a stream stand for times before its start.
    `concat(steps, flush)[:, latency_frames:]` is the level of the whole, as many frames
    as there were hops (with 'center' the whole has one more, at its end).

    Attributes:
      hop_size: Samples a frame.
      frame_size: Samples that a frame covers.
      look_ahead_samples: How far a frame reaches past the moment that it describes:
        0 for 'causal', whose frame describes its end; half a frame for 'center'; a
        frame for 'same'.
      latency_frames: Whole frames by which the output lags.
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        frame_rate: int = 250,
        frame_size: int = 512,
        padding: str = "causal",
        latency_frames: int | None = None,
    ):
        """Initializer.

        Args:
          sample_rate: Samples a second of the audio.
          frame_rate: Frames a second; must divide the sample rate.
          frame_size: Samples that a frame covers.
          padding: How frames lie: `'causal'`, `'center'` or `'same'`, see
            `spectral_ops.get_framed_lengths`.
          latency_frames: Lag by more frames than needed, to match another stream. By
            default as few as the padding allows.

        Raises:
          ValueError: If the frame rate does not divide, the padding is unknown, a
            causal frame is shorter than a hop, or the lag is too short.
        """
        checks.one_of("padding", padding, PADDINGS)
        checks.positive("frame_size", frame_size)
        self.sample_rate = sample_rate
        self.frame_rate = frame_rate
        self.hop_size = checks.hop_size(sample_rate, frame_rate)
        self.frame_size = frame_size
        self.padding = padding
        before = framing.samples_before(frame_size, self.hop_size, padding)
        reach = frame_size - before  # from the start of the frame's hop
        self.look_ahead_samples = 0 if padding == "causal" else reach
        shortest = -(-reach // self.hop_size) - 1
        self.latency_frames = shortest if latency_frames is None else latency_frames
        if self.latency_frames < shortest:
            raise ValueError(
                f"With padding='{padding}' and frames of {frame_size} samples the lag "
                f"is at least {shortest} frames, got {latency_frames}."
            )
        self._history = before + self.latency_frames * self.hop_size

    @property
    def latency_samples(self) -> int:
        """Latency of the level in samples."""
        return self.latency_frames * self.hop_size

    def input_specs(
        self, n_frames: int, batch_size: int = 1
    ) -> dict[str, tf.TensorSpec]:
        """Returns the shape of a block of audio."""
        return {"audio": tf.TensorSpec([batch_size, n_frames * self.hop_size])}

    def initial_state(self, batch_size: int = 1) -> State:
        """The state before the first block: silence."""
        return {"audio": tf.zeros([batch_size, self._history])}

    def step(self, audio: Any, state: State) -> tuple[tf.Tensor, State]:
        """Measures the next block.

        Args:
          audio: [batch, n_frames * hop_size], float32.
          state: From `initial_state` or the step before.

        Returns:
          [batch, n_frames], dB, and the new state.

        Raises:
          TypeError: If the audio is not float32.
          ValueError: See `ddsp._core.blocks.check_audio`.
        """
        audio = check_audio(audio, self.hop_size, state["audio"].shape[0])
        heard = tf.concat([state["audio"], audio], axis=1)
        # What is heard after the last frame that can be measured now.
        ahead = self._history + self.hop_size - self.frame_size
        length = heard.shape[1] or tf.shape(heard)[1]
        level = self._measure(heard[:, : length - ahead])
        return level, {"audio": heard[:, length - self._history :]}

    def flush(self, state: State) -> tf.Tensor:
        """The frames that the output still lags by, [batch, latency_frames]."""
        batch_size = state["audio"].shape[0]
        if not self.latency_frames:
            return tf.zeros([batch_size, 0])
        silence = tf.zeros([batch_size, self.latency_frames * self.hop_size])
        return self.step(silence, state)[0]

    def _measure(self, audio: tf.Tensor) -> tf.Tensor:
        """[batch, n_frames], dB, of the frames that lie whole inside the audio."""
        raise NotImplementedError(f"{type(self).__name__} must define `_measure`.")


class LoudnessStream(LevelStream):
    """`spectral_ops.compute_loudness` in blocks.

    Equal to it to rounding: a spectrum computed in another batch differs by some
    1e-7 of its largest bin, which is 1e-4 dB in the mean.
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        frame_rate: int = 250,
        n_fft: int = 512,
        range_db: float = 80.0,
        ref_db: float = 0.0,
        padding: str = "causal",
        latency_frames: int | None = None,
    ):
        """Initializer.

        Args:
          sample_rate: Samples a second of the audio.
          frame_rate: Frames a second; must divide the sample rate.
          n_fft: Samples that a frame covers.
          range_db: Nothing comes out below `-range_db`.
          ref_db: Level that becomes 0 dB.
          padding: As in `LevelStream`.
          latency_frames: As in `LevelStream`.
        """
        super().__init__(sample_rate, frame_rate, n_fft, padding, latency_frames)
        self.range_db = range_db
        self.ref_db = ref_db

    def _measure(self, audio: tf.Tensor) -> tf.Tensor:
        return spectral_ops.compute_loudness(
            audio,
            self.sample_rate,
            self.frame_rate,
            self.frame_size,
            self.range_db,
            self.ref_db,
            padding="valid",
        )


class PowerStream(LevelStream):
    """`spectral_ops.compute_power` in blocks, equal to it to rounding."""

    def __init__(
        self,
        sample_rate: int = 16000,
        frame_rate: int = 250,
        frame_size: int = 512,
        ref_db: float = 0.0,
        range_db: float = 80.0,
        padding: str = "causal",
        latency_frames: int | None = None,
    ):
        """Initializer.

        Args:
          sample_rate: Samples a second of the audio.
          frame_rate: Frames a second; must divide the sample rate.
          frame_size: Samples over which the power is averaged.
          ref_db: Level that becomes 0 dB.
          range_db: Nothing comes out below `-range_db`.
          padding: As in `LevelStream`.
          latency_frames: As in `LevelStream`.
        """
        super().__init__(sample_rate, frame_rate, frame_size, padding, latency_frames)
        self.ref_db = ref_db
        self.range_db = range_db

    def _measure(self, audio: tf.Tensor) -> tf.Tensor:
        return spectral_ops.compute_power(
            audio,
            self.sample_rate,
            self.frame_rate,
            self.frame_size,
            self.ref_db,
            self.range_db,
            padding="valid",
        )
