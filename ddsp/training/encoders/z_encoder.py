"""Base class of encoders of a latent variable."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ddsp import configurable, core
from ddsp.training import nn
from ddsp.types import Outputs


@configurable.layer(module="ddsp.training.encoders")
class ZEncoder(nn.DictLayer):
    """Encoder to a latent variable `z` at the frame rate of `f0_scaled`.

    Subclasses implement `compute_z`.

    Example:

    >>> from ddsp.training import encoders
    >>> class MeanEncoder(encoders.ZEncoder):
    ...     def compute_z(self, ld_scaled):
    ...         return tf.reduce_mean(ld_scaled, axis=1)
    >>> features = {"f0_scaled": tf.zeros([1, 5, 1]), "ld_scaled": tf.zeros([1, 5, 1])}
    >>> MeanEncoder()(features)["z"].shape.as_list()
    [1, 5, 1]
    """

    def __init__(
        self,
        input_keys: Sequence[str] | None = None,
        f0_encoder: nn.DictLayer | None = None,
        **kwargs: Any,
    ) -> None:
        """Initializes the encoder.

        Args:
          input_keys: Keys of the inputs. Default: the argument names of `compute_z`.
            `f0_scaled` is added for its number of time steps.
          f0_encoder: Encoder from 'audio' to 'f0_hz' and 'f0_scaled', such as
            `ResnetF0Encoder`. Its outputs replace the f0 inputs and are returned in
            addition to `z`.
          **kwargs: Arguments of `keras.layers.Layer`.
        """
        z_keys = list(input_keys or self.get_argument_names("compute_z"))
        keys, output_keys = [*z_keys, "f0_scaled"], ["z"]
        if f0_encoder is not None:
            output_keys += f0_encoder.output_keys
            keys = [key for key in keys if key not in f0_encoder.output_keys]
            keys += [key for key in f0_encoder.input_keys if key not in keys]
        # Audio analysis needs float32; inner layers cast their own inputs.
        super().__init__(
            input_keys=keys,
            output_keys=output_keys,
            **{"autocast": False, **kwargs},
        )
        self.z_keys = z_keys
        self.f0_encoder: Any = f0_encoder

    def call(self, *args: tf.Tensor, **unused_kwargs: Any) -> Outputs:
        """Returns `z`, shape [batch, time_steps, z_dims], and f0 of the f0 encoder."""
        features = dict(zip(self.input_keys, args, strict=True))
        f0 = {} if self.f0_encoder is None else self.f0_encoder(features)
        features.update(f0)
        time_steps = _n_frames(features["f0_scaled"])
        z = self.compute_z(*(features[key] for key in self.z_keys))
        return {"z": self.expand_z(z, time_steps), **f0}

    def expand_z(self, z: tf.Tensor, time_steps: int) -> tf.Tensor:
        """Interpolates to a number of time steps.

        Args:
          z: Shape [batch, z_time_steps, z_dims], or [batch, z_dims], which is held
            over time.
          time_steps: Number of time steps.

        Returns:
          Tensor of shape [batch, time_steps, z_dims].
        """
        if len(z.shape) == 2:
            z = z[:, tf.newaxis, :]
        return core.resample(z, time_steps)

    def compute_z(self, *inputs: tf.Tensor) -> tf.Tensor:
        """Computes the latent variable.

        Args:
          *inputs: The inputs, in the order of `input_keys`.

        Returns:
          Tensor of shape [batch, z_dims] or [batch, z_time_steps, z_dims].
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `compute_z`.")


def _n_frames(x: tf.Tensor) -> int | tf.Tensor:
    return x.shape[1] or tf.shape(x)[1]
