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
    """Returns the spec of a float32 tensor.

    Args:
      *shape: Shape of the tensor.

    Example:

    >>> from ddsp.playing.signatures import floats
    >>> floats(2, 3).shape
    TensorShape([2, 3])
    """
    return tf.TensorSpec(shape, tf.float32)


class Forms:
    """Mixin of Keras models whose `call` takes tensors of fixed shapes.

    Subclasses define `call` and `call_specs`.

    Attributes:
      output_names: Names of the outputs of `call`, in order.

    Example:

    >>> from ddsp.playing.signatures import Forms, floats
    >>> class Doubled(Forms):
    ...     output_names = ("y",)
    ...     @property
    ...     def call_specs(self):
    ...         return {"call": {"x": floats(2)}}
    ...     def call(self, x):
    ...         return 2.0 * x
    >>> Doubled()([1.0, 2.0]).numpy()
    array([2., 4.], dtype=float32)
    """

    output_names: ClassVar[tuple[str, ...]] = ()

    @property
    def call_specs(self) -> dict[str, Specs]:
        """{name of a form: {argument of `call`: shape and dtype}}."""
        raise NotImplementedError(f"{type(self).__name__} must define `call_specs`.")

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the outputs of one frame, tensors without batch axis."""
        raise NotImplementedError(f"{type(self).__name__} must define `call`.")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the form that takes the given arguments, compiled to a graph.

        Args:
          *args: Arguments of `call`.
          **kwargs: Arguments of `call` by name.

        Returns:
          The outputs of `call`.

        Raises:
          ValueError: If no form takes these arguments, or one has another shape or is
            not floating point.
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
        """Computes the outputs of a form by name, for exports.

        Args:
          **inputs: The inputs of one of `call_specs`.
        """
        outputs = self._exported(**inputs)
        if isinstance(outputs, dict):
            return outputs
        if tf.is_tensor(outputs):
            outputs = (outputs,)
        return dict(zip(self.output_names, outputs, strict=True))

    def run_forms(self) -> None:
        """Runs every form once on zeros, so that later calls are fast."""
        for specs in self.call_specs.values():
            self(**{name: tf.zeros(spec.shape) for name, spec in specs.items()})

    def concrete_functions(self) -> dict[str, Any]:
        """Returns the forms as graphs of ordinary TensorFlow operations, for exports.

        Returns:
          {name: concrete function} for each of `call_specs`, with named arguments.
        """
        with compilation.uncompiled():
            return {
                name: self._new_graph(self._exported).get_concrete_function(**specs)
                for name, specs in self.call_specs.items()
            }

    def _exported(self, **inputs: tf.Tensor) -> Any:
        """Computes a form; `call`, if it takes the same arguments."""
        return self.call(**inputs)

    @property
    def _signatures(self) -> dict[str, Any]:
        return self.concrete_functions()

    def save_model(self, save_dir: str) -> None:
        """Writes a SavedModel whose signatures are the forms.

        Outputs without names are called 'output_0', 'output_1' and so on, in order.

        Args:
          save_dir: Directory; created if missing.
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
            raise ValueError(f"`{name}` must be floating point, got {x.dtype.name}.")
        if not x.shape.is_compatible_with(spec.shape):
            raise ValueError(
                f"`{name}` must have shape {tuple(spec.shape)}, got {tuple(x.shape)}."
            )
        tensors[name] = tf.cast(x, spec.dtype)
    return tensors
