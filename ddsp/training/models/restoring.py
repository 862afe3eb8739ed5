"""Restoring the variables of a model, none missing and none left over."""

from collections import deque
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from ddsp.training import checkpoints
from ddsp.training.models.object_graph import ObjectGraph, public

# Largest number of names in a message.
_SHOWN = 5


def restore(
    model: keras.Model,
    path: str,
    verbose: bool = True,
    keys: Sequence[str] | None = None,
) -> None:
    """Restores the variables of a built model from a checkpoint.

    Checkpoints of the original library, written by Keras 2, are supported as well.

    Args:
      model: A built model.
      path: A checkpoint, or a directory of checkpoints.
      verbose: Whether to log what was restored.
      keys: Names of the attributes to restore; None for all.

    Raises:
      FileNotFoundError: If there is no checkpoint.
      ValueError: If a variable is missing, unknown or has another shape, or if the
        checkpoint is damaged or of an unknown version. No variable has changed then.

    Example:

    >>> import keras
    >>> from ddsp.training.models import restoring
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.build([1, 1])
    >>> path = tf.train.Checkpoint(model=model).write(str(tmp_path / "ckpt-1"))
    >>> model.set_weights([np.full([1, 1], 3.0), np.full([1], 3.0)])
    >>> restoring.restore(model, path)
    >>> bool(model.weights[0][0, 0] == 3.0)
    False
    """
    path = checkpoints.find_latest(path)
    for key in keys or ():
        if not hasattr(model, key):
            raise ValueError(
                f"`restore_keys` must be attributes of the {type(model).__name__}, got "
                f"{key!r}."
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
        # The reader raises IndexError for a truncated file.
        raise ValueError(f"{source} cannot be read: {error}") from error
    for name, variable in variables.items():
        variable.assign(values[name])
    if verbose:
        logging.info("Restored %d variables from %s.", len(variables), path)


def assign(model: keras.Model, values: Mapping[str, np.ndarray], source: str) -> None:
    """Assigns values to the variables of a built model.

    Args:
      model: A built model.
      values: {name: value}, with the names of `model_variables`.
      source: Subject of error messages, such as 'The checkpoint x'.

    Raises:
      ValueError: If a variable is missing, unknown or has another shape. No variable
        has changed then.

    Example:

    >>> import keras
    >>> from ddsp.training.models import restoring
    >>> model = keras.Sequential([keras.layers.Dense(1, use_bias=False, name="dense")])
    >>> model.build([1, 1])
    >>> (name,) = restoring.model_variables(model)
    >>> restoring.assign(model, {name: np.float32([[3.0]])}, "This example")
    >>> float(model.weights[0][0, 0])
    3.0
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
    """Refuses stored variables that do not match those of a model.

    Args:
      variables: {name: variable} of the model.
      stored: {name: shape} of the stored variables.
      source: Subject of error messages, such as 'The checkpoint x'.

    Raises:
      ValueError: If a variable is missing, unknown or has another shape.

    Example:

    >>> from ddsp.training.models import restoring
    >>> restoring.check_match({"a": tf.Variable([0.0])}, {"a": [2]}, "This file")
    Traceback (most recent call last):
    ValueError: This file has another architecture: 'a' must have shape (1,), got (2,).
    """
    for name, variable in variables.items():
        if name in stored and tuple(variable.shape) != tuple(stored[name]):
            raise ValueError(
                f"{source} has another architecture: '{name}' must have shape "
                f"{tuple(variable.shape)}, got {tuple(stored[name])}."
            )
    missing = [name for name in variables if name not in stored]
    unknown = [name for name in stored if name not in variables]
    if missing or unknown:
        raise ValueError(
            f"{source} has another architecture: its variables must be those of the "
            f"model, got missing {_brief(missing)} and unknown {_brief(unknown)}."
        )


def _brief(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return f"{names[:_SHOWN]}" + (f" and {more} more" if more > 0 else "")


def _selected(variables: dict, keys: Sequence[str] | None) -> dict:
    if keys is None:
        return variables
    return {n: v for n, v in variables.items() if n.split("/")[0] in keys}


def model_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Returns the variables of a model by their names in checkpoints.

    A checkpoint names a variable by the shortest path of attributes to it.

    Args:
      model: A built model.

    Returns:
      {path: variable}, with paths such as 'decoder/out_stack/.../kernel'.

    Raises:
      ValueError: If a checkpoint would lack some of the model's weights.

    Example:

    >>> from ddsp.training.models import restoring
    >>> reverb = ddsp.effects.Reverb(trainable=True, reverb_length=8)
    >>> reverb.build([1, 8])
    >>> list(restoring.model_variables(reverb))
    ['ir']
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
            f"The layers of '{model.name}' must be attributes of each other to be part "
            f"of checkpoints, got {lost} elsewhere."
        )
    return variables
