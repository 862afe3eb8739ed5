"""Pitch by inverse audio synthesis: from audio to sinusoids to harmonics."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core, effects, processors, synths
from ddsp import losses as ddsp_losses
from ddsp.training import rates
from ddsp.training.models.model import Model, losses_dict

# Controls that a batch of synthetic notes comes with, and those that make its audio.
_AUDIBLE = ("sin_amps", "sin_freqs", "noise_magnitudes")


@configurable.layer(module="ddsp.training.models")
class InverseSynthesis(Model):
    """Finds the sinusoids in audio, and the harmonic sound they may come from.

    Engel et al., "Self-supervised Pitch Detection by Inverse Audio Synthesis" (2020). A
    first network tells frequencies and amplitudes of sinusoids, and filtered noise,
    from audio; a second one tells pitch, amplitude and harmonic distribution from the
    sinusoids. Both can be rendered and compared with the audio. Synthetic notes, whose
    controls are known, are what the model learns from before it hears recordings.

    A batch is a dictionary: of recordings, with 'audio' [batch, n_samples]; or of
    synthetic notes, told by their 'sin_amps', see `data.SyntheticNotes`. Or it is a
    pair of one of each, see `data.ZippedProvider`.
    """

    def __init__(
        self,
        sinusoidal_encoder: keras.layers.Layer | None = None,
        harmonic_encoder: keras.layers.Layer | None = None,
        losses: Any = None,
        sinusoidal_consistency_losses: Any = None,
        harmonic_consistency_losses: Any = None,
        filtered_noise_consistency_loss: keras.layers.Layer | None = None,
        twm_loss: keras.layers.Layer | None = None,
        harmonic_distribution_prior: keras.layers.Layer | None = None,
        freq_scale_fn: Callable[[tf.Tensor], tf.Tensor] | None = None,
        reverb: bool = True,
        n_samples: int = 64000,
        sample_rate: int = 16000,
        stop_gradient: bool = True,
        amps_scale_fn: Callable[..., tf.Tensor] = core.exp_sigmoid,
        softmax_fn: Callable[..., tf.Tensor] = core.frequencies_softmax,
        **kwargs,
    ):
        """Initializer.

        Args:
          sinusoidal_encoder: From 'audio' to raw 'frequencies', 'amplitudes' and
            'noise_magnitudes', such as `encoders.ResnetSinusoidalEncoder`.
          harmonic_encoder: From frequencies (Hz) and amplitudes of sinusoids to
            'harm_amp', 'harm_dist' and 'f0_hz', such as
            `encoders.SinusoidalToHarmonicEncoder`. Without one there are only
            sinusoids.
          losses: A loss or a list of losses between audio and what is rendered.
          sinusoidal_consistency_losses: A loss or losses between two sets of sinusoids,
            called with amplitudes and frequencies of the one and the other: those
            found and those of the harmonics, those found and the synthetic ones.
          harmonic_consistency_losses: A loss or losses between harmonics found and
            synthetic ones.
          filtered_noise_consistency_loss: Loss between magnitudes of the noise found
            and of synthetic noise.
          twm_loss: Two-way mismatch loss between sinusoids and the pitch, or between
            sinusoids and themselves without a harmonic encoder.
          harmonic_distribution_prior: Loss of a harmonic distribution alone.
          freq_scale_fn: From raw frequencies to Hz. By default a softmax over 64 bins
            for each sinusoid.
          reverb: Whether to learn one reverb for all audio.
          n_samples: Length of synthetic audio. Recordings keep their length.
          sample_rate: Samples a second.
          stop_gradient: Whether errors of the harmonics leave the first network alone.
          amps_scale_fn: From raw amplitudes and magnitudes to values >= 0.
          softmax_fn: The softmax over bins that is the default `freq_scale_fn`.
          **kwargs: Passed on to `keras.Model`.
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
        # The synthesisers take what is scaled already.
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

    def generate_synthetic_audio(self, features: Mapping[str, Any]) -> tf.Tensor:
        """Renders synthetic notes.

        Args:
          features: 'sin_amps' and 'sin_freqs' (Hz) [batch, time, n_sinusoids],
            'noise_magnitudes' [batch, time, n_bands].

        Returns:
          [batch, n_samples].

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
        self, features: Sequence[Mapping[str, Any]]
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Tells recordings from synthetic notes in a pair of both.

        Args:
          features: Two batches in any order, of which one has 'sin_amps'.

        Returns:
          Recordings, synthetic notes.

        Raises:
          ValueError: If they are not one of each.
        """
        synthetic = ["sin_amps" in batch for batch in features]
        if sorted(synthetic) != [False, True]:
            raise ValueError(
                "A pair of batches must be one of recordings and one of synthetic "
                "notes, which have 'sin_amps'; got batches with "
                f"{[sorted(batch) for batch in features]}."
            )
        return features[synthetic.index(False)], features[synthetic.index(True)]

    def get_audio_from_outputs(self, outputs: dict[str, Any]) -> tf.Tensor:
        """[batch, n_samples], rendered from harmonics, from sinusoids without those."""
        return outputs["sin_audio" if self.harmonic_encoder is None else "harm_audio"]

    def call(self, features: Any, training: bool = True) -> dict[str, Any]:
        """Finds sinusoids and harmonics.

        Args:
          features: A batch of recordings or of synthetic notes, or a pair of both.
          training: Whether this is a training step.

        Returns:
          What `forward` returns, for the recordings if there are both. Beside it, for
          synthetic notes, their features under 'target'; for a pair all that under
          'synthetic'.

        Raises:
          ValueError: If a feature is missing, or a pair is not one of each.
        """
        if isinstance(features, list | tuple):
            recorded, synthetic = self.parse_zipped_features(features)
            self._require(recorded, "audio")
            synthetic = self._with_audio(synthetic)
            # One pass over both is faster than two.
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

    def _with_audio(self, features: Mapping[str, Any]) -> dict[str, Any]:
        return {**features, "audio": self.generate_synthetic_audio(features)}

    def compute_losses(self, outputs: dict[str, Any]) -> dict[str, tf.Tensor]:
        """{name: scalar} from what `call` returned."""
        losses = self.append_losses(outputs)
        for synthetic in (outputs, outputs.get("synthetic", {})):
            if "target" in synthetic:
                losses.update(self.append_losses(synthetic, synthetic["target"]))
        return losses

    def append_losses(
        self,
        outputs: Mapping[str, Any],
        self_supervised_features: Mapping[str, Any] | None = None,
    ) -> dict[str, tf.Tensor]:
        """Compares outputs with their own audio, or with known controls.

        Args:
          outputs: From `forward`.
          self_supervised_features: The synthetic notes that were rendered. Without them
            the outputs are compared with their audio and with one another.

        Returns:
          {name: scalar}, where names begin with 'sin_' or 'harm_' for the audio that
          was rendered, with 'ss_' for known controls.
        """
        if self_supervised_features is None:
            return self._unsupervised_losses(outputs)
        return self._self_supervised_losses(outputs, self_supervised_features)

    def _unsupervised_losses(self, o: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        harmonic = self.harmonic_encoder is not None
        losses = {}
        for kind in ("sin", "harm") if harmonic else ("sin",):
            losses.update(
                losses_dict(
                    self.audio_loss_objs,
                    o["audio"],
                    o[f"{kind}_audio"],
                    prefix=f"{kind}_",
                )
            )
        if harmonic:
            losses.update(losses_dict(self.harmonic_distribution_prior, o["harm_dist"]))
            sinusoids = o["sin_amps"], o["sin_freqs"]
            if self.stop_gradient:
                sinusoids = tuple(map(tf.stop_gradient, sinusoids))
            losses.update(
                losses_dict(
                    self.sinusoidal_consistency_losses,
                    *sinusoids,
                    o["harm_amps"],
                    o["harm_freqs"],
                )
            )
        f0_candidates = o["f0_hz"] if harmonic else o["sin_freqs"]
        losses.update(
            losses_dict(self.twm_loss, f0_candidates, o["sin_freqs"], o["sin_amps"])
        )
        return losses

    def _self_supervised_losses(
        self, o: Mapping[str, Any], target: Mapping[str, Any]
    ) -> dict[str, tf.Tensor]:
        losses = losses_dict(
            self.sinusoidal_consistency_losses,
            o["sin_amps"],
            o["sin_freqs"],
            target["sin_amps"],
            target["sin_freqs"],
            prefix="ss_",
        )
        losses.update(
            losses_dict(
                self.filtered_noise_consistency_loss,
                o["noise_magnitudes"],
                target["noise_magnitudes"],
                prefix="ss_",
            )
        )
        if self.harmonic_encoder is None:
            return losses
        for loss in self.harmonic_consistency_losses:
            keys, prefix = ["harm_amp", "f0_hz"], "ss_harm_"
            controls = [source[key] for source in (o, target) for key in keys]
            if isinstance(loss, ddsp_losses.HarmonicConsistencyLoss):
                keys, prefix = ["harm_amp", "harm_dist", "f0_hz"], "ss_"
                controls = [source[key] for key in keys for source in (o, target)]
            losses.update(losses_dict(loss, *controls, prefix=prefix))
        return losses

    def forward(
        self, features: Mapping[str, Any], training: bool = True
    ) -> dict[str, Any]:
        """Finds sinusoids and harmonics in audio, and renders both.

        Args:
          features: 'audio' [batch, n_samples].
          training: Whether this is a training step.

        Returns:
          'audio'; 'sin_freqs' (Hz) and 'sin_amps' [batch, time, n_sinusoids],
          'noise_magnitudes' [batch, time, n_bands] and 'sin_audio' [batch, n_samples];
          with a harmonic encoder 'f0_hz' and 'harm_amp' [batch, time, 1], 'harm_dist',
          'harm_freqs' (Hz) and 'harm_amps' [batch, time, n_harmonics] and 'harm_audio';
          and what each processor made of the sinusoids, under its name.

        Raises:
          ValueError: If there is no audio.
        """
        del training  # Keras tells the layers inside.
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


def _rows(outputs: Mapping[str, Any], rows: slice) -> dict[str, Any]:
    """Some examples of a batch of outputs; of what each processor made the signal."""
    chosen: dict[str, Any] = {}
    for key, value in outputs.items():
        if not isinstance(value, Mapping):
            chosen[key] = value[rows]
        elif "signal" in value:
            chosen[key] = {"signal": value["signal"][rows]}
    return chosen
