"""Synthesizers: processors that make audio from controls at frame rate."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import tensorflow as tf

from ddsp import configurable, core
from ddsp._core import checks, filter_streams, hops, oscillator_streams
from ddsp._core.blocks import check_block
from ddsp._core.noise import draw_seed
from ddsp.processors import Processor
from ddsp.streaming import FRAME, SAMPLE, STATIC, Rates, memoryless
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


class _Oscillators(Synth):
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


def _scale(x: Any, scale_fn: ScaleFn) -> tf.Tensor:
    return core.tf_float32(x) if scale_fn is None else scale_fn(x)


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
class Harmonic(_Oscillators):
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
            "amplitudes": _scale(amplitudes, self.scale_fn),
            "harmonic_distribution": core.normalize_harmonics(
                _scale(harmonic_distribution, self.scale_fn), *below_nyquist
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
            "amplitudes": _scale(amplitudes, self.scale_fn),
            "wavetables": _scale(wavetables, self.scale_fn),
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
            table = _scale(check_block("wavetables", table, 2), self.scale_fn)
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


@configurable.layer(module="ddsp.synths")
class Sinusoidal(_Oscillators):
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
        frequencies = _scale(frequencies, self.freq_scale_fn)
        checks.bounded("frequencies", frequencies)
        amplitudes = _scale(amplitudes, self.amp_scale_fn)
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
        return {"amplitudes": _scale(amplitudes, self.amp_scale_fn), "poles": poles}

    def get_signal(
        self, amplitudes: Any, poles: Any, n_samples: int | None = None
    ) -> tf.Tensor:
        """Renders the controls; `n_samples` overrides the constructor's.

        Returns:
          [batch, n_samples].
        """
        return core.damped_sinusoids(poles, amplitudes, self._length(poles, n_samples))
