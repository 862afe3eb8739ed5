"""Block-by-block processing.

A stream produces the same output as a call on the whole input, delayed by its latency:

    state = stream.initial_state(batch_size)
    for inputs in blocks:
        outputs, state = stream.step(inputs, state)
    outputs = stream.flush(state)

The first `latency_samples` of the output are pre-roll, and `flush` returns as many at
the end. The state is a plain nest of tensors: it can be stored, copied and restored in
another process.
"""

import abc
import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from ddsp._core import checks
from ddsp._core.blocks import check_blocks
from ddsp.types import State

# Rates of the arguments of `get_controls`: one value per frame, one per sample, or one
# at the start of a stream.
FRAME, SAMPLE, STATIC = "frame", "sample", "static"

Rates = Mapping[str, str]


class Stream(abc.ABC):
    """What runs block by block: processors, groups, decoders, features, models.

    Concatenating the outputs of all steps and of `flush`, without the first
    `latency_samples` (or frames), equals the output for the whole input, for any
    partition into blocks.

    Example:

    >>> synth = ddsp.synths.FilteredNoise(n_samples=None, hop_size=64, window_size=0)
    >>> magnitudes = tf.zeros([1, 10, 9])
    >>> audio = synth(magnitudes)  # offline
    >>> state = synth.initial_state(batch_size=1)
    >>> block, state = synth.step({"magnitudes": magnitudes}, state)
    >>> block.shape.as_list(), synth.flush(state).shape[1] == synth.latency_samples
    ([1, 640], True)
    """

    @property
    def latency_samples(self) -> int:
        """Latency from input to output, in samples."""
        return 0

    def input_specs(
        self, n_frames: int, batch_size: int = 1
    ) -> dict[str, tf.TensorSpec]:
        """Returns shape and dtype of each input of a block of `n_frames`.

        Raises:
          ValueError: If the shapes are not known yet.
        """
        raise ValueError(
            f"{type(self).__name__} does not know the shapes of its inputs, got "
            f"n_frames={n_frames} and batch_size={batch_size}."
        )

    @abc.abstractmethod
    def initial_state(self, batch_size: int) -> State:
        """Returns the state before the first block, a nest of tensors."""

    @abc.abstractmethod
    def step(self, inputs: Any, state: State) -> tuple[Any, State]:
        """Processes a block; returns its output and the new state."""

    @abc.abstractmethod
    def flush(self, state: State) -> Any:
        """Returns the remaining output at the end of a stream."""


class Streaming(Stream):
    """A processor that runs block by block.

    Subclasses declare in `control_rates` the rate of each argument of `get_controls`,
    and define `_start`, `_advance` and, if they have latency, `_lag` and `_finish`.

    Attributes:
      hop_size: Samples per frame; None if unknown.
      control_rates: {argument of `get_controls`: `'frame'`, `'sample'` or
        `'static'`}.
      draws_noise: Whether the processor draws noise that `step` may be given instead.

    Example:

    >>> add = ddsp.processors.Add()
    >>> whole = add([[1.0, 2.0]], [[3.0, 4.0]])
    >>> state = add.initial_state(batch_size=1)
    >>> block = {"signal_one": [[1.0, 2.0]], "signal_two": [[3.0, 4.0]]}
    >>> audio, state = add.step(block, state)
    >>> audio.numpy()
    array([[4., 6.]], dtype=float32)
    """

    name: str
    draws_noise: ClassVar[bool] = False
    hop_size: int | None = None
    control_rates: ClassVar[Rates] = {}
    _control_shapes: Mapping[str, tuple[int | None, ...]] | None = None

    @property
    def latency_samples(self) -> int:
        """Latency from controls to audio, in samples.

        Raises:
          ValueError: If it depends on a hop or on shapes that are not known yet.
        """
        return self._lag()

    def initial_state(self, batch_size: int, **static: Any) -> State:
        """Returns the state before the first block.

        Args:
          batch_size: Rows of the stream.
          **static: Static controls by name, such as the impulse response of a reverb
            that is not trained.

        Returns:
          A nest of tensors.

        Raises:
          ValueError: If the processor has not been called yet, does not know its hop,
            lacks a static control, or cannot run block by block; the message says
            which.
        """
        checks.positive("batch_size", batch_size)
        if FRAME in self.control_rates.values():
            self._hop()
        wanted = [name for name, rate in self.rates().items() if rate == STATIC]
        unknown = sorted(set(static) - set(wanted))
        if unknown:
            raise ValueError(
                f"Static controls of `{self.name}` are {wanted}, got {unknown}."
            )
        for name, x in static.items():
            checks.bounded(name, x)
        return self._start(batch_size, static)

    def step(
        self, controls: Mapping[str, Any], state: State, noise: Any = None
    ) -> tuple[tf.Tensor, State]:
        """Processes a block.

        Args:
          controls: Inputs of a call by name: [batch, n_frames, channels] at frame rate,
            [batch, n_frames * hop_size, ...] at sample rate. Static controls are
            ignored.
          state: From `initial_state` or the previous step.
          noise: [batch, n_samples], uniform in [-1, 1), for a noise synthesizer that
            otherwise draws its own.

        Returns:
          Audio [batch, n_samples], and the new state.

        Raises:
          ValueError: If a control is missing, is of a wrong rank, batch size or
            length, or, outside a graph, has values that are NaN or above 1e12 in
            magnitude. The state is unchanged, so the stream can continue.
        """
        rates = {k: rate for k, rate in self.rates().items() if rate != STATIC}
        block = check_blocks(
            self.name,
            controls,
            {name: self._rank(name) for name in rates},
            batch_size_of(state),
            hops={k: self._hop() for k, rate in rates.items() if rate == FRAME},
        )
        return self._advance(block, state, noise)

    def flush(self, state: State, tail: bool = False) -> tf.Tensor:
        """Returns the remaining output at the end of a stream.

        Args:
          state: After the last block.
          tail: Whether to append a reverb's tail.

        Returns:
          [batch, latency_samples], and the tail. A `Crop` removes its samples here.
        """
        return self._finish(state, tail)

    def _lag(self) -> int:
        return 0

    def _start(self, batch_size: int, static: Mapping[str, Any]) -> State:
        raise ValueError(
            f"`{self.name}` cannot run block by block: its class must define `_start` "
            f"and `_advance`, got {type(self).__name__}."
        )

    def _advance(
        self, block: Mapping[str, tf.Tensor], state: State, noise: Any
    ) -> tuple[tf.Tensor, State]:
        raise NotImplementedError(f"{type(self).__name__} must define `_advance`.")

    def _finish(self, state: State, tail: bool) -> tf.Tensor:
        del tail
        return tf.zeros([batch_size_of(state), 0])

    def in_hops(self) -> bool:
        """Returns whether blocks must contain whole hops."""
        return FRAME in self.rates().values()

    def rates(self) -> Rates:
        """Returns `control_rates`; some depend on the shapes of the controls."""
        return self.control_rates

    def input_specs(
        self, n_frames: int, batch_size: int = 1
    ) -> dict[str, tf.TensorSpec]:
        """Returns shape and dtype of the time-varying controls of a block."""
        return {
            name: self._input_spec(name, rate, n_frames, batch_size)
            for name, rate in self.rates().items()
            if rate != STATIC
        }

    def _input_spec(
        self, name: str, rate: str, n_frames: int, batch_size: int
    ) -> tf.TensorSpec:
        n_steps = n_frames * (1 if rate == FRAME else self._hop())
        return tf.TensorSpec([batch_size, n_steps, *self.control_shape(name)[2:]])

    def _hop(self) -> int:
        if self.hop_size is None:
            raise ValueError(
                f"To run block by block, `{self.name}` needs a `hop_size` in its "
                "constructor, got None."
            )
        return self.hop_size

    def _remember_shapes(self, *args: Any, **kwargs: Any) -> None:
        """Keeps the shapes of the first call's inputs, which states are made for."""
        if self._control_shapes is not None:
            return
        parameters = inspect.signature(self.get_controls).bind(*args, **kwargs)  # type: ignore[attr-defined]
        shapes = {
            name: tuple(tf.TensorShape(getattr(x, "shape", ())))
            for name, x in parameters.arguments.items()
            if x is not None
        }
        # Not an attribute that Keras tracks.
        object.__setattr__(self, "_control_shapes", shapes)

    def control_shape(self, name: str) -> tuple[int | None, ...]:
        """Returns the shape of a control at the first call.

        Raises:
          ValueError: If the processor was not called yet.
        """
        if not self._control_shapes or name not in self._control_shapes:
            raise ValueError(
                f"Call `{self.name}` once before running it block by block, so that it "
                f"knows the shape of `{name}`, got no call."
            )
        return self._control_shapes[name]

    def _rank(self, name: str) -> int:
        return len(self.control_shape(name))

    def _channels(self, name: str) -> int:
        channels = self.control_shape(name)[-1]
        if channels is None:
            raise ValueError(
                f"`{self.name}` must know the channels of `{name}`, got shape "
                f"{self.control_shape(name)}."
            )
        return channels


def memoryless(batch_size: int) -> State:
    """Returns the state of a processor without memory, [batch, 0].

    Args:
      batch_size: Rows of the stream.

    Example:

    >>> from ddsp import streaming
    >>> streaming.memoryless(2)["empty"].shape.as_list()
    [2, 0]
    """
    return {"empty": tf.zeros([batch_size, 0])}


def batch_size_of(state: Any) -> int | None:
    """Returns the batch size of a state; None if it is empty or unknown.

    Args:
      state: Nest of tensors.

    Example:

    >>> from ddsp import streaming
    >>> streaming.batch_size_of({"tail": tf.zeros([2, 64])})
    2
    """
    leaves = tf.nest.flatten(state)
    return next((x.shape[0] for x in leaves if x.shape.rank > 1), None)
