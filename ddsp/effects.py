"""Effects: processors that change audio."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf

from ddsp import configurable, core
from ddsp._core import checks, filter_streams, partitions
from ddsp.processors import Processor
from ddsp.streaming import FRAME, SAMPLE, STATIC, Rates
from ddsp.synths import FilteredNoise
from ddsp.types import State

ScaleFn = Callable[[Any], tf.Tensor]

# Samples of a reverb's partitions where no hop is known.
_PARTITION = 128


@configurable.layer(module="ddsp.effects")
class Reverb(Processor):
    """Convolution with an impulse response, learned or given.

    Engel et al. (2020), section 3.6.

    Args:
      trainable: Whether the response is a weight, one for all audio. Otherwise it is
        given at the call.
      reverb_length: Samples of the learned response.
      add_dry: Whether to add the unchanged audio.
      name: Name of the processor.

    Example:

    >>> reverb = ddsp.effects.Reverb()
    >>> audio, ir = tf.random.normal([1, 640]), tf.random.normal([1, 128])
    >>> reverb(audio, ir).shape.as_list()
    [1, 640]
    """

    built: bool
    control_rates: ClassVar[Rates] = {"audio": SAMPLE, "ir": STATIC}

    def __init__(
        self,
        trainable: bool = False,
        reverb_length: int = 48000,
        add_dry: bool = True,
        name: str = "reverb",
    ):
        super().__init__(name=name, trainable=trainable)
        checks.positive("reverb_length", reverb_length)
        # Not `self.trainable`, which freezing the layer turns off.
        self._learned = trainable
        self._reverb_length = reverb_length
        self._add_dry = add_dry

    def build(self, unused_input_shape: Any) -> None:
        """Makes the learned response, almost silent at first."""
        if self._learned and not self.built:
            self._ir = self.add_weight(
                name="ir",
                shape=[self._reverb_length],
                initializer=keras.initializers.RandomNormal(stddev=1e-6),
            )
        self.built = True

    def _learned_controls(self, *given: Any) -> bool:
        """Whether to use weights; builds them. Refuses a call that gives neither."""
        if not self._learned:
            if any(value is None for value in given):
                raise ValueError(
                    f"`{self.name}` is not trainable, so its response must be given "
                    f"at the call, got {given}."
                )
            return False
        if not self.built:
            self.build(None)
        return True

    def get_controls(self, audio: Any, ir: Any = None) -> dict[str, tf.Tensor]:
        """Chooses the impulse response.

        Args:
          audio: [batch, n_samples].
          ir: [batch, ir_size] or [batch, ir_size, 1]; ignored if trainable.

        Returns:
          `audio` and `ir` [batch or 1, ir_size].

        Raises:
          ValueError: If not trainable and no response is given.
        """
        if self._learned_controls(ir):
            ir = self._ir[tf.newaxis]
        return {"audio": audio, "ir": ir}

    def get_signal(self, audio: Any, ir: Any) -> tf.Tensor:
        """Convolves; the first sample of the response, the direct sound, is left out.

        Args:
          audio: [batch, n_samples].
          ir: [batch or 1, ir_size] or [batch or 1, ir_size, 1].

        Returns:
          [batch, n_samples].
        """
        audio = core.tf_float32(audio)
        wet = core.fft_convolve(
            audio, _wet_response(ir), padding="same", delay_compensation=0
        )
        return wet + audio if self._add_dry else wet

    def in_hops(self) -> bool:
        """Blocks of whole hops, where the hop is known, spare a buffer."""
        return self.hop_size is not None

    def _start(self, batch_size: int, static: Mapping[str, Any]) -> State:
        wanted = [k for k, rate in self.control_rates.items() if rate == STATIC]
        missing = [name for name in wanted if name not in static]
        if missing and not self._learned:
            raise ValueError(
                f"`{self.name}` is not trainable, so what makes its response must be "
                f"given to `initial_state`: {wanted}, got {sorted(static)}."
            )
        silence = tf.zeros([batch_size, 1])
        response = _wet_response(self.get_controls(silence, **static)["ir"])
        size = _PARTITION
        if self.in_hops():
            size = filter_streams.largest_part(self._hop())
        return partitions.start_convolution(
            batch_size, response, size, any_length=not self.in_hops()
        )

    def _advance(
        self, block: Mapping[str, tf.Tensor], state: State, noise: Any
    ) -> tuple[tf.Tensor, State]:
        audio = block["audio"]
        wet, state = partitions.step_convolution(state, audio)
        return wet + audio if self._add_dry else wet, state

    def _rank(self, name: str) -> int:
        return 2

    def _finish(self, state: State, tail: bool) -> tf.Tensor:
        if not tail:
            return super()._finish(state, tail)
        batch_size = state["previous"].shape[0]
        silence = tf.zeros([batch_size, partitions.tail_size(state)])
        return partitions.step_convolution(state, silence)[0]


def _wet_response(ir: Any) -> tf.Tensor:
    """A response [batch or 1, ir_size] (or with a third axis) less the direct sound."""
    ir = core.tf_float32(ir)
    checks.rank("ir", ir, (2, 3))
    if ir.shape.rank == 3:
        ir = ir[:, :, 0]
    return tf.concat([tf.zeros_like(ir[:, :1]), ir[:, 1:]], axis=1)


@configurable.layer(module="ddsp.effects")
class ExpDecayReverb(Reverb):
    """Reverb whose response is noise that decays exponentially.

    Args:
      trainable: Whether gain and decay are weights. Otherwise they are given.
      reverb_length: Samples of the response.
      scale_fn: Maps the gain to a value >= 0.
      add_dry: Whether to add the unchanged audio.
      name: Name of the processor.
      seed: Of the noise; None draws other noise at every call.

    Example:

    >>> reverb = ddsp.effects.ExpDecayReverb(reverb_length=128, seed=1)
    >>> reverb(tf.random.normal([1, 640]), [[1.0]], [[4.0]]).shape.as_list()
    [1, 640]
    """

    control_rates: ClassVar[Rates] = {"audio": SAMPLE, "gain": STATIC, "decay": STATIC}

    def __init__(
        self,
        trainable: bool = False,
        reverb_length: int = 48000,
        scale_fn: ScaleFn = core.exp_sigmoid,
        add_dry: bool = True,
        name: str = "exp_decay_reverb",
        seed: int | None = None,
    ):
        super().__init__(trainable, reverb_length, add_dry, name)
        self._scale_fn = scale_fn
        self._seed = seed

    def build(self, unused_input_shape: Any) -> None:
        """Makes the learned gain and decay."""
        if self._learned and not self.built:
            self._gain = self._constant_weight("gain", 2.0)
            self._decay = self._constant_weight("decay", 4.0)
        self.built = True

    def _constant_weight(self, name: str, value: float) -> Any:
        initializer = keras.initializers.Constant(value)
        return self.add_weight(name=name, shape=[1], initializer=initializer)

    def get_controls(
        self, audio: Any, gain: Any = None, decay: Any = None
    ) -> dict[str, tf.Tensor]:
        """Makes the impulse response.

        Args:
          audio: [batch, n_samples].
          gain: [batch, 1], before scaling; ignored if trainable.
          decay: [batch, 1]; over its length the response falls by
            `exp(-(2 + exp(decay)))`; ignored if trainable.

        Returns:
          `audio` and `ir` [batch or 1, reverb_length].

        Raises:
          ValueError: If not trainable and one of them is not given.
        """
        if self._learned_controls(gain, decay):
            gain, decay = self._gain[tf.newaxis], self._decay[tf.newaxis]
        gain, decay = core.tf_float32(gain), core.tf_float32(decay)
        checks.rank("gain", gain, 2)
        checks.rank("decay", decay, 2)
        gain = self._scale_fn(gain)
        # Faster than this, nothing is left at the second sample: keep it finite.
        decay = tf.minimum(decay, 20.0)
        time = tf.linspace(0.0, 1.0, self._reverb_length)[tf.newaxis]
        noise = core.uniform_noise(1, self._reverb_length, self._seed)
        ir = gain * tf.exp(-(2.0 + tf.exp(decay)) * time) * noise
        return {"audio": audio, "ir": ir}


@configurable.layer(module="ddsp.effects")
class FilteredNoiseReverb(Reverb):
    """Reverb whose response is filtered noise.

    Args:
      trainable: Whether the magnitudes are weights. Otherwise they are given.
      reverb_length: Samples of the response.
      window_size: Samples of the filter's window.
      n_frames: Frames of the filter, for learned magnitudes.
      n_filter_banks: Bands of the filter, for learned magnitudes.
      scale_fn: Maps magnitudes to values >= 0.
      initial_bias: Added before scaling.
      add_dry: Whether to add the unchanged audio.
      name: Name of the processor.
      seed: Of the noise; None draws other noise at every call.

    Example:

    >>> reverb = ddsp.effects.FilteredNoiseReverb(reverb_length=128, seed=1)
    >>> reverb(tf.random.normal([1, 640]), tf.zeros([1, 4, 9])).shape.as_list()
    [1, 640]
    """

    control_rates: ClassVar[Rates] = {"audio": SAMPLE, "magnitudes": STATIC}

    def __init__(
        self,
        trainable: bool = False,
        reverb_length: int = 48000,
        window_size: int = 257,
        n_frames: int = 1000,
        n_filter_banks: int = 16,
        scale_fn: ScaleFn = core.exp_sigmoid,
        initial_bias: float = -3.0,
        add_dry: bool = True,
        name: str = "filtered_noise_reverb",
        seed: int | None = None,
    ):
        super().__init__(trainable, reverb_length, add_dry, name)
        self._n_frames = n_frames
        self._n_filter_banks = n_filter_banks
        self._synth = FilteredNoise(
            n_samples=reverb_length,
            window_size=window_size,
            scale_fn=scale_fn,
            initial_bias=initial_bias,
            seed=seed,
        )

    def build(self, unused_input_shape: Any) -> None:
        """Makes the learned magnitudes."""
        if self._learned and not self.built:
            self._magnitudes = self.add_weight(
                name="magnitudes",
                shape=[self._n_frames, self._n_filter_banks],
                initializer=keras.initializers.RandomNormal(stddev=1e-2),
            )
        self.built = True

    def get_controls(self, audio: Any, magnitudes: Any = None) -> dict[str, tf.Tensor]:
        """Makes the impulse response.

        Args:
          audio: [batch, n_samples].
          magnitudes: [batch, n_frames, n_filter_banks], before scaling; ignored if
            trainable.

        Returns:
          `audio` and `ir` [batch or 1, reverb_length].

        Raises:
          ValueError: If not trainable and no magnitudes are given.
        """
        if self._learned_controls(magnitudes):
            magnitudes = self._magnitudes[tf.newaxis]
        return {"audio": audio, "ir": self._synth(magnitudes)}


@configurable.layer(module="ddsp.effects")
class FIRFilter(Processor):
    """A filter whose magnitudes change over time.

    Args:
      window_size: Samples of the filter's window, see `core.frequency_filter`.
      scale_fn: Maps the network's magnitudes to values >= 0.
      name: Name of the processor.
      hop_size: Samples a frame, needed to play in blocks.
      cross_fade: Whether filters fade from frame to frame, so that they do not click
        when they change; see `core.frequency_filter`.

    Example:

    >>> fir_filter = ddsp.effects.FIRFilter()
    >>> fir_filter(tf.random.normal([1, 640]), tf.zeros([1, 10, 9])).shape.as_list()
    [1, 640]
    """

    control_rates: ClassVar[Rates] = {"audio": SAMPLE, "magnitudes": FRAME}

    def __init__(
        self,
        window_size: int = 257,
        scale_fn: ScaleFn = core.exp_sigmoid,
        name: str = "fir_filter",
        hop_size: int | None = None,
        cross_fade: bool = False,
    ):
        super().__init__(name=name)
        self.window_size = window_size
        self.scale_fn = scale_fn
        self.hop_size = hop_size
        self.cross_fade = cross_fade

    def get_controls(self, audio: Any, magnitudes: Any) -> dict[str, tf.Tensor]:
        """Scales magnitudes [batch, n_frames, n_frequencies]; 0 Hz comes first."""
        if self.scale_fn is not None:
            magnitudes = self.scale_fn(magnitudes)
        return {"audio": audio, "magnitudes": magnitudes}

    def get_signal(self, audio: Any, magnitudes: Any) -> tf.Tensor:
        """Returns the filtered audio [batch, n_samples]."""
        return core.frequency_filter(
            audio,
            magnitudes,
            window_size=self.window_size,
            cross_fade=self.cross_fade,
        )

    def _lag(self) -> int:
        return filter_streams.fir_latency(
            self._channels("magnitudes"), self.window_size
        )

    def _start(self, batch_size: int, static: Mapping[str, Any]) -> State:
        return filter_streams.start_fir(
            batch_size,
            self._channels("magnitudes"),
            self.window_size,
            self._hop(),
            self.cross_fade,
        )

    def _advance(
        self, block: Mapping[str, tf.Tensor], state: State, noise: Any
    ) -> tuple[tf.Tensor, State]:
        return filter_streams.step_fir(
            state,
            **self.get_controls(**block),
            window_size=self.window_size,
            hop_size=self._hop(),
        )

    def _finish(self, state: State, tail: bool) -> tf.Tensor:
        return filter_streams.finish_fir(state, self._lag())


@configurable.layer(module="ddsp.effects")
class ModDelay(Processor):
    """A delay that moves: flanger, chorus and vibrato, by center and depth.

    Args:
      center_ms: Shortest delay, at phase 0, milliseconds.
      depth_ms: How much longer the delay is at phase 1, milliseconds.
      sample_rate: Samples per second.
      gain_scale_fn: Maps the network's gain to a value >= 0; None leaves it.
      phase_scale_fn: Maps the network's phase to [0, 1]; None leaves it.
      add_dry: Whether to add the unchanged audio.
      name: Name of the processor.

    Example:

    >>> flanger = ddsp.effects.ModDelay(center_ms=1.0, depth_ms=0.8)
    >>> gain, phase = tf.zeros([1, 640, 1]), tf.zeros([1, 640, 1])
    >>> flanger(tf.random.normal([1, 640]), gain, phase).shape.as_list()
    [1, 640]
    """

    control_rates: ClassVar[Rates] = {"audio": SAMPLE, "gain": SAMPLE, "phase": SAMPLE}

    def __init__(
        self,
        center_ms: float = 15.0,
        depth_ms: float = 10.0,
        sample_rate: int = 16000,
        gain_scale_fn: ScaleFn | None = core.exp_sigmoid,
        phase_scale_fn: ScaleFn | None = tf.nn.sigmoid,
        add_dry: bool = True,
        name: str = "mod_delay",
    ):
        super().__init__(name=name)
        checks.positive("sample_rate", sample_rate)
        if min(center_ms, depth_ms) < 0.0 or center_ms + depth_ms <= 0.0:
            raise ValueError(
                "A delay cannot be negative, nor always zero, got "
                f"center_ms={center_ms}, depth_ms={depth_ms}."
            )
        self.center_ms = center_ms
        self.depth_ms = depth_ms
        self.sample_rate = sample_rate
        self.gain_scale_fn = gain_scale_fn
        self.phase_scale_fn = phase_scale_fn
        self.add_dry = add_dry

    def get_controls(self, audio: Any, gain: Any, phase: Any) -> dict[str, tf.Tensor]:
        """Scales a network's outputs.

        Args:
          audio: [batch, n_samples].
          gain: [batch, n_samples, 1].
          phase: [batch, n_samples, 1], where the delay stands between its ends.

        Returns:
          The same three.
        """
        gain, phase = core.tf_float32(gain), core.tf_float32(phase)
        checks.rank("gain", gain, 3)
        checks.rank("phase", phase, 3)
        if self.gain_scale_fn is not None:
            gain = self.gain_scale_fn(gain)
        if self.phase_scale_fn is not None:
            phase = self.phase_scale_fn(phase)
        return {"audio": audio, "gain": gain, "phase": phase}

    def get_signal(self, audio: Any, gain: Any, phase: Any) -> tf.Tensor:
        """Returns the delayed audio times the gain, plus the dry audio if wanted.

        Returns:
          [batch, n_samples].
        """
        return self._delayed(core.tf_float32(audio), gain, phase, None)

    def _max_length(self) -> int:
        return int(self.sample_rate / 1000.0 * (self.center_ms + self.depth_ms))

    def _delayed(self, audio: tf.Tensor, gain: Any, phase: Any, past: Any) -> tf.Tensor:
        max_ms = self.center_ms + self.depth_ms
        phase = core.tf_float32(phase) * (self.depth_ms / max_ms)
        wet = core.variable_length_delay(
            phase + self.center_ms / max_ms, audio, self._max_length(), past
        )
        wet *= core.tf_float32(gain)[:, :, 0]
        return wet + audio if self.add_dry else wet

    def _start(self, batch_size: int, static: Mapping[str, Any]) -> State:
        return {"line": tf.zeros([batch_size, self._max_length()])}

    def _advance(
        self, block: Mapping[str, tf.Tensor], state: State, noise: Any
    ) -> tuple[tf.Tensor, State]:
        controls = self.get_controls(**block)
        audio = self._delayed(**controls, past=state["line"])
        _, line = filter_streams.delay(state["line"], controls["audio"])
        return audio, {"line": line}
