"""Features of single records: their specifications, checks and errors."""

import re
from typing import Any, TypeAlias

import tensorflow as tf

from ddsp import file_errors

# Specifications of features by name, for `tf.io.parse_single_example`.
FeatureSpecs: TypeAlias = dict[str, Any]

# Limit of all features. Squares of much larger values overflow.
_LARGEST = 10**6


def float_feature(length: int | None) -> Any:
    """Returns the specification of a float feature.

    Args:
      length: Number of values; None if it differs between records.

    Example:

    >>> from ddsp.training.data import record_parsing
    >>> record_parsing.float_feature(250).shape
    [250]
    """
    if length is None:
        return tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)
    return tf.io.FixedLenFeature([length], tf.float32)


def checked(name: str, value: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """Adds checks to a feature: reading fails if it is not finite or out of range.

    Args:
      name: Name of the feature.
      value: Values of the feature, of any shape.
      sample_rate: Samples per second, the limit of `f0_hz`.

    Raises:
      InvalidArgumentError: If a value is not finite or out of range.

    Example:

    >>> from ddsp.training.data import record_parsing
    >>> record_parsing.checked("audio", tf.constant([0.5]), 16000).numpy()
    array([0.5], dtype=float32)
    """
    if not value.dtype.is_floating:
        return value
    value = tf.debugging.check_numerics(value, f"`{name}`")
    limits = (0, sample_rate) if name == "f0_hz" else (-_LARGEST, _LARGEST)
    inside = (value >= limits[0]) & (value <= limits[1])
    text = f"`{name}` is not between {limits[0]} and {limits[1]}"
    tf.debugging.Assert(tf.reduce_all(inside), [text])
    return value


def reason(error: tf.errors.OpError) -> str:
    """Returns why a record cannot be read, from TensorFlow's message.

    Args:
      error: Error raised while reading a record.

    Example:

    >>> from ddsp.training.data import record_parsing
    >>> text = "`f0_hz` : Tensor had NaN values"
    >>> record_parsing.reason(tf.errors.InvalidArgumentError(None, None, text))
    '`f0_hz` has NaN values'
    """
    text = file_errors.reason(error).rstrip(". ")
    assertion = re.search(r"assertion failed: \[(.*?)\]", text)
    return assertion[1] if assertion else text.replace(" : Tensor had", " has")
