"""Layers that take their inputs from dictionaries and return dictionaries."""

import ast
import contextlib
import inspect
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core
from ddsp._core.tensors import array_of_lists

OutputSplits = Sequence[tuple[str, int]]

DEFAULT_OUTPUT_SPLITS = (("amps", 1), ("harmonic_distribution", 40))


def split_to_dict(
    tensor: tf.Tensor, tensor_splits: OutputSplits
) -> dict[str, tf.Tensor]:
    """Cuts the channels of a tensor into named parts.

    Args:
      tensor: [..., channels].
      tensor_splits: Pairs (name, number of channels), which add up to `channels`.

    Returns:
      {name: [..., n_channels]}, in the order of `tensor_splits`.

    Raises:
      ValueError: If the sizes do not add up to the number of channels.
    """
    names = [name for name, _ in tensor_splits]
    sizes = [size for _, size in tensor_splits]
    channels = tensor.shape[-1]
    if channels is not None and sum(sizes) != channels:
        raise ValueError(
            "The sizes in `tensor_splits` must add up to the number of channels, "
            f"{channels}; received {tuple(tensor_splits)}."
        )
    return dict(zip(names, tf.split(tensor, sizes, axis=-1), strict=True))


@configurable.layer(module="ddsp.training.nn")
class DictLayer(keras.layers.Layer):
    """A layer whose `call` takes tensors and whose `__call__` also takes dicts.

    Subclasses write `call` with plain tensors as arguments, and name what it
    returns in its return annotation:

        class Sum(DictLayer):
            def call(self, a, b, bias=0.0) -> ["total"]:
                return a + b + bias

    The layer is then called with tensors, `layer(a, b)`, with keywords,
    `layer(a=a, b=b)`, or with any number of dictionaries, `layer({'a': a, 'b': b})`,
    where later ones take precedence. Tensors beside dictionaries are the inputs that
    have no name, in order. Keys may be paths into nested dictionaries, such as
    `'encoder/z'`. Arguments with a default are optional: they are picked from the
    dictionaries where they are present.
    """

    def __init__(
        self,
        input_keys: Sequence[str] | None = None,
        output_keys: Sequence[str] | None = None,
        **kwargs,
    ):
        """Initializer.

        Args:
          input_keys: Keys of the inputs, in the order of `call`'s arguments, all
            required. By default the names of the arguments; those with a default are
            then optional.
          output_keys: Keys of the outputs. By default the return annotation of
            `call`, a string or a list of strings.
          **kwargs: Passed on to `keras.layers.Layer`.

        Raises:
          ValueError: If the output keys are neither given nor annotated.
        """
        super().__init__(**kwargs)
        self.default_input_keys: list[str] = []
        self.default_input_values: list[Any] = []
        if not input_keys:
            input_keys = self.get_argument_names("call")
            self.default_input_keys = self.get_default_argument_names("call")
            self.default_input_values = self.get_default_argument_values("call")
        self.input_keys = list(input_keys)
        self.output_keys = list(output_keys or self.get_return_annotations("call"))

    def build(self, *unused_input_shapes, **unused_named_shapes):
        """Leaves it to the layers inside to build themselves when first called."""

    def __call__(self, *inputs, **kwargs) -> dict[str, Any]:
        """Picks the inputs, runs `call` and names the outputs.

        Args:
          *inputs: Dictionaries, tensors in the order of those of `all_input_keys` that
            the dictionaries lack, or both.
          **kwargs: Inputs by keyword, which take precedence, and further arguments
            of `call`.

        Returns:
          {key: output} for each of `output_keys`.

        Raises:
          TypeError: If an input is missing or given twice.
          ValueError: If the outputs are not as many as `output_keys`.
        """
        given: dict[str, Any] = {}
        for dictionary in inputs:
            if isinstance(dictionary, dict):
                given.update(dictionary)
        given.update({k: kwargs.pop(k) for k in self.all_input_keys if k in kwargs})
        features = self._pick(given)
        unnamed = [key for key in self.all_input_keys if key not in features]
        tensors = [x for x in inputs if not isinstance(x, dict)]
        if len(tensors) > len(unnamed):
            raise TypeError(
                f"Layer '{self.name}' takes each of the inputs {self.all_input_keys} "
                f"once, got {len(tensors)} tensors beside {sorted(features)}."
            )
        features.update(zip(unnamed, tensors, strict=False))
        missing = [key for key in self.input_keys if key not in features]
        if missing:
            raise TypeError(
                f"Layer '{self.name}' needs the inputs {self.input_keys}, of which "
                f"{missing} are missing, got {sorted({*given, *features})}."
            )
        features = {key: array_of_lists(value) for key, value in features.items()}
        required = [features[key] for key in self.input_keys]
        optional = {k: features[k] for k in self.default_input_keys if k in features}
        return self._name_outputs(super().__call__(*required, **optional, **kwargs))

    def _pick(self, given: dict[str, Any]) -> dict[str, Any]:
        """The inputs that `given` has under their keys, or under paths."""
        found = {}
        for key in self.all_input_keys:
            if key in given:
                found[key] = given[key]
                continue
            with contextlib.suppress(KeyError):
                found[key] = core.nested_lookup(key, given)
        return found

    def _name_outputs(self, outputs) -> dict[str, Any]:
        if isinstance(outputs, dict):
            return outputs
        if not isinstance(outputs, list | tuple):
            outputs = [outputs]
        if len(outputs) != len(self.output_keys):
            raise ValueError(
                f"Layer '{self.name}' must return one value for each of its output "
                f"keys {self.output_keys}; received {len(outputs)} values."
            )
        return dict(zip(self.output_keys, outputs, strict=True))

    @property
    def all_input_keys(self) -> list[str]:
        """Keys of the required inputs, then of the optional ones."""
        return self.input_keys + self.default_input_keys

    @property
    def n_inputs(self) -> int:
        """Number of inputs, optional ones included."""
        return len(self.all_input_keys)

    def get_argument_names(self, method: str) -> list[str]:
        """Names of the method's arguments that have no default."""
        return [
            name
            for name, parameter in self._parameters(method).items()
            if parameter.default is inspect.Parameter.empty
        ]

    def get_default_argument_names(self, method: str) -> list[str]:
        """Names of the method's arguments that have a default."""
        return [
            name
            for name, parameter in self._parameters(method).items()
            if parameter.default is not inspect.Parameter.empty
        ]

    def get_default_argument_values(self, method: str) -> list[Any]:
        """Defaults of the method's arguments that have one."""
        return [
            parameter.default
            for parameter in self._parameters(method).values()
            if parameter.default is not inspect.Parameter.empty
        ]

    def get_return_annotations(self, method: str) -> list[str]:
        """Output keys written as the method's return annotation.

        Raises:
          ValueError: If the annotation is neither a string nor a list of strings.
        """
        annotation = inspect.signature(getattr(self, method)).return_annotation
        if isinstance(annotation, str):
            # Under `from __future__ import annotations` this is its source code.
            with contextlib.suppress(ValueError, SyntaxError):
                annotation = ast.literal_eval(annotation)
            annotation = core.make_iterable(annotation)
        if not isinstance(annotation, list | tuple) or not all(
            isinstance(key, str) for key in annotation
        ):
            raise ValueError(
                f"`{type(self).__name__}.{method}` must name its outputs in a return "
                "annotation such as `-> ['z']`, or `output_keys` must be given; "
                f"received {annotation!r}."
            )
        return list(annotation)

    def _parameters(self, method: str) -> dict[str, inspect.Parameter]:
        """The method's named arguments, without `*args` and `**kwargs`."""
        variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        parameters = inspect.signature(getattr(self, method)).parameters
        return {k: p for k, p in parameters.items() if p.kind not in variadic}


@configurable.layer(module="ddsp.training.nn")
class OutputSplitsLayer(DictLayer):
    """A `DictLayer` that cuts one projected output into named parts.

    Subclasses write `compute_output`, whose result is projected by a dense layer to
    the channels of all parts together.
    """

    def __init__(
        self,
        input_keys: Sequence[str] | None = None,
        output_splits: OutputSplits = DEFAULT_OUTPUT_SPLITS,
        **kwargs,
    ):
        """Initializer.

        Args:
          input_keys: Keys of the inputs. By default the argument names of
            `compute_output`.
          output_splits: Pairs (name, number of channels) of the outputs.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        super().__init__(
            input_keys=input_keys or self.get_argument_names("compute_output"),
            output_keys=[name for name, _ in output_splits],
            **kwargs,
        )
        self.output_splits = output_splits
        self.dense_out = keras.layers.Dense(sum(size for _, size in output_splits))

    def compute_output(self, *inputs: tf.Tensor) -> tf.Tensor:
        """[batch, ..., channels], of any number of channels, from the inputs."""
        raise NotImplementedError(
            f"{type(self).__name__} must implement `compute_output`."
        )

    def call(self, *inputs, **unused_kwargs):
        """{name: [batch, ..., n_channels]} for each of `output_splits`."""
        output = self.dense_out(self.compute_output(*inputs))
        return split_to_dict(output, self.output_splits)
