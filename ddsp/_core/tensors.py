"""Helpers for tensors and for nested dictionaries of tensors."""

import copy
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from ddsp.types import ArrayLike

_T = TypeVar("_T")


def tf_float32(x: ArrayLike) -> tf.Tensor:
    """Converts a value to a float32 tensor.

    Args:
      x: Tensor, array, nested lists of numbers, or a number.

    Returns:
      Tensor of the same shape. A float32 tensor is returned unchanged.

    Example:

    >>> ddsp.core.tf_float32([1, 2]).dtype.name
    'float32'
    """
    if tf.is_tensor(x):
        return tf.cast(x, tf.float32)
    return tf.convert_to_tensor(x, tf.float32)


def array_of_lists(x: Any) -> Any:
    """Converts nested lists of numbers, also in dictionaries, to float32 tensors.

    For arguments of layers: Keras treats every number in a list as a separate input.
    Other values are returned unchanged.
    """
    if isinstance(x, Mapping):
        return {key: array_of_lists(value) for key, value in x.items()}
    if not isinstance(x, list | tuple) or not x:
        return x
    if all(isinstance(leaf, numbers.Real) for leaf in tf.nest.flatten(x)):
        return tf_float32(x)
    return x


def make_iterable(x: Any) -> Iterable[Any]:
    """Wraps a single value in a list.

    Args:
      x: Any value. Strings, arrays and tensors count as single values.

    Returns:
      `x` if it is a collection, `[x]` if it is a single value, `[]` if it is None.

    Example:

    >>> ddsp.core.make_iterable("f0_hz")
    ['f0_hz']
    """
    if x is None:
        return []
    is_single = isinstance(x, str | np.ndarray) or tf.is_tensor(x)
    return x if isinstance(x, Iterable) and not is_single else [x]


def to_dict(x: Any, keys: str | Sequence[str]) -> dict[str, Any]:
    """Converts values to a dictionary.

    Args:
      x: Dictionary (returned as a copy), single value, or collection of values.
      keys: One name per value.

    Returns:
      Dictionary of the values by name.

    Raises:
      ValueError: If the numbers of keys and values differ.

    Example:

    >>> ddsp.core.to_dict([440.0, 0.5], ["f0_hz", "amplitude"])
    {'f0_hz': 440.0, 'amplitude': 0.5}
    """
    if isinstance(x, Mapping):
        return dict(x)
    values = list(make_iterable(x))
    names = list(make_iterable(keys))
    if len(names) != len(values):
        raise ValueError(
            f"Each value needs one key, got {len(names)} keys {names} for "
            f"{len(values)} values."
        )
    return dict(zip(names, values, strict=True))


def copy_if_tf_function(x: _T) -> _T:
    """Copies a container inside `tf.function`.

    A traced function must not change the containers it receives.

    Args:
      x: Container, such as a dictionary.

    Returns:
      A shallow copy of `x` while a graph is traced, `x` itself in eager mode.

    Example:

    >>> features = {"f0_hz": 440.0}
    >>> ddsp.core.copy_if_tf_function(features) is features
    True
    """
    return x if tf.executing_eagerly() else copy.copy(x)


def nested_keys(
    nested_dict: Mapping[str, Any], delimiter: str = "/", prefix: str = ""
) -> list[str]:
    """Lists the paths of all leaves of a nested dictionary.

    Args:
      nested_dict: Nested dictionary.
      delimiter: Separator of the keys in a path.
      prefix: Path that all paths start with.

    Returns:
      Paths, such as `'harmonic/controls/f0_hz'`.

    Example:

    >>> ddsp.core.nested_keys({"harmonic": {"signal": 0, "controls": {"f0_hz": 1}}})
    ['harmonic/signal', 'harmonic/controls/f0_hz']
    """
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
    """Returns the value at a path of a nested dictionary.

    Args:
      nested_key: Path, such as `'harmonic/signal'`.
      nested_dict: Nested dictionary.
      delimiter: Separator of the keys in the path.

    Returns:
      The value, which may be a dictionary.

    Raises:
      KeyError: If the path does not exist. The message lists the existing paths.

    Example:

    >>> ddsp.core.nested_lookup("harmonic/signal", {"harmonic": {"signal": 0.5}})
    0.5
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
    """Returns the last part of a path.

    Args:
      nested_key: Path, such as `'harmonic/signal'`.
      delimiter: Separator of the keys in the path.

    Returns:
      The key after the last separator.

    Example:

    >>> ddsp.core.leaf_key("harmonic/signal")
    'signal'
    """
    return nested_key.split(delimiter)[-1]


def map_shape(x: Any) -> Any:
    """Replaces each tensor of a nest by its shape.

    Args:
      x: Nest of tensors.

    Returns:
      The same nest with shapes as lists.

    Example:

    >>> ddsp.core.map_shape({"f0_hz": tf.zeros([1, 250, 1])})
    {'f0_hz': [1, 250, 1]}
    """
    return tf.nest.map_structure(lambda t: list(t.shape), x)


def pad_axis(
    x: ArrayLike,
    padding: tuple[int, int] = (0, 0),
    axis: int = 0,
    **pad_kwargs: str | float,
) -> tf.Tensor:
    """Pads one axis of a tensor.

    Args:
      x: Tensor of any shape.
      padding: Number of values to add before and after.
      axis: Axis to pad.
      **pad_kwargs: Passed to `tf.pad`, such as `mode` or `constant_values`.

    Returns:
      The padded tensor.

    Example:

    >>> ddsp.core.pad_axis([1.0, 2.0], (1, 2)).numpy()
    array([0., 1., 2., 0., 0.], dtype=float32)
    """
    x = tf.convert_to_tensor(x)
    paddings = [(0, 0)] * x.shape.rank
    paddings[axis] = (padding[0], padding[1])
    return tf.pad(x, paddings, **pad_kwargs)


def diff(x: ArrayLike, axis: int = -1) -> tf.Tensor:
    """Computes the first difference along an axis.

    Args:
      x: Tensor of any shape.
      axis: Axis of the difference.

    Returns:
      Tensor that is shorter than `x` by one along `axis`.

    Raises:
      ValueError: If `axis` does not exist.

    Example:

    >>> ddsp.core.diff([1.0, 4.0, 9.0]).numpy()
    array([3., 5.], dtype=float32)
    """
    x = tf.convert_to_tensor(x)
    rank = x.shape.rank
    if not -rank <= axis < rank:
        raise ValueError(f"`axis` must exist in a tensor of rank {rank}, got {axis}.")
    axis %= rank
    before, after = [slice(None)] * rank, [slice(None)] * rank
    before[axis], after[axis] = slice(None, -1), slice(1, None)
    return x[tuple(after)] - x[tuple(before)]
