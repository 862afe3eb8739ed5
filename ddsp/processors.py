"""Processors: layers that turn a network's outputs into controls, and those into audio.

`get_controls` scales and checks what a network gives, so that the controls mean
something (amplitudes, frequencies); `get_signal` renders them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from ddsp import configurable, core, dags
from ddsp._core import checks, filter_streams, resampling
from ddsp._core.tensors import array_of_lists
from ddsp.group_stream import GroupStream
from ddsp.streaming import FRAME, SAMPLE, Rates, Stream, Streaming, memoryless
from ddsp.types import State


@configurable.first_call_alone
class Processor(Streaming, keras.layers.Layer):
    """Base class of synthesizers and effects.

    A processor computes in float32, also under a mixed-precision policy. How it is
    played in blocks is described in `ddsp.streaming`.

    Args:
      name: Under which a `ProcessorGroup` stores the outputs.
      trainable: Whether the processor has weights that training changes.

    Example:

    >>> class Gain(ddsp.processors.Processor):
    ...     def get_controls(self, audio, gain):
    ...         return {"audio": audio, "gain": tf.exp(gain)}
    ...     def get_signal(self, audio, gain):
    ...         return gain * audio
    >>> Gain(name="gain")([[1.0, 2.0]], [[0.0]]).numpy()
    array([[1., 2.]], dtype=float32)
    """

    def __init__(self, name: str, trainable: bool = False):
        super().__init__(name=name, trainable=trainable, dtype="float32")
        self._allow_non_tensor_positional_args = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the layer; nested lists of numbers are taken as arrays."""
        named = {key: array_of_lists(value) for key, value in kwargs.items()}
        return super().__call__(*map(array_of_lists, args), **named)

    def call(
        self,
        *args: Any,
        return_outputs_dict: bool = False,
        n_samples: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Turns inputs into controls and controls into audio.

        Args:
          *args: Inputs of `get_controls`.
          return_outputs_dict: Whether to return the controls too.
          n_samples: Length to render, for processors that render one.
          **kwargs: More inputs of `get_controls`.

        Returns:
          Audio [batch, n_samples], or `{'signal': audio, 'controls': controls}`.
        """
        self._remember_shapes(*args, **kwargs)
        controls = self.get_controls(*args, **kwargs)
        signal = self._render(controls, n_samples)
        if return_outputs_dict:
            return {"signal": signal, "controls": controls}
        return signal

    def _render(self, controls: Mapping[str, Any], n_samples: int | None) -> tf.Tensor:
        del n_samples  # An effect is as long as its input.
        return self.get_signal(**controls)

    def get_controls(self, *args: Any, **kwargs: Any) -> dict[str, tf.Tensor]:
        """Turns inputs into controls, a dictionary of tensors."""
        raise NotImplementedError(f"{type(self).__name__} must define `get_controls`.")

    def get_signal(self, *args: Any, **kwargs: Any) -> tf.Tensor:
        """Renders controls into audio [batch, n_samples]."""
        raise NotImplementedError(f"{type(self).__name__} must define `get_signal`.")


@configurable.layer(module="ddsp.processors")
class ProcessorGroup(dags.DAGLayer, Stream):
    """Processors wired into a graph, used as one processor.

    Args:
      dag: Nodes `(processor, input_keys)`, see `dags.DAGLayer`.
      **kwarg_processors: Processors by name, and `name`.

    Example:

    >>> group = ddsp.processors.ProcessorGroup(dag=[
    ...     (ddsp.synths.Harmonic(n_samples=640), ["amps", "shares", "f0_hz"]),
    ...     (ddsp.synths.FilteredNoise(n_samples=640), ["magnitudes"]),
    ...     (ddsp.processors.Add(), ["harmonic/signal", "filtered_noise/signal"]),
    ... ])
    >>> group({
    ...     "amps": tf.zeros([1, 10, 1]),
    ...     "shares": tf.zeros([1, 10, 4]),
    ...     "f0_hz": tf.fill([1, 10, 1], 440.0),
    ...     "magnitudes": tf.zeros([1, 10, 9]),
    ... }).shape.as_list()
    [1, 640]
    """

    def __init__(self, dag: Sequence[Sequence[Any]], **kwarg_processors: Any):
        kwarg_processors.setdefault("name", "processor_group")
        kwarg_processors.setdefault("dtype", "float32")
        super().__init__(dag, **kwarg_processors)

    @property
    def processor_names(self) -> list[str]:
        """Names of the processors, in the order in which they were named."""
        return self.module_names

    @property
    def processors(self) -> list[keras.layers.Layer]:
        """The processors, in the order in which they were named."""
        return self.modules

    def call(
        self,
        inputs: Mapping[str, Any],
        return_outputs_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Runs the graph.

        Args:
          inputs: Tensors by name.
          return_outputs_dict: Whether to return every processor's outputs too.
          **kwargs: Passed to every processor, such as `n_samples`.

        Returns:
          The last processor's signal [batch, n_samples]; or the outputs of all of
          them, with `'signal'` and `'controls'` (all outputs) at the top.
        """
        controls = self.get_controls(inputs, **kwargs)
        signal = self.get_signal(controls)
        if return_outputs_dict:
            return {"signal": signal, "controls": controls}
        return signal

    def get_controls(self, inputs: Mapping[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Runs the graph and returns the outputs of every node; see `run_dag`."""
        return self.run_dag(inputs, **kwargs)

    def get_signal(self, outputs: Mapping[str, Any]) -> tf.Tensor:
        """Returns the last processor's signal out of `get_controls`' outputs."""
        return outputs["out"]["signal"]

    @property
    def noise_names(self) -> list[str]:
        """Names of the processors that draw noise, which `step` may be given."""
        return [x.name for x in self.processors if getattr(x, "draws_noise", False)]

    @property
    def hop_size(self) -> int | None:
        """Samples per frame, as the processors have it; None if none has a hop size.

        Setting it sets that of the processors without one.

        Raises:
          ValueError: If two processors have different hops.
        """
        sizes = {p.name: p.hop_size for p in self._streaming() if p.hop_size}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"Processors of `{self.name}` need one hop, got {sizes}.")
        return next(iter(sizes.values()), None)

    @hop_size.setter
    def hop_size(self, hop_size: int) -> None:
        checks.positive("hop_size", hop_size)
        for processor in self._streaming():
            if processor.hop_size is None:
                processor.hop_size = hop_size
        if self.hop_size != hop_size:
            raise ValueError(
                f"`{self.name}` has a hop of {self.hop_size} samples, got {hop_size}."
            )

    def _streaming(self) -> list[Any]:
        return [p for p in self.processors if hasattr(p, "hop_size")]

    def _stream(self) -> GroupStream:
        hop_size = self.hop_size
        if hop_size is None:
            raise ValueError(
                f"To run block by block, `{self.name}` needs the `hop_size` of one of "
                "its processors, or its own, got None."
            )
        # Processors without a hop size take that of the others.
        self.hop_size = hop_size
        dag = [
            (name, getattr(self, name), [key.removeprefix("inputs/") for key in keys])
            for name, keys, *_ in self.dag
        ]
        return GroupStream(dag, hop_size)

    @property
    def latency_samples(self) -> int:
        """Latency from controls to audio in samples, a whole number of hops."""
        return self._stream().latency_samples

    def input_specs(
        self, n_frames: int, batch_size: int = 1
    ) -> dict[str, tf.TensorSpec]:
        """Returns shape and dtype of the controls of a block of `n_frames`."""
        return self._stream().input_specs(n_frames, batch_size)

    def initial_state(self, batch_size: int, **static: Any) -> State:
        """Returns the state before the first block; see `streaming.Streaming`.

        Args:
          batch_size: Rows of the stream.
          **static: Static controls by the keys of the inputs.
        """
        checks.positive("batch_size", batch_size)
        return self._stream().start(batch_size, static)

    def step(
        self,
        controls: Mapping[str, Any],
        state: State,
        noise: Mapping[str, Any] | None = None,
    ) -> tuple[tf.Tensor, State]:
        """Processes a block; see `streaming.Streaming`.

        Args:
          controls: Inputs by name.
          state: From `initial_state` or the previous step.
          noise: {processor: [batch, n_samples]} for processors that draw noise.

        Returns:
          Audio [batch, n_samples], and the new state.
        """
        return self._stream().step(controls, state, noise or {})

    def flush(self, state: State, tail: bool = False) -> tf.Tensor:
        """Returns the remaining output of a stream; see `streaming.Streaming`."""
        return self._stream().flush(state, tail)


@configurable.layer(module="ddsp.processors")
class Add(Processor):
    """Sums two signals of one shape, [batch, n_samples] or with more axes.

    Args:
      name: Name of the processor.

    Example:

    >>> ddsp.processors.Add()([[1.0, 2.0]], [[0.5, 0.5]]).numpy()
    array([[1.5, 2.5]], dtype=float32)
    """

    control_rates: ClassVar[Rates] = {"signal_one": SAMPLE, "signal_two": SAMPLE}

    def __init__(self, name: str = "add"):
        super().__init__(name=name)

    def get_controls(self, signal_one: Any, signal_two: Any) -> dict[str, tf.Tensor]:
        """Passes the signals on, both [batch, n_samples, ...]."""
        return _two_signals(signal_one, signal_two)

    def get_signal(self, signal_one: Any, signal_two: Any) -> tf.Tensor:
        """Sums the signals, both [batch, n_samples, ...]."""
        return core.tf_float32(signal_one) + core.tf_float32(signal_two)

    def _start(self, batch_size: int, static: Mapping[str, Any]) -> State:
        return memoryless(batch_size)

    def _advance(
        self, block: Mapping[str, tf.Tensor], state: State, noise: Any
    ) -> tuple[tf.Tensor, State]:
        return self.get_signal(**block), state


@configurable.layer(module="ddsp.processors")
class Mix(Processor):
    """Mixes two signals at constant power.

    Args:
      name: Name of the processor.
      hop_size: Samples a frame of the level, needed to play in blocks.

    Example:

    >>> mix = ddsp.processors.Mix()
    >>> mix([[1.0, 1.0]], [[1.0, 1.0]], [[[0.0]]]).numpy()
    array([[1.414, 1.414]], dtype=float32)
    """

    control_rates: ClassVar[Rates] = {
        "signal_one": SAMPLE,
        "signal_two": SAMPLE,
        "nn_out_mix_level": FRAME,
    }

    def __init__(self, name: str = "mix", hop_size: int | None = None):
        super().__init__(name=name)
        self.hop_size = hop_size

    def get_controls(
        self, signal_one: Any, signal_two: Any, nn_out_mix_level: Any
    ) -> dict[str, tf.Tensor]:
        """Scales the level and brings it to the sample rate.

        Args:
          signal_one: [batch, n_samples, ...].
          signal_two: [batch, n_samples, ...].
          nn_out_mix_level: [batch, n_frames, 1], any value; its sigmoid is the share
            of `signal_one` in the power.

        Returns:
          Both signals, and `mix_level` [batch, n_samples, 1] in [0, 1].
        """
        signals = _two_signals(signal_one, signal_two)
        level = core.tf_float32(nn_out_mix_level)
        checks.rank("nn_out_mix_level", level, 3)
        n_samples = signals["signal_one"].shape[1]
        level = core.resample(
            tf.nn.sigmoid(level),
            tf.shape(signals["signal_one"])[1] if n_samples is None else n_samples,
        )
        return {**signals, "mix_level": level}

    def get_signal(self, signal_one: Any, signal_two: Any, mix_level: Any) -> tf.Tensor:
        """Returns sqrt(level) * one + sqrt(1 - level) * two.

        Args:
          signal_one: [batch, n_samples, ...].
          signal_two: [batch, n_samples, ...].
          mix_level: [batch, n_samples, 1] or [batch, n_samples], in [0, 1].
        """
        signal_one = core.tf_float32(signal_one)
        channels = [1] * (signal_one.shape.rank - 2)
        level = tf.reshape(
            core.tf_float32(mix_level), [-1, tf.shape(signal_one)[1], *channels]
        )
        two = core.safe_sqrt(1.0 - level) * core.tf_float32(signal_two)
        return core.safe_sqrt(level) * signal_one + two

    def _lag(self) -> int:
        # The level moves towards the frame that follows.
        return self._hop()

    def _start(self, batch_size: int, static: Mapping[str, Any]) -> State:
        channels = self.control_shape("signal_one")[2:]
        signal = tf.zeros([batch_size, self._hop(), *channels])
        return {"one": signal, "two": signal, "level": tf.zeros([batch_size, 1, 1])}

    def _advance(
        self, block: Mapping[str, tf.Tensor], state: State, noise: Any
    ) -> tuple[tf.Tensor, State]:
        one, line_one = filter_streams.delay(state["one"], block["signal_one"])
        two, line_two = filter_streams.delay(state["two"], block["signal_two"])
        level = tf.nn.sigmoid(block["nn_out_mix_level"])
        levels = tf.concat([state["level"], level], axis=1)
        ramp = resampling.linear_ramp(self._hop())
        signal = self.get_signal(one, two, resampling.between_frames(levels, ramp))
        return signal, {"one": line_one, "two": line_two, "level": level[:, -1:]}

    def _finish(self, state: State, tail: bool) -> tf.Tensor:
        return self.get_signal(
            state["one"], state["two"], tf.repeat(state["level"], self._hop(), axis=1)
        )


def _two_signals(signal_one: Any, signal_two: Any) -> dict[str, tf.Tensor]:
    """The two signals as float32 tensors of one shape, [batch, n_samples, ...]."""
    signals = {
        "signal_one": core.tf_float32(signal_one),
        "signal_two": core.tf_float32(signal_two),
    }
    for name, signal in signals.items():
        checks.rank(name, signal, (2, 3, 4))
    one, two = (signal.shape for signal in signals.values())
    if not one.is_compatible_with(two):
        raise ValueError(
            f"The two signals must have one shape, got shape {one} and shape {two}."
        )
    return signals


@configurable.layer(module="ddsp.processors")
class Crop(Processor):
    """Cuts a frame off audio.

    Args:
      frame_size: Samples to remove.
      crop_location: Where: `'front'` or `'back'`.
      name: Name of the processor.

    Raises:
      ValueError: If the location is unknown or the size negative.

    Example:

    >>> crop = ddsp.processors.Crop(frame_size=1, crop_location="front")
    >>> crop([[1.0, 2.0, 3.0]]).numpy()
    array([[2., 3.]], dtype=float32)
    """

    control_rates: ClassVar[Rates] = {"audio": SAMPLE}

    def __init__(
        self, frame_size: int, crop_location: str = "back", name: str = "crop"
    ):
        super().__init__(name=name)
        checks.one_of("crop_location", crop_location, ("front", "back"))
        if frame_size < 0:
            raise ValueError(f"`frame_size` must not be negative, got {frame_size}.")
        self.frame_size = frame_size
        self.crop_location = crop_location

    # What is cut off the front counts as latency. At the back it is what comes last,
    # so all is held back for as long, to be cut when the stream ends.
    def _lag(self) -> int:
        return self.frame_size

    def _start(self, batch_size: int, static: Mapping[str, Any]) -> State:
        if self.crop_location == "back":
            return {"line": tf.zeros([batch_size, self.frame_size])}
        return {**memoryless(batch_size), "position": tf.zeros([], tf.int64)}

    def _advance(
        self, block: Mapping[str, tf.Tensor], state: State, noise: Any
    ) -> tuple[tf.Tensor, State]:
        audio = block["audio"]
        if self.crop_location == "back":
            audio, line = filter_streams.delay(state["line"], audio)
            return audio, {"line": line}
        at = state["position"]
        audio = filter_streams.after_start(audio, at, self.frame_size)
        return audio, {**state, "position": at + audio.shape[1]}

    def get_controls(self, audio: Any) -> dict[str, tf.Tensor]:
        """Passes the audio on."""
        return {"audio": audio}

    def get_signal(self, audio: Any) -> tf.Tensor:
        """Returns [batch, n_samples - frame_size]."""
        audio = core.tf_float32(audio)
        checks.rank("audio", audio, 2)
        if audio.shape[1] is not None and audio.shape[1] < self.frame_size:
            raise ValueError(
                f"`{self.name}` cannot cut {self.frame_size} samples off audio, got "
                f"shape {audio.shape}."
            )
        if self.crop_location == "front":
            return audio[:, self.frame_size :]
        return audio[:, : tf.shape(audio)[1] - self.frame_size]
