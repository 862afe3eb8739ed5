"""Preprocessors of features from the data set."""

from typing import Any

import tensorflow as tf

from ddsp import configurable, spectral_ops
from ddsp._core import checks, framing
from ddsp.training.level_streams import LoudnessStream
from ddsp.training.preprocessing.base import PowerPreprocessor, Preprocessor
from ddsp.training.preprocessing.feature_scaling import DB_RANGE, scale_db, scale_f0_hz


@configurable.layer(module="ddsp.training.preprocessing")
class F0LoudnessPreprocessor(Preprocessor):
    """Preprocessor of fundamental frequency and loudness.

    Example:

    >>> from ddsp.training import preprocessing
    >>> preprocessor = preprocessing.F0LoudnessPreprocessor(time_steps=10)
    >>> outputs = preprocessor(
    ...     loudness_db=tf.fill([1, 5], -40.0), f0_hz=tf.fill([1, 5], 440.0)
    ... )
    >>> outputs["ld_scaled"].shape.as_list()
    [1, 10, 1]
    """

    level_name = "loudness_db"
    _level_keys = ("loudness_db", "ld_scaled")

    def __init__(
        self,
        time_steps: int | None = 1000,
        frame_rate: int = 250,
        sample_rate: int = 16000,
        compute_loudness: bool = True,
        padding: str = "center",
        db_range: float = DB_RANGE,
        **kwargs: Any,
    ) -> None:
        """Initializes the preprocessor.

        Args:
          time_steps: Number of time steps of the outputs. With None the features keep
            the number of frames of `f0_hz`.
          frame_rate: Frames per second of the loudness computed here.
          sample_rate: Samples per second of the audio.
          compute_loudness: Compute the loudness from the audio where there is audio,
            instead of taking the given one.
          padding: Position of the loudness frames: `'center'`, `'same'` or `'causal'`
            (no look-ahead, for real time), see `spectral_ops.get_framed_lengths`.
          db_range: Loudness that is scaled to 0, in dB below full scale. Models of the
            original up to version 1.6 require 120.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If the frame rate does not divide the sample rate, the padding is
            unknown, or the range is not positive.
        """
        checks.one_of("padding", padding, framing.PADDINGS)
        checks.positive("db_range", db_range)
        output_keys = ["f0_hz", "loudness_db", "f0_scaled", "ld_scaled"]
        super().__init__(time_steps, frame_rate, sample_rate, output_keys, **kwargs)
        self.compute_loudness = compute_loudness
        self.padding = padding
        self.db_range = db_range

    def level_stream(
        self, sample_rate: int | None = None, latency_frames: int | None = None
    ) -> LoudnessStream:
        """Returns the stream of the level; see `Preprocessor.level_stream`."""
        return LoudnessStream(
            sample_rate or self.sample_rate,
            self.frame_rate,
            range_db=self.db_range,
            padding=self.padding,
            latency_frames=latency_frames,
        )

    def call(
        self,
        loudness_db: tf.Tensor,
        f0_hz: tf.Tensor,
        audio: tf.Tensor | None = None,
        time_steps: int | None = None,
    ) -> Any:
        """Resamples and scales.

        Args:
          loudness_db: Loudness in dB, shape [batch, frames] or [batch, frames, 1].
          f0_hz: Fundamental frequency in Hz, ≥ 0, shape [batch, frames] or [batch,
            frames, 1].
          audio: Audio for `compute_loudness`, shape [batch, n_samples].
          time_steps: Overrides the argument of the constructor.

        Returns:
          `f0_hz` (Hz), `loudness_db` (dB), `f0_scaled` (MIDI units / 127) and
          `ld_scaled` ([-`db_range`, 0] dB to [0, 1]), each [batch, time_steps, 1].
        """
        if self.compute_loudness and audio is not None:
            loudness_db = spectral_ops.compute_loudness(
                audio,
                self.sample_rate,
                self.frame_rate,
                range_db=self.db_range,
                padding=self.padding,
            )
        f0_hz, loudness_db = self._resample_all(f0_hz, loudness_db, time_steps)
        ld_scaled = scale_db(loudness_db, self.db_range)
        return f0_hz, loudness_db, scale_f0_hz(f0_hz), ld_scaled


@configurable.layer(module="ddsp.training.preprocessing")
class F0PowerPreprocessor(PowerPreprocessor):
    """Preprocessor of fundamental frequency and power.

    Example:

    >>> from ddsp.training import preprocessing
    >>> preprocessor = preprocessing.F0PowerPreprocessor(time_steps=10)
    >>> outputs = preprocessor(
    ...     f0_hz=tf.fill([1, 5], 440.0), power_db=tf.fill([1, 5], -40.0)
    ... )
    >>> outputs["pw_scaled"].shape.as_list()
    [1, 10, 1]
    """

    def __init__(
        self,
        time_steps: int | None = 1000,
        frame_rate: int = 250,
        sample_rate: int = 16000,
        frame_size: int = 64,
        padding: str = "center",
        **kwargs: Any,
    ) -> None:
        """Initializes the preprocessor.

        Args:
          time_steps: Number of time steps of the outputs. With None the features keep
            the number of frames of `f0_hz`.
          frame_rate: Frame rate of the computed power, in Hz.
          sample_rate: Sample rate of the audio, in Hz.
          frame_size: Frame size of the power, in samples.
          padding: Position of the power frames: `'center'`, `'same'` or `'causal'` (no
            look-ahead, for real time), see `spectral_ops.get_framed_lengths`.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If the frame rate does not divide the sample rate, the padding
            is unknown, or a frame is shorter than a hop under `'causal'`.
        """
        checks.one_of("padding", padding, framing.PADDINGS)
        output_keys = ["f0_hz", "pw_db", "f0_scaled", "pw_scaled"]
        super().__init__(time_steps, frame_rate, sample_rate, output_keys, **kwargs)
        framing.samples_before(frame_size, sample_rate // frame_rate, padding)
        self.frame_size = frame_size
        self.padding = padding

    @property
    def feature_names(self) -> list[str]:
        """Names of the required features."""
        return [*self.input_keys, self.level_name]

    def call(
        self,
        f0_hz: tf.Tensor,
        power_db: tf.Tensor | None = None,
        audio: tf.Tensor | None = None,
        time_steps: int | None = None,
    ) -> Any:
        """Resamples and scales.

        Args:
          f0_hz: Fundamental frequency in Hz, ≥ 0, shape [batch, frames] or [batch,
            frames, 1].
          power_db: Power in dB, shape [batch, frames] or [batch, frames, 1]. Computed
            from the audio if None.
          audio: Shape [batch, n_samples].
          time_steps: Overrides the argument of the constructor.

        Returns:
          `f0_hz` (Hz), `pw_db` (dB), `f0_scaled` (MIDI units / 127) and `pw_scaled`
          ([-80, 0] dB to [0, 1]), each [batch, time_steps, 1].

        Raises:
          ValueError: If power and audio are both None.
        """
        if power_db is None:
            if audio is None:
                raise ValueError(
                    "F0PowerPreprocessor requires `power_db` or `audio`, got None for "
                    "both."
                )
            power_db = spectral_ops.compute_power(
                audio,
                self.sample_rate,
                self.frame_rate,
                self.frame_size,
                padding=self.padding,
            )
        f0_hz, power_db = self._resample_all(f0_hz, power_db, time_steps)
        return f0_hz, power_db, scale_f0_hz(f0_hz), scale_db(power_db)
