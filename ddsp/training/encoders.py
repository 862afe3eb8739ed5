"""Networks from audio and its features to latent variables."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from ddsp import configurable, core, spectral_ops
from ddsp.training import nn

# Frame size and overlap that give a number of steps in four seconds at 16 kHz.
_MFCC_FRAMES = {
    63: (2048, 0.5),
    125: (1024, 0.5),
    250: (1024, 0.75),
    500: (512, 0.75),
    1000: (256, 0.75),
}


@configurable.layer(module="ddsp.training.encoders")
class ZEncoder(nn.DictLayer):
    """A network to a latent variable `z` at the time steps of `f0_scaled`.

    Subclasses write `compute_z`.
    """

    def __init__(self, input_keys: Sequence[str] | None = None, **kwargs):
        """Initializer.

        Args:
          input_keys: Keys of the inputs. By default the argument names of
            `compute_z`. `f0_scaled` is added to them for its number of time steps.
          **kwargs: Passed on to `keras.layers.Layer`.
        """
        input_keys = input_keys or self.get_argument_names("compute_z")
        # Audio analysis stays in float32; the layers inside cast for themselves.
        super().__init__(
            input_keys=[*input_keys, "f0_scaled"],
            output_keys=["z"],
            **{"autocast": False, **kwargs},
        )

    def call(self, *args, **unused_kwargs):
        """[batch, time_steps, z_dims] from the inputs of `compute_z` and f0."""
        *inputs, f0_scaled = args
        time_steps = f0_scaled.shape[1] or tf.shape(f0_scaled)[1]
        return self.expand_z(self.compute_z(*inputs), time_steps)

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


@configurable.layer(module="ddsp.training.encoders")
class MfccTimeDistributedRnnEncoder(ZEncoder):
    """A latent variable that follows the timbre: MFCCs through a recurrent layer.

    The encoder of Engel et al., "DDSP: Differentiable Digital Signal Processing"
    (2020), appendix B.1. It normalises over time, so it needs a whole recording.
    """

    def __init__(
        self,
        rnn_channels: int = 512,
        rnn_type: str = "gru",
        z_dims: int = 32,
        z_time_steps: int = 250,
        **kwargs,
    ):
        """Initializer.

        Args:
          rnn_channels: Number of units of the recurrent layer.
          rnn_type: 'gru' or 'lstm'.
          z_dims: Number of channels of `z`.
          z_time_steps: Steps of `z` in 64,000 samples, before it is interpolated: 63,
            125, 250, 500 or 1000. Other lengths have as many steps a second.
          **kwargs: Passed on to `keras.layers.Layer`.

        Raises:
          ValueError: If `z_time_steps` is none of these.
        """
        if z_time_steps not in _MFCC_FRAMES:
            raise ValueError(
                f"`z_time_steps` must be one of {sorted(_MFCC_FRAMES)}; received "
                f"{z_time_steps!r}."
            )
        super().__init__(**kwargs)
        self.fft_size, self.overlap = _MFCC_FRAMES[z_time_steps]
        self.z_norm = nn.Normalize("instance")
        self.rnn = nn.Rnn(rnn_channels, rnn_type)
        self.dense_out = keras.layers.Dense(z_dims)

    def compute_z(self, audio: tf.Tensor) -> tf.Tensor:
        """[batch, z_time_steps, z_dims] from audio [batch, n_samples]."""
        mfccs = spectral_ops.compute_mfcc(
            audio,
            lo_hz=20.0,
            hi_hz=8000.0,
            fft_size=self.fft_size,
            mel_bins=128,
            mfcc_bins=30,
            overlap=self.overlap,
            pad_end=True,
        )
        return self.dense_out(self.rnn(self.z_norm(mfccs)))
