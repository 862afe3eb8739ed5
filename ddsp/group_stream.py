"""A graph of processors, block by block: delays that keep its signals aligned."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from ddsp import core
from ddsp._core import filter_streams
from ddsp._core.blocks import check_block
from ddsp.streaming import FRAME, SAMPLE, STATIC, Streaming
from ddsp.types import State


class _Node(NamedTuple):
    """One use of a processor.

    Attributes:
      place: Key of its state.
      name: Key of its signal.
      processor: The processor.
      inputs: Triples of an argument, its rate and the key of its value.
      takes_audio: Whether signals are among its inputs.
      input_latency: Latency of its inputs, in samples.
      output_latency: Latency of its signal, in samples.
    """

    place: str
    name: str
    processor: Streaming
    inputs: list[tuple[str, str, str]]
    takes_audio: bool
    input_latency: int
    output_latency: int


class GroupStream:
    """The nodes of a graph of processors, run block by block.

    Inputs of a node are delayed to the latest of them. The latency before a node that
    works in hops, and at the end of the graph, is a whole number of hops.

    Args:
      dag: Triples of a name, a processor, and the keys of its inputs.
      hop_size: Samples per frame.

    Attributes:
      latency_samples: Latency of the graph, in samples.

    Raises:
      ValueError: If a node cannot run block by block.

    Example:

    >>> from ddsp.group_stream import GroupStream
    >>> harmonic = ddsp.synths.Harmonic(n_samples=None, hop_size=64)
    >>> nodes = [("harmonic", harmonic, ["amps", "distribution", "f0_hz"])]
    >>> GroupStream(nodes, hop_size=64).latency_samples
    64
    """

    def __init__(
        self, dag: Sequence[tuple[str, Any, Sequence[str]]], hop_size: int
    ) -> None:
        self._hop_size = hop_size
        self._nodes: list[_Node] = []
        latencies: dict[str, int] = {}
        for name, processor, keys in dag:
            if not isinstance(processor, Streaming):
                raise ValueError(
                    f"`{name}` cannot run block by block: it must be a processor, got a"
                    f" {type(processor).__name__}."
                )
            inputs = [
                (control, rate, key)
                for (control, rate), key in zip(
                    processor.rates().items(), keys, strict=False
                )
            ]
            before = max((_latency(key, latencies) for key in keys), default=0)
            if processor.in_hops():
                before = self._whole_hops(before)
            after = before + processor.latency_samples
            place = name if name not in latencies else f"{name}_{len(self._nodes)}"
            takes_audio = any(rate == SAMPLE for _, rate, _ in inputs)
            self._nodes.append(
                _Node(place, name, processor, inputs, takes_audio, before, after)
            )
            latencies[name] = after
        self.latency_samples = self._whole_hops(self._nodes[-1].output_latency)

    def start(self, batch_size: int, static: Mapping[str, Any]) -> State:
        """Returns the state before the first block; see `Streaming.initial_state`."""
        keys = {key for node in self._nodes for _, _, key in node.inputs}
        if unknown := sorted(set(static) - keys):
            raise ValueError(
                f"Static controls are given by the keys of the graph's inputs "
                f"({sorted(keys)}), got {unknown}."
            )
        state: State = {}
        latencies: dict[str, int] = {}
        for node in self._nodes:
            lines, last, given = {}, {}, {}
            for control, rate, key in node.inputs:
                if rate == STATIC:
                    if key in static:
                        given[control] = static[key]
                    continue
                delay = node.input_latency - latencies.get(_root(key), 0)
                channels = list(node.processor.control_shape(control)[2:])
                if rate == FRAME:
                    delay //= self._hop_size
                    if node.takes_audio:
                        last[control] = tf.zeros([batch_size, 1, *channels])
                if delay:
                    lines[control] = tf.zeros([batch_size, delay, *channels])
            state[node.place] = {
                "lines": lines,
                "last": last,
                "processor": node.processor.initial_state(batch_size, **given),
            }
            latencies[node.name] = node.output_latency
        rest = self.latency_samples - self._nodes[-1].output_latency
        state["out"] = tf.zeros([batch_size, rest])
        state["position"] = tf.zeros([], tf.int64)
        return state

    def input_specs(self, n_frames: int, batch_size: int) -> dict[str, tf.TensorSpec]:
        """Returns shape and dtype of each input of the graph."""
        names = {node.name for node in self._nodes}
        return {
            key: node.processor.input_specs(n_frames, batch_size)[control]
            for node in self._nodes
            for control, _, key in self._moving(node)
            if _root(key) not in names
        }

    def step(
        self, inputs: Mapping[str, Any], state: State, noise: Mapping[str, Any]
    ) -> tuple[tf.Tensor, State]:
        """Processes a block; see `Streaming.step`."""
        outputs = dict(inputs)
        new_state: State = {}
        signal: Any = None
        for node in self._nodes:
            before = state[node.place]
            block, lines, last = {}, {}, {}
            for control, rate, key in self._moving(node):
                x = check_block(
                    key,
                    core.nested_lookup(key, outputs),
                    len(node.processor.control_shape(control)),
                )
                if control in before["last"]:
                    last[control] = x[:, -1:]
                if control in before["lines"]:
                    line = before["lines"][control]
                    if rate == FRAME:
                        # Before the first frame, interpolation holds its value.
                        first = tf.repeat(x[:, :1], line.shape[1], axis=1)
                        line = tf.where(state["position"] > 0, line, first)
                    x, lines[control] = filter_streams.delay(line, x)
                block[control] = x
            signal, of_processor = node.processor.step(
                block, before["processor"], noise.get(node.name)
            )
            if node.input_latency:
                # Filters respond to the pre-roll.
                signal = filter_streams.after_start(
                    signal, state["position"], node.output_latency
                )
            new_state[node.place] = {
                "lines": lines,
                "last": last,
                "processor": of_processor,
            }
            outputs[node.name] = {"signal": signal}
        new_state["position"] = state["position"] + signal.shape[1]
        signal, new_state["out"] = filter_streams.delay(state["out"], signal)
        return signal, new_state

    def flush(self, state: State, tail: bool) -> tf.Tensor:
        """Returns the remaining output, node by node; see `Streaming.flush`."""
        remaining: dict[str, tf.Tensor] = {}
        for node in self._nodes:
            before, of_processor = state[node.place], state[node.place]["processor"]
            rest = {}
            for control, rate, key in self._moving(node) if node.takes_audio else ():
                parts = [before["lines"].get(control)]
                if rate != FRAME:
                    parts.append(remaining.get(_root(key)))
                rest[control] = [part for part in parts if part is not None]
            signals = []
            n_samples = self._longest(node, rest)
            padded = (
                self._whole_hops(n_samples) if node.processor.in_hops() else n_samples
            )
            if padded:
                block = {
                    control: self._filled(rest[control], padded, before, control)
                    for control in rest
                }
                signal, of_processor = node.processor.step(block, of_processor)
                signals.append(signal)
            signals.append(node.processor.flush(of_processor, tail))
            signal = tf.concat(signals, axis=1)
            remaining[node.name] = signal[:, : signal.shape[1] - (padded - n_samples)]
        return tf.concat([state["out"], remaining[self._nodes[-1].name]], axis=1)

    def _moving(self, node: _Node) -> Iterator[tuple[str, str, str]]:
        return (entry for entry in node.inputs if entry[1] != STATIC)

    def _longest(self, node: _Node, rest: Mapping[str, list[tf.Tensor]]) -> int:
        """Returns the samples that a node has yet to process."""
        of_signals = [
            sum(part.shape[1] for part in rest[control])
            for control, rate, _ in self._moving(node)
            if control in rest and rate != FRAME
        ]
        return max(of_signals, default=0)

    def _filled(
        self, parts: list[tf.Tensor], n_samples: int, before: State, control: str
    ) -> tf.Tensor:
        """Returns the last samples of a control: frames held, signals zero-padded."""
        length = sum(part.shape[1] for part in parts)
        if control in before["last"]:
            missing = max(n_samples // self._hop_size - length, 0)
            held = tf.repeat(before["last"][control], missing, axis=1)
            return tf.concat([*parts, held], axis=1)
        x = tf.concat(parts, axis=1)
        padding = [[0, 0], [0, n_samples - length], *[[0, 0]] * (x.shape.rank - 2)]
        return tf.pad(x, padding)

    def _whole_hops(self, n_samples: int) -> int:
        return -(-n_samples // self._hop_size) * self._hop_size


def _root(key: str) -> str:
    return key.split("/")[0]


def _latency(key: str, latencies: Mapping[str, int]) -> int:
    root = _root(key)
    if root not in latencies:
        return 0
    if key != f"{root}/signal":
        raise ValueError(
            "Block by block, the nodes of a graph pass on signals only, "
            f"'{root}/signal', got '{key}'."
        )
    return latencies[root]
