"""Processors: layers that turn a network's outputs into controls, and those into audio.

`get_controls` scales and checks what a network gives, so that the controls mean
something (amplitudes, frequencies); `get_signal` renders them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core, dags
from ddsp._core import checks


class Processor(keras.layers.Layer):
    """Base class of synthesisers and effects.

    A processor computes in float32, also under a mixed-precision policy.

    Args:
      name: Under which a `ProcessorGroup` stores the outputs.
      trainable: Whether the processor has weights that training changes.
    """

    def __init__(self, name: str, trainable: bool = False):
        super().__init__(name=name, trainable=trainable, dtype="float32")
        self._allow_non_tensor_positional_args = True

    def call(
        self,
        *args: Any,
        return_outputs_dict: bool = False,
        n_samples: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Turns inputs into controls and controls into audio.

        Args:
          *args: Inputs of `get_controls`.
          return_outputs_dict: Whether to return the controls too.
          n_samples: Length to render, for processors that render one.
          **kwargs: More inputs of `get_controls`.

        Returns:
          Audio [batch, n_samples], or `{'signal': audio, 'controls': controls}`.
        """
        controls = self.get_controls(*args, **kwargs)
        signal = self._render(controls, n_samples)
        if return_outputs_dict:
            return {"signal": signal, "controls": controls}
        return signal

    def _render(self, controls: Mapping[str, Any], n_samples: int | None) -> tf.Tensor:
        del n_samples  # An effect is as long as its input.
        return self.get_signal(**controls)

    def get_controls(self, *args: Any, **kwargs: Any) -> dict[str, tf.Tensor]:
        """Turns inputs into controls, a dictionary of tensors."""
        raise NotImplementedError(f"{type(self).__name__} must define `get_controls`.")

    def get_signal(self, *args: Any, **kwargs: Any) -> tf.Tensor:
        """Renders controls into audio [batch, n_samples]."""
        raise NotImplementedError(f"{type(self).__name__} must define `get_signal`.")


@configurable.layer(module="ddsp.processors")
class ProcessorGroup(dags.DAGLayer):
    """Processors wired into a graph, used as one processor.

    Args:
      dag: Nodes `(processor, input_keys)`, see `dags.DAGLayer`.
      **kwarg_processors: Processors by name, and `name`.
    """

    def __init__(self, dag: Sequence[Sequence[Any]], **kwarg_processors: Any):
        kwarg_processors.setdefault("name", "processor_group")
        kwarg_processors.setdefault("dtype", "float32")
        super().__init__(dag, **kwarg_processors)

    @property
    def processors(self) -> list[keras.layers.Layer]:
        """The processors, in the order in which they were named."""
        return self.modules

    def call(
        self,
        inputs: Mapping[str, Any],
        return_outputs_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Runs the graph.

        Args:
          inputs: Tensors by name.
          return_outputs_dict: Whether to return every processor's outputs too.
          **kwargs: Passed to every processor, such as `n_samples`.

        Returns:
          The last processor's signal [batch, n_samples]; or the outputs of all of
          them, with `'signal'` and `'controls'` (all outputs) at the top.
        """
        controls = self.get_controls(inputs, **kwargs)
        signal = self.get_signal(controls)
        if return_outputs_dict:
            return {"signal": signal, "controls": controls}
        return signal

    def get_controls(self, inputs: Mapping[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Runs the graph and returns the outputs of every node; see `run_dag`."""
        return self.run_dag(inputs, **kwargs)

    def get_signal(self, outputs: Mapping[str, Any]) -> tf.Tensor:
        """Returns the last processor's signal out of `get_controls`' outputs."""
        return outputs["out"]["signal"]


@configurable.layer(module="ddsp.processors")
class Add(Processor):
    """Sums two signals."""

    def __init__(self, name: str = "add"):
        super().__init__(name=name)

    def get_controls(self, signal_one: Any, signal_two: Any) -> dict[str, tf.Tensor]:
        """Passes the signals on, both [batch, n_samples]."""
        checks.rank("signal_one", core.tf_float32(signal_one), 2)
        checks.rank("signal_two", core.tf_float32(signal_two), 2)
        return {"signal_one": signal_one, "signal_two": signal_two}

    def get_signal(self, signal_one: Any, signal_two: Any) -> tf.Tensor:
        """Sums the signals, both [batch, n_samples]."""
        return core.tf_float32(signal_one) + core.tf_float32(signal_two)


@configurable.layer(module="ddsp.processors")
class Mix(Processor):
    """Mixes two signals at constant power."""

    def __init__(self, name: str = "mix"):
        super().__init__(name=name)

    def get_controls(
        self, signal_one: Any, signal_two: Any, nn_out_mix_level: Any
    ) -> dict[str, tf.Tensor]:
        """Scales the level and brings it to the sample rate.

        Args:
          signal_one: [batch, n_samples].
          signal_two: [batch, n_samples].
          nn_out_mix_level: [batch, n_frames, 1], any value; its sigmoid is the share
            of `signal_one` in the power.

        Returns:
          Both signals, and `mix_level` [batch, n_samples, 1] in [0, 1].
        """
        signal_one = core.tf_float32(signal_one)
        checks.rank("signal_one", signal_one, 2)
        checks.rank("signal_two", core.tf_float32(signal_two), 2)
        level = core.tf_float32(nn_out_mix_level)
        checks.rank("nn_out_mix_level", level, 3)
        n_samples = signal_one.shape[1]
        level = core.resample(
            tf.nn.sigmoid(level),
            tf.shape(signal_one)[1] if n_samples is None else n_samples,
        )
        return {
            "signal_one": signal_one,
            "signal_two": signal_two,
            "mix_level": level,
        }

    def get_signal(self, signal_one: Any, signal_two: Any, mix_level: Any) -> tf.Tensor:
        """Returns sqrt(level) * one + sqrt(1 - level) * two.

        Args:
          signal_one: [batch, n_samples].
          signal_two: [batch, n_samples].
          mix_level: [batch, n_samples, 1] or [batch, n_samples], in [0, 1].
        """
        signal_one = core.tf_float32(signal_one)
        level = tf.reshape(core.tf_float32(mix_level), [-1, tf.shape(signal_one)[1]])
        two = core.safe_sqrt(1.0 - level) * core.tf_float32(signal_two)
        return core.safe_sqrt(level) * signal_one + two


@configurable.layer(module="ddsp.processors")
class Crop(Processor):
    """Cuts a frame off audio.

    Args:
      frame_size: Samples to remove.
      crop_location: Where: `'front'` or `'back'`.
      name: Name of the processor.

    Raises:
      ValueError: if the location is unknown or the size negative.
    """

    def __init__(
        self, frame_size: int, crop_location: str = "back", name: str = "crop"
    ):
        super().__init__(name=name)
        checks.one_of("crop_location", crop_location, ("front", "back"))
        if frame_size < 0:
            raise ValueError(f"`frame_size` must not be negative, got {frame_size}.")
        self.frame_size = frame_size
        self.crop_location = crop_location

    def get_controls(self, audio: Any) -> dict[str, tf.Tensor]:
        """Passes the audio on."""
        return {"audio": audio}

    def get_signal(self, audio: Any) -> tf.Tensor:
        """Returns [batch, n_samples - frame_size]."""
        audio = core.tf_float32(audio)
        checks.rank("audio", audio, 2)
        if audio.shape[1] is not None and audio.shape[1] < self.frame_size:
            raise ValueError(
                f"`{self.name}` cannot cut {self.frame_size} samples off audio, got "
                f"shape {audio.shape}."
            )
        if self.crop_location == "front":
            return audio[:, self.frame_size :]
        return audio[:, : tf.shape(audio)[1] - self.frame_size]
