"""The state of an optimiser as the original library left it, with Keras 2."""

from typing import Any

import keras
import tensorflow as tf

from ddsp._compat import keras_internals
from ddsp.training.models.object_graph import ObjectGraph
from ddsp.training.models.restoring import model_variables


def restore(optimizer: Any, model: keras.Model, path: str) -> bool:
    """Reads steps and moments of Adam, if a checkpoint holds them as Keras 2 did.

    Args:
      optimizer: A `keras.optimizers.Adam`, built for the trainable variables of the
        model.
      model: The model.
      path: The checkpoint.

    Returns:
      Whether it does; nothing was read otherwise.

    Raises:
      ValueError: If it does, but not for every variable. Nothing has changed then.
    """
    reader = tf.train.load_checkpoint(path)
    graph = ObjectGraph(reader, f"The checkpoint {path!r}")
    moments = graph.moments()
    steps = graph.key_of("optimizer/_iterations", "optimizer/iter")
    if steps is None or not moments["m"]:
        return False
    names = {id(variable): name for name, variable in model_variables(model).items()}
    stored = graph.variables_of(names, model)
    variables = [names[id(variable)] for variable in model.trainable_variables]
    lost = [
        name
        for name in variables
        if any(stored.get(name) not in found for found in moments.values())
    ]
    if lost:
        raise ValueError(
            f"The checkpoint {path!r} must hold the moments of every variable that is "
            f"trained; got none of {lost}."
        )
    optimizer.iterations.assign(reader.get_tensor(steps))
    first, second = keras_internals.adam_moments(optimizer)
    for targets, found in ((first, moments["m"]), (second, moments["v"])):
        for target, name in zip(targets, variables, strict=True):
            target.assign(reader.get_tensor(found[stored[name]]))
    return True
