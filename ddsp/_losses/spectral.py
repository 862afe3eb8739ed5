"""The multi-scale spectral loss."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ddsp import configurable, core, spectral_ops
from ddsp._core import checks
from ddsp._core.compilation import fused
from ddsp._losses.base import LOSS_TYPES, Loss, mean_difference


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
    def value_with_gradient(*variable: tf.Tensor) -> tuple[tf.Tensor, Callable]:
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
      sample_rate: Samples per second; only the loudness, taken about 250 times a
        second, depends on it.

    Example:

    >>> loss = ddsp.losses.SpectralLoss(fft_sizes=(128, 64), logmag_weight=1.0)
    >>> audio = tf.random.normal([1, 640])
    >>> float(loss(audio, audio))
    0.0
    >>> bool(loss(audio, 0.5 * audio) > 0.0)
    True
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
        # Nothing else depends on it: at weight 0 any audio is compared.
        self.sample_rate = sample_rate if loudness_weight > 0 else None
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
    checks.not_empty(name, audio)
    return audio[:, :, 0] if audio.shape.rank == 3 else audio
