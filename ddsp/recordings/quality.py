"""Warnings about recordings that a model will learn little from."""

import numpy as np

from ddsp.recordings.pitch_range import HIGHEST_HZ, LOWEST_HZ, Periods

# Sounding: within this range of the recording's loudest moments, and above silence.
_SOUNDING_RANGE_DB = 40.0
_SILENCE_DB = -75.0
_MOSTLY_SILENT = 0.5
# Between solo playing and chords; see `unclear_share`.
_CONFIDENT = 0.7
_UNCLEAR = 0.5
_WRONG = 0.2
# Half a semitone and a bit.
_AGREEING = 0.04


def sounding_frames(loudness_db: np.ndarray) -> np.ndarray:
    """Marks the frames in which there is more than background.

    Args:
      loudness_db: [n_frames], dB.

    Returns:
      [n_frames], bool: within 40 dB of the 95th percentile and above -75 dB.

    Example:

    >>> from ddsp.recordings import quality
    >>> quality.sounding_frames(np.array([-20.0, -30.0, -90.0])).tolist()
    [True, True, False]
    """
    loudest = np.percentile(loudness_db, 95)
    return loudness_db > max(loudest - _SOUNDING_RANGE_DB, _SILENCE_DB)


def unclear_share(
    f0_hz: np.ndarray,
    f0_confidence: np.ndarray,
    loudness_db: np.ndarray,
    periods: Periods,
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
      periods: From `pitch_range.PeriodFinder`. Where they agree with the tracker, or
        are those of one tone, there is a clear pitch whatever the confidence.

    Returns:
      0 to 1; 0 if nothing sounds.
    """
    sounding = sounding_frames(loudness_db)
    if not sounding.any():
        return 0.0
    confident = f0_confidence >= _CONFIDENT
    clear = confident | _agrees(f0_hz, periods.hz) | periods.one_tone
    return float(np.mean(~clear[sounding]))


def wrong_pitch_warnings(
    f0_hz: np.ndarray,
    f0_confidence: np.ndarray,
    loudness_db: np.ndarray,
    periods: Periods,
) -> list[str]:
    """Says that there is one clear pitch that the tracker does not find.

    Args:
      f0_hz: [n_frames], Hz.
      f0_confidence: [n_frames], 0 to 1.
      loudness_db: [n_frames], dB.
      periods: From `pitch_range.PeriodFinder`.

    Returns:
      Warnings: out of the tracker's range, or within.
    """
    sounding = sounding_frames(loudness_db)
    if not sounding.any():
        return []
    unsure = sounding & (f0_confidence < _CONFIDENT) & periods.one_tone
    beyond = (periods.hz > HIGHEST_HZ) | (periods.hz < LOWEST_HZ)
    missed = ~beyond & ~_agrees(f0_hz, periods.hz)
    warnings = []
    for wrong, where in (
        (unsure & beyond, "out of the pitch tracker's range of 33 Hz to 2 kHz"),
        (unsure & missed, "where the pitch tracker finds another"),
    ):
        share = float(np.mean(wrong[sounding]))
        if share > _WRONG:
            median = float(np.median(periods.hz[wrong]))
            warnings.append(
                f"has its pitch at {median:.0f} Hz, {where}, in {share:.0%} of what "
                "sounds: f0 is wrong there"
            )
    return warnings


def warnings_for(features: np.ndarray, periods: Periods) -> list[str]:
    """Returns warnings about a recording, as text.

    Args:
      features: [n_frames, 3], as `features.feature_blocks` yields them in blocks.
      periods: From `pitch_range.PeriodFinder`.

    Returns:
      Warnings, none for a good solo recording.
    """
    f0_hz, f0_confidence, loudness_db = features.T
    warnings = []
    silent = 1.0 - float(np.mean(sounding_frames(loudness_db)))
    if silent > _MOSTLY_SILENT:
        warnings.append(f"is mostly silent ({silent:.0%} of the time)")
    pitch = (f0_hz, f0_confidence, loudness_db, periods)
    warnings.extend(wrong_pitch_warnings(*pitch))
    unclear = unclear_share(*pitch)
    if unclear > _UNCLEAR:
        warnings.append(
            f"sounds polyphonic or unpitched (no clear pitch in {unclear:.0%} of "
            "what sounds)"
        )
    return warnings


def _agrees(f0_hz: np.ndarray, hz: np.ndarray) -> np.ndarray:
    return np.abs(f0_hz - hz) < _AGREEING * hz
