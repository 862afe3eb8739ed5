"""Warnings about recordings that a model will learn little from."""

import numpy as np

from ddsp.training.data_preparation.pitch_range import HIGHEST_HZ, LOWEST_HZ

# Sounding: within this range of the recording's loudest moments, and above silence.
_SOUNDING_RANGE_DB = 40.0
_SILENCE_DB = -75.0
_MOSTLY_SILENT = 0.5
# Between solo playing and chords; see `unclear_share`.
_CONFIDENT = 0.7
_UNCLEAR = 0.5
_OUT_OF_RANGE = 0.2
# Half a semitone and a bit.
_AGREEING = 0.04


def sounding_frames(loudness_db: np.ndarray) -> np.ndarray:
    """Marks the frames in which there is more than background.

    Args:
      loudness_db: [n_frames], dB.

    Returns:
      [n_frames], bool: within 40 dB of the 95th percentile and above -75 dB.
    """
    loudest = np.percentile(loudness_db, 95)
    return loudness_db > max(loudest - _SOUNDING_RANGE_DB, _SILENCE_DB)


def unclear_share(
    f0_hz: np.ndarray,
    f0_confidence: np.ndarray,
    loudness_db: np.ndarray,
    period_hz: np.ndarray,
) -> float:
    """Share of the sounding frames without one clear pitch.

    Measured with the tiny tracker: up to 0.2 for single voices and 0.3 for a solo
    violin in a reverberant room, 0.4 where it plays chords or in speech, 0.7 and
    more for fifths and triads, 1 for noise. Octaves pass for one voice, and so does
    a loud voice over a soft one.

    Args:
      f0_hz: [n_frames], Hz.
      f0_confidence: [n_frames], 0 to 1.
      loudness_db: [n_frames], dB.
      period_hz: [n_frames], from `pitch_range.PeriodFinder`. Where it agrees with
        the tracker, or is out of its range, there is a clear pitch whatever the
        confidence.

    Returns:
      0 to 1; 0 if nothing sounds.
    """
    sounding = sounding_frames(loudness_db)
    if not sounding.any():
        return 0.0
    agrees = np.abs(f0_hz - period_hz) < _AGREEING * period_hz
    clear = (f0_confidence >= _CONFIDENT) | agrees | _beyond(period_hz)
    return float(np.mean(~clear[sounding]))


def range_warnings(
    f0_confidence: np.ndarray, loudness_db: np.ndarray, period_hz: np.ndarray
) -> list[str]:
    """Says that the pitch lies where the tracker cannot find it.

    Args:
      f0_confidence: [n_frames], 0 to 1.
      loudness_db: [n_frames], dB.
      period_hz: [n_frames], from `pitch_range.PeriodFinder`.

    Returns:
      No warning or one.
    """
    sounding = sounding_frames(loudness_db)
    if not sounding.any():
        return []
    beyond = sounding & (f0_confidence < _CONFIDENT) & _beyond(period_hz)
    share = float(np.mean(beyond[sounding]))
    if share <= _OUT_OF_RANGE:
        return []
    median = float(np.median(period_hz[beyond]))
    return [
        f"has its pitch at {median:.0f} Hz, out of the pitch tracker's range of 33 Hz "
        f"to 2 kHz, in {share:.0%} of what sounds: f0 is wrong there"
    ]


def warnings_for(features: np.ndarray, period_hz: np.ndarray) -> list[str]:
    """What a user should know about a recording, in words.

    Args:
      features: [n_frames, 3], as `features.feature_blocks` yields them in blocks.
      period_hz: [n_frames], from `pitch_range.PeriodFinder`.

    Returns:
      Warnings, none for a good solo recording.
    """
    f0_hz, f0_confidence, loudness_db = features.T
    warnings = []
    silent = 1.0 - float(np.mean(sounding_frames(loudness_db)))
    if silent > _MOSTLY_SILENT:
        warnings.append(f"is mostly silent ({silent:.0%} of the time)")
    warnings.extend(range_warnings(f0_confidence, loudness_db, period_hz))
    unclear = unclear_share(f0_hz, f0_confidence, loudness_db, period_hz)
    if unclear > _UNCLEAR:
        warnings.append(
            f"sounds polyphonic or unpitched (no clear pitch in {unclear:.0%} of "
            "what sounds)"
        )
    return warnings


def _beyond(hz: np.ndarray) -> np.ndarray:
    return (hz > HIGHEST_HZ) | ((hz > 0.0) & (hz < LOWEST_HZ))
