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

# Frame size and overlap that give a number of steps in four seconds at 16 kHz.
_MFCC_FRAMES = {
    63: (2048, 0.5),
    125: (1024, 0.5),
    250: (1024, 0.75),
    500: (512, 0.75),
    1000: (256, 0.75),
}


def audible_mfccs(
    audio: Any,
    fft_size: int,
    mel_bins: int,
    mfcc_bins: int,
    overlap: float = 0.75,
    sample_rate: int = 16000,
) -> tf.Tensor:
    """[batch, n_frames, mfcc_bins], of what lies between 20 Hz and 8 kHz."""
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
    """The power of two that lasts about as long as `size` samples at 16 kHz."""
    return 2 ** round(math.log2(size * sample_rate / 16000))


@configurable.layer(module="ddsp.training.encoders")
class MfccTimeDistributedRnnEncoder(ZEncoder):
    """A latent variable that follows the timbre: MFCCs through a recurrent layer.

    The encoder of Engel et al., "DDSP: Differentiable Digital Signal Processing"
    (2020), appendix B.1. It normalises over time, so it needs a whole recording.
    """

    def __init__(
        self,
        rnn_channels: int = 512,
        rnn_type: str = "gru",
        z_dims: int = 32,
        z_time_steps: int = 250,
        sample_rate: int = 16000,
        **kwargs,
    ):
        """Initializer.

        Args:
          rnn_channels: Number of units of the recurrent layer.
          rnn_type: 'gru' or 'lstm'.
          z_dims: Number of channels of `z`.
          z_time_steps: Steps of `z` in four seconds at 16 kHz, before it is
            interpolated: 63, 125, 250, 500 or 1000. Other lengths have as many steps a
            second; other sample rates about as many.
          sample_rate: Samples a second.
          **kwargs: Passed on to `keras.layers.Layer`.

        Raises:
          ValueError: If `z_time_steps` is none of these.
        """
        if z_time_steps not in _MFCC_FRAMES:
            raise ValueError(
                f"`z_time_steps` must be one of {sorted(_MFCC_FRAMES)}; received "
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
        """[batch, z_time_steps, z_dims] from audio [batch, n_samples]."""
        mfccs = audible_mfccs(
            audio, self.fft_size, 128, 30, self.overlap, self.sample_rate
        )
        return self.dense_out(self.rnn(self.z_norm(mfccs)))


@configurable.layer(module="ddsp.training.encoders", own=["time_steps"])
class MfccEncoder(ZEncoder):
    """Normalised MFCCs as they are, of frames of one size or of several.

    It normalises over time, so it needs a whole recording.
    """

    def __init__(
        self,
        fft_sizes: int | Sequence[int] = (1024,),
        mel_bins: int | Sequence[int] = (128,),
        mfcc_bins: int | Sequence[int] = (30,),
        time_steps: int = 250,
        sample_rate: int = 16000,
        **kwargs,
    ):
        """Initializer.

        Args:
          fft_sizes: Samples in a frame, for each analysis.
          mel_bins: Number of mel bands of each.
          mfcc_bins: Number of coefficients of each.
          time_steps: Number of time steps at which they are joined, before they are
            interpolated to those of the pitch.
          sample_rate: Samples a second.
          **kwargs: Passed on to `keras.layers.Layer`.

        Raises:
          ValueError: If there are not as many sizes, bands and coefficients.
        """
        super().__init__(**kwargs)
        checks.positive("time_steps", time_steps)
        self.fft_sizes = list(core.make_iterable(fft_sizes))
        self.mel_bins = list(core.make_iterable(mel_bins))
        self.mfcc_bins = list(core.make_iterable(mfcc_bins))
        if not len(self.fft_sizes) == len(self.mel_bins) == len(self.mfcc_bins):
            raise ValueError(
                "`fft_sizes`, `mel_bins` and `mfcc_bins` must be as many, got "
                f"{self.fft_sizes}, {self.mel_bins} and {self.mfcc_bins}."
            )
        self.time_steps = time_steps
        checks.positive("sample_rate", sample_rate)
        self.sample_rate = sample_rate
        self.norm_out = nn.Normalize("instance")

    def compute_z(self, audio: tf.Tensor) -> tf.Tensor:
        """[batch, time_steps, sum of mfcc_bins] from audio [batch, n_samples]."""
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
    """One latent variable for a whole example: MFCCs through a recurrent layer."""

    def __init__(
        self,
        rnn_channels: int = 512,
        rnn_type: str = "gru",
        z_dims: int = 512,
        mean_aggregate: bool = False,
        sample_rate: int = 16000,
        **kwargs,
    ):
        """Initializer.

        Args:
          rnn_channels: Number of units of the recurrent layer.
          rnn_type: 'gru' or 'lstm'.
          z_dims: Number of channels of `z`.
          mean_aggregate: Whether to take the mean over time of what the recurrent
            layer puts out, not the last of it.
          sample_rate: Samples a second.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.mean_aggregate = mean_aggregate
        checks.positive("sample_rate", sample_rate)
        self.sample_rate = sample_rate
        self.norm_in = nn.Normalize("instance")
        self.rnn = nn.Rnn(rnn_channels, rnn_type, return_sequences=mean_aggregate)
        self.dense_z = keras.layers.Dense(z_dims)

    def compute_z(self, audio: tf.Tensor) -> tf.Tensor:
        """[batch, 1, z_dims] from audio [batch, n_samples]."""
        size = _fft_size(1024, self.sample_rate)
        mfccs = audible_mfccs(audio, size, 128, 30, sample_rate=self.sample_rate)
        x = self.rnn(self.norm_in(mfccs))
        if self.mean_aggregate:
            x = tf.reduce_mean(x, axis=1)
        return self.dense_z(x)[:, tf.newaxis]
