"""Detection of notes by loudness and pitch confidence."""

import numpy as np

from ddsp.types import ArrayLike


def smooth(x: ArrayLike, filter_size: int = 3) -> np.ndarray:
    """Averages over time with a box filter.

    The signal is zero-padded, so the first and last `filter_size // 2` values are drawn
    towards zero.

    Args:
      x: Signal, shape [..., time].
      filter_size: Number of frames to average, ≥ 1. An even size includes one more
        future frame than past frames.

    Returns:
      Smoothed signal, shape [..., time], float32.

    Raises:
      ValueError: If `filter_size` is below 1.

    Example:

    >>> from ddsp.training import postprocessing
    >>> postprocessing.smooth([0.0, 3.0, 0.0, 0.0])
    array([1., 1., 1., 0.], dtype=float32)
    """
    if filter_size < 1:
        raise ValueError(f"`filter_size` must be at least 1, got {filter_size}.")
    x = np.asarray(x, dtype=np.float64)
    past = (filter_size - 1) // 2
    padding = [(0, 0)] * (x.ndim - 1) + [(past + 1, filter_size - 1 - past)]
    total = np.cumsum(np.pad(x, padding), axis=-1)
    box = (total[..., filter_size:] - total[..., :-filter_size]) / filter_size
    return box.astype(np.float32)


def detect_notes(
    loudness_db: ArrayLike,
    f0_confidence: ArrayLike,
    note_threshold: float = 1.0,
    exponent: float = 2.0,
    smoothing: int = 40,
    f0_confidence_threshold: float = 0.7,
    min_db: float = -80.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Detects the frames with a pitched note.

    A frame has a note if it is loud compared to the recording and its pitch confidence
    is high: the loudness above `min_db` relative to its mean, times the smoothed
    confidence relative to its threshold, must reach `note_threshold`.

    Args:
      loudness_db: Loudness in dB, shape [..., n_frames]. Several recordings share one
        mean.
      f0_confidence: Pitch confidence, 0 to 1, shape [..., n_frames].
      note_threshold: Smallest ratio of a note. Lower values mark more frames.
      exponent: Contrast of the confidence. Higher values reduce the weight of low
        confidence.
      smoothing: Number of frames over which the confidence is averaged.
      f0_confidence_threshold: Confidence that corresponds to a ratio of one.
      min_db: Loudness of silence in dB.

    Returns:
      mask_on: Whether a frame has a note, shape [..., n_frames], bool.
      note_on_value: The ratio compared with `note_threshold`, shape [..., n_frames],
        float32, ≥ 0 for loudness above `min_db`.

    Raises:
      ValueError: If the shapes differ.

    Example:

    >>> from ddsp.training import postprocessing
    >>> mask_on, _ = postprocessing.detect_notes(
    ...     [-20.0, -20.0, -80.0], [1.0, 1.0, 0.1], smoothing=1
    ... )
    >>> mask_on
    array([ True,  True, False])
    """
    loudness_db = np.asarray(loudness_db, dtype=np.float64)
    f0_confidence = np.asarray(f0_confidence, dtype=np.float64)
    if loudness_db.shape != f0_confidence.shape:
        raise ValueError(
            "Loudness and f0 confidence must have the same shape, got "
            f"{loudness_db.shape} and {f0_confidence.shape}."
        )
    level = loudness_db - min_db
    mean_level = np.mean(level) if level.size else 0.0
    # A silent recording has no mean to compare with: no frame has a note.
    relative_level = level / mean_level if mean_level > 0 else np.zeros_like(level)
    certainty = smooth(f0_confidence**exponent, smoothing)
    certainty = certainty / f0_confidence_threshold**exponent
    note_on_value = (certainty * relative_level).astype(np.float32)
    return note_on_value >= note_threshold, note_on_value
