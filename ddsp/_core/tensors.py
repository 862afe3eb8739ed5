"""Small helpers for tensors and nested dictionaries of them."""

import copy
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf


def tf_float32(x: Any) -> tf.Tensor:
    """Returns `x` as a float32 tensor."""
    if tf.is_tensor(x):
        return tf.cast(x, tf.float32)
    return tf.convert_to_tensor(x, tf.float32)


def array_of_lists(x: Any) -> Any:
    """Returns nested lists of numbers as a float32 tensor, all else as it is.

    Those in dictionaries too. For arguments of layers: Keras takes every number in a
    list for an input of its own.
    """
    if isinstance(x, Mapping):
        return {key: array_of_lists(value) for key, value in x.items()}
    if not isinstance(x, list | tuple) or not x:
        return x
    if all(isinstance(leaf, numbers.Real) for leaf in tf.nest.flatten(x)):
        return tf_float32(x)
    return x


def make_iterable(x: Any) -> Any:
    """Returns `x` if it is a collection, `[x]` if it is one thing, `[]` for None.

    Strings, arrays and tensors count as one thing.
    """
    if x is None:
        return []
    one_thing = isinstance(x, str | np.ndarray) or tf.is_tensor(x)
    return x if isinstance(x, Iterable) and not one_thing else [x]


def to_dict(x: Any, keys: Sequence[str]) -> dict[str, Any]:
    """Returns `x` as a dictionary.

    Args:
      x: A dictionary (returned as it is), one value, or a collection of values.
      keys: One name for each value.

    Raises:
      ValueError: If the numbers of keys and values differ.
    """
    if isinstance(x, Mapping):
        return dict(x)
    values = make_iterable(x)
    keys = make_iterable(keys)
    if len(keys) != len(values):
        raise ValueError(
            f"Needs one key for each value, got {len(keys)} keys {list(keys)} for "
            f"{len(values)} values."
        )
    return dict(zip(keys, values, strict=True))


def copy_if_tf_function(x: Any) -> Any:
    """Returns a shallow copy of `x` inside `tf.function`, else `x` itself.

    A traced function must not change the containers that it was given.
    """
    return x if tf.executing_eagerly() else copy.copy(x)


def nested_keys(
    nested_dict: Mapping[str, Any], delimiter: str = "/", prefix: str = ""
) -> list[str]:
    """Returns the path of every leaf, such as `'harmonic/controls/f0_hz'`."""
    paths: list[str] = []
    for key, value in nested_dict.items():
        path = key if not prefix else f"{prefix}{delimiter}{key}"
        if isinstance(value, Mapping):
            paths.extend(nested_keys(value, delimiter, path))
        else:
            paths.append(path)
    return paths


def nested_lookup(
    nested_key: str, nested_dict: Mapping[str, Any], delimiter: str = "/"
) -> Any:
    """Returns the value at a path such as `'harmonic/signal'`.

    Raises:
      KeyError: If the path leads nowhere, with the keys that there are.
    """
    value: Any = nested_dict
    for key in nested_key.split(delimiter):
        if not isinstance(value, Mapping) or key not in value:
            raise KeyError(
                f"No key '{nested_key}'. There are: {nested_keys(nested_dict)}."
            )
        value = value[key]
    return value


def leaf_key(nested_key: str, delimiter: str = "/") -> str:
    """Returns the last part of a path: `'signal'` for `'harmonic/signal'`."""
    return nested_key.split(delimiter)[-1]


def map_shape(x: Any) -> Any:
    """Returns the same nest with each tensor replaced by its shape, a list."""
    return tf.nest.map_structure(lambda t: list(t.shape), x)


def pad_axis(
    x: Any, padding: tuple[int, int] = (0, 0), axis: int = 0, **pad_kwargs: Any
) -> tf.Tensor:
    """Pads one axis.

    Args:
      x: A tensor.
      padding: How many values to add before and after.
      axis: The axis that grows.
      **pad_kwargs: Passed to `tf.pad`, such as `mode` or `constant_values`.
    """
    x = tf.convert_to_tensor(x)
    paddings = [(0, 0)] * x.shape.rank
    paddings[axis] = (padding[0], padding[1])
    return tf.pad(x, paddings, **pad_kwargs)


def diff(x: Any, axis: int = -1) -> tf.Tensor:
    """Returns the first difference, one shorter along `axis`.

    Raises:
      ValueError: If `axis` does not exist.
    """
    x = tf.convert_to_tensor(x)
    rank = x.shape.rank
    if not -rank <= axis < rank:
        raise ValueError(f"A tensor of rank {rank} has no axis {axis}.")
    axis %= rank
    before, after = [slice(None)] * rank, [slice(None)] * rank
    before[axis], after[axis] = slice(None, -1), slice(1, None)
    return x[tuple(after)] - x[tuple(before)]
