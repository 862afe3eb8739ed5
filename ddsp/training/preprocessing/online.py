"""A preprocessor that measures features in the audio itself."""

from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import configurable, core, pitch, spectral_ops
from ddsp._core import checks, chunks, framing
from ddsp.training.preprocessing.base import PowerPreprocessor
from ddsp.training.preprocessing.feature_scaling import (
    at_least_3d,
    scale_db,
    scale_f0_hz,
)

# Memory per frame of CREPE's activations, for the choice of the chunk size.
_VALUES_PER_FRAME = 2**15


@configurable.layer(module="ddsp.training.preprocessing")
class OnlineF0PowerPreprocessor(PowerPreprocessor):
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


def _viterbi_paths(activations: np.ndarray) -> np.ndarray:
    return np.stack([pitch.viterbi_path(row) for row in activations])
