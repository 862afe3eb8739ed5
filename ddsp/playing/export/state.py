"""State nests as named tensors, for runtimes without nests."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ddsp._core import compilation

Outputs = dict[str, tf.Tensor]
Step = Callable[[Mapping[str, tf.Tensor], Any], tuple[Outputs, Any]]


class NamedState:
    """The state of a step as named tensors, reduced to the tensors that change.

    Tensors on which no output depends are omitted. Constant tensors, such as the
    spectra of an impulse response, and empty ones become part of the function.

    Attributes:
      start: {name: initial value} of the tensors that change.

    Example:

    >>> from ddsp.playing.export.state import NamedState
    >>> def step(inputs, state):
    ...     total = state["sum"] + inputs["x"]
    ...     return {"y": total * state["gain"]}, {**state, "sum": total}
    >>> start = {"sum": tf.zeros([1]), "gain": tf.constant([2.0])}
    >>> state = NamedState(step, {"x": tf.TensorSpec([1])}, start)
    >>> list(state.start)
    ['state_sum']
    """

    def __init__(
        self,
        step: Step,
        specs: Mapping[str, tf.TensorSpec],
        start: Any,
        finish: Callable[[Any], tf.Tensor] | None = None,
    ):
        """Initializes the state.

        Args:
          step: From named inputs and a state nest to named outputs and a new nest.
          specs: Shape and dtype of the inputs.
          start: The initial nest.
          finish: A function of the last nest, such as a flush, if any.

        Raises:
          ValueError: If two parts of the nest would have the same name.
        """
        self._step = step
        self._finish = finish
        self._nest = start
        paths, self._leaves = zip(*keras.tree.flatten_with_path(start), strict=True)
        self._names = ["_".join(["state", *map(identifier, path)]) for path in paths]
        if len(set(self._names)) < len(self._names):
            raise ValueError(f"Names of the state are not unique, got {self._names}.")
        moves: list[bool] = []

        def probe(inputs, leaves):
            before = keras.tree.pack_sequence_as(start, leaves)
            outputs, after = step(inputs, before)
            observed = [*outputs.values(), *([finish(before)] if finish else [])]
            moves[:] = _moving(observed, leaves, keras.tree.flatten(after))

        with compilation.uncompiled():
            tf.function(probe, autograph=False).get_concrete_function(
                dict(specs), [tf.TensorSpec(x.shape, x.dtype) for x in self._leaves]
            )
        self.start: dict[str, np.ndarray] = {
            name: np.asarray(leaf)
            for name, leaf, moving in zip(self._names, self._leaves, moves, strict=True)
            if moving and leaf.shape.num_elements()
        }

    @property
    def specs(self) -> dict[str, tf.TensorSpec]:
        """Shape and dtype of the tensors that change, by name."""
        return {name: tf.TensorSpec(x.shape, x.dtype) for name, x in self.start.items()}

    def step(self, **inputs: tf.Tensor) -> Outputs:
        """Runs the step, with the state among its inputs and outputs."""
        outputs, nest = self._step(inputs, self._pack(inputs))
        new = dict(zip(self._names, keras.tree.flatten(nest), strict=True))
        return {**outputs, **{name: new[name] for name in self.start}}

    def finish(self, **state: tf.Tensor) -> tf.Tensor:
        """Calls `finish` with a state."""
        if self._finish is None:
            raise ValueError("The step must have a `finish` function, got none.")
        return self._finish(self._pack(state))

    def _pack(self, tensors: Mapping[str, tf.Tensor]) -> Any:
        leaves = [
            # New constants, so that the graph captures nothing from outside.
            tensors[name] if name in self.start else tf.constant(np.asarray(leaf))
            for name, leaf in zip(self._names, self._leaves, strict=True)
        ]
        return keras.tree.pack_sequence_as(self._nest, leaves)


def identifier(part: Any) -> str:
    """Returns a text as a part of a name that every runtime accepts.

    Args:
      part: A text or an index.

    Example:

    >>> from ddsp.playing.export.state import identifier
    >>> identifier("noise-1")
    'noise_1'
    """
    return re.sub(r"\W", "_", str(part), flags=re.ASCII)


def _moving(
    outputs: Iterable[tf.Tensor],
    old: Sequence[tf.Tensor],
    new: Sequence[tf.Tensor],
) -> list[bool]:
    """Returns which leaves change between steps and reach an output."""
    observed = _ancestors(outputs)
    while True:
        reached = [
            after for x, after in zip(old, new, strict=True) if x.ref() in observed
        ]
        more = observed | _ancestors(reached)
        if len(more) == len(observed):
            break
        observed = more
    return [
        x.ref() in observed and x is not after
        for x, after in zip(old, new, strict=True)
    ]


def _ancestors(tensors: Iterable[tf.Tensor]) -> set[Any]:
    """Returns references to tensors and to all that they are computed from."""
    found = set()
    waiting = list(tensors)
    while waiting:
        tensor = waiting.pop()
        if tensor.ref() in found:
            continue
        found.add(tensor.ref())
        operation = tensor.op
        if operation.type == "IdentityN":
            # TensorFlow lets arguments pass beside the results of custom gradients.
            waiting.append(operation.inputs[tensor.value_index])
        else:
            waiting.extend(operation.inputs)
    return found
