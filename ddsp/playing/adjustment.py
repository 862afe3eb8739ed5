"""Adjusts the features of a recording to the range of the training data."""

import dataclasses
from typing import Any

import numpy as np

from ddsp import core
from ddsp.training import postprocessing

_FLOOR_DB = -80.0
# Above the floor by this much a frame is no longer called silent.
_FADE_DB = 10.0
_MAJOR_SCALE = (0.0, 2.0, 4.0, 5.0, 7.0, 9.0, 11.0)


@dataclasses.dataclass(frozen=True)
class Adjustment:
    """Settings of the adjustment of features before synthesis.

    Attributes:
      automatic: Whether to shift the pitch by octaves into the range of the training
        data, and to map the loudness of notes to its distribution. Needs statistics.
      threshold: Threshold of note detection; see `postprocessing.detect_notes`.
      quiet: Attenuation of frames without a note, in dB, >= 0.
      autotune: Amount of pitch correction toward the nearest semitone, 0 to 1.
      pitch_shift: Pitch shift in semitones, applied last.
      octave_shift: Pitch shift in octaves, applied last.
      loudness_shift: Loudness shift in dB, applied last.

    Example:

    >>> from ddsp.playing.adjustment import Adjustment
    >>> Adjustment(octave_shift=1.0).pitch_shift
    0.0
    """

    automatic: bool = True
    threshold: float = 1.0
    quiet: float = 20.0
    autotune: float = 0.0
    pitch_shift: float = 0.0
    octave_shift: float = 0.0
    loudness_shift: float = 0.0

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not np.isfinite(value):
                raise ValueError(f"`{field.name}` must be finite, got {value}.")
        if not 0.0 <= self.autotune <= 1.0:
            raise ValueError(f"`autotune` must be from 0 to 1, got {self.autotune}.")
        if self.quiet < 0.0:
            raise ValueError(f"`quiet` must be at least 0 dB, got {self.quiet}.")
        if self.threshold <= 0.0:
            raise ValueError(f"`threshold` must be above 0, got {self.threshold}.")


@dataclasses.dataclass(frozen=True)
class Adjusted:
    """Features ready for a model, and what was done to them.

    Attributes:
      f0_hz: [n_frames], Hz.
      loudness_db: [n_frames], dB, >= -80.
      gate: [n_frames], 0 to 1: the gain that keeps unpitched and silent frames quiet.
      mask_on: [n_frames], bool, true where a note sounds.
      octaves: Octaves by which the pitch was shifted automatically.
      mapped: Whether the loudness was mapped to the training data's.
    """

    f0_hz: np.ndarray
    loudness_db: np.ndarray
    gate: np.ndarray
    mask_on: np.ndarray
    octaves: int
    mapped: bool


def adjust_features(
    f0_hz: np.ndarray,
    f0_confidence: np.ndarray,
    loudness_db: np.ndarray,
    adjustment: Adjustment,
    statistics: dict[str, Any] | None = None,
) -> Adjusted:
    """Adjusts the features of one performance.

    Args:
      f0_hz: [n_frames], Hz.
      f0_confidence: [n_frames], 0 to 1.
      loudness_db: [n_frames], dB.
      adjustment: What to do.
      statistics: Of the training data, from
        `postprocessing.compute_dataset_statistics`. Without them nothing is
        automatic.

    Returns:
      The adjusted features.
    """
    mask_on, note_on_value = postprocessing.detect_notes(
        loudness_db, f0_confidence, adjustment.threshold
    )
    reference = statistics if adjustment.automatic and mask_on.any() else None
    midi = np.asarray(core.hz_to_midi(f0_hz), dtype=np.float64)
    if adjustment.autotune:
        tuning_factor = get_tuning_factor(midi, f0_confidence, mask_on)
        midi = auto_tune(midi, tuning_factor, mask_on, adjustment.autotune)
    octaves = 0
    # Statistics of data without notes say nothing of pitch.
    if reference and reference["note_on_fraction"] > 0.0:
        octaves = nearest_octaves(midi[mask_on], reference["mean_pitch"])
    midi += 12.0 * (octaves + adjustment.octave_shift) + adjustment.pitch_shift

    loudness = np.asarray(loudness_db, dtype=np.float64)
    if reference:
        transform = reference["quantile_transform"]
        loudness = map_loudness(loudness, mask_on, transform)
    # 0 in notes, 1 where there is surely none.
    off = 1.0 - np.clip(note_on_value / adjustment.threshold, 0.0, 1.0)
    loudness = loudness - adjustment.quiet * off + adjustment.loudness_shift
    # A model may answer even the lowest loudness with a tone, so its sound is turned
    # down too: hardly beside a note, and three times as far where there is none.
    gate = 10.0 ** (-3.0 * adjustment.quiet * off**2 / 20.0)
    audible = np.clip((np.asarray(loudness_db) - _FLOOR_DB) / _FADE_DB, 0.0, 1.0)
    gate *= np.where(mask_on, 1.0, audible)
    sounding = np.asarray(f0_hz) > 0.0
    return Adjusted(
        f0_hz=np.where(sounding, core.midi_to_hz(midi), 0.0).astype(np.float32),
        loudness_db=np.maximum(loudness, _FLOOR_DB).astype(np.float32),
        gate=gate.astype(np.float32),
        mask_on=mask_on,
        octaves=octaves,
        mapped=reference is not None,
    )


def nearest_octaves(midi: np.ndarray, target_midi: float) -> int:
    """Octaves by which to shift pitches so that their mean is nearest to a target.

    Args:
      midi: Any shape, MIDI pitch.
      target_midi: MIDI pitch.

    Returns:
      Whole octaves, positive upwards.
    """
    return round((target_midi - float(np.mean(midi))) / 12.0)


def map_loudness(
    loudness_db: np.ndarray,
    mask_on: np.ndarray,
    target: postprocessing.QuantileTransformer,
) -> np.ndarray:
    """Gives the notes the distribution of loudness of the training data.

    Frames outside notes follow the same curve, held parallel beyond its ends, but
    are never made louder: the background does not rise with the notes.

    Args:
      loudness_db: [n_frames], dB.
      mask_on: [n_frames], bool, with at least one true.
      target: Fitted to the loudness of the training data.

    Returns:
      [n_frames], dB.
    """
    fitted, mapped = postprocessing.fit_quantile_transform(loudness_db, mask_on, target)
    mapped = mapped[:, 0]
    off = loudness_db[~mask_on]
    if off.size:
        low, high = fitted.inverse_transform([0.0, 1.0])
        inside = np.clip(off, low, high)
        curve = target.inverse_transform(fitted.transform(inside)) + (off - inside)
        mapped[~mask_on] = np.minimum(curve, off)
    return mapped


def get_tuning_factor(
    f0_midi: np.ndarray, f0_confidence: np.ndarray, mask_on: np.ndarray
) -> float:
    """Estimates how far a performance lies off concert pitch.

    The circular mean, weighted by confidence, of the distances to the nearest
    semitone.

    Args:
      f0_midi: [n_frames], MIDI pitch.
      f0_confidence: [n_frames], 0 to 1.
      mask_on: [n_frames], bool.

    Returns:
      Semitones above the equal-tempered scale at A4 = 440 Hz, -0.5 to 0.5.
    """
    weights = np.where(mask_on, f0_confidence, 0.0)
    return float(np.angle(np.sum(weights * np.exp(2j * np.pi * f0_midi))) / (2 * np.pi))


def auto_tune(
    f0_midi: np.ndarray,
    tuning_factor: float,
    mask_on: np.ndarray,
    amount: float = 0.0,
    chromatic: bool = True,
) -> np.ndarray:
    """Pulls notes to the nearest semitone, or note of a scale, of concert pitch.

    Args:
      f0_midi: [n_frames], MIDI pitch.
      tuning_factor: Semitones by which the performance is sharp, from
        `get_tuning_factor`.
      mask_on: [n_frames], bool: the frames to tune.
      amount: 0 leaves the pitch, 1 puts it on the note.
      chromatic: Whether to take all semitones, or those of the major scale that fits
        best, see `best_major_scale`.

    Returns:
      [n_frames], MIDI pitch.
    """
    tuned = f0_midi - tuning_factor
    if chromatic:
        target = np.round(tuned)
    else:
        tonic = best_major_scale(tuned[mask_on])
        target = _nearest_in_scale(tuned, tonic)
    return np.where(mask_on, f0_midi + amount * (target - f0_midi), f0_midi)


def best_major_scale(f0_midi: np.ndarray) -> int:
    """The major scale whose notes are nearest to pitches on the average.

    Args:
      f0_midi: [n_frames], MIDI pitch.

    Returns:
      Pitch class of its tonic, from 0 (C) to 11 (B); of several that fit alike, and
      without any pitch, the first.
    """
    distances = [
        np.sum(np.abs(f0_midi - _nearest_in_scale(f0_midi, tonic)))
        for tonic in range(12)
    ]
    # Scales that share the notes played differ by rounding alone.
    return int(np.argmin(np.round(distances, 6)))


def _nearest_in_scale(f0_midi: np.ndarray, tonic: int) -> np.ndarray:
    octave = 12.0 * np.floor((f0_midi - tonic) / 12.0)
    within = f0_midi - tonic - octave
    steps = np.array([*_MAJOR_SCALE, 12.0])
    nearest = np.argmin(np.abs(within[:, np.newaxis] - steps), axis=-1)
    return tonic + octave + steps[nearest]
