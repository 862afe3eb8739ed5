"""Exported functions of named tensors of fixed shapes."""

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ddsp._compat import tensorflow_internals
from ddsp._core import compilation

Arrays = Mapping[str, np.ndarray]

# Names that every runtime accepts.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class Graph(NamedTuple):
    """A form as ordinary TensorFlow operations.

    Attributes:
      function: A concrete function whose variables are constants.
      inputs: Names of its inputs, in order.
      outputs: Names of its outputs, in order.

    Example:

    >>> from ddsp.playing.export.form import Form
    >>> spec = tf.TensorSpec([2])
    >>> Form("double", lambda x: {"y": 2.0 * x}, {"x": spec}).graph.outputs
    ['y']
    """

    function: Any
    inputs: list[str]
    outputs: list[str]


@dataclasses.dataclass(frozen=True, eq=False)
class Form:
    """A function to export.

    An input and an output of the same name are state, which is carried from each call
    to the next.

    Attributes:
      name: Name of the exported files.
      function: Takes `inputs` by name and returns a dictionary of outputs.
      inputs: Shape and dtype of each input.
      doc: Description, written beside the files.
      state: Initial values of the state.
      noise: Inputs that take new noise at each call, uniform in [-1, 1).
      sample_rate: Samples per second of the audio.
      samples_per_call: Samples of audio per call.

    Raises:
      ValueError: If a name is not an identifier, a shape is not fixed, or the state
        differs from its input.

    Example:

    >>> from ddsp.playing.export.form import Form
    >>> form = Form("double", lambda x: {"y": 2.0 * x}, {"x": tf.TensorSpec([2])})
    >>> form.describe()["outputs"]
    [{'name': 'y', 'dtype': 'float32', 'shape': [2]}]
    """

    name: str
    function: Callable[..., Mapping[str, tf.Tensor]]
    inputs: Mapping[str, tf.TensorSpec]
    doc: str = ""
    state: Arrays = dataclasses.field(default_factory=dict)
    noise: Sequence[str] = ()
    sample_rate: int | None = None
    samples_per_call: int | None = None

    def __post_init__(self) -> None:
        for name in (self.name, *self.inputs):
            if not _NAME.fullmatch(name):
                raise ValueError(
                    "Names in exported files must consist of letters, digits and "
                    f"underscores, got {name!r}."
                )
        for name, spec in self.inputs.items():
            if not spec.shape.is_fully_defined():
                raise ValueError(
                    f"Exported inputs need fixed shapes, got `{name}`: {spec.shape}."
                )
        for name in self.noise:
            if name not in self.inputs:
                raise ValueError(
                    f"Noise must be an input, {list(self.inputs)}, got {name!r}."
                )
        for name, value in self.state.items():
            spec = self.inputs.get(name)
            if spec is None or (value.shape, value.dtype) != (
                tuple(spec.shape),
                spec.dtype.as_numpy_dtype,
            ):
                raise ValueError(
                    f"The state `{name}` must match its input, {spec}, got "
                    f"{value.dtype} of shape {value.shape}."
                )

    @functools.cached_property
    def graph(self) -> Graph:
        """The traced function, without compiled kernels and variables.

        Raises:
          ValueError: If an output's name is not an identifier, or a state is not
            returned.
        """
        names: list[str] = []

        def traced(**inputs: tf.Tensor) -> list[tf.Tensor]:
            outputs = self.function(**inputs)
            names[:] = outputs
            return list(outputs.values())

        with compilation.uncompiled():
            concrete = tf.function(traced, autograph=False).get_concrete_function(
                **{
                    name: tf.TensorSpec(spec.shape, spec.dtype, name=name)
                    for name, spec in self.inputs.items()
                }
            )
        self._check_outputs(names)
        frozen = tensorflow_internals.freeze(concrete)
        return Graph(frozen, [t.op.name for t in frozen.inputs], list(names))

    def _check_outputs(self, names: Sequence[str]) -> None:
        if wrong := [name for name in names if not _NAME.fullmatch(name)]:
            raise ValueError(
                "Names in exported files consist of letters, digits and underscores, "
                f"got {wrong}."
            )
        if both := (set(names) & set(self.inputs)) ^ set(self.state):
            raise ValueError(
                "State must be an input and an output with an initial value, got "
                f"{sorted(both)}."
            )

    def describe(self) -> dict[str, Any]:
        """Returns the form as values for JSON; state without a start is zero."""
        function, _, outputs = self.graph
        return {
            "name": self.name,
            "doc": inspect.cleandoc(self.doc),
            "sample_rate": self.sample_rate,
            "samples_per_call": self.samples_per_call,
            "inputs": [
                {"name": name, **_described(spec), **self._role(name)}
                for name, spec in self.inputs.items()
            ],
            "outputs": [
                {"name": name, **_described(x)}
                for name, x in zip(outputs, function.outputs, strict=True)
            ],
        }

    def _role(self, name: str) -> dict[str, Any]:
        if name not in self.state:
            return {"role": "noise" if name in self.noise else "control"}
        start = self.state[name]
        return {"role": "state", **({"start": start.tolist()} if start.any() else {})}


def _described(tensor: Any) -> dict[str, Any]:
    return {"dtype": tensor.dtype.name, "shape": tensor.shape.as_list()}
