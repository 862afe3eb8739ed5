"""Preprocessors: resampling and scaling of features for the networks."""

from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from ddsp import configurable, core, pitch, spectral_ops
from ddsp._core import checks, chunks, framing, safety
from ddsp.training import nn
from ddsp.training.level_streams import LevelStream, LoudnessStream, PowerStream
from ddsp.types import ArrayLike

# Ranges that are scaled to [0, 1]: dB below full scale, MIDI notes.
DB_RANGE = core.DB_RANGE
F0_RANGE = 127.0

# Bounds of what a stream passes to a decoder, whose state would keep a NaN forever.
_MAX_F0_HZ, _MAX_LEVEL_DB = 1e6, 240.0

# Memory per frame of CREPE's activations, for the choice of the chunk size.
_VALUES_PER_FRAME = 2**15


def at_least_3d(x: ArrayLike) -> tf.Tensor:
    """Expands a tensor to [batch, time, channels].

    Args:
      x: Shape [], [time], [batch, time] or [batch, time, channels].

    Example:

    >>> from ddsp.training import preprocessing
    >>> preprocessing.at_least_3d(tf.zeros([1, 10])).shape.as_list()
    [1, 10, 1]
    """
    x = tf.convert_to_tensor(x)
    missing = {0: (0, 1, 2), 1: (0, 2), 2: (2,)}.get(x.shape.rank, ())
    for axis in missing:
        x = tf.expand_dims(x, axis)
    return x


def scale_db(db: Any, db_range: float = DB_RANGE) -> Any:
    """Scales decibels linearly from [-`db_range`, 0] to [0, 1].

    Args:
      db: Level in dB, any shape.
      db_range: Level that is scaled to 0, in dB below full scale.

    Example:

    >>> from ddsp.training import preprocessing
    >>> preprocessing.scale_db(-40.0)
    0.5
    """
    return db / db_range + 1.0


def inv_scale_db(db_scaled: Any, db_range: float = DB_RANGE) -> Any:
    """Scales values linearly from [0, 1] to decibels in [-`db_range`, 0].

    Args:
      db_scaled: Scaled level, any shape.
      db_range: Level that is scaled to 0, in dB below full scale.

    Example:

    >>> from ddsp.training import preprocessing
    >>> preprocessing.inv_scale_db(0.5)
    -40.0
    """
    return (db_scaled - 1.0) * db_range


def scale_f0_hz(f0_hz: ArrayLike) -> tf.Tensor:
    """Scales f0 to MIDI units divided by 127, in [0, 1].

    Args:
      f0_hz: Fundamental frequency in Hz, any shape; 0 Hz is scaled to 0.

    Example:

    >>> from ddsp.training import preprocessing
    >>> round(127 * float(preprocessing.scale_f0_hz(440.0)), 3)
    69.0
    """
    return core.hz_to_midi(f0_hz) / F0_RANGE


def inv_scale_f0_hz(f0_scaled: Any) -> tf.Tensor:
    """Converts MIDI units divided by 127 to Hz.

    Args:
      f0_scaled: Scaled f0, any shape.

    Example:

    >>> from ddsp.training import preprocessing
    >>> round(float(preprocessing.inv_scale_f0_hz(69.0 / 127.0)), 2)
    440.0
    """
    return core.midi_to_hz(f0_scaled * F0_RANGE)


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
class F0PowerPreprocessor(Preprocessor):
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

    level_name = "power_db"
    _level_keys = ("pw_db", "pw_scaled")

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

    def level_stream(
        self, sample_rate: int | None = None, latency_frames: int | None = None
    ) -> PowerStream:
        """Returns the stream of the level; see `Preprocessor.level_stream`."""
        return _power_stream(self, sample_rate, latency_frames)

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


@configurable.layer(module="ddsp.training.preprocessing")
class OnlineF0PowerPreprocessor(Preprocessor):
    """Preprocessor that computes power, and optionally pitch, from audio at 16 kHz.

    Features are not interpolated: their number of frames is that of
    `spectral_ops.get_framed_lengths`.

    Example:

    >>> from ddsp.training import preprocessing
    >>> preprocessor = preprocessing.OnlineF0PowerPreprocessor(
    ...     compute_f0=False, padding="same"
    ... )
    >>> outputs = preprocessor(
    ...     audio=tf.zeros([1, 640]),
    ...     f0_hz=tf.fill([1, 10], 440.0),
    ...     f0_confidence=tf.ones([1, 10]),
    ... )
    >>> outputs["pw_scaled"].shape.as_list()
    [1, 10, 1]
    """

    level_name = "power_db"
    _level_keys = ("pw_db", "pw_scaled")
    _crepe: Any

    def __init__(
        self,
        frame_rate: int = 250,
        frame_size: int = 1024,
        padding: str = "center",
        compute_power: bool = True,
        compute_f0: bool = True,
        crepe_saved_model_path: str | None = "full",
        viterbi: bool = False,
        **kwargs: Any,
    ) -> None:
        """Initializes the preprocessor.

        Args:
          frame_rate: Frame rate in Hz.
          frame_size: Frame size of the power, in samples at 16 kHz.
          padding: Position of the frames: `'center'`, `'same'`, `'valid'` or
            `'causal'`, see `spectral_ops.get_framed_lengths`.
          compute_power: Whether to compute the power, instead of using the input.
          compute_f0: Whether to compute f0, instead of using the input.
          crepe_saved_model_path: Size or path of the pitch tracker, see
            `pitch.find_weights`; None for no tracker. Only used with `compute_f0`.
          viterbi: Whether to smooth f0 by Viterbi decoding, in NumPy. The graph can
            then be neither exported nor compiled by XLA.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          FileNotFoundError: If the tracker's weights are not installed.
          ValueError: If the frame rate does not divide 16000, the padding is unknown,
            or `compute_f0` is set without a tracker.
        """
        checks.one_of("padding", padding, framing.PADDINGS)
        output_keys = ["f0_hz", "pw_db", "f0_scaled", "pw_scaled", "f0_confidence"]
        super().__init__(None, frame_rate, pitch.SAMPLE_RATE, output_keys, **kwargs)
        self.frame_size = frame_size
        self.hop_size = pitch.SAMPLE_RATE // frame_rate
        framing.samples_before(frame_size, self.hop_size, padding)
        self.padding = padding
        self.compute_power = compute_power
        self.compute_f0 = compute_f0
        self.viterbi = viterbi
        if compute_f0 and crepe_saved_model_path is None:
            raise ValueError(
                "`compute_f0` requires a pitch tracker, such as 'tiny', got "
                "crepe_saved_model_path=None."
            )
        # Hidden from Keras, which would save the tracker with every checkpoint.
        crepe = pitch.load(crepe_saved_model_path) if compute_f0 else None
        object.__setattr__(self, "_crepe", crepe)

    @property
    def feature_names(self) -> list[str]:
        """Names of the required features."""
        return [
            *self.input_keys,
            *([] if self.compute_f0 else ["f0_hz", "f0_confidence"]),
            *([] if self.compute_power else ["pw_db"]),
        ]

    def level_stream(
        self, sample_rate: int | None = None, latency_frames: int | None = None
    ) -> PowerStream:
        """Returns the stream of the level; see `Preprocessor.level_stream`."""
        return _power_stream(self, sample_rate, latency_frames)

    def call(
        self,
        audio: tf.Tensor,
        f0_hz: tf.Tensor | None = None,
        f0_confidence: tf.Tensor | None = None,
        audio_16k: tf.Tensor | None = None,
        pw_db: tf.Tensor | None = None,
        time_steps: int | None = None,
    ) -> Any:
        """Computes and scales features.

        Args:
          audio: Audio at 16 kHz, shape [batch, n_samples]. Only its length matters if
            power and f0 are inputs.
          f0_hz: Fundamental frequency in Hz, ≥ 0, shape [batch, frames] or [batch,
            frames, 1]; used if `compute_f0` is not set.
          f0_confidence: Confidence in [0, 1], shape [batch, frames]; used if
            `compute_f0` is not set.
          audio_16k: Replaces an `audio` with another sample rate.
          pw_db: Power in dB, shape [batch, frames] or [batch, frames, 1]; used if
            `compute_power` is not set.
          time_steps: Number of frames to return, from the start; all if None.

        Returns:
          `f0_hz` (Hz), `pw_db` (dB), `f0_scaled` (MIDI units / 127) and `pw_scaled`
          ([-80, 0] dB to [0, 1]), each [batch, frames, 1], and `f0_confidence`, [batch,
          frames]. Computed f0 has no gradient.

        Raises:
          ValueError: If a feature is neither an input nor computed, or its number of
            frames does not match the audio.
        """
        audio = core.tf_float32(audio if audio_16k is None else audio_16k)
        checks.rank("audio", audio, 2)
        if self.compute_power:
            pw_db = spectral_ops.compute_power(
                audio,
                self.sample_rate,
                self.frame_rate,
                self.frame_size,
                padding=self.padding,
            )
        if self.compute_f0:
            f0_hz, f0_confidence = self._measure_pitch(audio)
        given = {"f0_hz": f0_hz, "f0_confidence": f0_confidence, "pw_db": pw_db}
        missing = [name for name, value in given.items() if value is None]
        if missing:
            raise ValueError(
                "Features that OnlineF0PowerPreprocessor does not compute are required "
                f"as inputs, got compute_f0={self.compute_f0}, compute_power="
                f"{self.compute_power} and None for {missing}."
            )
        f0_hz, f0_confidence, pw_db = (
            self._cut(name, value, audio.shape[1], time_steps)
            for name, value in given.items()
        )
        f0_hz, pw_db = at_least_3d(f0_hz), at_least_3d(pw_db)
        return f0_hz, pw_db, scale_f0_hz(f0_hz), scale_db(pw_db), f0_confidence

    def _measure_pitch(self, audio: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes f0 and confidence, shape [batch, frames], in one graph."""
        padded = framing.pad(audio, pitch.FRAME_SIZE, self.hop_size, self.padding)
        frames = framing.frame(padded, pitch.FRAME_SIZE, self.hop_size)
        rows = tf.reshape(frames, [-1, pitch.FRAME_SIZE])
        (activations,) = chunks.map_rows(
            lambda rows: (self._crepe(rows),), (rows,), _VALUES_PER_FRAME, 1
        )
        activations = tf.reshape(
            tf.stop_gradient(activations),
            [-1, frames.shape[1] or tf.shape(frames)[1], pitch.N_BINS],
        )
        centers = None
        if self.viterbi:
            centers = tf.numpy_function(_viterbi_paths, [activations], tf.int64)
            centers.set_shape(activations.shape[:2])
        cents = pitch.activations_to_cents(activations, centers)
        return pitch.cents_to_hz(cents), tf.reduce_max(activations, axis=-1)

    def _cut(
        self, name: str, x: Any, n_samples: int | None, time_steps: int | None
    ) -> tf.Tensor:
        """Crops a feature to the number of frames to return, after checking it."""
        x = tf.convert_to_tensor(x, tf.float32)
        n_frames = x.shape[1]
        if n_samples is None or n_frames is None:
            return x[:, :time_steps]
        n_audio_frames, _ = framing.get_framed_lengths(
            n_samples, self.frame_size, self.hop_size, self.padding
        )
        if n_frames < time_steps if time_steps else n_frames != n_audio_frames:
            raise ValueError(
                f"`{name}` must have {time_steps or n_audio_frames} frames for "
                f"{n_samples} samples at 16 kHz, {self.frame_rate} frames per second, "
                f"padding='{self.padding}' and frame_size={self.frame_size} (data "
                f"prepared with centered frames has one more), got {n_frames}."
            )
        return x[:, :time_steps]


def _power_stream(
    preprocessor: F0PowerPreprocessor | OnlineF0PowerPreprocessor,
    sample_rate: int | None,
    latency_frames: int | None,
) -> PowerStream:
    return PowerStream(
        sample_rate or preprocessor.sample_rate,
        preprocessor.frame_rate,
        preprocessor.frame_size,
        padding=preprocessor.padding,
        latency_frames=latency_frames,
    )


def _viterbi_paths(activations: np.ndarray) -> np.ndarray:
    return np.stack([pitch.viterbi_path(row) for row in activations])
