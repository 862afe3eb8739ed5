"""What decoders check before they decode a block."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from ddsp._core import checks
from ddsp._core.tensors import tf_float32
from ddsp.training import nn


def checked_inputs(
    decoder: nn.DictLayer, keys: Sequence[str], inputs: Mapping[str, Any], state
) -> list[tf.Tensor]:
    """The inputs of a block, in order, once they are known to go together."""
    missing = [key for key in keys if key not in inputs]
    if missing:
        raise ValueError(
            f"A block of `{decoder.name}` needs the inputs {list(keys)}, of which "
            f"{missing} are missing; got {sorted(inputs)}."
        )
    features = [tf_float32(inputs[key]) for key in keys]
    for key, x in zip(keys, features, strict=True):
        checks.rank(key, x, 3)
        checks.bounded(key, x)
    shapes = {key: tuple(x.shape) for key, x in zip(keys, features, strict=True)}
    n_rows = {shape[0] for shape in shapes.values()}
    n_rows |= {x.shape[0] for x in tf.nest.flatten(state)}
    n_frames = {shape[1] for shape in shapes.values()}
    if len(n_rows - {None}) > 1 or len(n_frames - {None}) > 1:
        raise ValueError(
            f"Inputs of a block of `{decoder.name}` must have as many frames as each "
            "other and as many rows as the state, got shapes "
            f"{shapes} and {sorted(n_rows - {None})} rows."
        )
    return features
