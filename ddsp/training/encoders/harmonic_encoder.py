"""Encoder from sinusoids to the controls of a harmonic synthesizer."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core
from ddsp._core.tensors import tf_float32
from ddsp.training import nn

# Range of f0, in Hz.
_F0_RANGE = (20.0, 1200.0)


@configurable.layer(module="ddsp.training.encoders")
class SinusoidalToHarmonicEncoder(nn.DictLayer):
    """Network from sinusoids to f0, amplitude and harmonic distribution.

    The second encoder of Engel et al., "Self-supervised Pitch Detection by Inverse
    Audio Synthesis" (2020).

    Example:

    >>> from ddsp.training import encoders, nn
    >>> encoder = encoders.SinusoidalToHarmonicEncoder(nn.FcStack(4, 1), n_harmonics=8)
    >>> sinusoids = tf.zeros([1, 5, 10])
    >>> outputs = encoder(sin_freqs=sinusoids, sin_amps=sinusoids)
    >>> {name: x.shape.as_list() for name, x in outputs.items()}
    {'harm_amp': [1, 5, 1], 'harm_dist': [1, 5, 8], 'f0_hz': [1, 5, 1]}
    """

    def __init__(
        self,
        net: keras.layers.Layer | None = None,
        n_harmonics: int = 100,
        f0_depth: int = 64,
        amp_scale_fn: Callable[[tf.Tensor], tf.Tensor] = core.exp_sigmoid,
        freq_scale_fn: Callable[[tf.Tensor], tf.Tensor] | None = None,
        sample_rate: int = 16000,
        softmax_fn: Callable[..., tf.Tensor] = core.frequencies_softmax,
        **kwargs: Any,
    ) -> None:
        """Initializes the encoder.

        Args:
          net: Network from [batch, time, 2 * n_sinusoids] to [batch, time, channels],
            or to a dictionary with this tensor as 'out'.
          n_harmonics: Number of harmonics.
          f0_depth: Number of frequency bins of the default `freq_scale_fn`.
          amp_scale_fn: Maps raw amplitudes to values >= 0.
          freq_scale_fn: Maps raw values [batch, time, f0_depth] to Hz, [batch, time,
            1]. Default: a softmax over log-spaced bins from 20 to 1200 Hz.
          sample_rate: Sample rate in Hz.
          softmax_fn: The softmax over bins in the default `freq_scale_fn`.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If `net` is None.
        """
        if net is None:
            raise ValueError(
                "`SinusoidalToHarmonicEncoder` requires a network `net`, such as "
                "`nn.RnnSandwich()`, got None."
            )
        # Frequencies need float32; inner layers cast their own inputs.
        super().__init__(
            output_keys=["harm_amp", "harm_dist", "f0_hz"],
            **{"autocast": False, **kwargs},
        )
        self.n_harmonics = n_harmonics
        self.amp_scale_fn = amp_scale_fn
        lowest, highest = _F0_RANGE
        self.freq_scale_fn = freq_scale_fn or functools.partial(
            softmax_fn, depth=f0_depth, hz_min=lowest, hz_max=highest
        )
        self.sample_rate = sample_rate
        self.net: Any = net
        self.amp_out = keras.layers.Dense(1)
        self.hd_out = keras.layers.Dense(n_harmonics)
        self.f0_out = keras.layers.Dense(f0_depth)

    def call(
        self, sin_freqs: tf.Tensor, sin_amps: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Encodes sinusoids.

        Args:
          sin_freqs: Frequencies in Hz, shape [batch, time, n_sinusoids].
          sin_amps: Amplitudes, shape [batch, time, n_sinusoids].

        Returns:
          Amplitude of shape [batch, time, 1], harmonic distribution of shape [batch,
          time, n_harmonics], zero above Nyquist, and f0 in Hz of shape [batch, time,
          1].
        """
        unit_freqs = core.hz_to_unit(
            tf_float32(sin_freqs), hz_min=0.0, hz_max=self.sample_rate / 2.0
        )
        x = self.net(tf.concat([unit_freqs, tf_float32(sin_amps)], axis=-1))
        x = x["out"] if isinstance(x, dict) else x
        harm_amp = self.amp_scale_fn(tf_float32(self.amp_out(x)))
        harm_dist = self.amp_scale_fn(tf_float32(self.hd_out(x)))
        f0_hz = self.freq_scale_fn(tf_float32(self.f0_out(x)))
        harm_dist = core.normalize_harmonics(harm_dist, f0_hz, self.sample_rate)
        return harm_amp, harm_dist, f0_hz
