"""Private parts of Keras."""

import functools
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.common import global_state

from ddsp._compat import tensorflow_internals


def sublayers(layer: keras.Layer, *, recursive: bool = True) -> list[keras.Layer]:
    """Lists the layers inside a layer.

    Why: `keras.Model.layers` is public, but has only the direct children, and other
    layers have no counterpart.
    Known to work: Keras 3.7 to 3.15.
    Without it: rates cannot be checked, and GRUs inside a model keep cuDNN under XLA.

    Args:
      layer: Any layer or model.
      recursive: Whether to include layers inside the children.

    Returns:
      The layers, without `layer` itself.
    """
    return layer._flatten_layers(include_self=False, recursive=recursive)


def track_lists(cls: type) -> None:
    """Lets checkpoints find the layers that a layer class keeps in lists.

    The lists are looked up when a checkpoint is made, since a subclass may add some.

    Why: Keras hides its lists of layers from TensorFlow's checkpoints, and only the
    private methods of TensorFlow's `Trackable` can add to what they see.
    Known to work: Keras 3.7 to 3.15 with TensorFlow 2.18 to 2.21.
    Without it: checkpoints lack the weights of these layers.

    Args:
      cls: A Keras layer class, changed in place.
    """
    original = cls._trackable_children  # type: ignore[attr-defined]

    @functools.wraps(original)
    def children(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        if type(self)._trackable_children is children:
            _track_lists(self)
        return original(self, *args, **kwargs)

    cls._trackable_children = children  # type: ignore[attr-defined]


def _track_lists(layer: Any) -> None:
    for name, value in list(vars(layer).items()):
        if name.startswith("_") or not isinstance(value, list) or not value:
            continue
        known = layer._lookup_dependency(name)
        if isinstance(known, list) and [*map(id, known)] == [*map(id, value)]:
            continue
        if all(isinstance(item, keras.layers.Layer) for item in value):
            tracked = tensorflow_internals.trackable_list(list(value))
            layer._track_trackable(tracked, name, overwrite=True)


def forget_uninitialized_variables() -> None:
    """Makes Keras forget the variables whose creation failed.

    Why: Keras creates pending variables together with those of the next model, however
    large they are. The public `keras.utils.clear_session` would also reset the user's
    settings.
    Known to work: Keras 3.7 to 3.15.
    Without it: a model that was refused takes memory with the next model.
    """
    global_state.set_global_attribute("uninitialized_variables", [])


def adam_moments(
    optimizer: keras.optimizers.Adam,
) -> tuple[list[keras.Variable], list[keras.Variable]]:
    """Returns the first and second moments of Adam.

    Why: `optimizer.variables` is public, but mixes them with others and promises no
    order.
    Known to work: Keras 3.7 to 3.15.
    Without it: training cannot be resumed from checkpoints of the original library.

    Args:
      optimizer: A built Adam.

    Returns:
      Two lists, each in the order of the variables that the optimizer trains.
    """
    return list(optimizer._momentums), list(optimizer._velocities)


class CustomLoopGRU(keras.layers.GRU):
    """`keras.layers.GRU` whose loop over time a subclass can replace.

    Subclasses implement `plain_loop`. It runs where the layer has its default settings;
    with a mask, dropout, other activations, no bias or the reset gate before the
    product, and with cuDNN on a GPU, the layer runs as in Keras.

    Why: Keras calls `inner_loop` after it has dealt with masks, initial states and
    stateful layers, but does not document it, nor `use_cudnn`.
    Known to work: Keras 3.7 to 3.15.
    Without it: the GRU is Keras's own, several times slower on CPU.
    """

    def plain_loop(
        self, inputs: tf.Tensor, state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Runs the recurrence.

        Args:
          inputs: [batch, time, channels], before a reversal by `go_backwards`.
          state: [batch, units].

        Returns:
          All states [batch, time, units], and the last one.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `plain_loop`.")

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> Any:
        """Runs `plain_loop` where possible."""
        if mask is not None or not self._is_plain():
            return super().inner_loop(sequences, initial_state, mask, training)
        (state,) = keras.tree.flatten(initial_state)
        states, last = self.plain_loop(sequences, state)
        return last, states, [last]

    def _is_plain(self) -> bool:
        cell = self.cell
        on_gpu = self.use_cudnn and tf.config.list_logical_devices("GPU")
        return (
            cell.reset_after
            and cell.use_bias
            and cell.activation is keras.activations.tanh
            and cell.recurrent_activation is keras.activations.sigmoid
            and not (cell.dropout or cell.recurrent_dropout)
            and not (self.unroll or on_gpu)
        )
