"""Reading the variables of a model, each accounted for."""

import re
from collections import deque
from collections.abc import Sequence

import keras
import tensorflow as tf
from absl import logging

from ddsp.training import checkpoints

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_ROOT = "model/"


def restore(
    model: keras.Model,
    path: str,
    verbose: bool = True,
    keys: Sequence[str] | None = None,
) -> None:
    """Assigns a checkpoint's values to the variables of a built model.

    Args:
      model: A model that was called once.
      path: A checkpoint, or a directory with checkpoints.
      verbose: Log what was restored.
      keys: Names of the attributes to restore; by default all.

    Raises:
      FileNotFoundError: If there is no checkpoint.
      ValueError: If a variable is missing, unknown or of another shape, or the
        checkpoint is damaged. No variable has changed then.
    """
    path = checkpoints.find_latest(path)
    for key in keys or ():
        if not hasattr(model, key):
            raise ValueError(
                "`restore_keys` must be attributes of the model; received "
                f"{key!r} for a {type(model).__name__}."
            )
    variables = _selected(_model_variables(model), keys)
    try:
        reader = tf.train.load_checkpoint(path)
        stored = _selected(_stored_variables(reader), keys)
        _check_match(variables, stored, reader.get_variable_to_shape_map(), path)
        values = {name: reader.get_tensor(stored[name]) for name in variables}
    except (tf.errors.OpError, IndexError, RuntimeError) as error:
        # The reader turns a file that ends too early into an IndexError.
        raise ValueError(f"The checkpoint {path!r} cannot be read: {error}") from error
    for name, variable in variables.items():
        variable.assign(values[name])
    if verbose:
        logging.info("Restored %d variables from %s.", len(variables), path)


def _check_match(variables, stored, shapes, path: str) -> None:
    """Refuses a checkpoint whose variables are not the model's."""
    for name, variable in variables.items():
        if name in stored and list(variable.shape) != shapes[stored[name]]:
            raise ValueError(
                f"The checkpoint {path!r} is of another architecture: '{name}' has "
                f"shape {tuple(variable.shape)} in the model, received "
                f"{tuple(shapes[stored[name]])}."
            )
    missing = [name for name in variables if name not in stored]
    unknown = [name for name in stored if name not in variables]
    if missing or unknown:
        raise ValueError(
            f"The checkpoint {path!r} is of another architecture: variables that it "
            f"lacks: {missing}; variables that the model lacks: {unknown}."
        )


def _selected(variables: dict, keys: Sequence[str] | None) -> dict:
    if keys is None:
        return variables
    return {n: v for n, v in variables.items() if n.split("/")[0] in keys}


def _public(name: str) -> str:
    """A name without leading underscores: private attributes hold some weights."""
    return re.sub(r"(^|/)_+", r"\1", name)


def _model_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """{path: variable} in the order in which a checkpoint names them.

    A checkpoint names a variable by the shortest path of attributes to it.
    """
    view = tf.train.TrackableView(model)
    variables: dict[str, keras.Variable] = {}
    queue = deque([("", model)])
    seen = {id(model)}
    while queue:
        path, node = queue.popleft()
        if isinstance(node, keras.Variable | tf.Variable):
            variables[_public(path)] = node
            continue
        for name, child in view.children(node).items():
            if id(child) not in seen:
                seen.add(id(child))
                queue.append((f"{path}/{name}" if path else name, child))
    return variables


def _stored_variables(reader) -> dict[str, str]:
    """{path: key} of the model's variables in a checkpoint."""
    keys = sorted(reader.get_variable_to_shape_map())
    return {
        _public(key[len(_ROOT) : -len(_SUFFIX)]): key
        for key in keys
        if key.startswith(_ROOT) and key.endswith(_SUFFIX)
    }
