"""Checkpoints in the Keras 2 format of the original library, from tables.

A table is a nested dictionary: attributes of the original's layers, which lead to
further tables or to the shapes of variables. Where Keras 2 has two names for one
object, the table has it twice. The functions here are the tables of Keras 2's layers.
"""

import numpy as np
import tensorflow as tf


def dense(n_in, n_out):
    return {"kernel": (n_in, n_out), "bias": (n_out,)}


def layer_norm(n):
    return {"gamma": (n,), "beta": (n,)}


def conv(height, width, n_in, n_out):
    return {"kernel": (height, width, n_in, n_out), "bias": (n_out,)}


def conv_transpose(height, width, n_in, n_out):
    return {"kernel": (height, width, n_out, n_in), "bias": (n_out,)}


def gru(n_in, n):
    """Gates z, r, h; two biases, because Keras 2 defaults to `reset_after`."""
    cell = {"kernel": (n_in, 3 * n), "recurrent_kernel": (n, 3 * n), "bias": (2, 3 * n)}
    return {"cell": cell}


def lstm(n_in, n):
    """Gates i, f, c, o."""
    cell = {"kernel": (n_in, 4 * n), "recurrent_kernel": (n, 4 * n), "bias": (4 * n,)}
    return {"cell": cell}


def sequential(*layers):
    """Numbers all layers, and separately those with weights."""
    weighted = [layer for layer in layers if layer]
    return {
        **{f"layer_with_weights-{i}": layer for i, layer in enumerate(weighted)},
        **{f"layer-{i}": layer for i, layer in enumerate(layers)},
    }


def listed(*items):
    return {str(i): item for i, item in enumerate(items)}


def write(path, model, seed=0):
    """Writes a checkpoint with random values.

    Args:
      path: Of the checkpoint, such as 'run/ckpt-4'.
      model: The table of the model.
      seed: Of the values.

    Returns:
      {path of a variable in the table: value}, with all paths of each.
    """
    rng = np.random.default_rng(seed)
    objects: dict[int, object] = {}
    values = {}

    def add(table, prefix):
        if id(table) not in objects:
            if isinstance(table, dict):
                node = tf.train.Checkpoint()
                for name in table:
                    setattr(node, name, add(table[name], f"{prefix}/{name}"))
            else:
                value = rng.normal(size=table).astype(np.float32)
                node = tf.Variable(value)
            objects[id(table)] = node
        return objects[id(table)]

    def collect(table, prefix):
        if isinstance(table, dict):
            for name, item in table.items():
                collect(item, f"{prefix}{name}/")
        else:
            values[prefix[:-1]] = objects[id(table)].numpy()

    root = tf.train.Checkpoint(model=add(model, "model"))
    collect(model, "")
    root.write(str(path))
    return values
