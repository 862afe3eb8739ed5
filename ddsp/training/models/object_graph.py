"""The object graph of a checkpoint, matched with that of a model.

A checkpoint of TensorFlow 2 holds a graph of the saved objects, whose edges are
attributes. The graphs of the model and of the checkpoint are traversed together. Thus a
variable is found whatever its name in the checkpoint, and differences to Keras 2 and
earlier versions of the original library can be resolved attribute by attribute.
"""

import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from ddsp import processors
from ddsp._compat import tensorflow_internals

_VALUE = "VARIABLE_VALUE"
_SUFFIX = f"/.ATTRIBUTES/{_VALUE}"
_ROOT = "model"
# The original also saved the pretrained networks inside its losses.
_PRETRAINED = "/pretrained_model/"

# Paths of the same object in other versions. With an empty path, the object takes the
# place of its owner.
_OTHER_PATHS = {
    # The original had its own layer for spectral normalization.
    "vector_u": ("u", "sn_u"),
    # Version 0 had functions that returned Keras layers instead of classes.
    "rnn": ("",),
    "input_stacks/0": ("f_stack",),
    "input_stacks/1": ("l_stack",),
    "input_stacks/2": ("z_stack",),
}


def public(path: str) -> str:
    """Removes leading underscores from a path, since some attributes are private.

    Args:
      path: Path of a variable in the checkpoint.

    Example:

    >>> from ddsp.training.models import object_graph
    >>> object_graph.public("decoder/_stack/kernel")
    'decoder/stack/kernel'
    """
    return re.sub(r"(^|/)_+", r"\1", path)


class ObjectGraph:
    """Objects in a checkpoint of `tf.train.Checkpoint(model=...)`.

    Example:

    >>> from ddsp.training.models.object_graph import ObjectGraph
    >>> model = tf.Module()
    >>> model.x = tf.Variable(1.0)
    >>> path = tf.train.Checkpoint(model=model).write(str(tmp_path / "ckpt-1"))
    >>> graph = ObjectGraph(tf.train.load_checkpoint(path), "This checkpoint")
    >>> graph.variables_of({id(model.x): "x"}, model)
    {'x': 'model/x/.ATTRIBUTES/VARIABLE_VALUE'}
    """

    def __init__(self, reader: Any, source: str):
        """Initializes the graph.

        Args:
          reader: Returned by `tf.train.load_checkpoint`.
          source: Subject of error messages, such as 'The checkpoint x'.

        Raises:
          ValueError: If the checkpoint has no object graph, or no model in it.
        """
        if not tensorflow_internals.has_object_graph(reader):
            names = sorted(reader.get_variable_to_shape_map())
            raise ValueError(
                f"{source} must be written by TensorFlow 2, with a graph of objects, "
                f"got only the variables {names[:5]}."
            )
        graph = tensorflow_internals.object_graph(reader)
        self._children = [
            {child.local_name: child.node_id for child in node.children}
            for node in graph.nodes
        ]
        values = {
            i: attribute
            for i, node in enumerate(graph.nodes)
            for attribute in node.attributes
            if attribute.name == _VALUE
        }
        self._keys = {i: value.checkpoint_key for i, value in values.items()}
        self._full_names = {i: value.full_name for i, value in values.items()}
        self._slots = [slot for node in graph.nodes for slot in node.slot_variables]
        if _ROOT not in self._children[0]:
            raise ValueError(
                f"{source} must hold an object '{_ROOT}', got "
                f"{sorted(self._children[0])}."
            )
        self._root = self._children[0][_ROOT]

    def variables_of(self, names: Mapping[int, str], model: Any) -> dict[str, str]:
        """Finds the variables of a model in the checkpoint.

        Args:
          names: {id of a variable: its name} for all variables of the model.
          model: The model.

        Returns:
          {name: key in the checkpoint}. Variables that the model lacks have the names
          of the checkpoint. Pretrained networks of losses are left out.
        """
        nodes = self._matches(model)
        found = {names[i]: self._keys[node] for i, node in nodes.items() if i in names}
        known = set(found.values())
        others = {
            public(key.removeprefix(f"{_ROOT}/").removesuffix(_SUFFIX)): key
            for key in self._reachable_keys()
            if key not in known and _PRETRAINED not in key
        }
        return {**others, **found}

    def moments(self) -> dict[str, dict[str, str]]:
        """Finds the moments of Adam, as Keras 2 saved them.

        Returns:
          {moment: {key of a variable of the model: key of its moment}}, where 'm' is
          the first moment and 'v' the second.
        """
        keys = self._keys
        # Up to TensorFlow 2.10, the graph relates moments and variables.
        found: dict[str, dict[str, str]] = {
            name: {
                keys[slot.original_variable_node_id]: keys[slot.slot_variable_node_id]
                for slot in self._slots
                if slot.slot_name == name
            }
            for name in ("m", "v")
        }
        # From 2.11 on, their names do, unless two variables share one.
        count = Counter(self._full_names.values())
        by_name = {x: keys[i] for i, x in self._full_names.items() if count[x] == 1}
        for full_name, key in by_name.items():
            optimizer, _, rest = full_name.partition("/")
            name, _, variable = rest.partition("/")
            if optimizer == "Adam" and name in found and variable in by_name:
                found[name][by_name[variable]] = key
        return found

    def key_of(self, *paths: str) -> str | None:
        """Returns the key of the first variable found at one of the paths, or None."""
        for path in paths:
            node = self._follow(0, path)
            if node in self._keys:
                return self._keys[node]
        return None

    def _matches(self, model: Any) -> dict[int, int]:
        """Returns {id of a variable: number of its node}, nearest first."""
        matches: dict[int, int] = {}
        queue = deque([(model, self._root)])
        seen = {id(model)}
        while queue:
            owner, node = queue.popleft()
            for path, child in _children(owner):
                target = self._find(node, path)
                if target is None or id(child) in seen:
                    continue
                seen.add(id(child))
                if not _is_variable(child):
                    queue.append((child, target))
                elif target in self._keys:
                    matches[id(child)] = target
        return matches

    def _find(self, node: int, path: str) -> int | None:
        """Returns the node at a path or at one of its other names."""
        name = public(path)
        for candidate in (path, name, f"_{name}", *_OTHER_PATHS.get(name, ())):
            target = self._follow(node, candidate)
            if target is not None:
                return target
        return None

    def _follow(self, node: int, path: str) -> int | None:
        """Returns the node at the end of a path."""
        target: int | None = node
        for step in path.split("/") if path else ():
            target = None if target is None else self._children[target].get(step)
        return target

    def _reachable_keys(self) -> list[str]:
        """Returns the keys of all variables in the model."""
        queue = deque([self._root])
        seen = {self._root}
        while queue:
            for child in self._children[queue.popleft()].values():
                if child not in seen:
                    seen.add(child)
                    queue.append(child)
        return sorted(self._keys[node] for node in seen if node in self._keys)


def _is_variable(value: Any) -> bool:
    return isinstance(value, keras.Variable | tf.Variable)


def _children(owner: Any) -> Iterator[tuple[str, Any]]:
    """Yields the paths and objects that an object holds."""
    if isinstance(owner, keras.Sequential):
        # Names of Keras 2. Those of Keras 3 follow below.
        for i, layer in enumerate(owner.layers):
            yield f"layer-{i}", layer
    for name, child in tf.train.TrackableView.children(owner).items():
        yield from _flattened(name, child)
    if isinstance(owner, processors.ProcessorGroup):
        # Version 0 kept processors in lists only.
        for i, processor in enumerate(owner.processors):
            yield f"processors/{i}", processor
            yield f"dag/{i}/0", processor


def _flattened(path: str, child: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(child, list):
        for i, item in enumerate(child):
            yield from _flattened(f"{path}/{i}", item)
    else:
        yield path, child
