"""Evaluators: metrics of a model and examples of its output, for TensorBoard."""

import gin
import keras
import numpy as np
import tensorflow as tf

from ddsp import losses as ddsp_losses
from ddsp.training import heuristics, metrics, summaries
from ddsp.types import Midi, Outputs, Tensors


class BaseEvaluator:
    """Base class of evaluators.

    An evaluation calls `evaluate` for each batch, `sample` for the batches to show, and
    `flush` at the end. Subclasses override what they need.

    Example:

    >>> from ddsp.training import evaluators
    >>> class PeakEvaluator(evaluators.BaseEvaluator):
    ...     peak = 0.0
    ...     def evaluate(self, batch, outputs, losses):
    ...         self.peak = max(self.peak, np.max(np.abs(outputs["audio_gen"])))
    ...     def flush(self, step):
    ...         return {"peak": float(self.peak)}
    >>> evaluator = PeakEvaluator(sample_rate=16000, frame_rate=250)
    >>> evaluator.evaluate({}, {"audio_gen": np.full([1, 64], 0.5)}, losses=None)
    >>> evaluator.flush(step=0)
    {'peak': 0.5}
    """

    def __init__(self, sample_rate: int, frame_rate: int):
        """Initializes the evaluator.

        Args:
          sample_rate: Sample rate of the audio, in Hz.
          frame_rate: Frames per second of the features.
        """
        self.set_rates(sample_rate, frame_rate)

    def set_rates(self, sample_rate: int, frame_rate: int) -> None:
        """Sets the sample rate in Hz and the frame rate in frames per second."""
        self._sample_rate = sample_rate
        self._frame_rate = frame_rate

    def evaluate(self, batch: Tensors, output: Outputs, losses: Tensors | None) -> None:
        """Adds a batch to the metrics.

        Args:
          batch: Features from the data provider.
          output: Outputs of the model, with the resynthesis `audio_gen`, [batch,
            n_samples].
          losses: Scalar losses of the model by name, or None.
        """

    def sample(self, batch: Tensors, outputs: Outputs, step: int) -> None:
        """Writes examples of a batch to the current summary writer.

        Args:
          batch: Features from the data provider.
          outputs: Outputs of the model, with `audio_gen`.
          step: Training step.
        """

    def flush(self, step: int) -> dict[str, float]:
        """Writes the metrics to the summaries and resets them.

        Args:
          step: Training step.

        Returns:
          The metrics by name.
        """
        return {}


@gin.configurable
class BasicEvaluator(BaseEvaluator):
    """Losses and energy shares; examples as waveform, spectrogram and audio.

    Example:

    >>> from ddsp.training import evaluators
    >>> evaluator = evaluators.BasicEvaluator(sample_rate=16000, frame_rate=250)
    >>> batch = {"audio": np.zeros([2, 64])}
    >>> evaluator.evaluate(batch, {}, losses={"total_loss": 3.0})
    >>> evaluator.evaluate(batch, {}, losses={"total_loss": 1.0})
    >>> evaluator.flush(step=0)
    {'losses/total_loss': 2.0}
    """

    def __init__(self, sample_rate: int, frame_rate: int):
        """Initializes the evaluator.

        Args:
          sample_rate: Sample rate of the audio, in Hz.
          frame_rate: Frames per second of the features.
        """
        super().__init__(sample_rate, frame_rate)
        self._means: dict[str, keras.metrics.Mean] = {}

    def evaluate(
        self, batch: Tensors, outputs: Outputs, losses: Tensors | None
    ) -> None:
        """Adds losses and energy shares of a batch."""
        shares = outputs.get("energy_shares", {})
        values = {
            **{f"losses/{name}": value for name, value in (losses or {}).items()},
            **{f"energy_share/{name}": value for name, value in shares.items()},
        }
        for name, value in values.items():
            mean = self._means.setdefault(name, keras.metrics.Mean())
            mean.update_state(value, sample_weight=len(batch["audio"]))

    def sample(self, batch: Tensors, outputs: Outputs, step: int) -> None:
        """Writes audio, waveforms and spectrograms."""
        audio, audio_gen = batch["audio"], outputs["audio_gen"]
        summaries.audio_summary(audio, step, self._sample_rate, name="audio_original")
        summaries.audio_summary(audio_gen, step, self._sample_rate, name="audio_gen")
        summaries.waveform_summary(audio, audio_gen, step)
        summaries.spectrogram_summary(audio, audio_gen, step)

    def flush(self, step: int) -> dict[str, float]:
        """Writes the metrics to the summaries and resets them."""
        results = {}
        for name, mean in self._means.items():
            results[name] = float(mean.result())
            tf.summary.scalar(name, results[name], step)
        self._means = {}
        return results


@gin.configurable
class F0LdEvaluator(BaseEvaluator):
    """Differences in f0 and loudness between recording and resynthesis.

    Example:

    >>> from ddsp.training import evaluators
    >>> evaluator = evaluators.F0LdEvaluator(16000, 250, run_f0_crepe=False)
    >>> audio = np.sin(np.arange(6400, dtype=np.float32) / 6.0)[np.newaxis]
    >>> evaluator.evaluate({"audio": audio}, {"audio_gen": 0.1 * audio}, losses=None)
    >>> evaluator.flush(step=0)
    {'metrics/loudness/loudness_db': 20.0}
    """

    def __init__(self, sample_rate: int, frame_rate: int, run_f0_crepe: bool = True):
        """Initializes the evaluator.

        Args:
          sample_rate: Sample rate of the audio, in Hz.
          frame_rate: Frames per second of the features.
          run_f0_crepe: Whether to track the f0 of the resynthesis.
        """
        super().__init__(sample_rate, frame_rate)
        self._loudness = metrics.LoudnessMetrics(sample_rate, frame_rate)
        self._predicted_f0 = metrics.F0Metrics(sample_rate, frame_rate)
        self._tracked_f0 = metrics.F0CrepeMetrics(sample_rate, frame_rate)
        self._run_f0_crepe = run_f0_crepe

    def evaluate(
        self, batch: Tensors, outputs: Outputs, losses: Tensors | None
    ) -> None:
        """Adds the f0 and loudness differences of a batch."""
        audio_gen = outputs["audio_gen"]
        self._loudness.update_state(batch, audio_gen)
        if _predicts_f0(batch, outputs):
            self._predicted_f0.update_state(batch, outputs["f0_hz"])
        if self._run_f0_crepe:
            self._tracked_f0.update_state(batch, audio_gen)

    def sample(self, batch: Tensors, outputs: Outputs, step: int) -> None:
        """Writes plots of predicted and tracked f0."""
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
        """Writes the metrics to the summaries and resets them."""
        groups = (self._loudness, self._predicted_f0, self._tracked_f0)
        return {
            name: value for group in groups for name, value in group.flush(step).items()
        }


@gin.configurable
class TWMEvaluator(BaseEvaluator):
    """Accuracy of the f0 that two-way mismatch estimates from sinusoids.

    Example:

    >>> from ddsp.training import evaluators
    >>> evaluator = evaluators.TWMEvaluator(sample_rate=16000, frame_rate=250)
    >>> harmonics = 220.0 * np.ones([1, 10, 1]) * np.arange(1.0, 7.0)
    >>> controls = {"frequencies": harmonics, "amplitudes": np.ones([1, 10, 6])}
    >>> batch = {"f0_hz": np.full([1, 10], 220.0), "f0_confidence": np.ones([1, 10])}
    >>> outputs = {"sinusoidal": {"controls": controls}}
    >>> evaluator.evaluate(batch, outputs, losses=None)
    >>> evaluator.flush(step=0)["metrics/f0_twm/raw_pitch_accuracy"]
    1.0
    """

    def __init__(
        self,
        sample_rate: int,
        frame_rate: int,
        processor_name: str = "sinusoidal",
        noisy: bool = False,
    ):
        """Initializes the evaluator.

        Args:
          sample_rate: Sample rate of the audio, in Hz.
          frame_rate: Frames per second of the features.
          processor_name: Name of the synthesizer in the outputs, which has the controls
            `frequencies` and `amplitudes`.
          noisy: Whether to subtract the noise part of the amplitudes, according to the
            control `noise_ratios`.
        """
        super().__init__(sample_rate, frame_rate)
        self._processor_name = processor_name
        self._noisy = noisy
        self._f0 = metrics.F0Metrics(sample_rate, frame_rate, name="f0_twm")

    def evaluate(
        self, batch: Tensors, outputs: Outputs, losses: Tensors | None
    ) -> None:
        """Adds the f0 accuracy of a batch."""
        self._f0.update_state(batch, self._find_f0(outputs))

    def sample(self, batch: Tensors, outputs: Outputs, step: int) -> None:
        """Writes plots of the estimated f0."""
        shown = summaries.MAX_EXAMPLES
        f0_hz = self._find_f0(outputs)[:shown]
        summaries.f0_summary(batch["f0_hz"][:shown], f0_hz, step, name="f0_twm")

    def flush(self, step: int) -> dict[str, float]:
        """Writes the metrics to the summaries and resets them."""
        return self._f0.flush(step)

    def _find_f0(self, outputs: Outputs) -> np.ndarray:
        """Returns f0 in Hz, [batch, n_frames, 1]."""
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
        # Every sinusoid is a candidate for the fundamental.
        return np.asarray(twm.predict_f0(frequencies, frequencies, amplitudes))


@gin.configurable
class MidiAutoencoderEvaluator(BaseEvaluator):
    """Notes of a MIDI autoencoder, compared with the reference, and their decoding.

    Example:

    >>> from ddsp.training import evaluators
    >>> evaluator = evaluators.MidiAutoencoderEvaluator(16000, frame_rate=250)
    >>> roll = np.zeros([1, 100, 128])
    >>> roll[:, 20:80, 69] = 1.0
    >>> f0_hz = np.full([1, 100], 440.0) * (roll[..., 69] > 0)
    >>> batch = {"note_active_velocities": roll, "f0_hz": f0_hz}
    >>> evaluator.evaluate(batch, {"pianoroll": roll}, losses=None)
    >>> evaluator.flush(step=0)["metrics/midi/learned/onset/f1"]
    1.0
    """

    def __init__(
        self,
        sample_rate: int,
        frame_rate: int,
        db_key: str = "loudness_db",
        f0_key: str = "f0_hz",
    ):
        """Initializes the evaluator.

        Args:
          sample_rate: Sample rate of the audio, in Hz.
          frame_rate: Frames per second of the features.
          db_key: Name of the loudness or power in dB.
          f0_key: Name of the f0 in Hz.
        """
        super().__init__(sample_rate, frame_rate)
        self._notes = metrics.MidiMetrics(frame_rate, tag="learned")
        self._db_key = db_key
        self._f0_key = f0_key

    def evaluate(
        self, batch: Tensors, outputs: Outputs, losses: Tensors | None
    ) -> None:
        """Adds the notes of a batch."""
        self._notes.update_state({**batch, **outputs}, _without_rests(outputs))

    def sample(self, batch: Tensors, outputs: Outputs, step: int) -> None:
        """Writes audio, and plots of notes and controls."""
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
        """Writes the metrics to the summaries and resets them."""
        return self._notes.flush(step)


@gin.configurable
class MidiHeuristicEvaluator(BaseEvaluator):
    """Notes that a heuristic finds in the controls, compared with the reference.

    The heuristic is `heuristics.segment_notes_batch`, as configured in gin; by default
    with `midi_heuristic`, `mean_f0` and `median_amps`.

    Example:

    >>> from ddsp.training import evaluators
    >>> evaluator = evaluators.MidiHeuristicEvaluator(16000, frame_rate=250)
    >>> on = np.zeros([1, 100, 1], np.float32)
    >>> on[:, 20:80] = 1.0
    >>> roll = on * (np.arange(128) == 69)
    >>> batch = {"note_active_velocities": roll}
    >>> controls = {"f0_hz": 440.0 * on, "amplitudes": on}
    >>> outputs = {"f0_hz": 440.0 * on, "harmonic": {"controls": controls}}
    >>> evaluator.evaluate(batch, outputs, losses=None)
    >>> evaluator.flush(step=0)["metrics/midi/heuristic/onset/f1"]
    1.0
    """

    def __init__(self, sample_rate: int, frame_rate: int):
        """Initializes the evaluator.

        Args:
          sample_rate: Sample rate of the audio, in Hz.
          frame_rate: Frames per second of the features.
        """
        super().__init__(sample_rate, frame_rate)
        self._notes = metrics.MidiMetrics(frame_rate, tag="heuristic")

    def evaluate(
        self, batch: Tensors, outputs: Outputs, losses: Tensors | None
    ) -> None:
        """Adds the notes that are detected in a batch."""
        controls = {**batch, **outputs}
        self._notes.update_state(controls, self._find_notes(controls))

    def sample(self, batch: Tensors, outputs: Outputs, step: int) -> None:
        """Writes plots of the detected notes."""
        controls = {**batch, **outputs}
        key = "heuristic_notes"
        controls[key] = self._find_notes(controls)
        summaries.midi_summary(controls, step, "heuristic", self._frame_rate, key)
        summaries.pianoroll_summary(controls, step, "heuristic", self._frame_rate, key)

    def flush(self, step: int) -> dict[str, float]:
        """Writes the metrics to the summaries and resets them."""
        return self._notes.flush(step)

    def _find_notes(self, controls: Tensors) -> list[Midi]:
        rules = {
            "binarize_f": heuristics.midi_heuristic,
            "pick_f0_f": heuristics.mean_f0,
            "pick_amps_f": heuristics.median_amps,
            "frame_rate": self._frame_rate,
            **gin.get_bindings(heuristics.segment_notes_batch),
        }
        return heuristics.segment_notes_batch(controls_batch=controls, **rules)


def _predicts_f0(batch: Tensors, outputs: Outputs) -> bool:
    """Returns whether the f0 of the outputs differs from that of the batch."""
    if "f0_hz" not in outputs or "f0_hz" not in batch:
        return False
    target, predicted = (np.asarray(source["f0_hz"]) for source in (batch, outputs))
    return target.size != predicted.size or not np.allclose(
        target.ravel(), predicted.ravel()
    )


def _without_rests(outputs: Outputs) -> np.ndarray:
    """Returns the piano rolls of a MIDI autoencoder, in which note 0 is a rest."""
    rolls = np.array(outputs["pianoroll"], np.float32)
    rolls[:, :, 0] = 0.0
    return rolls
