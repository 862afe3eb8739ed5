"""Additive synthesis with harmonics of a fundamental."""

from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from ddsp import configurable, core
from ddsp._core import checks, oscillator_streams
from ddsp._synths.base import Oscillators, ScaleFn, scale
from ddsp.streaming import FRAME, Rates
from ddsp.types import State


@configurable.layer(module="ddsp.synths")
class Harmonic(Oscillators):
    """A bank of harmonic sinusoids: the pitched part of a sound.

    Engel et al. (2020), section 3.2.

    Args:
      n_samples: Length to render; None renders `hop_size` samples a frame.
      sample_rate: Samples per second.
      scale_fn: Maps the network's amplitudes and shares to values >= 0; None leaves
        them as they are.
      normalize_below_nyquist: Whether harmonics above Nyquist are silenced before
        the shares are made to sum to one, so that `amplitudes` alone sets the level.
      amp_resample_method: How amplitudes are interpolated, see `core.resample`.
      use_angular_cumsum: Accepted for compatibility; phase is exact either way.
      name: Name of the processor.
      hop_size: Samples a frame, used where no `n_samples` is given.

    Example:

    >>> synth = ddsp.synths.Harmonic(n_samples=640)
    >>> synth(tf.zeros([1, 10, 1]), tf.zeros([1, 10, 4]), tf.fill([1, 10, 1], 440.0)
    ...       ).shape.as_list()
    [1, 640]
    """

    control_rates: ClassVar[Rates] = {
        "amplitudes": FRAME,
        "harmonic_distribution": FRAME,
        "f0_hz": FRAME,
    }
    _step = staticmethod(oscillator_streams.step_harmonics)

    def __init__(
        self,
        n_samples: int | None = 64000,
        sample_rate: int = 16000,
        scale_fn: ScaleFn = core.exp_sigmoid,
        normalize_below_nyquist: bool = True,
        amp_resample_method: str = "window",
        use_angular_cumsum: bool = False,
        name: str = "harmonic",
        hop_size: int | None = None,
    ):
        super().__init__(name, n_samples, hop_size)
        checks.positive("sample_rate", sample_rate)
        self.sample_rate = sample_rate
        self.scale_fn = scale_fn
        self.normalize_below_nyquist = normalize_below_nyquist
        self.amp_resample_method = amp_resample_method
        self.use_angular_cumsum = use_angular_cumsum

    def get_controls(
        self, amplitudes: Any, harmonic_distribution: Any, f0_hz: Any
    ) -> dict[str, tf.Tensor]:
        """Scales a network's outputs.

        Args:
          amplitudes: [batch, n_frames, 1].
          harmonic_distribution: [batch, n_frames, n_harmonics].
          f0_hz: [batch, n_frames, 1], Hz, >= 0.

        Returns:
          The same three; the shares sum to one.
        """
        f0_hz = core.tf_float32(f0_hz)
        checks.bounded("f0_hz", f0_hz)
        below_nyquist = (
            (f0_hz, self.sample_rate) if self.normalize_below_nyquist else ()
        )
        return {
            "amplitudes": scale(amplitudes, self.scale_fn),
            "harmonic_distribution": core.normalize_harmonics(
                scale(harmonic_distribution, self.scale_fn), *below_nyquist
            ),
            "f0_hz": f0_hz,
        }

    def get_signal(
        self,
        amplitudes: Any,
        harmonic_distribution: Any,
        f0_hz: Any,
        n_samples: int | None = None,
    ) -> tf.Tensor:
        """Renders the controls; `n_samples` overrides the constructor's.

        Returns:
          [batch, n_samples].
        """
        return core.harmonic_synthesis(
            frequencies=f0_hz,
            amplitudes=amplitudes,
            harmonic_distribution=harmonic_distribution,
            n_samples=self._length(f0_hz, n_samples),
            sample_rate=self.sample_rate,
            amp_resample_method=self.amp_resample_method,
            use_angular_cumsum=self.use_angular_cumsum,
        )

    def _start(self, batch_size: int, static: Mapping[str, Any]) -> State:
        return self._start_oscillators(
            batch_size, self._channels("harmonic_distribution"), 1
        )

    def _advance(
        self, block: Mapping[str, tf.Tensor], state: State, noise: Any
    ) -> tuple[tf.Tensor, State]:
        controls = self.get_controls(**block)
        amplitudes = controls["amplitudes"] * controls["harmonic_distribution"]
        return self._step_oscillators(state, controls["f0_hz"], amplitudes)
