"""Loudness and power, block by block.

A stream keeps the samples that the next frames share with previous ones. Its step is a
pure function of tensors: it can be traced, compiled and exported.
"""

from typing import Any

import tensorflow as tf

from ddsp import spectral_ops
from ddsp._core import checks, framing
from ddsp._core.blocks import check_audio
from ddsp.streaming import Stream
from ddsp.types import State

# Paddings that do not depend on the end of the audio.
PADDINGS = ("causal", "center", "same")


class LevelStream(Stream):
    """Base class of levels per frame; see `LoudnessStream` and `PowerStream`.

    A block of n hops returns n frames. Frame i may cover samples after hop i, so frames
    are delayed by `latency_frames`; the first `latency_frames` of a stream precede its
    start. `concat(steps, flush)[:, latency_frames:]` is the level of the whole, one
    frame per hop (with 'center' the whole has one more, at its end).

    Attributes:
      hop_size: Samples per frame.
      frame_size: Samples that a frame covers.
      look_ahead_samples: Look-ahead of a frame, in samples: 0 for 'causal', half a
        frame for 'center', a frame for 'same'.
      latency_frames: Latency in frames.

    Example:

    >>> from ddsp.training.level_streams import LoudnessStream
    >>> stream = LoudnessStream(sample_rate=16000, frame_rate=250)
    >>> level, state = stream.step(tf.zeros([1, 128]), stream.initial_state(1))
    >>> level.numpy()
    array([[-80., -80.]], dtype=float32)
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        frame_rate: int = 250,
        frame_size: int = 512,
        padding: str = "causal",
        latency_frames: int | None = None,
    ):
        """Initializes the stream.

        Args:
          sample_rate: Samples per second of the audio.
          frame_rate: Frames per second; must divide the sample rate.
          frame_size: Samples that a frame covers.
          padding: How frames lie: `'causal'`, `'center'` or `'same'`, see
            `spectral_ops.get_framed_lengths`.
          latency_frames: Latency in frames, to match another stream. By default as
            low as the padding allows.

        Raises:
          ValueError: If the frame rate does not divide, the padding is unknown, a
            causal frame is shorter than a hop, or the latency is too low.
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
                f"With padding='{padding}' and frames of {frame_size} samples, the "
                f"latency is at least {shortest} frames, got {latency_frames}."
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
        """Returns the state before the first block: silence."""
        return {"audio": tf.zeros([batch_size, self._history])}

    def step(self, audio: Any, state: State) -> tuple[tf.Tensor, State]:
        """Measures a block.

        Args:
          audio: [batch, n_frames * hop_size], float32.
          state: From `initial_state` or the previous step.

        Returns:
          [batch, n_frames], dB, and the new state.

        Raises:
          TypeError: If the audio is not float32.
          ValueError: If the audio has another rank or batch size, is not whole hops,
            or has values that are NaN or above 1e12 in magnitude.
        """
        audio = check_audio(audio, self.hop_size, state["audio"].shape[0])
        joined = tf.concat([state["audio"], audio], axis=1)
        # Samples after the last complete frame.
        ahead = self._history + self.hop_size - self.frame_size
        length = joined.shape[1] or tf.shape(joined)[1]
        level = self._measure(joined[:, : length - ahead])
        return level, {"audio": joined[:, length - self._history :]}

    def flush(self, state: State) -> tf.Tensor:
        """Returns the remaining frames, [batch, latency_frames]."""
        batch_size = state["audio"].shape[0]
        if not self.latency_frames:
            return tf.zeros([batch_size, 0])
        silence = tf.zeros([batch_size, self.latency_frames * self.hop_size])
        return self.step(silence, state)[0]

    def _measure(self, audio: tf.Tensor) -> tf.Tensor:
        """Returns the level of all complete frames, [batch, n_frames], dB."""
        raise NotImplementedError(f"{type(self).__name__} must define `_measure`.")


class LoudnessStream(LevelStream):
    """`spectral_ops.compute_loudness`, block by block.

    They agree up to rounding: a spectrum computed in another batch differs by some
    1e-7 of its largest bin, which is 1e-4 dB on average.

    Example:

    >>> from ddsp.training.level_streams import LoudnessStream
    >>> LoudnessStream(padding="center").latency_frames
    3
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
        """Initializes the stream.

        Args:
          sample_rate: Samples per second of the audio.
          frame_rate: Frames per second; must divide the sample rate.
          n_fft: Samples that a frame covers.
          range_db: Loudness is at least `-range_db`.
          ref_db: Level of 0 dB.
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
    """`spectral_ops.compute_power`, block by block, equal up to rounding.

    Example:

    >>> from ddsp.training.level_streams import PowerStream
    >>> stream = PowerStream(frame_size=64)
    >>> level, _ = stream.step(tf.ones([1, 64]), stream.initial_state(1))
    >>> level.numpy()
    array([[0.]], dtype=float32)
    """

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
        """Initializes the stream.

        Args:
          sample_rate: Samples per second of the audio.
          frame_rate: Frames per second; must divide the sample rate.
          frame_size: Samples over which the power is averaged.
          ref_db: Level of 0 dB.
          range_db: Power is at least `-range_db`.
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
