"""From audio features to what the networks are fed."""

from typing import Any

import tensorflow as tf

from ddsp import configurable, core, spectral_ops
from ddsp._core import checks
from ddsp.training import nn

# The ranges that are scaled to [0, 1]: decibels below full scale, MIDI notes.
DB_RANGE = core.DB_RANGE
F0_RANGE = 127.0


def at_least_3d(x: Any) -> tf.Tensor:
    """Adds a channel axis to [batch, time]; [batch, time, channels] stays."""
    x = tf.convert_to_tensor(x)
    return x[:, :, tf.newaxis] if len(x.shape) == 2 else x


def scale_db(db: Any) -> Any:
    """Scales decibels from [-80, 0] to [0, 1], linearly."""
    return db / DB_RANGE + 1.0


def inv_scale_db(db_scaled: Any) -> Any:
    """Scales [0, 1] to decibels in [-80, 0], linearly."""
    return (db_scaled - 1.0) * DB_RANGE


def scale_f0_hz(f0_hz: Any) -> tf.Tensor:
    """Scales Hz to MIDI notes divided by 127, so to [0, 1]; 0 Hz becomes 0."""
    return core.hz_to_midi(f0_hz) / F0_RANGE


def inv_scale_f0_hz(f0_scaled: Any) -> tf.Tensor:
    """Scales MIDI notes divided by 127 to Hz."""
    return core.midi_to_hz(f0_scaled * F0_RANGE)


class _Preprocessor(nn.DictLayer):
    """Brings features to one number of time steps, in float32."""

    def __init__(
        self,
        time_steps: int | None,
        frame_rate: int,
        sample_rate: int,
        output_keys: list[str],
        **kwargs,
    ):
        # Half precision cannot hold a frequency: its step at 440 Hz is 0.25 Hz.
        super().__init__(output_keys=output_keys, **{"dtype": "float32", **kwargs})
        checks.hop_size(sample_rate, frame_rate)
        self.time_steps = time_steps
        self.frame_rate = frame_rate
        self.sample_rate = sample_rate

    def resample(self, x: Any, time_steps: int | None = None) -> tf.Tensor:
        """Interpolates linearly to a number of time steps.

        Args:
          x: [batch, time] or [batch, time, channels].
          time_steps: By default the constructor's; where that is None too, the input
            keeps its own.

        Returns:
          [batch, time_steps, channels].
        """
        x = at_least_3d(x)
        time_steps = self.time_steps if time_steps is None else time_steps
        if time_steps is None:
            return x
        return core.resample(x, time_steps)

    def _resample_all(self, f0_hz, level_db, time_steps):
        """The two features at the same number of time steps, f0's if none is set."""
        f0_hz = self.resample(f0_hz, time_steps)
        n_frames = f0_hz.shape[1] or tf.shape(f0_hz)[1]
        return f0_hz, self.resample(level_db, n_frames)


@configurable.layer(module="ddsp.training.preprocessing")
class F0LoudnessPreprocessor(_Preprocessor):
    """Resamples and scales fundamental frequency and loudness."""

    def __init__(
        self,
        time_steps: int | None = 1000,
        frame_rate: int = 250,
        sample_rate: int = 16000,
        compute_loudness: bool = True,
        **kwargs,
    ):
        """Initializer.

        Args:
          time_steps: Number of time steps of the outputs. With None the features keep
            the number of frames of `f0_hz`.
          frame_rate: Frames a second of the loudness computed here.
          sample_rate: Samples a second of the audio.
          compute_loudness: Compute the loudness from the audio where there is audio,
            instead of taking the given one.
          **kwargs: Passed on to `keras.layers.Layer`.

        Raises:
          ValueError: If the frame rate does not divide the sample rate.
        """
        output_keys = ["f0_hz", "loudness_db", "f0_scaled", "ld_scaled"]
        super().__init__(time_steps, frame_rate, sample_rate, output_keys, **kwargs)
        self.compute_loudness = compute_loudness

    def call(self, loudness_db, f0_hz, audio=None, time_steps=None):
        """Resamples and scales.

        Args:
          loudness_db: [batch, frames] or [batch, frames, 1], dB.
          f0_hz: [batch, frames] or [batch, frames, 1], Hz, >= 0.
          audio: [batch, n_samples], for `compute_loudness`.
          time_steps: In place of the constructor's.

        Returns:
          `f0_hz` (Hz), `loudness_db` (dB), `f0_scaled` (MIDI notes / 127) and
          `ld_scaled` ([-80, 0] dB to [0, 1]), each [batch, time_steps, 1].
        """
        if self.compute_loudness and audio is not None:
            loudness_db = spectral_ops.compute_loudness(
                audio, self.sample_rate, self.frame_rate
            )
        f0_hz, loudness_db = self._resample_all(f0_hz, loudness_db, time_steps)
        return f0_hz, loudness_db, scale_f0_hz(f0_hz), scale_db(loudness_db)


@configurable.layer(module="ddsp.training.preprocessing")
class F0PowerPreprocessor(_Preprocessor):
    """Resamples and scales fundamental frequency and power."""

    def __init__(
        self,
        time_steps: int | None = 1000,
        frame_rate: int = 250,
        sample_rate: int = 16000,
        frame_size: int = 64,
        **kwargs,
    ):
        """Initializer.

        Args:
          time_steps: Number of time steps of the outputs. With None the features keep
            the number of frames of `f0_hz`.
          frame_rate: Frames a second of the power computed here.
          sample_rate: Samples a second of the audio.
          frame_size: Samples over which the power is averaged.
          **kwargs: Passed on to `keras.layers.Layer`.

        Raises:
          ValueError: If the frame rate does not divide the sample rate.
        """
        output_keys = ["f0_hz", "pw_db", "f0_scaled", "pw_scaled"]
        super().__init__(time_steps, frame_rate, sample_rate, output_keys, **kwargs)
        self.frame_size = frame_size

    def call(self, f0_hz, power_db=None, audio=None, time_steps=None):
        """Resamples and scales.

        Args:
          f0_hz: [batch, frames] or [batch, frames, 1], Hz, >= 0.
          power_db: [batch, frames] or [batch, frames, 1], dB. Computed from the audio
            where it is not given.
          audio: [batch, n_samples].
          time_steps: In place of the constructor's.

        Returns:
          `f0_hz` (Hz), `pw_db` (dB), `f0_scaled` (MIDI notes / 127) and `pw_scaled`
          ([-80, 0] dB to [0, 1]), each [batch, time_steps, 1].

        Raises:
          ValueError: If neither power nor audio is given.
        """
        if power_db is None:
            if audio is None:
                raise ValueError(
                    "F0PowerPreprocessor needs `power_db` or `audio`; received None "
                    "for both."
                )
            power_db = spectral_ops.compute_power(
                audio, self.sample_rate, self.frame_rate, self.frame_size
            )
        f0_hz, power_db = self._resample_all(f0_hz, power_db, time_steps)
        return f0_hz, power_db, scale_f0_hz(f0_hz), scale_db(power_db)
