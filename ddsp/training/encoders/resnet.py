"""Residual networks from spectrograms to sinusoids and to pitch."""

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

# Hz of the lowest and the highest bin of pitch: the range of MIDI.
_F0_RANGE = (8.2, 13300.0)


@configurable.layer(module="ddsp.training.encoders")
class ResnetSinusoidalEncoder(nn.DictLayer):
    """From audio to raw controls of a sinusoidal and a noise synthesiser.

    The first network of Engel et al., "Self-supervised Pitch Detection by Inverse Audio
    Synthesis" (2020).
    """

    def __init__(
        self,
        output_splits: OutputSplits = (
            ("frequencies", 6400),
            ("amplitudes", 100),
            ("noise_magnitudes", 60),
        ),
        spectral_fn: Callable[[Any], tf.Tensor] = spectral_ops.compute_logmel,
        size: str = "tiny",
        **kwargs,
    ):
        """Initializer.

        Args:
          output_splits: Pairs (name, number of channels) of the outputs.
          spectral_fn: From audio to a spectrogram [batch, time, bins].
          size: Of the network, see `nn.ResNet`.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        # Audio analysis stays in float32; the layers inside cast for themselves.
        super().__init__(
            output_keys=[name for name, _ in output_splits],
            **{"autocast": False, **kwargs},
        )
        self.output_splits = output_splits
        self.spectral_fn = spectral_fn
        self.resnet = nn.ResNet(size=size)
        self.dense_outs = [keras.layers.Dense(n) for _, n in output_splits]

    def call(self, audio):
        """Encodes audio.

        Args:
          audio: [batch, n_samples].

        Returns:
          {name: [batch, time, channels]} for each of `output_splits`, at the time steps
          of the spectrogram.
        """
        x = _features(self.resnet, self.spectral_fn(audio))
        outputs = zip(self.output_keys, self.dense_outs, strict=True)
        return {key: tf_float32(layer(x)) for key, layer in outputs}


@configurable.layer(module="ddsp.training.encoders")
class ResnetF0Encoder(nn.DictLayer):
    """From audio to pitch, learned together with what is synthesised from it.

    The f0 encoder of the unsupervised autoencoder of Engel et al., "DDSP:
    Differentiable Digital Signal Processing" (2020), appendix B.1: a residual network
    over the log-mel spectrogram, then a distribution over log-spaced frequencies, whose
    mean is the pitch.
    """

    def __init__(
        self,
        size: str = "large",
        f0_bins: int = 128,
        spectral_fn: Callable[[Any], tf.Tensor] | None = None,
        frame_rate: int = 250,
        sample_rate: int = 16000,
        softmax_fn: Callable[..., tf.Tensor] = core.frequencies_softmax,
        **kwargs,
    ):
        """Initializer.

        Args:
          size: Of the network, see `nn.ResNet`.
          f0_bins: Number of frequencies from 8.2 Hz to 13.3 kHz.
          spectral_fn: From audio to a spectrogram [batch, time, bins]. By default the
            logarithms of 229 mel bands up to Nyquist, from frames of 128 ms.
          frame_rate: Frames a second of the pitch, which divides `sample_rate`.
          sample_rate: Samples a second.
          softmax_fn: From the network's outputs to frequencies, by the mean of a
            distribution over bins.
          **kwargs: Passed on to `keras.layers.Layer`.

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

    def call(self, audio):
        """Finds the pitch.

        Args:
          audio: [batch, n_samples].

        Returns:
          Pitch in Hz and scaled as `preprocessing.scale_f0_hz` does, [batch, time, 1],
          a frame for each hop that the audio begins.
        """
        audio = tf_float32(audio)
        x = _features(self.resnet, self.spectral_fn(audio))
        # Adam's steps add up over thousands of inputs: unscaled they drive the softmax
        # within some steps to where it has no gradient left.
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
    """[batch, time, channels of all frequencies] from [batch, time, bins]."""
    x = resnet(spectrogram[..., tf.newaxis])
    n_rows, n_frames, n_bins, n_channels = x.shape
    shape = tf.shape(x)
    return tf.reshape(
        x, [n_rows or shape[0], n_frames or shape[1], n_bins * n_channels]
    )
