"""Finding the variables of a model in a checkpoint by the objects that hold them.

A checkpoint of TensorFlow 2 holds a graph of the objects that were saved, whose edges
are the attributes that lead from one to the next. The graph of a model and that of a
checkpoint are walked side by side. So it does not matter by which of several ways a
checkpoint names a variable, and where Keras 2 or an earlier version of the original
library has another attribute, it is looked for on the spot.
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
# The original saved the constants of the networks that its losses compare with.
_PRETRAINED = "/pretrained_model/"

# By which attributes other versions lead to the same object. An empty path: what holds
# the object here is the object itself there.
_OTHER_PATHS = {
    # Spectral normalisation had its own layer before Keras offered one.
    "vector_u": ("u", "sn_u"),
    # Version 0: functions that returned layers of Keras, in place of classes.
    "rnn": ("",),
    "input_stacks/0": ("f_stack",),
    "input_stacks/1": ("l_stack",),
    "input_stacks/2": ("z_stack",),
}


def public(path: str) -> str:
    """A path without leading underscores: private attributes hold some weights."""
    return re.sub(r"(^|/)_+", r"\1", path)


class ObjectGraph:
    """The objects in a checkpoint of `tf.train.Checkpoint(model=...)`."""

    def __init__(self, reader: Any, source: str):
        """Initializer.

        Args:
          reader: From `tf.train.load_checkpoint`.
          source: Where it comes from, the subject of an error message.

        Raises:
          ValueError: If there is no such graph, or no model in it.
        """
        if not tensorflow_internals.has_object_graph(reader):
            names = sorted(reader.get_variable_to_shape_map())
            raise ValueError(
                f"{source} is of an unknown version: checkpoints of TensorFlow 2 hold "
                f"a graph of objects, got only the variables {names[:5]}..."
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
                f"{source} is of an unknown version: it must hold an object "
                f"'{_ROOT}', got the objects {sorted(self._children[0])}."
            )
        self._root = self._children[0][_ROOT]

    def variables_of(self, names: Mapping[int, str], model: Any) -> dict[str, str]:
        """The keys of the model's variables in the checkpoint.

        Args:
          names: {id of a variable: its name} for all variables of the model.
          model: The model.

        Returns:
          {name: key}. What corresponds to no variable of the model has the name that
          the checkpoint gives it, unless it is of a loss's pretrained network.
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
        """The moments of Adam, as Keras 2 held them.

        Returns:
          {'m' or 'v', the first or the second moment: {key of a variable of the model:
          key of its moment}}.
        """
        keys = self._keys
        # Until TensorFlow 2.10 the graph says what belongs to what.
        found: dict[str, dict[str, str]] = {
            name: {
                keys[slot.original_variable_node_id]: keys[slot.slot_variable_node_id]
                for slot in self._slots
                if slot.slot_name == name
            }
            for name in ("m", "v")
        }
        # From 2.11 on, names do, unless two variables have the same.
        count = Counter(self._full_names.values())
        by_name = {x: keys[i] for i, x in self._full_names.items() if count[x] == 1}
        for full_name, key in by_name.items():
            optimizer, _, rest = full_name.partition("/")
            name, _, variable = rest.partition("/")
            if optimizer == "Adam" and name in found and variable in by_name:
                found[name][by_name[variable]] = key
        return found

    def key_of(self, *paths: str) -> str | None:
        """The key of the variable to which the first path leads that leads to one."""
        for path in paths:
            node = self._follow(0, path)
            if node in self._keys:
                return self._keys[node]
        return None

    def _matches(self, model: Any) -> dict[int, int]:
        """{id of a variable: number of its node}, nearest first."""
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
        """The node to which a path, or another name of it, leads."""
        name = public(path)
        for candidate in (path, name, f"_{name}", *_OTHER_PATHS.get(name, ())):
            target = self._follow(node, candidate)
            if target is not None:
                return target
        return None

    def _follow(self, node: int, path: str) -> int | None:
        """The node at the end of a path."""
        target: int | None = node
        for step in path.split("/") if path else ():
            target = None if target is None else self._children[target].get(step)
        return target

    def _reachable_keys(self) -> list[str]:
        """The keys of all variables in the model."""
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
    """The objects that an object holds, and the paths that lead to them."""
    if isinstance(owner, keras.Sequential):
        # Keras 2's names. Keras 3's follow below.
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
