"""Framing of signals: number of frames, padding, and division into frames."""

from typing import Any

import numpy as np
import tensorflow as tf

from ddsp._core import checks
from ddsp.types import ArrayLike

PADDINGS = ("same", "valid", "center", "causal")


def get_framed_lengths(
    input_length: int | tf.Tensor,
    frame_size: int,
    hop_size: int,
    padding: str = "center",
) -> tuple[int | tf.Tensor, int | tf.Tensor]:
    """Computes the number of frames of a signal and its padded length.

    Frame i starts at sample `i * hop_size` of the padded signal. The padding is

    - `'center'`: half a frame on both sides, so that frame i is centered on sample
      `i * hop_size`; `input_length // hop_size + 1` frames.
    - `'same'`: at the end, so that frame i starts at sample `i * hop_size`;
      `ceil(input_length / hop_size)` frames.
    - `'causal'`: at the start, so that frame i ends with sample
      `(i + 1) * hop_size - 1` and has no look-ahead, and at the end of an incomplete
      last hop; `ceil(input_length / hop_size)` frames.
    - `'valid'`: none; only frames that are completely inside the signal.

    Args:
      input_length: Samples of the signal, an integer or an integer tensor.
      frame_size: Samples per frame.
      hop_size: Samples between the starts of successive frames.
      padding: `'center'`, `'same'`, `'causal'` or `'valid'`.

    Returns:
      (n_frames, padded_length).

    Raises:
      ValueError: If a size is not positive, the padding is unknown, no frame fits
        under `'valid'`, or a frame is shorter than a hop under `'causal'`.

    Example:

    >>> ddsp.spectral_ops.get_framed_lengths(1600, frame_size=512, hop_size=64)
    (26, 2112)
    """
    checks.one_of("padding", padding, PADDINGS)
    checks.positive("frame_size", frame_size)
    checks.positive("hop_size", hop_size)
    before = samples_before(frame_size, hop_size, padding)
    if padding == "center":
        return input_length // hop_size + 1, input_length + 2 * before
    if padding in ("same", "causal"):
        n_frames = -(-input_length // hop_size)
        return n_frames, (n_frames - 1) * hop_size + frame_size
    if not tf.is_tensor(input_length) and input_length < frame_size:
        raise ValueError(
            "With padding='valid' the signal must hold at least one frame of "
            f"{frame_size} samples, got {input_length} samples."
        )
    return (input_length - frame_size) // hop_size + 1, input_length


def samples_before(frame_size: int, hop_size: int, padding: str) -> int:
    """Returns the distance from the start of frame i to sample `i * hop_size`.

    Args:
      frame_size: Samples per frame.
      hop_size: Samples between the starts of successive frames.
      padding: See `get_framed_lengths`.

    Returns:
      Number of samples, which is also the padding before the signal.

    Raises:
      ValueError: If a frame is shorter than a hop under `'causal'`.
    """
    if padding == "center":
        return frame_size // 2
    if padding != "causal":
        return 0
    if frame_size < hop_size:
        raise ValueError(
            "With padding='causal' a frame must be at least as long as a hop, got "
            f"frame_size={frame_size}, hop_size={hop_size}."
        )
    return frame_size - hop_size


def pad(
    x: ArrayLike,
    frame_size: int,
    hop_size: int,
    padding: str = "center",
    axis: int = 1,
    mode: str = "CONSTANT",
    constant_values: float = 0,
) -> tf.Tensor | np.ndarray:
    """Pads one axis of a signal for framing, see `get_framed_lengths`.

    Args:
      x: Tensor or array of any rank.
      frame_size: Samples per frame.
      hop_size: Samples between the starts of successive frames.
      padding: `'center'`, `'same'`, `'causal'` or `'valid'`, see
        `get_framed_lengths`.
      axis: Time axis.
      mode: `'CONSTANT'`, `'REFLECT'` or `'SYMMETRIC'`, as in `tf.pad`.
      constant_values: Value of the padding for `'CONSTANT'`.

    Returns:
      Padded signal: a tensor for a tensor, an array otherwise. With `'same'`, samples
      outside all frames are kept (if a hop is longer than a frame).

    Example:

    >>> ddsp.spectral_ops.pad(
    ...     tf.zeros([1, 1600]), frame_size=512, hop_size=64).shape.as_list()
    [1, 2112]
    """
    signal: tf.Tensor | np.ndarray = x if tf.is_tensor(x) else np.asarray(x)
    length = signal.shape[axis]
    if length is None:
        length = tf.shape(signal)[axis]
    _, padded_length = get_framed_lengths(length, frame_size, hop_size, padding)
    missing = padded_length - length
    before = samples_before(frame_size, hop_size, padding)
    after = missing - before
    after = tf.maximum(after, 0) if tf.is_tensor(after) else max(after, 0)
    widths: list[list[Any]] = [[0, 0] for _ in signal.shape]
    widths[axis] = [before, after]
    if tf.is_tensor(signal):
        return tf.pad(signal, widths, mode, constant_values)
    values = {"constant_values": constant_values} if mode == "CONSTANT" else {}
    return np.pad(signal, widths, mode.lower(), **values)  # type: ignore[call-overload]


def frame(
    x: tf.Tensor, frame_size: int, hop_size: int, window: tf.Tensor | None = None
) -> tf.Tensor:
    """Divides the last axis of a signal into frames, without padding.

    Frames are assembled from whole hops, so that the gradient is a sum of shifted
    slices instead of a scatter.

    Args:
      x: Padded signal, shape [..., n_samples].
      frame_size: Samples per frame.
      hop_size: Samples between the starts of successive frames.
      window: Factor of each frame, shape [frame_size], or None.

    Returns:
      Frames, shape [..., (n_samples - frame_size) // hop_size + 1, frame_size].
    """
    axis = x.shape.rank - 1
    length = x.shape[-1]
    if length is None:
        length = tf.shape(x)[-1]
    n_frames = (length - frame_size) // hop_size + 1
    n_frames = tf.maximum(n_frames, 0) if tf.is_tensor(n_frames) else max(n_frames, 0)
    hops_per_frame = -(-frame_size // hop_size)
    n_hops = n_frames + hops_per_frame - 1
    x = x[..., : n_hops * hop_size]
    missing = n_hops * hop_size - (x.shape[-1] or tf.minimum(length, n_hops * hop_size))
    x = tf.pad(x, [[0, 0]] * axis + [[0, missing]])
    leading = [n or tf.shape(x)[i] for i, n in enumerate(x.shape[:-1])]
    hops = tf.reshape(x, [*leading, n_hops, hop_size])
    pieces = []
    for i in range(hops_per_frame):
        start, stop = i * hop_size, min((i + 1) * hop_size, frame_size)
        piece = hops[..., i : i + n_frames, : stop - start]
        # Windowed before the concatenation, which would prevent vectorization.
        pieces.append(piece if window is None else piece * window[start:stop])
    return tf.concat(pieces, axis=-1)


def pad_or_trim_to_expected_length(
    vector: Any,
    expected_len: int,
    pad_value: float = 0,
    len_tolerance: int = 20,
    use_tf: bool = False,
) -> Any:
    """Makes the last axis `expected_len` long, at its end.

    Args:
      vector: [n] or [batch, n].
      expected_len: The length that comes out.
      pad_value: What a vector too short is padded with.
      len_tolerance: The difference that is still accepted.
      use_tf: Return a tensor; otherwise an array.

    Raises:
      ValueError: If the lengths differ by more than `len_tolerance`.

    Example:

    >>> ddsp.spectral_ops.pad_or_trim_to_expected_length(np.ones(3), 4)
    array([1., 1., 1., 0.])
    """
    vector = tf.convert_to_tensor(vector) if use_tf else np.asarray(vector)
    checks.rank("vector", vector, (1, 2))
    length = int(vector.shape[-1])
    if abs(length - expected_len) > len_tolerance:
        raise ValueError(
            f"The length must be within {len_tolerance} of the expected "
            f"{expected_len}, got {length}."
        )
    vector = vector[..., :expected_len]
    widths = [[0, 0]] * (len(vector.shape) - 1) + [[0, max(expected_len - length, 0)]]
    module = tf if use_tf else np
    return module.pad(vector, widths, constant_values=pad_value)
