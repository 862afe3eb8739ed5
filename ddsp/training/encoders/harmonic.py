"""From sinusoids to the harmonic sound they may come from."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core
from ddsp._core.tensors import tf_float32
from ddsp.training import nn

# Hz between which the pitch is looked for.
_F0_RANGE = (20.0, 1200.0)


@configurable.layer(module="ddsp.training.encoders")
class SinusoidalToHarmonicEncoder(nn.DictLayer):
    """A network from sinusoids to pitch, amplitude and harmonic distribution.

    The second network of Engel et al., "Self-supervised Pitch Detection by Inverse
    Audio Synthesis" (2020).
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
        **kwargs,
    ):
        """Initializer.

        Args:
          net: From [batch, time, 2 * n_sinusoids] to [batch, time, channels], or to a
            dictionary with that under 'out'.
          n_harmonics: Number of harmonics.
          f0_depth: Number of values from which the pitch is made.
          amp_scale_fn: From raw amplitudes and shares to values >= 0.
          freq_scale_fn: From raw [batch, time, f0_depth] to Hz, [batch, time, 1]. By
            default a softmax over log-spaced bins from 20 to 1200 Hz.
          sample_rate: Samples a second.
          softmax_fn: The softmax over bins that is the default `freq_scale_fn`.
          **kwargs: Passed on to `keras.layers.Layer`.

        Raises:
          ValueError: If there is no network.
        """
        if net is None:
            raise ValueError(
                "`SinusoidalToHarmonicEncoder` needs a network: give it `net`, such as "
                "`nn.RnnSandwich()`, got None."
            )
        # Half precision cannot hold a frequency; the layers inside cast for themselves.
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

    def call(self, sin_freqs, sin_amps):
        """Encodes sinusoids.

        Args:
          sin_freqs: [batch, time, n_sinusoids], Hz.
          sin_amps: [batch, time, n_sinusoids], amplitudes.

        Returns:
          Amplitude [batch, time, 1]; shares of the harmonics [batch, time,
          n_harmonics], which sum to one, those above Nyquist zero; pitch [batch, time,
          1], Hz.
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
