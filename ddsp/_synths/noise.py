"""Subtractive synthesis: filtered noise."""

from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from ddsp import configurable, core
from ddsp._core import filter_streams
from ddsp._core.blocks import check_block
from ddsp._core.noise import draw_seed
from ddsp._synths.base import ScaleFn, Synth
from ddsp.streaming import FRAME, Rates
from ddsp.types import State


@configurable.layer(module="ddsp.synths")
class FilteredNoise(Synth):
    """White noise through a filter that changes over time: breath, bow and air.

    Engel et al. (2020), section 3.5.

    Args:
      n_samples: Length to render; None renders `hop_size` samples a frame.
      window_size: Samples of the filter's window, see `core.frequency_filter`.
      scale_fn: Maps the network's magnitudes to values >= 0; None leaves them.
      initial_bias: Added before scaling, so that an untrained network makes little
        noise.
      name: Name of the processor.
      hop_size: Samples a frame, used where no `n_samples` is given.
      seed: Of the noise; None draws other noise at every call, or for every stream.
      cross_fade: Whether filters fade from frame to frame, so that they do not click
        when they change; see `core.frequency_filter`.

    Example:

    >>> synth = ddsp.synths.FilteredNoise(n_samples=640, window_size=0, seed=1)
    >>> synth(tf.zeros([1, 10, 9])).shape.as_list()
    [1, 640]
    """

    control_rates: ClassVar[Rates] = {"magnitudes": FRAME}
    draws_noise = True

    def __init__(
        self,
        n_samples: int | None = 64000,
        window_size: int = 257,
        scale_fn: ScaleFn = core.exp_sigmoid,
        initial_bias: float = -5.0,
        name: str = "filtered_noise",
        hop_size: int | None = None,
        seed: int | None = None,
        cross_fade: bool = False,
    ):
        super().__init__(name, n_samples, hop_size)
        self.window_size = window_size
        self.scale_fn = scale_fn
        self.initial_bias = initial_bias
        self.seed = seed
        self.cross_fade = cross_fade

    def get_controls(self, magnitudes: Any) -> dict[str, tf.Tensor]:
        """Scales magnitudes [batch, n_frames, n_filter_banks]; 0 Hz comes first."""
        magnitudes = core.tf_float32(magnitudes)
        if self.scale_fn is not None:
            magnitudes = self.scale_fn(magnitudes + self.initial_bias)
        return {"magnitudes": magnitudes}

    def get_signal(self, magnitudes: Any, n_samples: int | None = None) -> tf.Tensor:
        """Filters noise in [-1, 1); `n_samples` overrides the constructor's.

        Returns:
          [batch, n_samples].
        """
        magnitudes = core.tf_float32(magnitudes)
        noise = core.uniform_noise(
            tf.shape(magnitudes)[0], self._length(magnitudes, n_samples), self.seed
        )
        noise = tf.ensure_shape(noise, [magnitudes.shape[0], None])
        return core.frequency_filter(
            noise,
            magnitudes,
            window_size=self.window_size,
            cross_fade=self.cross_fade,
        )

    def _lag(self) -> int:
        return filter_streams.fir_latency(
            self._channels("magnitudes"), self.window_size
        )

    def _start(self, batch_size: int, static: Mapping[str, Any]) -> State:
        seed = draw_seed() if self.seed is None else self.seed
        return {
            "seed": tf.cast(seed, tf.int32),
            "filter": filter_streams.start_fir(
                batch_size,
                self._channels("magnitudes"),
                self.window_size,
                self._hop(),
                self.cross_fade,
            ),
        }

    def _advance(
        self, block: Mapping[str, tf.Tensor], state: State, noise: Any
    ) -> tuple[tf.Tensor, State]:
        magnitudes = self.get_controls(**block)["magnitudes"]
        batch_size, n_frames = magnitudes.shape[:2]
        n_samples = n_frames * self._hop()
        if noise is None:
            noise = core.uniform_noise(
                tf.shape(magnitudes)[0] if batch_size is None else batch_size,
                n_samples,
                state["seed"],
                state["filter"]["position"],
            )
        else:
            noise = check_block("noise", noise, 2)
            if noise.shape[1] != n_samples:
                raise ValueError(
                    f"`noise` of `{self.name}` must have {n_samples} samples, got shape"
                    f" {noise.shape}."
                )
        audio, of_filter = filter_streams.step_fir(
            state["filter"],
            noise,
            magnitudes,
            window_size=self.window_size,
            hop_size=self._hop(),
        )
        return audio, {**state, "filter": of_filter}

    def _finish(self, state: State, tail: bool) -> tf.Tensor:
        return filter_streams.finish_fir(state["filter"], self._lag())
