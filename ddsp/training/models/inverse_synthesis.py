"""Inverse audio synthesis: from audio to sinusoids to harmonics and f0."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core, effects, processors, synths
from ddsp import losses as ddsp_losses
from ddsp.training import rates
from ddsp.training.models.model import Model, losses_dict
from ddsp.types import Batch, Loss, Outputs, Tensors

# Controls of synthetic notes from which their audio is rendered.
_AUDIBLE = ("sin_amps", "sin_freqs", "noise_magnitudes")


@configurable.layer(module="ddsp.training.models")
class InverseSynthesis(Model):
    """Self-supervised model of f0 by inverse audio synthesis.

    The sinusoidal encoder estimates frequencies and amplitudes of sinusoids, and
    filtered noise, from audio. The harmonic encoder estimates f0, amplitude and
    harmonic distribution from the sinusoids. Both are rendered and compared with the
    audio. The model is pretrained on synthetic notes with known controls (Engel et al.,
    "Self-supervised Pitch Detection by Inverse Audio Synthesis", 2020).

    A batch is a dictionary of recordings, with 'audio', [batch, n_samples]; or of
    synthetic notes, with 'sin_amps' (see `data.SyntheticNotes`); or a pair of both (see
    `data.ZippedProvider`).

    Example:

    >>> import keras
    >>> from ddsp.training import models
    >>> class Encoder(keras.layers.Layer):
    ...     def call(self, features):
    ...         shape = [len(features["audio"]), 10]
    ...         return {
    ...             "frequencies": tf.zeros([*shape, 3 * 64]),
    ...             "amplitudes": tf.zeros([*shape, 3]),
    ...             "noise_magnitudes": tf.zeros([*shape, 5]),
    ...         }
    >>> model = models.InverseSynthesis(Encoder(), reverb=False, n_samples=640)
    >>> outputs = model({"audio": np.zeros([1, 640], np.float32)})
    >>> outputs["sin_freqs"].shape.as_list(), outputs["sin_audio"].shape.as_list()
    ([1, 10, 3], [1, 640])
    """

    def __init__(
        self,
        sinusoidal_encoder: keras.layers.Layer | None = None,
        harmonic_encoder: keras.layers.Layer | None = None,
        losses: Loss | Sequence[Loss] | None = None,
        sinusoidal_consistency_losses: Loss | Sequence[Loss] | None = None,
        harmonic_consistency_losses: Loss | Sequence[Loss] | None = None,
        filtered_noise_consistency_loss: Loss | None = None,
        twm_loss: Loss | None = None,
        harmonic_distribution_prior: Loss | None = None,
        freq_scale_fn: Callable[[tf.Tensor], tf.Tensor] | None = None,
        reverb: bool = True,
        n_samples: int = 64000,
        sample_rate: int = 16000,
        stop_gradient: bool = True,
        amps_scale_fn: Callable[..., tf.Tensor] = core.exp_sigmoid,
        softmax_fn: Callable[..., tf.Tensor] = core.frequencies_softmax,
        **kwargs: Any,
    ) -> None:
        """Initializes the model.

        Args:
          sinusoidal_encoder: Encoder from 'audio' to raw 'frequencies', 'amplitudes'
            and 'noise_magnitudes', such as `encoders.ResnetSinusoidalEncoder`.
          harmonic_encoder: Encoder from frequencies (Hz) and amplitudes of sinusoids to
            'harm_amp', 'harm_dist' and 'f0_hz', such as
            `encoders.SinusoidalToHarmonicEncoder`. If None, the model only estimates
            sinusoids.
          losses: Losses between recorded and rendered audio.
          sinusoidal_consistency_losses: Losses between the amplitudes and frequencies
            of two sets of sinusoids: estimated sinusoids and estimated harmonics, or
            estimated and synthetic sinusoids.
          harmonic_consistency_losses: Losses between estimated and synthetic harmonics.
          filtered_noise_consistency_loss: Loss between the magnitudes of estimated and
            synthetic noise.
          twm_loss: Two-way mismatch loss between the sinusoids and the f0, or between
            the sinusoids and themselves if there is no harmonic encoder.
          harmonic_distribution_prior: Loss of the harmonic distribution alone.
          freq_scale_fn: Function from raw frequencies to Hz. By default a softmax over
            64 bins per sinusoid.
          reverb: Whether to learn one reverb for all audio.
          n_samples: Length of synthetic audio. Recordings may have any length.
          sample_rate: Sample rate in Hz.
          stop_gradient: Whether to stop gradients from the harmonic encoder to the
            sinusoidal encoder.
          amps_scale_fn: Function from raw amplitudes and magnitudes to values ≥ 0.
          softmax_fn: Softmax over bins, used by the default `freq_scale_fn`.
          **kwargs: Arguments of `keras.Model`.
        """
        super().__init__(**kwargs)
        self.sinusoidal_encoder: Any = sinusoidal_encoder
        self.harmonic_encoder = harmonic_encoder
        self.audio_loss_objs = list(core.make_iterable(losses))
        self.sinusoidal_consistency_losses = list(
            core.make_iterable(sinusoidal_consistency_losses)
        )
        self.harmonic_consistency_losses = list(
            core.make_iterable(harmonic_consistency_losses)
        )
        self.filtered_noise_consistency_loss = filtered_noise_consistency_loss
        self.twm_loss = twm_loss
        self.harmonic_distribution_prior = harmonic_distribution_prior
        self.stop_gradient = stop_gradient
        self.n_samples = n_samples
        self.sample_rate = sample_rate
        self.amps_scale_fn = amps_scale_fn
        self.freq_scale_fn = freq_scale_fn or functools.partial(softmax_fn, depth=64)
        # The inputs of the synthesizers are already scaled.
        self.sinusoidal_synth = synths.Sinusoidal(
            n_samples=n_samples,
            sample_rate=sample_rate,
            amp_scale_fn=None,
            freq_scale_fn=None,
            name="sinusoidal",
        )
        self.filtered_noise_synth = synths.FilteredNoise(
            n_samples=n_samples, window_size=0, scale_fn=None, name="filtered_noise"
        )
        dag: list[tuple] = [
            (self.sinusoidal_synth, ["amplitudes", "frequencies"]),
            (self.filtered_noise_synth, ["noise_magnitudes"]),
            (processors.Add(), ["filtered_noise/signal", "sinusoidal/signal"]),
        ]
        if reverb:
            self.reverb = effects.FilteredNoiseReverb(
                trainable=True,
                reverb_length=2 * sample_rate,
                window_size=257,
                n_frames=500,
                n_filter_banks=16,
                name="reverb",
            )
            dag.append((self.reverb, ["add/signal"]))
        self.processor_group = processors.ProcessorGroup(dag=dag)
        rates.check(self)

    def generate_synthetic_audio(self, features: Tensors) -> tf.Tensor:
        """Renders synthetic notes.

        Args:
          features: 'sin_amps' and 'sin_freqs' (Hz), [batch, n_frames, n_sinusoids], and
            'noise_magnitudes', [batch, n_frames, n_bands].

        Returns:
          Audio, [batch, n_samples].

        Raises:
          ValueError: If one of them is missing.
        """
        self._require(features, *_AUDIBLE)
        amplitudes, frequencies, noise_magnitudes = (features[k] for k in _AUDIBLE)
        return self.processor_group(
            {
                "amplitudes": amplitudes,
                "frequencies": frequencies,
                "noise_magnitudes": noise_magnitudes,
            }
        )

    def parse_zipped_features(
        self, features: Sequence[Tensors]
    ) -> tuple[Tensors, Tensors]:
        """Separates a pair of batches into recordings and synthetic notes.

        Args:
          features: Two batches in any order, of which one has 'sin_amps'.

        Returns:
          Recordings and synthetic notes.

        Raises:
          ValueError: If they are not one batch of each.
        """
        synthetic = ["sin_amps" in batch for batch in features]
        if sorted(synthetic) != [False, True]:
            raise ValueError(
                "A pair of batches must consist of recordings and of synthetic notes, "
                "which have 'sin_amps', got batches with "
                f"{[sorted(batch) for batch in features]}."
            )
        return features[synthetic.index(False)], features[synthetic.index(True)]

    def get_audio_from_outputs(self, outputs: Outputs) -> tf.Tensor:
        """Returns the audio of the harmonics, or else of the sinusoids."""
        return outputs["sin_audio" if self.harmonic_encoder is None else "harm_audio"]

    def call(self, features: Batch, training: bool = True) -> Outputs:  # type: ignore[override]
        """Estimates sinusoids and harmonics.

        Args:
          features: Batch of recordings or of synthetic notes, or a pair of both.
          training: Whether this is a training step.

        Returns:
          The outputs of `forward`. For synthetic notes 'target' holds their features.
          For a pair the outputs are those of the recordings, and 'synthetic' holds
          those of the synthetic notes.

        Raises:
          ValueError: If a feature is missing, or a pair does not have a batch of each.
        """
        if not isinstance(features, Mapping):
            recorded, synthetic = self.parse_zipped_features(features)
            self._require(recorded, "audio")
            synthetic = self._with_audio(synthetic)
            # One forward pass over both is faster than two.
            audio = [recorded["audio"], synthetic["audio"]]
            n_recorded = tf.shape(recorded["audio"])[0]
            outputs = self.forward({"audio": tf.concat(audio, axis=0)}, training)
            of_synthetic = _rows(outputs, slice(n_recorded, None))
            return {
                **_rows(outputs, slice(n_recorded)),
                "synthetic": {**of_synthetic, "target": synthetic},
            }
        if "sin_amps" in features:
            features = self._with_audio(features)
            return {**self.forward(features, training), "target": features}
        return self.forward(features, training)

    def _with_audio(self, features: Tensors) -> dict[str, tf.Tensor]:
        return {**features, "audio": self.generate_synthetic_audio(features)}

    def compute_losses(self, outputs: Outputs) -> dict[str, tf.Tensor]:
        """Computes scalar losses by name from the outputs of `call`."""
        losses = self.append_losses(outputs)
        for synthetic in (outputs, outputs.get("synthetic", {})):
            if "target" in synthetic:
                losses.update(self.append_losses(synthetic, synthetic["target"]))
        return losses

    def append_losses(
        self,
        outputs: Outputs,
        self_supervised_features: Tensors | None = None,
    ) -> dict[str, tf.Tensor]:
        """Compares outputs with the audio, or with known controls.

        Args:
          outputs: Outputs of `forward`.
          self_supervised_features: Controls of the synthetic notes. If None, the
            outputs are compared with the audio and with each other.

        Returns:
          Scalar losses by name. Names start with 'sin_' or 'harm_' for rendered audio
          and with 'ss_' for known controls.
        """
        if self_supervised_features is None:
            return self._unsupervised_losses(outputs)
        return self._self_supervised_losses(outputs, self_supervised_features)

    def _unsupervised_losses(self, o: Outputs) -> dict[str, tf.Tensor]:
        harmonic = self.harmonic_encoder is not None
        losses: dict[str, tf.Tensor] = {}
        for kind in ("sin", "harm") if harmonic else ("sin",):
            rendered = o[f"{kind}_audio"]
            losses |= losses_dict(
                self.audio_loss_objs, o["audio"], rendered, prefix=f"{kind}_"
            )
        if harmonic:
            losses |= losses_dict(self.harmonic_distribution_prior, o["harm_dist"])
            sinusoids = o["sin_amps"], o["sin_freqs"]
            if self.stop_gradient:
                sinusoids = tuple(map(tf.stop_gradient, sinusoids))
            losses |= losses_dict(
                self.sinusoidal_consistency_losses,
                *sinusoids,
                o["harm_amps"],
                o["harm_freqs"],
            )
        f0_candidates = o["f0_hz"] if harmonic else o["sin_freqs"]
        losses |= losses_dict(
            self.twm_loss, f0_candidates, o["sin_freqs"], o["sin_amps"]
        )
        return losses

    def _self_supervised_losses(
        self, o: Outputs, target: Tensors
    ) -> dict[str, tf.Tensor]:
        losses = losses_dict(
            self.sinusoidal_consistency_losses,
            o["sin_amps"],
            o["sin_freqs"],
            target["sin_amps"],
            target["sin_freqs"],
            prefix="ss_",
        )
        losses |= losses_dict(
            self.filtered_noise_consistency_loss,
            o["noise_magnitudes"],
            target["noise_magnitudes"],
            prefix="ss_",
        )
        if self.harmonic_encoder is None:
            return losses
        for loss in self.harmonic_consistency_losses:
            keys, prefix = ["harm_amp", "f0_hz"], "ss_harm_"
            controls = [source[key] for source in (o, target) for key in keys]
            if isinstance(loss, ddsp_losses.HarmonicConsistencyLoss):
                keys, prefix = ["harm_amp", "harm_dist", "f0_hz"], "ss_"
                controls = [source[key] for key in keys for source in (o, target)]
            losses |= losses_dict(loss, *controls, prefix=prefix)
        return losses

    def forward(self, features: Tensors, training: bool = True) -> Outputs:
        """Estimates the sinusoids and harmonics of audio, and renders both.

        Args:
          features: Features with 'audio', [batch, n_samples].
          training: Whether this is a training step.

        Returns:
          Dictionary of:

          - 'audio', [batch, n_samples].
          - 'sin_freqs' (Hz) and 'sin_amps', [batch, n_frames, n_sinusoids],
            'noise_magnitudes', [batch, n_frames, n_bands], and 'sin_audio', [batch,
            n_samples].
          - With a harmonic encoder, 'f0_hz' and 'harm_amp', [batch, n_frames, 1],
            'harm_dist', 'harm_freqs' (Hz) and 'harm_amps', [batch, n_frames,
            n_harmonics], and 'harm_audio', [batch, n_samples].
          - The outputs of each processor for the sinusoids, under its name.

        Raises:
          ValueError: If there is no audio.
        """
        del training  # Keras passes it to the sublayers.
        self._require(features, "audio")
        audio = core.tf_float32(features["audio"])
        raw = self.sinusoidal_encoder(features)
        sin_freqs = self.freq_scale_fn(raw["frequencies"])
        sin_amps = self.amps_scale_fn(raw["amplitudes"])
        noise_magnitudes = self.amps_scale_fn(raw["noise_magnitudes"])
        sinusoids = {
            "frequencies": sin_freqs,
            "amplitudes": sin_amps,
            "noise_magnitudes": noise_magnitudes,
        }
        n_samples = audio.shape[1]
        rendered = self.processor_group.get_controls(sinusoids, n_samples=n_samples)
        outputs = {
            **rendered,
            "audio": audio,
            "noise_magnitudes": noise_magnitudes,
            "sin_audio": self.processor_group.get_signal(rendered),
            "sin_amps": sin_amps,
            "sin_freqs": sin_freqs,
        }
        if self.harmonic_encoder is None:
            return outputs
        if self.stop_gradient:
            sinusoids = {k: tf.stop_gradient(x) for k, x in sinusoids.items()}
        harmonics = self.harmonic_encoder(
            sinusoids["frequencies"], sinusoids["amplitudes"]
        )
        harm_dist, f0_hz = harmonics["harm_dist"], harmonics["f0_hz"]
        harm_amps = harmonics["harm_amp"] * harm_dist
        harm_freqs = core.get_harmonic_frequencies(f0_hz, harm_dist.shape[-1])
        as_sinusoids = {"frequencies": harm_freqs, "amplitudes": harm_amps}
        harm_audio = self.processor_group(
            {**sinusoids, **as_sinusoids}, n_samples=n_samples
        )
        return {
            **outputs,
            "harm_audio": harm_audio,
            "harm_amp": harmonics["harm_amp"],
            "harm_dist": harm_dist,
            "f0_hz": f0_hz,
            "harm_freqs": harm_freqs,
            "harm_amps": harm_amps,
        }

    def build_variables(self) -> None:
        """Creates the variables by running the model on silence."""
        if not self.built:
            self({"audio": tf.zeros([1, self.n_samples])}, training=False)


def _rows(outputs: Outputs, rows: slice) -> Outputs:
    """Selects examples of a batch of outputs, with only the signals of processors."""
    chosen: Outputs = {}
    for key, value in outputs.items():
        if not isinstance(value, Mapping):
            chosen[key] = value[rows]
        elif "signal" in value:
            chosen[key] = {"signal": value["signal"][rows]}
    return chosen
