"""Private parts of TensorFlow."""

from typing import Any, TypeVar

import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2
from tensorflow.python.framework import convert_to_constants

F = TypeVar("F")

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def allow_retracing(function: F) -> F:
    """Lets a `tf.function` be traced for many shapes without a warning.

    Why: TensorFlow warns after five traces and advises against them, but XLA has to
    compile a kernel once for each shape. `tf.function` has no option for this.
    Known to work: TensorFlow 2.18 to 2.21.
    Without it: the warning appears; results stay the same.

    Args:
      function: Returned by `tf.function`.

    Returns:
      The same function.
    """
    function._omit_frequent_tracing_warning = True  # type: ignore[attr-defined]
    return function


def freeze(function: Any) -> Any:
    """Replaces the variables of a concrete function by constants.

    Why: exported formats hold one graph with its weights. The public
    `tf.compat.v1.graph_util` freezes only graphs of TensorFlow 1 sessions.
    Known to work: TensorFlow 2.18 to 2.21.
    Without it: ONNX, TensorFlow Lite and browser exports fail.

    Args:
      function: Returned by `get_concrete_function`.

    Returns:
      A concrete function without variables.
    """
    return convert_to_constants.convert_variables_to_constants_v2(function)


def has_object_graph(reader: Any) -> bool:
    """Whether a checkpoint holds the graph that `object_graph` reads."""
    return reader.has_tensor(_OBJECT_GRAPH)


def object_graph(reader: Any) -> Any:
    """Reads the graph of the objects that a checkpoint of TensorFlow 2 saved.

    Why: the public `tf.train.CheckpointView` shows the objects, but neither the keys
    of their variables nor the slot variables of optimizers.
    Known to work: TensorFlow 2.18 to 2.21.
    Without it: no model can be restored.

    Args:
      reader: Returned by `tf.train.load_checkpoint`.

    Returns:
      A `TrackableObjectGraph`, the protocol buffer.
    """
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    graph.ParseFromString(reader.get_tensor(_OBJECT_GRAPH))
    return graph


def trackable_list(values: list) -> Any:
    """Wraps a list so that checkpoints include what it holds.

    Why: `tf.Module` wraps lists that are assigned to it, Keras layers do not, and the
    wrapper has no public constructor.
    Known to work: TensorFlow 2.18 to 2.21.
    Without it: checkpoints lack layers that other layers keep in lists.

    Args:
      values: Layers.

    Returns:
      A list that TensorFlow tracks.
    """
    return tf.__internal__.tracking.wrap(values)
