"""Windows of arrays, and runs of frames."""

import numpy as np
import tensorflow as tf

from ddsp._core import checks
from ddsp.types import ArrayLike


def window_array(
    array: ArrayLike,
    sr: float,
    win_len: float,
    frame_step_ratio: float = 0.75,
    ax: int = 0,
) -> np.ndarray:
    """Cuts an array into overlapping windows.

    The array is zero-padded: at the start by the overlap of two windows, at the end to
    fill the last window.

    Args:
      array: Array of any shape.
      sr: Samples per second along `ax`.
      win_len: Length of a window in seconds.
      frame_step_ratio: Step between windows as a fraction of their length, in (0, 1].
      ax: Axis to cut.

    Returns:
      The array with `ax` replaced by two axes, [n_windows, window_size].

    Raises:
      ValueError: If a window is shorter than a sample or the ratio is out of range.

    Example:

    >>> from ddsp.training import heuristics
    >>> heuristics.window_array(np.arange(1, 5), 1, win_len=2, frame_step_ratio=0.5)
    array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 0]])
    """
    array = np.asarray(array)
    # Rounded, since products of decimal fractions may be just below an integer.
    size, step, overlap = (
        int(round(sr * win_len * ratio, 6))
        for ratio in (1.0, frame_step_ratio, 1.0 - frame_step_ratio)
    )
    if step < 1 or overlap < 0:
        raise ValueError(
            "A window must have at least one sample and a step in (0, 1], got "
            f"sr={sr}, win_len={win_len}, frame_step_ratio={frame_step_ratio}."
        )
    widths = [(0, 0)] * array.ndim
    widths[ax] = (overlap, 0)
    padded = np.pad(array, widths)
    return tf.signal.frame(padded, size, step, pad_end=True, axis=ax).numpy()


def pad_for_frame(
    vec: ArrayLike, mode: str, frame_width: int, axis: int = 0
) -> np.ndarray:
    """Pads an array with its end values so that each value has a window.

    Args:
      vec: Array of any shape, not empty along `axis`.
      mode: Position of the padding: `'front'` for windows that end at their value,
        `'center'` for centered windows, `'end'` for windows that start at their value.
      frame_width: Size of a window.
      axis: Axis to pad.

    Returns:
      The array with `frame_width - 1` more values along `axis`.

    Raises:
      ValueError: If the mode is unknown, the width below 1, or the array empty.

    Example:

    >>> from ddsp.training import heuristics
    >>> heuristics.pad_for_frame([1, 2, 3], "front", frame_width=3)
    array([1, 1, 1, 2, 3])
    """
    vec = np.asarray(vec)
    checks.positive("frame_width", frame_width)
    before = {"front": frame_width - 1, "center": frame_width // 2, "end": 0}
    checks.one_of("mode", mode, before)
    if not vec.shape[axis]:
        raise ValueError(f"There must be values to pad, got shape {vec.shape}.")
    widths = [(0, 0)] * vec.ndim
    widths[axis] = (before[mode], frame_width - 1 - before[mode])
    return np.pad(vec, widths, mode="edge")


def windows(x: np.ndarray, width: int, pad_mode: str) -> np.ndarray:
    """Returns the window of each value.

    Args:
      x: Array, [n].
      width: Size of a window.
      pad_mode: Position of the window; see `pad_for_frame`.

    Returns:
      Windows, [n, width].

    Example:

    >>> from ddsp.training import frame_windows
    >>> frame_windows.windows(np.array([1, 2, 3]), width=2, pad_mode="front").tolist()
    [[1, 1], [1, 2], [2, 3]]
    """
    padded = pad_for_frame(x, pad_mode, width)
    return np.lib.stride_tricks.sliding_window_view(padded, width)


def remove_short(
    is_on_vec: ArrayLike, min_samples: int = 20, glue_back: bool = False
) -> np.ndarray:
    """Removes short notes.

    Args:
      is_on_vec: Mask of the frames in which a note is on, [n_frames].
      min_samples: Minimum number of frames of a note.
      glue_back: Whether to join short notes to the previous note by filling the gap,
        rather than removing them. The first note has no previous one.

    Returns:
      Mask, [n_frames], bool.

    Example:

    >>> from ddsp.training import heuristics
    >>> heuristics.remove_short([1, 1, 1, 0, 1], min_samples=2).astype(int)
    array([1, 1, 1, 0, 0])
    """
    is_on = np.array(is_on_vec, bool).reshape(-1)
    previous_stop = None
    for start, stop in runs(is_on):
        if stop - start >= min_samples:
            previous_stop = stop
        elif glue_back and previous_stop is not None:
            is_on[previous_stop:stop] = True
            previous_stop = stop
        else:
            is_on[start:stop] = False
    return is_on


def runs(is_on: ArrayLike) -> list[tuple[int, int]]:
    """Returns start and stop of each run of True values.

    Args:
      is_on: Mask of frames, [n_frames].

    Returns:
      List of half-open ranges of frames, [start, stop).

    Example:

    >>> from ddsp.training import frame_windows
    >>> frame_windows.runs([0, 1, 1, 0, 1])
    [(1, 3), (4, 5)]
    """
    padded = np.pad(np.asarray(is_on, bool).reshape(-1), 1).astype(np.int8)
    edges = np.flatnonzero(np.diff(padded))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
