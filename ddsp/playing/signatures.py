"""Functions of fixed signatures, called frame by frame or exported."""

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import tensorflow as tf

from ddsp import files
from ddsp._compat import tensorflow_internals
from ddsp._core import compilation

Specs = dict[str, tf.TensorSpec]


def floats(*shape: int) -> tf.TensorSpec:
    """A float32 tensor of a fixed shape.

    Args:
      *shape: Shape of the tensor.
    """
    return tf.TensorSpec(shape, tf.float32)


class Forms:
    """Mixin of a Keras model whose `call` takes tensors of fixed shapes.

    A subclass writes `call` and `call_specs`.

    Attributes:
      output_names: What `call` returns, in its order.
    """

    output_names: ClassVar[tuple[str, ...]] = ()

    @property
    def call_specs(self) -> dict[str, Specs]:
        """{name of a form: {argument of `call`: its shape and dtype}}."""
        raise NotImplementedError(f"{type(self).__name__} must define `call_specs`.")

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the outputs of one frame, tensors without batch axis."""
        raise NotImplementedError(f"{type(self).__name__} must define `call`.")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the form that takes the given arguments, compiled to a graph.

        Args:
          *args: Arguments of `call`.
          **kwargs: The same by name.

        Returns:
          What `call` returns.

        Raises:
          ValueError: If no form takes these arguments, or one has another shape or is
            not of floating point.
        """
        given = inspect.signature(self.call).bind(*args, **kwargs).arguments
        inputs = {name: x for name, x in given.items() if x is not None}
        for specs in self.call_specs.values():
            if specs.keys() == inputs.keys():
                return self._graph()(**_checked(inputs, specs))
        raise ValueError(
            f"{type(self).__name__} takes "
            f"{' or '.join(str(list(specs)) for specs in self.call_specs.values())}, "
            f"got {list(inputs)}."
        )

    def named_outputs(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """What a form computes, by name: a function to be exported.

        Args:
          **inputs: Those of one of `call_specs`.
        """
        outputs = self._exported(**inputs)
        if isinstance(outputs, dict):
            return outputs
        if tf.is_tensor(outputs):
            outputs = (outputs,)
        return dict(zip(self.output_names, outputs, strict=True))

    def run_forms(self) -> None:
        """Runs every form once, on zeros, so that no later call is slow."""
        for specs in self.call_specs.values():
            self(**{name: tf.zeros(spec.shape) for name, spec in specs.items()})

    def concrete_functions(self) -> dict[str, Any]:
        """The forms as graphs of ordinary TensorFlow operations, to be exported.

        Returns:
          {name: concrete function} for each of `call_specs`, its arguments by name.
        """
        with compilation.uncompiled():
            return {
                name: self._new_graph(self._exported).get_concrete_function(**specs)
                for name, specs in self.call_specs.items()
            }

    def _exported(self, **inputs: tf.Tensor) -> Any:
        """What a form computes; `call`, where that takes the same arguments."""
        return self.call(**inputs)

    @property
    def _signatures(self) -> dict[str, Any]:
        return self.concrete_functions()

    def save_model(self, save_dir: str) -> None:
        """Writes a SavedModel whose signatures are the forms.

        Outputs without names are called 'output_0', 'output_1' and so on, in the order
        in which `call` returns them.

        Args:
          save_dir: The directory; made when missing.
        """
        functions = self._signatures
        module = tf.Module()
        # A SavedModel must own what its functions use.
        module.used = [
            variable for f in functions.values() for variable in f.graph.variables
        ]
        for name, function in functions.items():
            setattr(module, name, function)
        tf.saved_model.save(
            module,
            files.expand_path(str(save_dir)),
            signatures=functions,
            options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
        )

    def _graph(self) -> Any:
        if getattr(self, "_function", None) is None:
            self._function = self._new_graph()
        return self._function

    def _new_graph(self, function: Callable[..., Any] | None = None) -> Any:
        # Each module has its own function, which TensorFlow takes for a loop.
        return tensorflow_internals.allow_retracing(
            tf.function(function or self.call, autograph=False)
        )


def _checked(inputs: dict[str, Any], specs: Specs) -> dict[str, tf.Tensor]:
    tensors = {}
    for name, spec in specs.items():
        x = tf.convert_to_tensor(inputs[name])
        if not x.dtype.is_floating:
            raise ValueError(f"`{name}` must be of floating point, got {x.dtype.name}.")
        if not x.shape.is_compatible_with(spec.shape):
            raise ValueError(
                f"`{name}` must have shape {tuple(spec.shape)}, got {tuple(x.shape)}."
            )
        tensors[name] = tf.cast(x, spec.dtype)
    return tensors
