"""Optimizer state in checkpoints of the original library, written by Keras 2."""

import keras
import tensorflow as tf

from ddsp._compat import keras_internals
from ddsp.training.models.object_graph import ObjectGraph
from ddsp.training.models.restoring import model_variables


def restore(optimizer: keras.optimizers.Adam, model: keras.Model, path: str) -> bool:
    """Restores the step count and moments of Adam from a checkpoint by Keras 2.

    Args:
      optimizer: Optimizer built for the trainable variables of the model.
      model: The model.
      path: The checkpoint.

    Returns:
      Whether the checkpoint holds such a state. Otherwise nothing changes.

    Raises:
      ValueError: If moments of some variables are missing. Nothing has changed then.

    Example:

    >>> import keras
    >>> from ddsp.training import original_optimizer
    >>> model, adam = keras.Sequential([keras.layers.Dense(1)]), keras.optimizers.Adam()
    >>> model.build([1, 1])
    >>> adam.build(model.trainable_variables)
    >>> path = tf.train.Checkpoint(model=model).write(str(tmp_path / "ckpt-1"))
    >>> original_optimizer.restore(adam, model, path)
    False
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
            f"The checkpoint {path!r} must hold the moments of every trainable "
            f"variable, got none of {lost}."
        )
    optimizer.iterations.assign(reader.get_tensor(steps))
    first, second = keras_internals.adam_moments(optimizer)
    for targets, found in ((first, moments["m"]), (second, moments["v"])):
        for target, name in zip(targets, variables, strict=True):
            target.assign(reader.get_tensor(found[stored[name]]))
    return True
