"""A graph of processors in blocks: how its signals are kept in step."""

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
      place: Under which the state holds its part.
      name: Under which others find its signal.
      processor: What is used.
      inputs: Triples of the processor's argument, its rate and the key of its value.
      hears: Whether signals are among its inputs.
      enters: Samples by which its inputs lag.
      leaves: Samples by which its signal lags.
    """

    place: str
    name: str
    processor: Streaming
    inputs: list[tuple[str, str, str]]
    hears: bool
    enters: int
    leaves: int


class GroupStream:
    """How the nodes of a graph of processors are played in blocks.

    Signals that meet are delayed to the latest of them. A node that works hop by hop,
    and the end of the graph, are reached after whole hops.

    Args:
      dag: Triples of a name, a processor, and the keys of its inputs.
      hop_size: Samples a frame.

    Attributes:
      latency_samples: See `Streaming`.

    Raises:
      ValueError: If a node cannot be played in blocks.
    """

    def __init__(
        self, dag: Sequence[tuple[str, Any, Sequence[str]]], hop_size: int
    ) -> None:
        self._hop_size = hop_size
        self._nodes: list[_Node] = []
        lags: dict[str, int] = {}
        for name, processor, keys in dag:
            if not isinstance(processor, Streaming):
                raise ValueError(
                    f"`{name}` cannot be played in blocks, as it is no processor, got a"
                    f" {type(processor).__name__}."
                )
            inputs = [
                (control, rate, key)
                for (control, rate), key in zip(
                    processor.rates().items(), keys, strict=False
                )
            ]
            enters = max((_lag(key, lags) for key in keys), default=0)
            if processor.in_hops():
                enters = self._whole_hops(enters)
            leaves = enters + processor.latency_samples
            place = name if name not in lags else f"{name}_{len(self._nodes)}"
            hears = any(rate == SAMPLE for _, rate, _ in inputs)
            self._nodes.append(
                _Node(place, name, processor, inputs, hears, enters, leaves)
            )
            lags[name] = leaves
        self.latency_samples = self._whole_hops(self._nodes[-1].leaves)

    def start(self, batch_size: int, static: Mapping[str, Any]) -> State:
        """The state before the first block; see `Streaming.initial_state`."""
        keys = {key for node in self._nodes for _, _, key in node.inputs}
        if unknown := sorted(set(static) - keys):
            raise ValueError(
                f"Static controls are given by the keys of the graph's inputs "
                f"({sorted(keys)}), got {unknown}."
            )
        state: State = {}
        lags: dict[str, int] = {}
        for node in self._nodes:
            lines, last, given = {}, {}, {}
            for control, rate, key in node.inputs:
                if rate == STATIC:
                    if key in static:
                        given[control] = static[key]
                    continue
                delay = node.enters - lags.get(_root(key), 0)
                channels = list(node.processor.control_shape(control)[2:])
                if rate == FRAME:
                    delay //= self._hop_size
                    if node.hears:
                        last[control] = tf.zeros([batch_size, 1, *channels])
                if delay:
                    lines[control] = tf.zeros([batch_size, delay, *channels])
            state[node.place] = {
                "lines": lines,
                "last": last,
                "processor": node.processor.initial_state(batch_size, **given),
            }
            lags[node.name] = node.leaves
        rest = self.latency_samples - self._nodes[-1].leaves
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
        """Plays a block; see `Streaming.step`."""
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
                        # Before the first frame, what fades between frames stays.
                        first = tf.repeat(x[:, :1], line.shape[1], axis=1)
                        line = tf.where(state["position"] > 0, line, first)
                    x, lines[control] = filter_streams.delay(line, x)
                block[control] = x
            signal, of_processor = node.processor.step(
                block, before["processor"], noise.get(node.name)
            )
            if node.enters:
                # A filter rings before what has come late.
                signal = filter_streams.after_start(
                    signal, state["position"], node.leaves
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
        """Plays what is owed, node after node; see `Streaming.flush`."""
        owed: dict[str, tf.Tensor] = {}
        for node in self._nodes:
            before, of_processor = state[node.place], state[node.place]["processor"]
            rest = {}
            for control, rate, key in self._moving(node) if node.hears else ():
                parts = [before["lines"].get(control)]
                if rate != FRAME:
                    parts.append(owed.get(_root(key)))
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
            owed[node.name] = signal[:, : signal.shape[1] - (padded - n_samples)]
        return tf.concat([state["out"], owed[self._nodes[-1].name]], axis=1)

    def _moving(self, node: _Node) -> Iterator[tuple[str, str, str]]:
        return (entry for entry in node.inputs if entry[1] != STATIC)

    def _longest(self, node: _Node, rest: Mapping[str, list[tf.Tensor]]) -> int:
        """Samples that a node still gets: those of its signals, if it has any."""
        of_signals = [
            sum(part.shape[1] for part in rest[control])
            for control, rate, _ in self._moving(node)
            if control in rest and rate != FRAME
        ]
        return max(of_signals, default=0)

    def _filled(
        self, parts: list[tf.Tensor], n_samples: int, before: State, control: str
    ) -> tf.Tensor:
        """A control for the last samples: frames are held, signals end in silence."""
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


def _lag(key: str, lags: Mapping[str, int]) -> int:
    root = _root(key)
    if root not in lags:
        return 0
    if key != f"{root}/signal":
        raise ValueError(
            "In blocks, nodes of a graph pass on their signals alone, "
            f"'{root}/signal', got '{key}'."
        )
    return lags[root]
