"""Additive synthesis with free and with damped sinusoids."""

from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from ddsp import configurable, core
from ddsp._core import checks, oscillator_streams
from ddsp._synths.base import Oscillators, ScaleFn, Synth, scale
from ddsp.streaming import FRAME, Rates
from ddsp.types import State


@configurable.layer(module="ddsp.synths")
class Sinusoidal(Oscillators):
    """A bank of independent sinusoids.

    Args:
      n_samples: Length to render; None renders `hop_size` samples a frame.
      sample_rate: Samples per second.
      amp_scale_fn: Maps the network's amplitudes to values >= 0; None leaves them.
      amp_resample_method: How amplitudes are interpolated, see `core.resample`.
      freq_scale_fn: Maps the network's outputs to Hz; None leaves them.
      name: Name of the processor.
      hop_size: Samples a frame, used where no `n_samples` is given.

    Example:

    >>> synth = ddsp.synths.Sinusoidal(n_samples=640)
    >>> synth(tf.zeros([1, 10, 3]), tf.zeros([1, 10, 3])).shape.as_list()
    [1, 640]
    """

    control_rates: ClassVar[Rates] = {"amplitudes": FRAME, "frequencies": FRAME}
    _step = staticmethod(oscillator_streams.step_sinusoids)

    def __init__(
        self,
        n_samples: int | None = 64000,
        sample_rate: int = 16000,
        amp_scale_fn: ScaleFn = core.exp_sigmoid,
        amp_resample_method: str = "window",
        freq_scale_fn: ScaleFn = core.frequencies_sigmoid,
        name: str = "sinusoidal",
        hop_size: int | None = None,
    ):
        super().__init__(name, n_samples, hop_size)
        checks.positive("sample_rate", sample_rate)
        self.sample_rate = sample_rate
        self.amp_scale_fn = amp_scale_fn
        self.amp_resample_method = amp_resample_method
        self.freq_scale_fn = freq_scale_fn

    def get_controls(self, amplitudes: Any, frequencies: Any) -> dict[str, tf.Tensor]:
        """Scales a network's outputs.

        Args:
          amplitudes: [batch, n_frames, n_sinusoids].
          frequencies: [batch, n_frames, n_sinusoids * depth], see the scale function.

        Returns:
          Both as [batch, n_frames, n_sinusoids]; what lies above Nyquist is silent.
        """
        frequencies = core.tf_float32(frequencies)
        checks.rank("frequencies", frequencies, (3, 4))
        frequencies = scale(frequencies, self.freq_scale_fn)
        checks.bounded("frequencies", frequencies)
        amplitudes = scale(amplitudes, self.amp_scale_fn)
        checks.rank("amplitudes", amplitudes, 3)
        amplitudes = core.remove_above_nyquist(
            frequencies, amplitudes, self.sample_rate
        )
        return {"amplitudes": amplitudes, "frequencies": frequencies}

    def get_signal(
        self, amplitudes: Any, frequencies: Any, n_samples: int | None = None
    ) -> tf.Tensor:
        """Renders the controls; `n_samples` overrides the constructor's.

        Returns:
          [batch, n_samples].
        """
        frequencies = core.tf_float32(frequencies)
        return core.sinusoidal_synthesis(
            frequencies=frequencies,
            amplitudes=amplitudes,
            n_samples=self._length(frequencies, n_samples),
            sample_rate=self.sample_rate,
            amp_resample_method=self.amp_resample_method,
        )

    def _start(self, batch_size: int, static: Mapping[str, Any]) -> State:
        n_sinusoids = self._channels("amplitudes")
        return self._start_oscillators(batch_size, n_sinusoids, n_sinusoids)

    def _advance(
        self, block: Mapping[str, tf.Tensor], state: State, noise: Any
    ) -> tuple[tf.Tensor, State]:
        controls = self.get_controls(**block)
        return self._step_oscillators(
            state, controls["frequencies"], controls["amplitudes"]
        )


@configurable.layer(module="ddsp.synths")
class DampedSinusoidal(Synth):
    """Damped sinusoids, whose frequencies can be learned by gradient.

    Hayes, Saitis & Fazekas (2023), see `core.damped_sinusoids`. It renders a whole at
    once, not blocks.

    Args:
      n_samples: Length to render.
      amp_scale_fn: Maps a network's amplitudes to values >= 0; None leaves them as
        they are.
      name: Name of the processor.

    Example:

    >>> synth = ddsp.synths.DampedSinusoidal(n_samples=640)
    >>> pole = [[[0.99 * np.cos(0.3), 0.99 * np.sin(0.3)]]]
    >>> synth([[1.0]], pole).shape.as_list()
    [1, 640]
    """

    def __init__(
        self,
        n_samples: int | None = 64000,
        amp_scale_fn: ScaleFn = None,
        name: str = "damped_sinusoidal",
    ):
        super().__init__(name, n_samples, None)
        self.amp_scale_fn = amp_scale_fn

    def get_controls(self, amplitudes: Any, poles: Any) -> dict[str, tf.Tensor]:
        """Scales a network's outputs.

        Args:
          amplitudes: [batch, n_sinusoids].
          poles: [batch, n_sinusoids, 2], real and imaginary parts; outside the unit
            circle the nearest point on it counts.

        Returns:
          The same two.
        """
        poles = core.tf_float32(poles)
        checks.bounded("poles", poles)
        return {"amplitudes": scale(amplitudes, self.amp_scale_fn), "poles": poles}

    def get_signal(
        self, amplitudes: Any, poles: Any, n_samples: int | None = None
    ) -> tf.Tensor:
        """Renders the controls; `n_samples` overrides the constructor's.

        Returns:
          [batch, n_samples].
        """
        return core.damped_sinusoids(poles, amplitudes, self._length(poles, n_samples))
