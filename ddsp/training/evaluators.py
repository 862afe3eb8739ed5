"""What an evaluation measures, and what it shows of single examples."""

from typing import Any

import gin
import keras
import numpy as np
import tensorflow as tf

from ddsp import losses as ddsp_losses
from ddsp.training import heuristics, metrics, summaries


class BaseEvaluator:
    """Base class of evaluators.

    For each batch `evaluate` takes measures and `sample` writes examples; `flush`
    ends an evaluation. The outputs of the model come with `audio_gen`, the
    resynthesis, `[batch, n_samples]`.
    """

    def __init__(self, sample_rate: int, frame_rate: int):
        """Constructor.

        Args:
          sample_rate: Of the audio, samples a second.
          frame_rate: Of the features, frames a second.
        """
        self.set_rates(sample_rate, frame_rate)

    def set_rates(self, sample_rate: int, frame_rate: int) -> None:
        """Changes the rates, samples and frames a second."""
        self._sample_rate = sample_rate
        self._frame_rate = frame_rate

    def evaluate(self, batch: Any, output: Any, losses: Any) -> None:
        """Takes a batch into the measures.

        Args:
          batch: Features as the data provider gives them.
          output: Outputs of the model, with `audio_gen`.
          losses: Losses of the model, or None.
        """

    def sample(self, batch: Any, outputs: Any, step: int) -> None:
        """Writes examples of a batch to the current summary writer.

        Args:
          batch: Features as the data provider gives them.
          outputs: Outputs of the model, with `audio_gen`.
          step: Training step.
        """

    def flush(self, step: int) -> dict[str, float]:
        """Logs the measures and starts them afresh.

        Args:
          step: Training step.

        Returns:
          The measures by their logged names.
        """
        return {}


@gin.configurable
class BasicEvaluator(BaseEvaluator):
    """Losses and energy shares; examples as waveform, spectrogram and audio."""

    def __init__(self, sample_rate: int, frame_rate: int):
        super().__init__(sample_rate, frame_rate)
        self._means: dict[str, keras.metrics.Mean] = {}

    def evaluate(self, batch: Any, outputs: Any, losses: Any) -> None:
        shares = outputs.get("energy_shares", {})
        measures = {
            **{f"losses/{name}": value for name, value in (losses or {}).items()},
            **{f"energy_share/{name}": value for name, value in shares.items()},
        }
        for name, value in measures.items():
            mean = self._means.setdefault(name, keras.metrics.Mean())
            mean.update_state(value, sample_weight=len(batch["audio"]))

    def sample(self, batch: Any, outputs: Any, step: int) -> None:
        audio, audio_gen = batch["audio"], outputs["audio_gen"]
        summaries.audio_summary(audio, step, self._sample_rate, name="audio_original")
        summaries.audio_summary(audio_gen, step, self._sample_rate, name="audio_gen")
        summaries.waveform_summary(audio, audio_gen, step)
        summaries.spectrogram_summary(audio, audio_gen, step)

    def flush(self, step: int) -> dict[str, float]:
        results = {}
        for name, mean in self._means.items():
            results[name] = float(mean.result())
            tf.summary.scalar(name, results[name], step)
        self._means = {}
        return results


@gin.configurable
class F0LdEvaluator(BaseEvaluator):
    """Differences in pitch and loudness between recording and resynthesis."""

    def __init__(self, sample_rate: int, frame_rate: int, run_f0_crepe: bool = True):
        """Constructor.

        Args:
          sample_rate: Of the audio, samples a second.
          frame_rate: Of the features, frames a second.
          run_f0_crepe: Whether to track the pitch of the resynthesis.
        """
        super().__init__(sample_rate, frame_rate)
        self._loudness = metrics.LoudnessMetrics(sample_rate, frame_rate)
        self._predicted_f0 = metrics.F0Metrics(sample_rate, frame_rate)
        self._tracked_f0 = metrics.F0CrepeMetrics(sample_rate, frame_rate)
        self._run_f0_crepe = run_f0_crepe

    def evaluate(self, batch: Any, outputs: Any, losses: Any) -> None:
        audio_gen = outputs["audio_gen"]
        self._loudness.update_state(batch, audio_gen)
        if _predicts_f0(batch, outputs):
            self._predicted_f0.update_state(batch, outputs["f0_hz"])
        if self._run_f0_crepe:
            self._tracked_f0.update_state(batch, audio_gen)

    def sample(self, batch: Any, outputs: Any, step: int) -> None:
        if _predicts_f0(batch, outputs):
            summaries.f0_summary(
                batch["f0_hz"], outputs["f0_hz"], step, name="predicted"
            )
        if self._run_f0_crepe:
            shown = summaries.MAX_EXAMPLES
            f0_hz = batch["f0_hz"][:shown]
            f0_hz_gen, _ = self._tracked_f0.track(
                outputs["audio_gen"][:shown], f0_hz.shape[1]
            )
            summaries.f0_summary(f0_hz, f0_hz_gen, step, name="tracked")

    def flush(self, step: int) -> dict[str, float]:
        groups = (self._loudness, self._predicted_f0, self._tracked_f0)
        return {
            name: value for group in groups for name, value in group.flush(step).items()
        }


@gin.configurable
class TWMEvaluator(BaseEvaluator):
    """Accuracy of the pitch that two-way mismatch finds in sinusoids."""

    def __init__(
        self,
        sample_rate: int,
        frame_rate: int,
        processor_name: str = "sinusoidal",
        noisy: bool = False,
    ):
        """Constructor.

        Args:
          sample_rate: Of the audio, samples a second.
          frame_rate: Of the features, frames a second.
          processor_name: Name of the synthesiser, whose controls `frequencies` and
            `amplitudes` are taken from the outputs.
          noisy: Whether its control `noise_ratios` says how much of each amplitude is
            noise, which counts for nothing.
        """
        super().__init__(sample_rate, frame_rate)
        self._processor_name = processor_name
        self._noisy = noisy
        self._f0 = metrics.F0Metrics(sample_rate, frame_rate, name="f0_twm")

    def evaluate(self, batch: Any, outputs: Any, losses: Any) -> None:
        self._f0.update_state(batch, self._find_f0(outputs))

    def sample(self, batch: Any, outputs: Any, step: int) -> None:
        shown = summaries.MAX_EXAMPLES
        f0_hz = self._find_f0(outputs)[:shown]
        summaries.f0_summary(batch["f0_hz"][:shown], f0_hz, step, name="f0_twm")

    def flush(self, step: int) -> dict[str, float]:
        return self._f0.flush(step)

    def _find_f0(self, outputs: Any) -> np.ndarray:
        """`[batch, n_frames, 1]`, Hz."""
        if self._processor_name not in outputs:
            raise ValueError(
                f"Two-way mismatch needs the sinusoids of {self._processor_name!r}, "
                f"got {sorted(outputs)}."
            )
        controls = outputs[self._processor_name]["controls"]
        frequencies, amplitudes = controls["frequencies"], controls["amplitudes"]
        if self._noisy:
            amplitudes = amplitudes * (1.0 - controls["noise_ratios"])
        twm = ddsp_losses.TWMLoss(sample_rate=self._sample_rate)
        # Every sinusoid may be the fundamental.
        return np.asarray(twm.predict_f0(frequencies, frequencies, amplitudes))


@gin.configurable
class MidiAutoencoderEvaluator(BaseEvaluator):
    """Notes of a MIDI autoencoder against those played, and what they decode to."""

    def __init__(
        self,
        sample_rate: int,
        frame_rate: int,
        db_key: str = "loudness_db",
        f0_key: str = "f0_hz",
    ):
        """Constructor.

        Args:
          sample_rate: Of the audio, samples a second.
          frame_rate: Of the features, frames a second.
          db_key: Name of the loudness or power.
          f0_key: Name of the pitch.
        """
        super().__init__(sample_rate, frame_rate)
        self._notes = metrics.MidiMetrics(frame_rate, tag="learned")
        self._db_key = db_key
        self._f0_key = f0_key

    def evaluate(self, batch: Any, outputs: Any, losses: Any) -> None:
        self._notes.update_state({**batch, **outputs}, _without_rests(outputs))

    def sample(self, batch: Any, outputs: Any, step: int) -> None:
        audio, f0_hz = batch["audio"], batch[self._f0_key]
        summaries.audio_summary(audio, step, self._sample_rate, name="audio_original")
        for key in ("midi_audio", "synth_audio", "midi_audio2", "synth_audio2"):
            if outputs.get(key) is not None:
                summaries.audio_summary(outputs[key], step, self._sample_rate, name=key)
                summaries.spectrogram_summary(audio, outputs[key], step, tag=key)
                summaries.waveform_summary(audio, outputs[key], step, name=key)
        predicted = outputs[f"{self._f0_key}_pred"]
        summaries.f0_summary(f0_hz, predicted, step, name="f0_hz_rec")
        rolls = {**batch, **outputs, "pianoroll": _without_rests(outputs)}
        summaries.pianoroll_summary(
            rolls, step, "pianoroll", self._frame_rate, "pianoroll"
        )
        summaries.midiae_f0_summary(f0_hz, outputs, step)
        if self._db_key in batch:
            loudness = batch[self._db_key]
            summaries.midiae_ld_summary(loudness, outputs, step, self._db_key)
        summaries.midiae_sp_summary(outputs, step)

    def flush(self, step: int) -> dict[str, float]:
        return self._notes.flush(step)


@gin.configurable
class MidiHeuristicEvaluator(BaseEvaluator):
    """Notes found by rule in the controls, against those played.

    The rules are those that `heuristics.segment_notes_batch` is configured with, or
    `midi_heuristic`, `mean_f0` and `median_amps`.
    """

    def __init__(self, sample_rate: int, frame_rate: int):
        super().__init__(sample_rate, frame_rate)
        self._notes = metrics.MidiMetrics(frame_rate, tag="heuristic")

    def evaluate(self, batch: Any, outputs: Any, losses: Any) -> None:
        controls = {**batch, **outputs}
        self._notes.update_state(controls, self._find_notes(controls))

    def sample(self, batch: Any, outputs: Any, step: int) -> None:
        controls = {**batch, **outputs}
        key = "heuristic_notes"
        controls[key] = self._find_notes(controls)
        summaries.midi_summary(controls, step, "heuristic", self._frame_rate, key)
        summaries.pianoroll_summary(controls, step, "heuristic", self._frame_rate, key)

    def flush(self, step: int) -> dict[str, float]:
        return self._notes.flush(step)

    def _find_notes(self, controls: Any) -> list[Any]:
        rules = {
            "binarize_f": heuristics.midi_heuristic,
            "pick_f0_f": heuristics.mean_f0,
            "pick_amps_f": heuristics.median_amps,
            "frame_rate": self._frame_rate,
            **gin.get_bindings(heuristics.segment_notes_batch),
        }
        return heuristics.segment_notes_batch(controls_batch=controls, **rules)


def _predicts_f0(batch: Any, outputs: Any) -> bool:
    """Whether the model has a pitch of its own, not the one it was given."""
    if "f0_hz" not in outputs or "f0_hz" not in batch:
        return False
    given, used = (np.asarray(source["f0_hz"]) for source in (batch, outputs))
    return given.size != used.size or not np.allclose(given.ravel(), used.ravel())


def _without_rests(outputs: Any) -> np.ndarray:
    """Piano rolls of a MIDI autoencoder, whose notes are 0 where it is silent."""
    rolls = np.array(outputs["pianoroll"], np.float32)
    rolls[:, :, 0] = 0.0
    return rolls
