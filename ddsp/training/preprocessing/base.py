"""Base class of preprocessors."""

from typing import Any, ClassVar

import tensorflow as tf

from ddsp import core
from ddsp._core import checks, safety
from ddsp.training import nn
from ddsp.training.level_streams import LevelStream, PowerStream
from ddsp.training.preprocessing.feature_scaling import (
    DB_RANGE,
    at_least_3d,
    scale_db,
    scale_f0_hz,
)

# Bounds of what a stream passes to a decoder, whose state would keep a NaN forever.
_MAX_F0_HZ, _MAX_LEVEL_DB = 1e6, 240.0


class Preprocessor(nn.DictLayer):
    """Base class of preprocessors of f0 and a level (loudness or power).

    A preprocessor brings features to one number of time steps, in float32, and scales
    them for the networks. It also knows its causal form: `level_stream` measures the
    level block by block, and `scale` scales a block of features.

    Attributes:
      level_name: Name of the level among a model's inputs, `'loudness_db'` or
        `'power_db'`.

    Example:

    >>> from ddsp.training import preprocessing
    >>> preprocessor = preprocessing.F0LoudnessPreprocessor()
    >>> block = preprocessor.scale(tf.fill([1, 5, 1], 440.0), tf.fill([1, 5, 1], -40.0))
    >>> list(block)
    ['f0_hz', 'f0_scaled', 'loudness_db', 'ld_scaled']
    """

    level_name: ClassVar[str]
    # Names of the level and of its scaled form among the outputs.
    _level_keys: ClassVar[tuple[str, str]]
    db_range: float = DB_RANGE

    def __init__(
        self,
        time_steps: int | None,
        frame_rate: int,
        sample_rate: int,
        output_keys: list[str],
        **kwargs: Any,
    ) -> None:
        """Initializes the preprocessor.

        Args:
          time_steps: Number of time steps of the outputs, or None for that of the
            inputs.
          frame_rate: Frame rate in Hz; must divide `sample_rate`.
          sample_rate: Sample rate in Hz.
          output_keys: Keys of the outputs.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If the frame rate does not divide the sample rate.
        """
        # Frequencies need float32: the resolution of float16 at 440 Hz is 0.25 Hz.
        super().__init__(output_keys=output_keys, **{"dtype": "float32", **kwargs})
        checks.hop_size(sample_rate, frame_rate)
        self.time_steps = time_steps
        self.frame_rate = frame_rate
        self.sample_rate = sample_rate

    @property
    def feature_names(self) -> list[str]:
        """Names of the features that a call needs."""
        return list(self.input_keys)

    def level_stream(
        self, sample_rate: int | None = None, latency_frames: int | None = None
    ) -> LevelStream:
        """Returns the stream that measures this preprocessor's level.

        Args:
          sample_rate: Sample rate of the audio; by default the preprocessor's.
          latency_frames: Latency in frames; by default as low as the padding allows.

        Raises:
          ValueError: If the level has no stream at these rates or with this padding.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `level_stream`.")

    def scale(self, f0_hz: tf.Tensor, level_db: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scales a block of features as a call does.

        Values are clipped to finite ranges, and NaN becomes silence.

        Args:
          f0_hz: Fundamental frequency in Hz, [batch, n_frames, 1].
          level_db: Loudness or power in dB, [batch, n_frames, 1].

        Returns:
          f0, the level, and both scaled, by the names of a call's outputs.
        """
        f0_hz = safety.bounded(f0_hz, 0.0, _MAX_F0_HZ, nan=0.0)
        level_db = safety.bounded(
            level_db, -_MAX_LEVEL_DB, _MAX_LEVEL_DB, nan=-self.db_range
        )
        level_key, scaled_key = self._level_keys
        return {
            "f0_hz": f0_hz,
            "f0_scaled": scale_f0_hz(f0_hz),
            level_key: level_db,
            scaled_key: scale_db(level_db, self.db_range),
        }

    def resample(self, x: Any, time_steps: int | None = None) -> tf.Tensor:
        """Interpolates linearly to a number of time steps.

        Args:
          x: Shape [batch, time] or [batch, time, channels].
          time_steps: Number of time steps; by default that of the constructor. If both
            are None, the number is unchanged.

        Returns:
          [batch, time_steps, channels].
        """
        x = at_least_3d(x)
        time_steps = self.time_steps if time_steps is None else time_steps
        if time_steps is None:
            return x
        return core.resample(x, time_steps)

    def _resample_all(
        self, f0_hz: tf.Tensor, level_db: tf.Tensor, time_steps: int | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Resamples both features to the same number of time steps, by default f0's."""
        f0_hz = self.resample(f0_hz, time_steps)
        n_frames = f0_hz.shape[1] or tf.shape(f0_hz)[1]
        return f0_hz, self.resample(level_db, n_frames)


class PowerPreprocessor(Preprocessor):
    """Base class of preprocessors of f0 and power.

    Attributes:
      frame_size: Samples over which the power is averaged.
      padding: Alignment of the frames, see `spectral_ops.get_framed_lengths`.

    Example:

    >>> from ddsp.training import preprocessing
    >>> preprocessing.F0PowerPreprocessor(padding="causal").level_stream().frame_size
    64
    """

    level_name = "power_db"
    _level_keys = ("pw_db", "pw_scaled")
    frame_size: int
    padding: str

    def level_stream(
        self, sample_rate: int | None = None, latency_frames: int | None = None
    ) -> PowerStream:
        """Returns the stream that measures the power; see `Preprocessor`."""
        return PowerStream(
            sample_rate or self.sample_rate,
            self.frame_rate,
            self.frame_size,
            padding=self.padding,
            latency_frames=latency_frames,
        )
