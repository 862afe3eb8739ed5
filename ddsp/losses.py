"""Losses: layers that compare sounds or their parameters."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core, dags, spectral_ops
from ddsp._core import checks
from ddsp._core.compilation import fused

LOSS_TYPES = ("L1", "L2", "COSINE")


class Loss(keras.layers.Layer):
    """Base class of losses: a layer whose `call` returns a scalar.

    A loss computes in float32, also under a mixed-precision policy.

    Args:
      trainable: Whether weights of the loss, if it has any, are trained.
      name: Under which the loss is reported.
      dtype: Defaults to float32.
      dynamic: Accepted for compatibility, without effect.
      **kwargs: Passed to the Keras layer.
    """

    def __init__(
        self,
        trainable: bool = True,
        name: str | None = None,
        dtype: Any = None,
        dynamic: bool = False,
        **kwargs: Any,
    ):
        del dynamic
        super().__init__(
            trainable=trainable, name=name, dtype=dtype or "float32", **kwargs
        )
        self._allow_non_tensor_positional_args = True

    def get_losses_dict(self, *args: Any, **kwargs: Any) -> dict[str, tf.Tensor]:
        """Returns `{name: loss}`."""
        return {self.name: self(*args, **kwargs)}


@configurable.layer(module="ddsp.losses")
class LossGroup(dags.DAGLayer):
    """Losses, and layers that prepare their inputs, wired into a graph.

    Args:
      dag: Nodes `(loss, input_keys)`, see `dags.DAGLayer`.
      **kwarg_losses: Losses by name, and `name`.
    """

    def __init__(self, dag: Sequence[Sequence[Any]], **kwarg_losses: Any):
        kwarg_losses.setdefault("name", "loss_group")
        kwarg_losses.setdefault("dtype", "float32")
        super().__init__(dag, **kwarg_losses)

    @property
    def losses(self) -> list[keras.layers.Layer]:
        """The losses, in the order in which they were named."""
        return [module for module in self.modules if dags.is_loss(module)]

    def call(self, outputs: Mapping[str, Any], **kwargs: Any) -> dict[str, tf.Tensor]:
        """Returns every loss by its name, computed from a model's outputs."""
        dag_outputs = self.run_dag(outputs, **kwargs)
        losses: dict[str, tf.Tensor] = {}
        for module in self.losses:
            losses.update(dag_outputs[module.name])
        return losses

    def get_losses_dict(
        self, outputs: Mapping[str, Any], **kwargs: Any
    ) -> dict[str, tf.Tensor]:
        """Returns every loss by its name."""
        return self(outputs, **kwargs)


def mean_difference(
    target: Any, value: Any, loss_type: str = "L1", weights: Any = None
) -> tf.Tensor:
    """Mean difference of two tensors.

    Args:
      target: Any shape.
      value: The same shape.
      loss_type: `'L1'` for the absolute difference, `'L2'` for its square,
        `'COSINE'` for one minus the cosine between vectors along the last axis.
      weights: Multiply the differences before the mean; must broadcast with them.

    Returns:
      A scalar.

    Raises:
      ValueError: if `loss_type` is unknown.
    """
    loss_type = loss_type.upper()
    checks.one_of("loss_type", loss_type, LOSS_TYPES)
    target, value = core.tf_float32(target), core.tf_float32(value)
    weights = 1.0 if weights is None else core.tf_float32(weights)
    if loss_type == "L1":
        return _mean(tf.abs((target - value) * weights))
    if loss_type == "L2":
        return _mean((target - value) ** 2 * weights)
    # l2_normalize keeps the gradient of silence finite.
    units = [tf.math.l2_normalize(x, axis=-1, epsilon=1e-12) for x in (target, value)]
    cosine = tf.reduce_sum(units[0] * units[1], axis=-1, keepdims=True)
    return _mean((1.0 - cosine) * weights)


def _mean(x: tf.Tensor) -> tf.Tensor:
    # Row by row first: compiled code adds one number after the other, in which float32
    # loses digits over millions.
    return tf.reduce_mean(tf.reduce_mean(x, axis=-1) if x.shape.rank else x)


def _value_and_slopes(
    term: Callable[..., tf.Tensor], target: tf.Tensor, *variable: tf.Tensor
) -> tf.Tensor:
    """Computes a term of a loss, keeping nothing but its slopes for the gradient.

    A loss is one number, so what comes from above only scales its gradient with respect
    to the audio. That is computed along with the value, while the spectra are at hand,
    and is as small as the audio. Where no gradient is asked for, TensorFlow leaves it
    out of the compiled kernel. There is no gradient of second order.

    Args:
      term: `term(target, audio, weights=None)` returns a scalar.
      target: Constant.
      *variable: Audio, and weights if there are any.
    """

    @tf.custom_gradient
    def value_with_gradient(*variable):
        with tf.GradientTape() as tape:
            tape.watch(variable)
            value = term(target, *variable)
        slopes = tape.gradient(value, variable)
        return value, lambda upstream: [upstream * slope for slope in slopes]

    return value_with_gradient(*variable)


@functools.lru_cache(maxsize=128)
def _kernel(
    term: Callable[..., tf.Tensor], **settings: Any
) -> Callable[..., tf.Tensor]:
    """Returns the compiled `kernel(target, audio, *weights)` of a term."""
    term = functools.partial(term, **settings)
    return fused(functools.partial(_value_and_slopes, term))


# Each view of a magnitude spectrogram that is compared.
_VIEWS: tuple[Callable[[tf.Tensor], tf.Tensor], ...] = (
    tf.identity,
    functools.partial(core.diff, axis=1),
    functools.partial(core.diff, axis=2),
    functools.partial(tf.cumsum, axis=2),
    core.safe_log,
)


def _spectral_difference(
    target: tf.Tensor,
    audio: tf.Tensor,
    weights: tf.Tensor | None = None,
    *,
    loss_type: str,
    size: int,
    view_weights: tuple[float, ...],
) -> tf.Tensor:
    target_mag = spectral_ops.compute_mag(target, size=size)
    mag = spectral_ops.compute_mag(audio, size=size)
    return tf.add_n(
        [
            weight * mean_difference(view(target_mag), view(mag), loss_type, weights)
            for weight, view in zip(view_weights, _VIEWS, strict=True)
            if weight > 0
        ]
    )


def _loudness_difference(
    target: tf.Tensor,
    audio: tf.Tensor,
    weights: tf.Tensor | None = None,
    *,
    loss_type: str,
    sample_rate: int,
    frame_rate: int,
) -> tf.Tensor:
    target_loudness, loudness = (
        spectral_ops.compute_loudness(x, sample_rate, frame_rate, n_fft=2048)
        for x in (target, audio)
    )
    return mean_difference(target_loudness, loudness, loss_type, weights)


@configurable.layer(module="ddsp.losses")
class SpectralLoss(Loss):
    """Multi-scale spectral loss.

    Engel et al. (2020), section 4.1: differences of magnitude spectrograms of several
    sizes, each with 75 % overlap, summed. No gradient flows into the target.

    Each size is compiled once for each shape of the audio, which takes a few seconds.
    There is no gradient of second order.

    Args:
      fft_sizes: Sizes of the spectrograms, in samples.
      loss_type: `'L1'`, `'L2'` or `'COSINE'`, see `mean_difference`.
      mag_weight: Weight of the magnitudes.
      delta_time_weight: Weight of their differences from frame to frame.
      delta_freq_weight: Weight of their differences from bin to bin.
      cumsum_freq_weight: Weight of their running sums over frequency.
      logmag_weight: Weight of the logarithm of the magnitudes.
      loudness_weight: Weight of perceived loudness.
      name: Name of the loss.
      sample_rate: Samples a second; only the loudness, taken about 250 times a
        second, depends on it.
    """

    def __init__(
        self,
        fft_sizes: Sequence[int] = (2048, 1024, 512, 256, 128, 64),
        loss_type: str = "L1",
        mag_weight: float = 1.0,
        delta_time_weight: float = 0.0,
        delta_freq_weight: float = 0.0,
        cumsum_freq_weight: float = 0.0,
        logmag_weight: float = 0.0,
        loudness_weight: float = 0.0,
        name: str = "spectral_loss",
        sample_rate: int = 16000,
    ):
        super().__init__(name=name)
        checks.one_of("loss_type", loss_type.upper(), LOSS_TYPES)
        checks.positive("sample_rate", sample_rate)
        for size in fft_sizes:
            checks.positive("fft_sizes", size)
        self.fft_sizes = tuple(fft_sizes)
        self.loss_type = loss_type
        self.mag_weight = mag_weight
        self.delta_time_weight = delta_time_weight
        self.delta_freq_weight = delta_freq_weight
        self.cumsum_freq_weight = cumsum_freq_weight
        self.logmag_weight = logmag_weight
        self.loudness_weight = loudness_weight
        self.sample_rate = sample_rate
        rates = (r for r in range(1, sample_rate + 1) if sample_rate % r == 0)
        self._loudness_frame_rate = min(rates, key=lambda rate: abs(rate - 250))

    def call(self, target_audio: Any, audio: Any, weights: Any = None) -> tf.Tensor:
        """Compares audio with its target.

        Args:
          target_audio: [batch, n_samples] or [batch, n_samples, 1].
          audio: The same shape.
          weights: Multiply the differences; must broadcast with
            [batch, n_frames, n_bins] of every spectrogram.

        Returns:
          A scalar.
        """
        target_audio = tf.stop_gradient(_mono("target_audio", target_audio))
        audio = _mono("audio", audio)
        variable = (audio,) if weights is None else (audio, core.tf_float32(weights))
        view_weights = (
            self.mag_weight,
            self.delta_time_weight,
            self.delta_freq_weight,
            self.cumsum_freq_weight,
            self.logmag_weight,
        )
        loss = tf.constant(0.0)
        # One kernel a size, so that the spectra of one are gone before the next.
        for size in self.fft_sizes if max(view_weights) > 0 else ():
            difference = _kernel(
                _spectral_difference,
                loss_type=self.loss_type,
                size=size,
                view_weights=view_weights,
            )
            loss += difference(target_audio, *variable)
        if self.loudness_weight > 0:
            difference = _kernel(
                _loudness_difference,
                loss_type=self.loss_type,
                sample_rate=self.sample_rate,
                frame_rate=self._loudness_frame_rate,
            )
            loss += self.loudness_weight * difference(target_audio, *variable)
        return loss


def _mono(name: str, audio: Any) -> tf.Tensor:
    audio = core.tf_float32(audio)
    checks.rank(name, audio, (2, 3))
    return audio[:, :, 0] if audio.shape.rank == 3 else audio
