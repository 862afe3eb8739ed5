"""Reading the variables of a model, each accounted for."""

from collections import deque
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from ddsp.training import checkpoints
from ddsp.training.models.object_graph import ObjectGraph, public

# Names of variables in a message.
_SHOWN = 5


def restore(
    model: keras.Model,
    path: str,
    verbose: bool = True,
    keys: Sequence[str] | None = None,
) -> None:
    """Assigns a checkpoint's values to the variables of a built model.

    Checkpoints of the original library, by Keras 2, hold the same values in layers of
    the same structure.

    Args:
      model: A model that was called once.
      path: A checkpoint, or a directory with checkpoints.
      verbose: Log what was restored.
      keys: Names of the attributes to restore; by default all.

    Raises:
      FileNotFoundError: If there is no checkpoint.
      ValueError: If a variable is missing, unknown or of another shape, or the
        checkpoint is damaged or of an unknown version. No variable has changed then.
    """
    path = checkpoints.find_latest(path)
    for key in keys or ():
        if not hasattr(model, key):
            raise ValueError(
                "`restore_keys` must be attributes of the model; received "
                f"{key!r} for a {type(model).__name__}."
            )
    source = f"The checkpoint {path!r}"
    all_variables = model_variables(model)
    names = {id(variable): name for name, variable in all_variables.items()}
    variables = _selected(all_variables, keys)
    try:
        reader = tf.train.load_checkpoint(path)
        graph = ObjectGraph(reader, source)
        stored = _selected(graph.variables_of(names, model), keys)
        shapes = reader.get_variable_to_shape_map()
        check_match(
            variables, {name: shapes[key] for name, key in stored.items()}, source
        )
        values = {name: reader.get_tensor(stored[name]) for name in variables}
    except (tf.errors.OpError, IndexError, RuntimeError) as error:
        # The reader turns a file that ends too early into an IndexError.
        raise ValueError(f"{source} cannot be read: {error}") from error
    for name, variable in variables.items():
        variable.assign(values[name])
    if verbose:
        logging.info("Restored %d variables from %s.", len(variables), path)


def assign(model: keras.Model, values: Mapping[str, np.ndarray], source: str) -> None:
    """Assigns values to the variables of a built model.

    Args:
      model: A model that was called once.
      values: By the names that `model_variables` gives.
      source: Where they come from, the subject of an error message.

    Raises:
      ValueError: If a variable is missing, unknown or of another shape. No variable
        has changed then.
    """
    variables = model_variables(model)
    shapes = {name: np.shape(value) for name, value in values.items()}
    check_match(variables, shapes, source)
    for name, variable in variables.items():
        variable.assign(values[name])


def check_match(
    variables: Mapping[str, keras.Variable],
    stored: Mapping[str, Sequence[int]],
    source: str,
) -> None:
    """Refuses stored variables that are not the model's.

    Args:
      variables: Of the model, by name.
      stored: Shapes of what is stored, by name.
      source: Where it is stored, the subject of an error message.

    Raises:
      ValueError: If a variable is missing, unknown or of another shape.
    """
    for name, variable in variables.items():
        if name in stored and tuple(variable.shape) != tuple(stored[name]):
            raise ValueError(
                f"{source} is of another architecture: '{name}' has shape "
                f"{tuple(variable.shape)} in the model, received "
                f"{tuple(stored[name])}."
            )
    missing = [name for name in variables if name not in stored]
    unknown = [name for name in stored if name not in variables]
    if missing or unknown:
        raise ValueError(
            f"{source} is of another architecture: variables that it lacks: "
            f"{_brief(missing)}; variables that the model lacks: {_brief(unknown)}."
        )


def _brief(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return f"{names[:_SHOWN]}" + (f" and {more} more" if more > 0 else "")


def _selected(variables: dict, keys: Sequence[str] | None) -> dict:
    if keys is None:
        return variables
    return {n: v for n, v in variables.items() if n.split("/")[0] in keys}


def model_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """The variables of a model by the names that checkpoints give them.

    A checkpoint names a variable by the shortest path of attributes to it.

    Args:
      model: A model that was called once.

    Returns:
      {path: variable}, such as 'decoder/out_stack/.../kernel'.

    Raises:
      ValueError: If a checkpoint would lack some of the model's weights.
    """
    view = tf.train.TrackableView(model)
    variables: dict[str, keras.Variable] = {}
    queue = deque([("", model)])
    seen = {id(model)}
    while queue:
        path, node = queue.popleft()
        if isinstance(node, keras.Variable | tf.Variable):
            variables[public(path)] = node
            continue
        for name, child in view.children(node).items():
            if id(child) not in seen:
                seen.add(id(child))
                queue.append((f"{path}/{name}" if path else name, child))
    found = {id(variable) for variable in variables.values()}
    if lost := [x.path for x in model.weights if id(x) not in found]:
        raise ValueError(
            "Checkpoints name a weight by the attributes that lead to it; none lead to "
            f"some of '{model.name}', got {lost}."
        )
    return variables
