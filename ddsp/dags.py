"""Layers built from a directed acyclic graph of other layers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gin
import keras

from ddsp import configurable, core
from ddsp._core.tensors import array_of_lists

_KERAS_ARGUMENTS = ("trainable", "name", "dtype", "dynamic")


def filter_by_value(d: Mapping[str, Any], cond: Callable[[Any], bool]) -> dict:
    """Returns the items of a dictionary whose value meets a condition.

    Args:
      d: The dictionary.
      cond: Takes a value and returns whether to keep it.

    Example:

    >>> ddsp.dags.filter_by_value({"a": 1, "b": 2}, lambda x: x > 1)
    {'b': 2}
    """
    return {key: value for key, value in d.items() if cond(value)}


def is_module(v: Any) -> bool:
    """Returns whether an object is a layer.

    Args:
      v: Any object.

    Example:

    >>> ddsp.dags.is_module(ddsp.processors.Add())
    True
    """
    return isinstance(v, keras.layers.Layer)


def is_loss(v: Any) -> bool:
    """Returns whether an object is a loss: a layer with `get_losses_dict`.

    Args:
      v: Any object.

    Example:

    >>> ddsp.dags.is_loss(ddsp.losses.SpectralLoss())
    True
    """
    return is_module(v) and hasattr(v, "get_losses_dict")


def is_processor(v: Any) -> bool:
    """Returns whether an object is a processor.

    A processor is a layer with `get_controls` and `get_signal`.

    Args:
      v: Any object.

    Example:

    >>> ddsp.dags.is_processor(ddsp.processors.Add())
    True
    """
    return is_module(v) and hasattr(v, "get_controls") and hasattr(v, "get_signal")


def split_keras_kwargs(kwargs: Mapping[str, Any]) -> tuple[dict, dict]:
    """Splits keyword arguments into those of Keras and the others.

    Args:
      kwargs: Keyword arguments by name.

    Example:

    >>> ddsp.dags.split_keras_kwargs({"name": "x", "hop_size": 64})
    ({'name': 'x'}, {'hop_size': 64})
    """
    own = {key: value for key, value in kwargs.items() if key in _KERAS_ARGUMENTS}
    return own, {key: value for key, value in kwargs.items() if key not in own}


# A function, since gin would make instances of a class with a configurable method
# instances of a subclass that Keras cannot serialize.
@gin.configurable("run_dag", module="ddsp.dags.DAGLayer")
def _gin_verbose(verbose: bool = False) -> bool:
    return verbose


@configurable.first_call_alone
class DAGLayer(keras.layers.Layer):
    """Layer that runs other layers one after the other, connected by keys.

    The graph is a list of nodes `(module, input_keys)` or
    `(module, input_keys, output_keys)`, run in the order given. A module is a layer,
    or the name under which a layer was given as a keyword argument. An input key is a
    path into the inputs and the outputs so far, such as `'f0_hz'`, which is also
    `'inputs/f0_hz'`, or `'harmonic/signal'`. What a module returns is stored under its
    name; output keys name the parts if it is no dictionary.

    Args:
      dag: The nodes.
      **kwarg_modules: Layers by name, and Keras's own arguments (`name`, ...).

    Raises:
      TypeError: If a keyword argument is not a layer.
      ValueError: If a node is malformed, names a missing module, or two modules
        have the same name.

    Example:

    >>> import keras
    >>> layer = ddsp.dags.DAGLayer([
    ...     (keras.layers.ReLU(name="relu"), ["x"]),
    ...     (keras.layers.Rescaling(2.0, name="double"), ["relu/y"]),
    ... ])
    >>> sorted(layer.module_names)
    ['double', 'relu']
    """

    def __init__(self, dag: Sequence[Sequence[Any]], **kwarg_modules: Any):
        keras_kwargs, modules = split_keras_kwargs(kwarg_modules)
        keras_kwargs.pop("dynamic", None)
        super().__init__(**keras_kwargs)
        self._allow_non_tensor_positional_args = True
        for key, module in modules.items():
            if not is_module(module):
                raise TypeError(
                    f"Keyword argument `{key}` must be a layer, got {module!r}."
                )
        nodes: list[tuple[Any, ...]] = []
        for node in dag:
            nodes.append(self._read_node(node, modules))
        self.module_names = list(modules)
        self._verbose = _gin_verbose()
        for key, module in modules.items():
            setattr(self, key, module)
        self.dag = tuple(nodes)

    @staticmethod
    def _read_node(node: Sequence[Any], modules: dict[str, Any]) -> tuple[Any, ...]:
        """Returns a node with its module's name; adds the module to `modules`."""
        if isinstance(node, str) or len(node) not in (2, 3):
            raise ValueError(
                "A node must be (module, input_keys) or (module, input_keys, "
                f"output_keys), got {node!r}."
            )
        module, *keys = node
        if is_module(module):
            if modules.setdefault(module.name, module) is not module:
                raise ValueError(
                    "Modules of one graph need names of their own, got two named "
                    f"'{module.name}'."
                )
            name = module.name
        else:
            name = module
            if name not in modules:
                raise ValueError(
                    "A node must name a module that was given as a keyword argument "
                    f"({sorted(modules)}), got {module!r}."
                )
        return (name, *(tuple(core.make_iterable(key)) for key in keys))

    def build(self, unused_input_shape: Any = None) -> None:
        """Does nothing: each layer builds itself when it first runs."""
        self.built = True

    def get_config(self) -> dict[str, Any]:
        """Returns the nodes by name and each layer once, however often it is used."""
        modules = {
            name: keras.saving.serialize_keras_object(module)
            for name, module in zip(self.module_names, self.modules, strict=True)
        }
        dag = [[name, *(list(keys) for keys in rest)] for name, *rest in self.dag]
        return {"dag": dag, **modules, "name": self.name}

    @property
    def modules(self) -> list[keras.layers.Layer]:
        """The layers, in the order in which they were named."""
        return [getattr(self, name) for name in self.module_names]

    def __call__(self, inputs: Mapping[str, Any], **kwargs: Any) -> Any:
        """Calls the layer; nested lists of numbers are taken as arrays."""
        return super().__call__(array_of_lists(inputs), **kwargs)

    def call(self, inputs: Mapping[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Runs the graph; see `run_dag`."""
        return self.run_dag(inputs, **kwargs)

    def run_dag(
        self, inputs: Mapping[str, Any], verbose: bool = False, **kwargs: Any
    ) -> dict[str, Any]:
        """Runs every node in turn.

        Args:
          inputs: Tensors by name, nested dictionaries allowed.
          verbose: Whether to print each node with the shapes that go in and out.
          **kwargs: Passed to every module.

        Returns:
          The inputs, at the top and under `'inputs'`, each module's outputs under its
          name, and the last module's outputs also under `'out'`.

        Raises:
          KeyError: If an input key leads nowhere.
        """
        verbose = verbose or self._verbose
        outputs = {"inputs": dict(inputs), **inputs}
        module_outputs: Any = {}
        for name, input_keys, *output_keys in self.dag:
            module = getattr(self, name)
            args = [core.nested_lookup(key, outputs) for key in input_keys]
            if is_processor(module):
                module_outputs = module(*args, return_outputs_dict=True, **kwargs)
            elif is_loss(module):
                module_outputs = module.get_losses_dict(*args, **kwargs)
            else:
                module_outputs = module(*args, **kwargs)
            if not isinstance(module_outputs, Mapping):
                module_outputs = core.to_dict(
                    module_outputs, output_keys[0] if output_keys else (name,)
                )
            outputs[name] = module_outputs
            if verbose:
                shapes = core.map_shape(module_outputs)
                print(f"{name}: {list(input_keys)} {core.map_shape(args)} -> {shapes}")
        outputs["out"] = module_outputs
        return outputs
