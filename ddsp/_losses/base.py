"""What all losses are made of."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core, dags
from ddsp._core import checks
from ddsp._core.tensors import array_of_lists

LOSS_TYPES = ("L1", "L2", "COSINE")


@configurable.first_call_alone
class Loss(keras.layers.Layer):
    """Base class of losses: a layer whose `call` returns a scalar.

    A loss computes in float32, also under a mixed-precision policy.

    Args:
      trainable: Whether weights of the loss, if it has any, are trained.
      name: Under which the loss is reported.
      dtype: Defaults to float32.
      dynamic: Accepted for compatibility, without effect.
      **kwargs: Passed to the Keras layer.

    Example:

    >>> class PeakLoss(ddsp.losses.Loss):
    ...     def call(self, target, audio):
    ...         peaks = [tf.reduce_max(tf.abs(x)) for x in (target, audio)]
    ...         return tf.abs(peaks[0] - peaks[1])
    >>> float(PeakLoss(name="peak")([[0.0, 1.0]], [[0.5, 0.0]]))
    0.5
    """

    def __init__(
        self,
        trainable: bool = True,
        name: str | None = None,
        dtype: Any = None,
        dynamic: bool = False,
        **kwargs: Any,
    ):
        del dynamic
        super().__init__(
            trainable=trainable, name=name, dtype=dtype or "float32", **kwargs
        )
        self._allow_non_tensor_positional_args = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the layer; nested lists of numbers are taken as arrays."""
        named = {key: array_of_lists(value) for key, value in kwargs.items()}
        return super().__call__(*map(array_of_lists, args), **named)

    def get_losses_dict(self, *args: Any, **kwargs: Any) -> dict[str, tf.Tensor]:
        """Returns `{name: loss}`."""
        return {self.name: self(*args, **kwargs)}


@configurable.layer(module="ddsp.losses")
class LossGroup(dags.DAGLayer):
    """Losses, and layers that prepare their inputs, wired into a graph.

    Args:
      dag: Nodes `(loss, input_keys)`, see `dags.DAGLayer`.
      **kwarg_losses: Losses by name, and `name`.

    Example:

    >>> group = ddsp.losses.LossGroup(dag=[
    ...     (ddsp.losses.SpectralLoss((64,), name="fine"), ["audio", "synth"]),
    ...     (ddsp.losses.SpectralLoss((128,), name="coarse"), ["audio", "synth"]),
    ... ])
    >>> audio = tf.random.normal([1, 640])
    >>> losses = group({"audio": audio, "synth": 0.5 * audio})
    >>> sorted(losses)
    ['coarse', 'fine']
    """

    def __init__(self, dag: Sequence[Sequence[Any]], **kwarg_losses: Any):
        kwarg_losses.setdefault("name", "loss_group")
        kwarg_losses.setdefault("dtype", "float32")
        super().__init__(dag, **kwarg_losses)

    @property
    def loss_names(self) -> list[str]:
        """Names of the losses in the graph, in the order in which they were named."""
        return [
            name
            for name, module in zip(self.module_names, self.modules, strict=True)
            if dags.is_loss(module)
        ]

    @property
    def losses(self) -> list[keras.layers.Layer]:
        """The losses, in the order in which they were named."""
        return [getattr(self, name) for name in self.loss_names]

    def call(self, outputs: Mapping[str, Any], **kwargs: Any) -> dict[str, tf.Tensor]:  # type: ignore[override]
        """Returns every loss by its name, computed from a model's outputs."""
        dag_outputs = self.run_dag(outputs, **kwargs)
        losses: dict[str, tf.Tensor] = {}
        for name in self.loss_names:
            losses.update(dag_outputs[name])
        return losses

    def get_losses_dict(
        self, outputs: Mapping[str, Any], **kwargs: Any
    ) -> dict[str, tf.Tensor]:
        """Returns every loss by its name."""
        return self(outputs, **kwargs)


def mean_difference(
    target: Any, value: Any, loss_type: str = "L1", weights: Any = None
) -> tf.Tensor:
    """Mean difference of two tensors.

    Args:
      target: Any shape.
      value: The same shape.
      loss_type: `'L1'` for the absolute difference, `'L2'` for its square,
        `'COSINE'` for one minus the cosine between vectors along the last axis.
      weights: Multiply the differences before the mean; must broadcast with them.

    Returns:
      A scalar.

    Raises:
      ValueError: If `loss_type` is unknown, or there is nothing to compare.

    Example:

    >>> float(ddsp.losses.mean_difference([1.0, 2.0], [1.0, 4.0]))
    1.0
    >>> float(ddsp.losses.mean_difference([1.0, 2.0], [1.0, 4.0], "L2"))
    2.0
    """
    loss_type = loss_type.upper()
    checks.one_of("loss_type", loss_type, LOSS_TYPES)
    target, value = core.tf_float32(target), core.tf_float32(value)
    checks.not_empty("target", target)
    checks.not_empty("value", value)
    weights = 1.0 if weights is None else core.tf_float32(weights)
    if loss_type == "L1":
        return _mean(tf.abs((target - value) * weights))
    if loss_type == "L2":
        return _mean((target - value) ** 2 * weights)
    # l2_normalize keeps the gradient of silence finite.
    units = [tf.math.l2_normalize(x, axis=-1, epsilon=1e-12) for x in (target, value)]
    cosine = tf.reduce_sum(units[0] * units[1], axis=-1, keepdims=True)
    return _mean((1.0 - cosine) * weights)


def _mean(x: tf.Tensor) -> tf.Tensor:
    # Row by row first: compiled code adds one number after the other, in which float32
    # loses digits over millions.
    return tf.reduce_mean(tf.reduce_mean(x, axis=-1) if x.shape.rank else x)
