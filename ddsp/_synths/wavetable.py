"""Wavetable synthesis, and audio passed through."""

from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from ddsp import configurable, core
from ddsp._core import checks, hops, oscillator_streams
from ddsp._core.blocks import check_block
from ddsp._synths.base import ScaleFn, Synth, scale
from ddsp.processors import Processor
from ddsp.streaming import FRAME, SAMPLE, STATIC, Rates, memoryless
from ddsp.types import State


@configurable.layer(module="ddsp.synths")
class TensorToAudio(Processor):
    """Passes a tensor on as audio: a network that makes samples itself.

    Args:
      name: Name of the processor.

    Example:

    >>> ddsp.synths.TensorToAudio()(tf.zeros([1, 640, 1])).shape.as_list()
    [1, 640]
    """

    control_rates: ClassVar[Rates] = {"samples": SAMPLE}

    def __init__(self, name: str = "tensor_to_audio"):
        super().__init__(name=name)

    def get_controls(self, samples: Any) -> dict[str, tf.Tensor]:
        """Takes samples [batch, n_samples, 1]."""
        samples = core.tf_float32(samples)
        checks.rank("samples", samples, 3)
        return {"samples": samples}

    def get_signal(self, samples: Any) -> tf.Tensor:
        """Returns [batch, n_samples]."""
        return tf.squeeze(core.tf_float32(samples), axis=2)

    def _start(self, batch_size: int, static: Mapping[str, Any]) -> State:
        return memoryless(batch_size)

    def _advance(
        self, block: Mapping[str, tf.Tensor], state: State, noise: Any
    ) -> tuple[tf.Tensor, State]:
        return self.get_signal(**block), state


@configurable.layer(module="ddsp.synths")
class Wavetable(Synth):
    """An oscillator that reads a table, which may change over time.

    Args:
      n_samples: Length to render; None renders `hop_size` samples a frame.
      sample_rate: Samples per second.
      scale_fn: Maps the network's amplitudes to values >= 0; None leaves them.
      name: Name of the processor.
      hop_size: Samples a frame, used where no `n_samples` is given.

    Example:

    >>> synth = ddsp.synths.Wavetable(n_samples=640)
    >>> table = tf.sin(2.0 * np.pi * tf.range(64.0) / 64.0)[tf.newaxis]
    >>> synth(tf.zeros([1, 10, 1]), table, tf.fill([1, 10, 1], 440.0)).shape.as_list()
    [1, 640]
    """

    control_rates: ClassVar[Rates] = {
        "amplitudes": FRAME,
        "wavetables": FRAME,
        "f0_hz": FRAME,
    }

    def __init__(
        self,
        n_samples: int | None = 64000,
        sample_rate: int = 16000,
        scale_fn: ScaleFn = core.exp_sigmoid,
        name: str = "wavetable",
        hop_size: int | None = None,
    ):
        super().__init__(name, n_samples, hop_size)
        checks.positive("sample_rate", sample_rate)
        self.sample_rate = sample_rate
        self.scale_fn = scale_fn

    def get_controls(
        self, amplitudes: Any, wavetables: Any, f0_hz: Any
    ) -> dict[str, tf.Tensor]:
        """Scales a network's outputs.

        Args:
          amplitudes: [batch, n_frames, 1].
          wavetables: [batch, n_wavetable] or [batch, n_frames, n_wavetable].
          f0_hz: [batch, n_frames, 1], Hz, >= 0.

        Returns:
          The same three.
        """
        f0_hz = core.tf_float32(f0_hz)
        checks.bounded("f0_hz", f0_hz)
        return {
            "amplitudes": scale(amplitudes, self.scale_fn),
            "wavetables": scale(wavetables, self.scale_fn),
            "f0_hz": f0_hz,
        }

    def get_signal(
        self,
        amplitudes: Any,
        wavetables: Any,
        f0_hz: Any,
        n_samples: int | None = None,
    ) -> tf.Tensor:
        """Renders the controls; `n_samples` overrides the constructor's.

        Returns:
          [batch, n_samples].
        """
        f0_hz = core.tf_float32(f0_hz)
        return core.wavetable_synthesis(
            frequencies=f0_hz,
            amplitudes=amplitudes,
            wavetables=wavetables,
            n_samples=self._length(f0_hz, n_samples),
            sample_rate=self.sample_rate,
        )

    def rates(self) -> Rates:
        """Returns the rate of each control; a wavetable may be static."""
        if self._rank("wavetables") == 2:
            return {**self.control_rates, "wavetables": STATIC}
        return self.control_rates

    def _lag(self) -> int:
        return self._hop()

    def _start(self, batch_size: int, static: Mapping[str, Any]) -> State:
        table = static.get("wavetables")
        if self._rank("wavetables") == 2:
            if table is None:
                raise ValueError(
                    f"`{self.name}` was called with one table for all time: give it to "
                    "`initial_state` as `wavetables`, got none."
                )
            table = scale(check_block("wavetables", table, 2), self.scale_fn)
        return oscillator_streams.start_wavetable(
            batch_size, self._channels("wavetables"), table
        )

    def _advance(
        self, block: Mapping[str, tf.Tensor], state: State, noise: Any
    ) -> tuple[tf.Tensor, State]:
        block = {**block, "wavetables": block.get("wavetables", 0.0)}
        controls = self.get_controls(**block)
        return self._step_wavetable(state, controls)

    def _finish(self, state: State, tail: bool) -> tf.Tensor:
        return self._step_wavetable(state, hops.held(state["kept"], 1))[0]

    def _step_wavetable(self, state: State, frames: State) -> tuple[tf.Tensor, State]:
        return oscillator_streams.step_wavetable(
            state, frames, self._hop(), self.sample_rate
        )
