"""A layer under test, and what the checks compute with it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Inputs = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer, and inputs to call it with.

    Attributes:
      make: Creates the layer.
      inputs: Creates the inputs by name, in the order of the layer's arguments: float32
        arrays [batch, time, ...] of at least two rows.
      grouped: Whether the layer takes the inputs as one dictionary.
      differentiable: Inputs for which the output is smooth; the gradients of others
        only have to be finite. None for all.
      static: Inputs whose second axis is not time, so that its size is always known.
      loose: Inputs that may have any rank.
      rowwise: Whether row i of the output depends on row i of the inputs only.
      tolerance: Largest difference between two ways to compute the same output,
        relative to its peak.
      step: Step of the finite differences; the inputs are of order 1.
      n_frames: Frames of the inputs, for streams; their length must be a multiple.
      hop_size: Samples per frame, for streams whose layer does not know it.

    Example:

    >>> case = ddsp.testing.Case(
    ...     ddsp.processors.Add,
    ...     lambda rng: {"one": rng.random([2, 8]), "two": rng.random([2, 8])})
    >>> case.run(case.make(), case.arguments()).shape
    TensorShape([2, 8])
    """

    make: Callable[..., keras.layers.Layer]
    inputs: Callable[[np.random.Generator], Inputs]
    grouped: bool = False
    differentiable: tuple[str, ...] | None = None
    static: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    rowwise: bool = True
    tolerance: float = 1e-5
    step: float = 1e-2
    n_frames: int = 20
    hop_size: int = 16

    def arguments(self, seed: int = 0) -> Inputs:
        """Returns the inputs by name."""
        inputs = self.inputs(np.random.default_rng(seed))
        return {name: np.asarray(x, np.float32) for name, x in inputs.items()}

    def run(
        self, layer: keras.layers.Layer, inputs: Mapping[str, Any], **kwargs: Any
    ) -> Any:
        """Calls the layer."""
        if self.grouped:
            return layer(inputs, **kwargs)
        return layer(*inputs.values(), **kwargs)


def total(outputs: Any) -> tf.Tensor:
    """Returns the sum of all values of a nest."""
    return tf.add_n([tf.reduce_sum(x) for x in tf.nest.flatten(outputs)])


def value_and_gradients(
    case: Case, layer: keras.layers.Layer, inputs: dict[str, tf.Tensor]
) -> tuple[Any, list[tf.Tensor]]:
    """Returns the output, and the gradients of its sum for all inputs and weights."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = case.run(layer, inputs)
        loss = total(outputs)
    sources = [*inputs.values(), *layer.trainable_variables]
    return outputs, tape.gradient(loss, sources, unconnected_gradients="zero")


def nodes(function: Any) -> list[Any]:
    """Returns the operations of a traced function and of those that it calls."""
    graph = function.graph.as_graph_def()
    called = [node for f in graph.library.function for node in f.node_def]
    return [*graph.node, *called]
