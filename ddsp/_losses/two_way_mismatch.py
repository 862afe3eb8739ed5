"""How well harmonics of a pitch and measured sinusoids explain each other."""

from typing import Any

import tensorflow as tf

from ddsp import configurable, core
from ddsp._core import checks
from ddsp._losses.base import Loss
from ddsp._losses.mixtures import GaussianMixture, around_sinusoids, check_sinusoids


@configurable.layer(module="ddsp.losses")
class TWMLoss(Loss):
    """Two-way mismatch, as a smooth function of sinusoids and candidate pitches.

    Maher & Beauchamp (1994), "Fundamental frequency estimation of musical signals
    using a two-way mismatch procedure", measure how far sinusoids are from harmonics
    of a candidate, which is smallest for low candidates, and how far its harmonics are
    from sinusoids, which is smallest for high ones; together they choose the pitch.
    Here both distances are negative log-likelihoods under mixtures of Gaussians
    (Engel et al., 2020, "Self-supervised Pitch Detection by Inverse Audio Synthesis").

    Args:
      sinusoids_weight: Of the sinusoids given the harmonics.
      harmonics_weight: Of the harmonics given the sinusoids.
      sinusoids_scale: Standard deviation around each sinusoid, semitones.
      harmonics_scale: Standard deviation around each harmonic, as a share of the
        pitch.
      n_harmonic_points: Harmonics that are looked for among the sinusoids.
      n_harmonic_gaussians: Harmonics among which sinusoids are looked for.
      softmin_temperature: The lower, the more the best candidate alone counts.
      sample_rate: Samples per second; harmonics from half of it on do not count.
      **kwargs: Passed on to `Loss`.

    Raises:
      ValueError: If a scale, a number, the temperature or the rate is not positive.

    Example:

    >>> loss = ddsp.losses.TWMLoss()
    >>> freqs = 200.0 * tf.range(1.0, 6.0) * tf.ones([1, 10, 1])
    >>> right, wrong = (tf.fill([1, 10, 1], f0) for f0 in (200.0, 270.0))
    >>> amps = tf.ones([1, 10, 5])
    >>> bool(loss(right, freqs, amps) < loss(wrong, freqs, amps))
    True
    """

    def __init__(
        self,
        sinusoids_weight: float = 1.0,
        harmonics_weight: float = 1.0,
        sinusoids_scale: float = 0.5,
        harmonics_scale: float = 0.2,
        n_harmonic_points: int = 10,
        n_harmonic_gaussians: int = 30,
        softmin_temperature: float = 1.0,
        sample_rate: int = 16000,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        checks.positive("sinusoids_scale", sinusoids_scale)
        checks.positive("harmonics_scale", harmonics_scale)
        checks.positive("n_harmonic_points", n_harmonic_points)
        checks.positive("n_harmonic_gaussians", n_harmonic_gaussians)
        checks.positive("softmin_temperature", softmin_temperature)
        checks.positive("sample_rate", sample_rate)
        self.sinusoids_weight = sinusoids_weight
        self.harmonics_weight = harmonics_weight
        self.sinusoids_scale = sinusoids_scale
        self.harmonics_scale = harmonics_scale
        self.n_harmonic_points = n_harmonic_points
        self.n_harmonic_gaussians = n_harmonic_gaussians
        self.softmin_temperature = softmin_temperature
        self.sample_rate = sample_rate

    def call(self, f0_candidates: Any, freqs: Any, amps: Any) -> tf.Tensor:
        """The mismatch of the best candidates.

        Args:
          f0_candidates: [batch, n_frames, n_candidates], Hz.
          freqs: [batch, n_frames, n_sinusoids], Hz.
          amps: The same shape, >= 0.

        Returns:
          A scalar.
        """
        mismatch = self._mismatch(f0_candidates, freqs, amps)
        best = tf.nn.softmax(-mismatch / self.softmin_temperature, axis=-1)
        return tf.reduce_mean(mismatch * best)

    def predict_f0(self, f0_candidates: Any, freqs: Any, amps: Any) -> Any:
        """The candidate with the smallest mismatch; not differentiable.

        Args:
          f0_candidates: [batch, n_frames, n_candidates], Hz.
          freqs: [batch, n_frames, n_sinusoids], Hz.
          amps: The same shape, >= 0.

        Returns:
          [batch, n_frames, 1], Hz, an array.
        """
        candidates = core.tf_float32(f0_candidates)
        mismatch = self._mismatch(candidates, freqs, amps)
        # What is no number is no candidate.
        mismatch = tf.where(tf.math.is_nan(mismatch), float("inf"), mismatch)
        best = tf.argmin(mismatch, axis=-1)[..., tf.newaxis]
        return tf.gather(candidates, best, axis=-1, batch_dims=2).numpy()

    def get_loss_tensors(
        self, f0_candidates: Any, freqs: Any, amps: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Both mismatches of every candidate.

        Args:
          f0_candidates: [batch, n_frames, n_candidates], Hz.
          freqs: [batch, n_frames, n_sinusoids], Hz.
          amps: The same shape, >= 0.

        Returns:
          Negative log-likelihood of the sinusoids given the candidate's harmonics,
          and of its harmonics given the sinusoids, [batch, n_frames, n_candidates].
        """
        candidates, freqs, amps = (
            core.tf_float32(x) for x in (f0_candidates, freqs, amps)
        )
        checks.rank("f0_candidates", candidates, 3)
        checks.not_empty("f0_candidates", candidates)
        check_sinusoids(freqs=freqs, amps=amps)
        return (
            self._sinusoids_mismatch(candidates, freqs, amps),
            self._harmonics_mismatch(candidates, freqs, amps),
        )

    def get_p_sinusoids_given_harmonics(self) -> GaussianMixture:
        """The density around harmonics, over multiples of the pitch."""
        n = self.n_harmonic_gaussians
        numbers = tf.range(1, n + 1, dtype=tf.float32)
        return GaussianMixture(tf.fill([n], 1.0 / n), numbers, self.harmonics_scale)

    def get_p_harmonics_given_sinusoids(self, freqs: Any, amps: Any) -> GaussianMixture:
        """The density around sinusoids, over MIDI notes.

        Args:
          freqs: [batch, n_frames, n_sinusoids], Hz.
          amps: The same shape, >= 0.
        """
        return around_sinusoids(amps, freqs, self.sinusoids_scale)

    def get_candidate_harmonics(
        self, f0_candidates: Any, as_midi: bool = True
    ) -> tf.Tensor:
        """Harmonics of candidates.

        Args:
          f0_candidates: [batch, n_frames, n_candidates], Hz.
          as_midi: Return notes, else Hz.

        Returns:
          [batch, n_frames, n_candidates, n_harmonic_points].
        """
        numbers = tf.range(1, self.n_harmonic_points + 1, dtype=tf.float32)
        harmonics = core.tf_float32(f0_candidates)[..., tf.newaxis] * numbers
        return core.hz_to_midi(harmonics) if as_midi else harmonics

    def _mismatch(self, f0_candidates: Any, freqs: Any, amps: Any) -> tf.Tensor:
        sinusoids, harmonics = self.get_loss_tensors(f0_candidates, freqs, amps)
        return self.sinusoids_weight * sinusoids + self.harmonics_weight * harmonics

    def _sinusoids_mismatch(
        self, candidates: tf.Tensor, freqs: tf.Tensor, amps: tf.Tensor
    ) -> tf.Tensor:
        """Returns the mean over sinusoids, weighted by amplitude."""
        density = self.get_p_sinusoids_given_harmonics()
        multiples = core.safe_divide(
            freqs[:, :, tf.newaxis], candidates[..., tf.newaxis]
        )
        amps = amps[:, :, tf.newaxis]
        total = tf.reduce_sum(-density.log_prob(multiples) * amps, axis=-1)
        return core.safe_divide(total, tf.reduce_sum(amps, axis=-1))

    def _harmonics_mismatch(
        self, candidates: tf.Tensor, freqs: tf.Tensor, amps: tf.Tensor
    ) -> tf.Tensor:
        """Returns the mean over harmonics below Nyquist, with decreasing weights."""
        harmonics = self.get_candidate_harmonics(candidates)
        n = self.n_harmonic_points
        shape = tf.shape(harmonics)
        flat = tf.reshape(harmonics, [shape[0], shape[1], -1])
        density = self.get_p_harmonics_given_sinusoids(freqs, amps)
        unlikely = tf.reshape(-density.log_prob(flat), shape)
        importance = tf.linspace(1.0, 1.0 / n, n)
        audible = tf.cast(
            harmonics < core.hz_to_midi(self.sample_rate / 2.0), tf.float32
        )
        audible = core.safe_divide(
            audible, tf.reduce_mean(audible, axis=-1, keepdims=True)
        )
        return tf.reduce_mean(unlikely * importance * audible, axis=-1)
