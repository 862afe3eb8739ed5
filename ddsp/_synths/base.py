"""What synthesizers share: their length, oscillators, scaling."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from ddsp import core
from ddsp._core import checks, hops, oscillator_streams
from ddsp.processors import Processor
from ddsp.types import State

ScaleFn = Callable[[Any], tf.Tensor] | None


class Synth(Processor):
    """Base class of synthesizers; determines the number of samples to render.

    In this order: the length given at the call, `n_samples` of the constructor, or
    `hop_size` samples for each frame of the controls.

    Args:
      name: Name of the processor.
      n_samples: Length to render; None to derive it from `hop_size` or the call.
      hop_size: Samples per frame; None if unknown.

    Example:

    >>> class Constant(ddsp.synths.Synth):
    ...     def get_controls(self, amplitudes):
    ...         return {"amplitudes": amplitudes}
    ...     def get_signal(self, amplitudes, n_samples=None):
    ...         n_samples = self._length(amplitudes, n_samples)
    ...         return ddsp.core.resample(amplitudes, n_samples)[..., 0]
    >>> synth = Constant(name="constant", n_samples=None, hop_size=64)
    >>> synth(tf.ones([1, 10, 1])).shape.as_list()
    [1, 640]
    """

    def __init__(self, name: str, n_samples: int | None, hop_size: int | None):
        super().__init__(name=name)
        for argument, value in (("n_samples", n_samples), ("hop_size", hop_size)):
            if value is not None:
                checks.positive(argument, value)
        self.n_samples = n_samples
        self.hop_size = hop_size

    def _render(self, controls: Mapping[str, Any], n_samples: int | None) -> tf.Tensor:
        # Called without a length where there is none, so that a subclass may define
        # `get_signal` by its controls alone.
        length = {} if n_samples is None else {"n_samples": n_samples}
        return self.get_signal(**controls, **length)

    def _length(self, frames: Any, n_samples: int | None) -> Any:
        """Samples to render for controls [batch, n_frames, ...]."""
        if n_samples is not None:
            return n_samples
        if self.n_samples is not None:
            return self.n_samples
        if self.hop_size is None:
            raise ValueError(
                f"`{self.name}` needs to know how much to render: give `n_samples` or "
                "`hop_size` to its constructor, or `n_samples` at the call, got none."
            )
        n_frames = frames.shape[1]
        return (tf.shape(frames)[1] if n_frames is None else n_frames) * self.hop_size


class Oscillators(Synth):
    """Oscillators in blocks: each hop is rendered once the frame after it is there."""

    sample_rate: int
    amp_resample_method: str
    _step: Callable[..., tuple[tf.Tensor, State]]

    def _lag(self) -> int:
        return oscillator_streams.look_ahead(self.amp_resample_method) * self._hop()

    def _start_oscillators(
        self, batch_size: int, n_amplitudes: int, n_frequencies: int
    ) -> State:
        return oscillator_streams.start_oscillators(
            batch_size, n_amplitudes, n_frequencies, self.amp_resample_method
        )

    def _step_oscillators(
        self, state: State, frequencies: tf.Tensor, amplitudes: tf.Tensor
    ) -> tuple[tf.Tensor, State]:
        return self._step(
            state,
            frequencies,
            amplitudes,
            self._hop(),
            self.sample_rate,
            self.amp_resample_method,
        )

    def _finish(self, state: State, tail: bool) -> tf.Tensor:
        lag = oscillator_streams.look_ahead(self.amp_resample_method)
        last = hops.held(state["kept"], lag)
        return self._step_oscillators(state, last["hz"], last["amplitudes"])[0]


def scale(x: Any, scale_fn: ScaleFn) -> tf.Tensor:
    """Returns a float32 tensor, scaled unless `scale_fn` is None."""
    return core.tf_float32(x) if scale_fn is None else scale_fn(x)
