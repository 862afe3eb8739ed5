"""Layers whose inputs and outputs are named in dictionaries."""

import ast
import contextlib
import inspect
from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from ddsp import configurable, core
from ddsp._core.tensors import array_of_lists
from ddsp.types import ArrayLike, Features, Outputs

# Pairs (name, number of channels).
OutputSplits: TypeAlias = Sequence[tuple[str, int]]

DEFAULT_OUTPUT_SPLITS = (("amps", 1), ("harmonic_distribution", 40))


def split_to_dict(
    tensor: tf.Tensor, tensor_splits: OutputSplits
) -> dict[str, tf.Tensor]:
    """Splits the channels of a tensor into named tensors.

    Args:
      tensor: Shape [..., channels].
      tensor_splits: Pairs (name, number of channels). The numbers sum to `channels`.

    Returns:
      Dictionary of tensors of shape [..., n_channels], in the order of
      `tensor_splits`.

    Raises:
      ValueError: If the sizes do not sum to the number of channels.

    Example:

    >>> from ddsp.training import nn
    >>> parts = nn.split_to_dict(tf.zeros([1, 10, 5]), [("amps", 1), ("noise", 4)])
    >>> {name: part.shape.as_list() for name, part in parts.items()}
    {'amps': [1, 10, 1], 'noise': [1, 10, 4]}
    """
    names = [name for name, _ in tensor_splits]
    sizes = [size for _, size in tensor_splits]
    channels = tensor.shape[-1]
    if channels is not None and sum(sizes) != channels:
        raise ValueError(
            "The sizes in `tensor_splits` must sum to the number of channels, "
            f"{channels}, got {tuple(tensor_splits)}."
        )
    return dict(zip(names, tf.split(tensor, sizes, axis=-1), strict=True))


@configurable.layer(module="ddsp.training.nn")
class DictLayer(keras.layers.Layer):
    """Layer that can be called with dictionaries and returns a dictionary.

    Subclasses implement `call` with tensors as arguments, and name its outputs in the
    return annotation. The layer can then be called with tensors, `layer(a, b)`, with
    keyword arguments, `layer(a=a, b=b)`, or with dictionaries, `layer({'a': a, 'b':
    b})`, of which later ones take precedence. Positional tensors fill the inputs that
    the dictionaries lack, in order. Keys may be paths into nested dictionaries, such
    as `'encoder/z'`. Arguments with a default are optional inputs.

    Example:

    >>> from ddsp.training import nn
    >>> class Sum(nn.DictLayer):
    ...     def call(self, a, b, bias=0.0) -> ["total"]:
    ...         return a + b + bias
    >>> layer, one, two = Sum(), tf.constant(1.0), tf.constant(2.0)
    >>> layer({"a": one, "b": two, "unused": one})["total"].numpy().item()
    3.0
    >>> layer({"a": one}, two, bias=one)["total"].numpy().item()
    4.0
    """

    def __init__(
        self,
        input_keys: Sequence[str] | None = None,
        output_keys: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Initializes the layer.

        Args:
          input_keys: Keys of the inputs, in the order of the arguments of `call`; all
            are required. Default: the argument names, of which those with a default
            are optional.
          output_keys: Keys of the outputs. Default: the return annotation of `call`, a
            string or a list of strings.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If there are neither output keys nor an annotation.
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

    def build(self, *unused_input_shapes: Any, **unused_named_shapes: Any) -> None:
        """Does nothing: inner layers are built when first called."""

    def __call__(self, *inputs: ArrayLike | Features, **kwargs: Any) -> Outputs:
        """Collects the inputs, runs `call` and names the outputs.

        Args:
          *inputs: Dictionaries, and tensors for the keys of `all_input_keys` that the
            dictionaries lack, in order.
          **kwargs: Inputs by keyword, which take precedence, and further arguments
            of `call`.

        Returns:
          Dictionary with the keys `output_keys`.

        Raises:
          TypeError: If an input is missing or passed twice.
          ValueError: If the number of outputs differs from that of `output_keys`.
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
                f"once, got {len(tensors)} tensors in addition to {sorted(features)}."
            )
        features.update(zip(unnamed, tensors, strict=False))
        missing = [key for key in self.input_keys if key not in features]
        if missing:
            raise TypeError(
                f"Layer '{self.name}' requires the inputs {self.input_keys}; "
                f"{missing} are missing, got {sorted({*given, *features})}."
            )
        features = {key: array_of_lists(value) for key, value in features.items()}
        required = [features[key] for key in self.input_keys]
        optional = {k: features[k] for k in self.default_input_keys if k in features}
        return self._name_outputs(super().__call__(*required, **optional, **kwargs))

    def _pick(self, given: dict[str, Any]) -> dict[str, Any]:
        """Returns the inputs found in `given`, by key or by path."""
        found = {}
        for key in self.all_input_keys:
            if key in given:
                found[key] = given[key]
                continue
            with contextlib.suppress(KeyError):
                found[key] = core.nested_lookup(key, given)
        return found

    def _name_outputs(self, outputs: Any) -> Outputs:
        if isinstance(outputs, dict):
            return outputs
        if not isinstance(outputs, list | tuple):
            outputs = [outputs]
        if len(outputs) != len(self.output_keys):
            raise ValueError(
                f"Layer '{self.name}' must return one value for each of its output "
                f"keys {self.output_keys}, got {len(outputs)} values."
            )
        return dict(zip(self.output_keys, outputs, strict=True))

    @property
    def all_input_keys(self) -> list[str]:
        """Keys of the required inputs, followed by the optional ones."""
        return self.input_keys + self.default_input_keys

    @property
    def n_inputs(self) -> int:
        """Number of inputs, including optional ones."""
        return len(self.all_input_keys)

    def get_argument_names(self, method: str) -> list[str]:
        """Returns the names of a method's arguments without a default."""
        return [
            name
            for name, parameter in self._parameters(method).items()
            if parameter.default is inspect.Parameter.empty
        ]

    def get_default_argument_names(self, method: str) -> list[str]:
        """Returns the names of a method's arguments with a default."""
        return [
            name
            for name, parameter in self._parameters(method).items()
            if parameter.default is not inspect.Parameter.empty
        ]

    def get_default_argument_values(self, method: str) -> list[Any]:
        """Returns the default values of a method's arguments."""
        return [
            parameter.default
            for parameter in self._parameters(method).values()
            if parameter.default is not inspect.Parameter.empty
        ]

    def get_return_annotations(self, method: str) -> list[str]:
        """Returns the output keys in the return annotation of a method.

        Raises:
          ValueError: If the annotation is neither a string nor a list of strings.
        """
        annotation = inspect.signature(getattr(self, method)).return_annotation
        if isinstance(annotation, str):
            # With `from __future__ import annotations`, it is source code.
            with contextlib.suppress(ValueError, SyntaxError):
                annotation = ast.literal_eval(annotation)
            annotation = core.make_iterable(annotation)
        if not isinstance(annotation, list | tuple) or not all(
            isinstance(key, str) for key in annotation
        ):
            raise ValueError(
                f"`{type(self).__name__}.{method}` must name its outputs in a return "
                "annotation such as `-> ['z']`, unless `output_keys` is set, got "
                f"{annotation!r}."
            )
        return list(annotation)

    def _parameters(self, method: str) -> dict[str, inspect.Parameter]:
        """Returns the named arguments of a method, without `*args` and `**kwargs`."""
        variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        parameters = inspect.signature(getattr(self, method)).parameters
        return {k: p for k, p in parameters.items() if p.kind not in variadic}


@configurable.layer(module="ddsp.training.nn")
class OutputSplitsLayer(DictLayer):
    """`DictLayer` that splits one projected output into named parts.

    Subclasses implement `compute_output`. A dense layer projects its result to the
    total number of channels.

    Example:

    >>> from ddsp.training import nn
    >>> class Decoder(nn.OutputSplitsLayer):
    ...     def compute_output(self, f0_scaled):
    ...         return f0_scaled
    >>> outputs = Decoder(output_splits=[("amps", 1), ("noise", 4)])(
    ...     {"f0_scaled": tf.zeros([1, 10, 1])}
    ... )
    >>> outputs["noise"].shape.as_list()
    [1, 10, 4]
    """

    def __init__(
        self,
        input_keys: Sequence[str] | None = None,
        output_splits: OutputSplits = DEFAULT_OUTPUT_SPLITS,
        **kwargs: Any,
    ) -> None:
        """Initializes the layer.

        Args:
          input_keys: Keys of the inputs. Default: the argument names of
            `compute_output`.
          output_splits: Pairs (name, number of channels) of the outputs.
          **kwargs: Arguments of `keras.layers.Layer`.
        """
        super().__init__(
            input_keys=input_keys or self.get_argument_names("compute_output"),
            output_keys=[name for name, _ in output_splits],
            **kwargs,
        )
        self.output_splits = output_splits
        self.dense_out = keras.layers.Dense(sum(size for _, size in output_splits))

    def compute_output(self, *inputs: tf.Tensor) -> tf.Tensor:
        """Computes the tensor to project and split.

        Args:
          *inputs: The inputs, in the order of `input_keys`.

        Returns:
          Tensor of shape [batch, ..., channels], with any number of channels.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must implement `compute_output`."
        )

    def call(self, *inputs: tf.Tensor, **unused_kwargs: Any) -> Outputs:
        """Returns a tensor [batch, ..., n_channels] for each of `output_splits`."""
        output = self.dense_out(self.compute_output(*inputs))
        return split_to_dict(output, self.output_splits)
