"""Types that public signatures share."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf

# Anything that TensorFlow converts to a tensor of numbers.
ArrayLike: TypeAlias = tf.Tensor | tf.Variable | npt.ArrayLike

# Shape of a tensor; None for an unknown size.
Shape: TypeAlias = Sequence[int | None]

# Named inputs, such as features or controls.
Features: TypeAlias = Mapping[str, ArrayLike]

# Named tensors, or nested dictionaries of them.
Outputs: TypeAlias = dict[str, Any]

# State that a stream carries from block to block: a nest of named tensors.
State: TypeAlias = dict[str, Any]

# Named arrays.
Arrays: TypeAlias = Mapping[str, np.ndarray]
