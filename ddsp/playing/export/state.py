"""Nests of state as tensors with names, for runtimes that know no nests."""

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
    """The state of a step, of which only what moves is seen from outside.

    What no output depends on is left out; what a step never changes, such as the
    spectra of a response, becomes part of the function, and so does what is empty.

    Attributes:
      start: {name: first value} of what moves.
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
          step: From named inputs and a nest of state to named outputs and a new nest.
          specs: Of its inputs.
          start: The first nest.
          finish: What is made of the last nest, if anything.

        Raises:
          ValueError: If two parts of the nest would have one name.
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
            heard = [*outputs.values(), *([finish(before)] if finish else [])]
            moves[:] = _moving(heard, leaves, keras.tree.flatten(after))

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
        """Shape and dtype of what moves, by name."""
        return {name: tf.TensorSpec(x.shape, x.dtype) for name, x in self.start.items()}

    def step(self, **inputs: tf.Tensor) -> Outputs:
        """The step, with the state among its inputs and outputs."""
        outputs, nest = self._step(inputs, self._pack(inputs))
        new = dict(zip(self._names, keras.tree.flatten(nest), strict=True))
        return {**outputs, **{name: new[name] for name in self.start}}

    def finish(self, **state: tf.Tensor) -> tf.Tensor:
        """What `finish` makes of a state."""
        if self._finish is None:
            raise ValueError("This state is of a step that has no end, got no finish.")
        return self._finish(self._pack(state))

    def _pack(self, tensors: Mapping[str, tf.Tensor]) -> Any:
        leaves = [
            # Made anew, so that nothing from outside is captured by the graph.
            tensors[name] if name in self.start else tf.constant(np.asarray(leaf))
            for name, leaf in zip(self._names, self._leaves, strict=True)
        ]
        return keras.tree.pack_sequence_as(self._nest, leaves)


def identifier(part: Any) -> str:
    """A text as a part of a name that every runtime takes.

    Args:
      part: Part of a name.
    """
    return re.sub(r"\W", "_", str(part), flags=re.ASCII)


def _moving(
    outputs: Iterable[tf.Tensor],
    old: Sequence[tf.Tensor],
    new: Sequence[tf.Tensor],
) -> list[bool]:
    """Which leaves change from step to step in a way that is ever heard."""
    heard = _ancestors(outputs)
    while True:
        reached = [after for x, after in zip(old, new, strict=True) if x.ref() in heard]
        more = heard | _ancestors(reached)
        if len(more) == len(heard):
            break
        heard = more
    return [
        x.ref() in heard and x is not after for x, after in zip(old, new, strict=True)
    ]


def _ancestors(tensors: Iterable[tf.Tensor]) -> set[Any]:
    """References to all that symbolic tensors are computed from, themselves too."""
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
