"""What encoders of a latent variable have in common."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ddsp import configurable, core
from ddsp.training import nn


@configurable.layer(module="ddsp.training.encoders")
class ZEncoder(nn.DictLayer):
    """A network to a latent variable `z` at the time steps of `f0_scaled`.

    Subclasses write `compute_z`.
    """

    def __init__(
        self,
        input_keys: Sequence[str] | None = None,
        f0_encoder: nn.DictLayer | None = None,
        **kwargs,
    ):
        """Initializer.

        Args:
          input_keys: Keys of the inputs. By default the argument names of
            `compute_z`. `f0_scaled` is added to them for its number of time steps.
          f0_encoder: From 'audio' to 'f0_hz' and 'f0_scaled', such as
            `ResnetF0Encoder`. What it gives replaces the pitch among the inputs and
            is put out beside `z`.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        z_keys = list(input_keys or self.get_argument_names("compute_z"))
        keys, output_keys = [*z_keys, "f0_scaled"], ["z"]
        if f0_encoder is not None:
            output_keys += f0_encoder.output_keys
            keys = [key for key in keys if key not in f0_encoder.output_keys]
            keys += [key for key in f0_encoder.input_keys if key not in keys]
        # Audio analysis stays in float32; the layers inside cast for themselves.
        super().__init__(
            input_keys=keys,
            output_keys=output_keys,
            **{"autocast": False, **kwargs},
        )
        self.z_keys = z_keys
        self.f0_encoder: Any = f0_encoder

    def call(self, *args, **unused_kwargs):
        """[batch, time_steps, z_dims] from the inputs; and pitch from its encoder."""
        features = dict(zip(self.input_keys, args, strict=True))
        f0 = {} if self.f0_encoder is None else self.f0_encoder(features)
        features.update(f0)
        time_steps = _n_frames(features["f0_scaled"])
        z = self.compute_z(*(features[key] for key in self.z_keys))
        return {"z": self.expand_z(z, time_steps), **f0}

    def expand_z(self, z: tf.Tensor, time_steps: int) -> tf.Tensor:
        """Interpolates to a number of time steps.

        Args:
          z: [batch, z_dims], held over time, or [batch, z_time_steps, z_dims].
          time_steps: Number of time steps.

        Returns:
          [batch, time_steps, z_dims].
        """
        if len(z.shape) == 2:
            z = z[:, tf.newaxis, :]
        return core.resample(z, time_steps)

    def compute_z(self, *inputs: tf.Tensor) -> tf.Tensor:
        """[batch, z_dims] or [batch, z_time_steps, z_dims] from the inputs."""
        raise NotImplementedError(f"{type(self).__name__} must implement `compute_z`.")


def _n_frames(x: tf.Tensor):
    return x.shape[1] or tf.shape(x)[1]
