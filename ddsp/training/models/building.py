"""Building untrusted models within the memory that their weights take."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp._compat import keras_internals, messages
from ddsp.training.models.model import Model
from ddsp.training.models.synthesis_model import SynthesisModel

# Size of the variables that a model may have in addition to the stored weights.
_SPARE_NUMBERS = 2**20
_MOST_NUMBERS = 2**26
_HIGHEST_RATE = 768000


@contextlib.contextmanager
def limited(n_numbers: int) -> Iterator[None]:
    """Limits the total size of the variables created inside the block.

    Args:
      n_numbers: Total size of the stored weights. A fixed margin is added.

    Raises:
      ValueError: If the variables are larger, before they take memory.

    Example:

    >>> from ddsp.training.models import building
    >>> with building.limited(n_numbers=10):
    ...     variable = tf.Variable(lambda: tf.zeros([2**24]))
    Traceback (most recent call last):
    ValueError: The config describes a larger model than the stored weights, got 10 ...
    """
    left = n_numbers + _SPARE_NUMBERS

    def create(make: Callable[..., tf.Variable], **kwargs: Any) -> tf.Variable:
        nonlocal left
        left -= _size(kwargs["initial_value"])
        if left < 0:
            raise _TooLargeError
        return make(**kwargs)

    try:
        with tf.variable_creator_scope(create):
            yield
    except _TooLargeError:
        raise ValueError(
            "The config describes a larger model than the stored weights, got "
            f"{n_numbers} stored numbers."
        ) from None


class _TooLargeError(BaseException):
    """A variable exceeds the limit.

    Not an `Exception`: Keras catches those when it builds layers ahead of a call.
    """


def _size(value: Any) -> int:
    if callable(value):
        # Tracing computes nothing, so a huge value takes no memory.
        traced = tf.function(value, autograph=False).get_concrete_function()
        shape = traced.output_shapes
    else:
        shape = value.shape if tf.is_tensor(value) else np.shape(value)
    return tf.TensorShape(shape).num_elements() or 0


def build(model: SynthesisModel, n_numbers: int, config: str) -> None:
    """Creates the variables of an untrusted model without running it.

    Args:
      model: A model that is not built.
      n_numbers: Total size of the stored weights. A fixed margin is added.
      config: Path of its config, for error messages.

    Raises:
      ValueError: If the model is larger or cannot be built.
    """
    with _in_one_line(config):
        rates = model.sample_rate, model.hop_size
        if max(rates) > _HIGHEST_RATE:
            raise ValueError(
                f"Sample rate and hop must be at most {_HIGHEST_RATE}, got {rates}."
            )
        features, n_samples = model._silence()
        graph = tf.function(
            lambda: model(features, training=False, n_samples=n_samples),
            autograph=False,
        )
        with limited(n_numbers):
            traced = graph.get_concrete_function()
        sizes = [
            tensor.shape.num_elements() or 0
            for operation in traced.graph.get_operations()
            for tensor in operation.outputs
        ]
        if max(sizes) > _MOST_NUMBERS:
            raise ValueError(
                "Arrays for a short piece of audio must have at most "
                f"{_MOST_NUMBERS} numbers, got {max(sizes)}."
            )


def build_from_checkpoint(model: Model, checkpoint: str, config: str) -> None:
    """Creates a model's variables by running it, up to the size of its checkpoint.

    Args:
      model: A model that is not built.
      checkpoint: Path of its checkpoint.
      config: Path of its config, for error messages.

    Raises:
      ValueError: If the model is larger than the checkpoint or cannot be built.
    """
    try:
        reader = tf.train.load_checkpoint(checkpoint)
        shapes = reader.get_variable_to_shape_map().values()
    except (tf.errors.OpError, IndexError, RuntimeError) as error:
        raise ValueError(
            f"The checkpoint {checkpoint!r} cannot be read: {error}"
        ) from error
    with (
        _in_one_line(config),
        limited(sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes)),
    ):
        model.build_variables()


@contextlib.contextmanager
def _in_one_line(config: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        keras_internals.forget_uninitialized_variables()
        # Layers may fail in any way, depending on what the config binds.
        raise ValueError(
            f"The model that {config!r} describes cannot be built: "
            f"{messages.one_line(error)}"
        ) from error
