"""Residual networks from spectrograms to sinusoids and f0."""

import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core, spectral_ops
from ddsp._core import checks
from ddsp._core.tensors import tf_float32
from ddsp.training import nn, preprocessing
from ddsp.training.nn.dict_layer import OutputSplits
from ddsp.types import ArrayLike, Outputs

# Frequencies of the lowest and highest bin in Hz: the range of MIDI.
_F0_RANGE = (8.2, 13300.0)


@configurable.layer(module="ddsp.training.encoders")
class ResnetSinusoidalEncoder(nn.DictLayer):
    """Encoder from audio to raw controls of a sinusoidal and a noise synthesizer.

    The first encoder of Engel et al., "Self-supervised Pitch Detection by Inverse Audio
    Synthesis" (2020).

    Example:

    >>> from ddsp.training import encoders
    >>> encoder = encoders.ResnetSinusoidalEncoder()
    >>> encoder.output_keys
    ['frequencies', 'amplitudes', 'noise_magnitudes']
    """

    def __init__(
        self,
        output_splits: OutputSplits = (
            ("frequencies", 6400),
            ("amplitudes", 100),
            ("noise_magnitudes", 60),
        ),
        spectral_fn: Callable[[ArrayLike], tf.Tensor] = spectral_ops.compute_logmel,
        size: str = "tiny",
        **kwargs: Any,
    ) -> None:
        """Initializes the encoder.

        Args:
          output_splits: Pairs (name, number of channels) of the outputs.
          spectral_fn: Maps audio to a spectrogram [batch, time, bins].
          size: Size of the network, see `nn.ResNet`.
          **kwargs: Arguments of `keras.layers.Layer`.
        """
        # Audio analysis needs float32; inner layers cast their own inputs.
        super().__init__(
            output_keys=[name for name, _ in output_splits],
            **{"autocast": False, **kwargs},
        )
        self.output_splits = output_splits
        self.spectral_fn = spectral_fn
        self.resnet = nn.ResNet(size=size)
        self.dense_outs = [keras.layers.Dense(n) for _, n in output_splits]

    def call(self, audio: tf.Tensor) -> Outputs:
        """Encodes audio.

        Args:
          audio: Shape [batch, n_samples].

        Returns:
          A tensor of shape [batch, time, channels] for each of `output_splits`, at the
          frame rate of the spectrogram.
        """
        x = _features(self.resnet, self.spectral_fn(audio))
        outputs = zip(self.output_keys, self.dense_outs, strict=True)
        return {key: tf_float32(layer(x)) for key, layer in outputs}


@configurable.layer(module="ddsp.training.encoders")
class ResnetF0Encoder(nn.DictLayer):
    """Encoder from audio to f0, trained jointly with the decoder.

    The f0 encoder of the unsupervised autoencoder in Engel et al., "DDSP:
    Differentiable Digital Signal Processing" (2020), appendix B.1: a residual network
    over the log-mel spectrogram, and a distribution over log-spaced frequencies whose
    mean is f0.

    Example:

    >>> from ddsp.training import encoders
    >>> encoder = encoders.ResnetF0Encoder(size="tiny")
    >>> encoder.output_keys
    ['f0_hz', 'f0_scaled']
    """

    def __init__(
        self,
        size: str = "large",
        f0_bins: int = 128,
        spectral_fn: Callable[[ArrayLike], tf.Tensor] | None = None,
        frame_rate: int = 250,
        sample_rate: int = 16000,
        softmax_fn: Callable[..., tf.Tensor] = core.frequencies_softmax,
        **kwargs: Any,
    ) -> None:
        """Initializes the encoder.

        Args:
          size: Size of the network, see `nn.ResNet`.
          f0_bins: Number of frequency bins from 8.2 Hz to 13.3 kHz.
          spectral_fn: Maps audio to a spectrogram [batch, time, bins]. Default: log-mel
            spectrogram with 229 bands up to the Nyquist frequency and frames of 128 ms.
          frame_rate: Frame rate of f0 in Hz; must divide `sample_rate`.
          sample_rate: Sample rate in Hz.
          softmax_fn: Maps logits over bins to the mean frequency in Hz.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If the frame rate does not divide the sample rate.
        """
        super().__init__(
            output_keys=["f0_hz", "f0_scaled"], **{"autocast": False, **kwargs}
        )
        checks.positive("f0_bins", f0_bins)
        self.hop_size = checks.hop_size(sample_rate, frame_rate)
        self.f0_bins = f0_bins
        self.frame_rate = frame_rate
        self.sample_rate = sample_rate
        self.spectral_fn = spectral_fn or self._log_mel
        self.softmax_fn = softmax_fn
        self.resnet = nn.ResNet(size=size)
        self.dense_out = keras.layers.Dense(f0_bins)

    def call(self, audio: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Estimates f0.

        Args:
          audio: Shape [batch, n_samples].

        Returns:
          f0 in Hz, and f0 scaled by `preprocessing.scale_f0_hz`, both of shape [batch,
          ceil(n_samples / hop_size), 1].
        """
        audio = tf_float32(audio)
        x = _features(self.resnet, self.spectral_fn(audio))
        # With thousands of inputs, Adam's updates add up: without the scale they
        # saturate the softmax within a few steps.
        x = tf_float32(self.dense_out(x / math.sqrt(x.shape[-1])))
        lowest, highest = _F0_RANGE
        f0_hz = self.softmax_fn(x, self.f0_bins, lowest, highest)
        n_samples = audio.shape[1] or tf.shape(audio)[1]
        n_frames = -(-n_samples // self.hop_size)
        f0_scaled = core.resample(preprocessing.scale_f0_hz(f0_hz), n_frames)
        return preprocessing.inv_scale_f0_hz(f0_scaled), f0_scaled

    def _log_mel(self, audio: tf.Tensor) -> tf.Tensor:
        return spectral_ops.compute_logmel(
            audio,
            lo_hz=0.0,
            hi_hz=self.sample_rate / 2.0,
            bins=229,
            fft_size=2 ** round(math.log2(self.sample_rate * 0.128)),
            overlap=0.75,
            pad_end=True,
            sample_rate=self.sample_rate,
        )


def _features(resnet: nn.ResNet, spectrogram: tf.Tensor) -> tf.Tensor:
    """Maps [batch, time, bins] to [batch, time, frequencies * channels]."""
    x = resnet(spectrogram[..., tf.newaxis])
    n_rows, n_frames, n_bins, n_channels = x.shape
    shape = tf.shape(x)
    return tf.reshape(
        x, [n_rows or shape[0], n_frames or shape[1], n_bins * n_channels]
    )
