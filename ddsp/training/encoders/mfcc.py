"""Encoders of mel-frequency cepstral coefficients."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core, spectral_ops
from ddsp._core import checks
from ddsp.training import nn
from ddsp.training.encoders.z_encoder import ZEncoder
from ddsp.types import ArrayLike

# FFT size and overlap by number of time steps in four seconds at 16 kHz.
_MFCC_FRAMES = {
    63: (2048, 0.5),
    125: (1024, 0.5),
    250: (1024, 0.75),
    500: (512, 0.75),
    1000: (256, 0.75),
}


def audible_mfccs(
    audio: ArrayLike,
    fft_size: int,
    mel_bins: int,
    mfcc_bins: int,
    overlap: float = 0.75,
    sample_rate: int = 16000,
) -> tf.Tensor:
    """Computes MFCCs from 20 Hz to 8 kHz, or to the Nyquist frequency if lower.

    Args:
      audio: Shape [batch, n_samples].
      fft_size: FFT size in samples.
      mel_bins: Number of mel bands.
      mfcc_bins: Number of coefficients.
      overlap: Overlap of frames, in [0, 1).
      sample_rate: Sample rate in Hz.

    Returns:
      MFCCs of shape [batch, n_frames, mfcc_bins].

    Example:

    >>> from ddsp.training.encoders.mfcc import audible_mfccs
    >>> audible_mfccs(tf.zeros([1, 1024]), 256, 32, 13).shape.as_list()
    [1, 16, 13]
    """
    return spectral_ops.compute_mfcc(
        audio,
        lo_hz=20.0,
        hi_hz=min(8000.0, sample_rate / 2.0),
        fft_size=fft_size,
        mel_bins=mel_bins,
        mfcc_bins=mfcc_bins,
        overlap=overlap,
        pad_end=True,
        sample_rate=sample_rate,
    )


def _fft_size(size: int, sample_rate: int) -> int:
    """Returns the power of two closest in duration to `size` samples at 16 kHz."""
    return 2 ** round(math.log2(size * sample_rate / 16000))


@configurable.layer(module="ddsp.training.encoders")
class MfccTimeDistributedRnnEncoder(ZEncoder):
    """Time-varying latent variable: MFCCs followed by a recurrent layer.

    The z encoder of Engel et al., "DDSP: Differentiable Digital Signal Processing"
    (2020), appendix B.1. It normalizes over time, so it cannot run block by block.

    Example:

    >>> from ddsp.training import encoders
    >>> encoder = encoders.MfccTimeDistributedRnnEncoder(rnn_channels=4, z_dims=2)
    >>> features = {"audio": tf.zeros([1, 640]), "f0_scaled": tf.zeros([1, 5, 1])}
    >>> encoder(features)["z"].shape.as_list()
    [1, 5, 2]
    """

    def __init__(
        self,
        rnn_channels: int = 512,
        rnn_type: str = "gru",
        z_dims: int = 32,
        z_time_steps: int = 250,
        sample_rate: int = 16000,
        **kwargs: Any,
    ) -> None:
        """Initializes the encoder.

        Args:
          rnn_channels: Number of units of the recurrent layer.
          rnn_type: 'gru' or 'lstm'.
          z_dims: Number of channels of `z`.
          z_time_steps: Number of time steps of `z` in four seconds at 16 kHz, before
            interpolation: 63, 125, 250, 500 or 1000. The frame rate is the same for
            other lengths, and about the same for other sample rates.
          sample_rate: Sample rate in Hz.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If `z_time_steps` has another value.
        """
        if z_time_steps not in _MFCC_FRAMES:
            raise ValueError(
                f"`z_time_steps` must be one of {sorted(_MFCC_FRAMES)}, got "
                f"{z_time_steps!r}."
            )
        super().__init__(**kwargs)
        checks.positive("sample_rate", sample_rate)
        self.sample_rate = sample_rate
        fft_size, self.overlap = _MFCC_FRAMES[z_time_steps]
        self.fft_size = _fft_size(fft_size, sample_rate)
        self.z_norm = nn.Normalize("instance")
        self.rnn = nn.Rnn(rnn_channels, rnn_type)
        self.dense_out = keras.layers.Dense(z_dims)

    def compute_z(self, audio: tf.Tensor) -> tf.Tensor:
        """Encodes audio [batch, n_samples] as [batch, z_time_steps, z_dims]."""
        mfccs = audible_mfccs(
            audio, self.fft_size, 128, 30, self.overlap, self.sample_rate
        )
        return self.dense_out(self.rnn(self.z_norm(mfccs)))


@configurable.layer(module="ddsp.training.encoders", own=["time_steps"])
class MfccEncoder(ZEncoder):
    """Normalized MFCCs, of one or several FFT sizes.

    It normalizes over time, so it cannot run block by block.

    Example:

    >>> from ddsp.training import encoders
    >>> encoder = encoders.MfccEncoder(fft_sizes=[1024, 256], mel_bins=[32, 32],
    ...                                mfcc_bins=[13, 13], time_steps=5)
    >>> features = {"audio": tf.zeros([1, 640]), "f0_scaled": tf.zeros([1, 5, 1])}
    >>> encoder(features)["z"].shape.as_list()
    [1, 5, 26]
    """

    def __init__(
        self,
        fft_sizes: int | Sequence[int] = (1024,),
        mel_bins: int | Sequence[int] = (128,),
        mfcc_bins: int | Sequence[int] = (30,),
        time_steps: int = 250,
        sample_rate: int = 16000,
        **kwargs: Any,
    ) -> None:
        """Initializes the encoder.

        Args:
          fft_sizes: FFT size of each analysis, in samples.
          mel_bins: Number of mel bands of each analysis.
          mfcc_bins: Number of coefficients of each analysis.
          time_steps: Number of time steps to which all analyses are resampled, before
            interpolation to those of f0.
          sample_rate: Sample rate in Hz.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If sizes, bands and coefficients differ in length.
        """
        super().__init__(**kwargs)
        checks.positive("time_steps", time_steps)
        self.fft_sizes = list(core.make_iterable(fft_sizes))
        self.mel_bins = list(core.make_iterable(mel_bins))
        self.mfcc_bins = list(core.make_iterable(mfcc_bins))
        if not len(self.fft_sizes) == len(self.mel_bins) == len(self.mfcc_bins):
            raise ValueError(
                "`fft_sizes`, `mel_bins` and `mfcc_bins` must have equal lengths, got "
                f"{self.fft_sizes}, {self.mel_bins} and {self.mfcc_bins}."
            )
        self.time_steps = time_steps
        checks.positive("sample_rate", sample_rate)
        self.sample_rate = sample_rate
        self.norm_out = nn.Normalize("instance")

    def compute_z(self, audio: tf.Tensor) -> tf.Tensor:
        """Encodes audio [batch, n_samples] as [batch, time_steps, sum(mfcc_bins)]."""
        analyses = zip(self.fft_sizes, self.mel_bins, self.mfcc_bins, strict=True)
        mfccs = [
            core.resample(
                audible_mfccs(audio, *sizes, sample_rate=self.sample_rate),
                self.time_steps,
            )
            for sizes in analyses
        ]
        return self.norm_out(tf.concat(mfccs, axis=-1))


@configurable.layer(module="ddsp.training.encoders")
class MfccRnnEncoder(ZEncoder):
    """One latent variable per example: MFCCs followed by a recurrent layer.

    Example:

    >>> from ddsp.training import encoders
    >>> encoder = encoders.MfccRnnEncoder(rnn_channels=4, z_dims=2)
    >>> features = {"audio": tf.zeros([1, 640]), "f0_scaled": tf.zeros([1, 5, 1])}
    >>> encoder(features)["z"].shape.as_list()
    [1, 5, 2]
    """

    def __init__(
        self,
        rnn_channels: int = 512,
        rnn_type: str = "gru",
        z_dims: int = 512,
        mean_aggregate: bool = False,
        sample_rate: int = 16000,
        **kwargs: Any,
    ) -> None:
        """Initializes the encoder.

        Args:
          rnn_channels: Number of units of the recurrent layer.
          rnn_type: 'gru' or 'lstm'.
          z_dims: Number of channels of `z`.
          mean_aggregate: Whether to average the outputs of the recurrent layer over
            time, instead of taking the last one.
          sample_rate: Sample rate in Hz.
          **kwargs: Arguments of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.mean_aggregate = mean_aggregate
        checks.positive("sample_rate", sample_rate)
        self.sample_rate = sample_rate
        self.norm_in = nn.Normalize("instance")
        self.rnn = nn.Rnn(rnn_channels, rnn_type, return_sequences=mean_aggregate)
        self.dense_z = keras.layers.Dense(z_dims)

    def compute_z(self, audio: tf.Tensor) -> tf.Tensor:
        """Encodes audio [batch, n_samples] as [batch, 1, z_dims]."""
        size = _fft_size(1024, self.sample_rate)
        mfccs = audible_mfccs(audio, size, 128, 30, sample_rate=self.sample_rate)
        x = self.rnn(self.norm_in(mfccs))
        if self.mean_aggregate:
            x = tf.reduce_mean(x, axis=1)
        return self.dense_z(x)[:, tf.newaxis]
