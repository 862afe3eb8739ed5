"""Notes of monophonic audio: masks over frames, and statistics per note."""

from typing import Literal, overload

import tensorflow as tf

from ddsp._core import checks
from ddsp._core.safety import safe_divide, safe_sqrt
from ddsp._core.tensors import tf_float32
from ddsp.types import ArrayLike


def get_note_mask(
    q_pitch: ArrayLike, max_regions: int = 100, note_on_only: bool = True
) -> tf.Tensor:
    """Returns a mask of the frames of each note, split where the pitch changes.

    Args:
      q_pitch: Quantized pitch or velocity, 0 for silence, shape [batch, time] or
        [batch, time, 1]. A change in the last frame starts no region.
      max_regions: Maximum number of regions, including silent ones; further regions
        are dropped.
      note_on_only: Whether to leave the masks of silent regions empty.

    Returns:
      Mask of shape [batch, time, max_regions], 1 in the frames of a region, else 0.

    Example:

    >>> from ddsp.training import nn
    >>> pitch = tf.constant([[60.0, 60.0, 0.0, 62.0, 62.0, 62.0]])
    >>> nn.get_note_mask(pitch, max_regions=3)[0].numpy().T
    array([[1., 1., 0., 0., 0., 0.],
           [0., 0., 0., 0., 0., 0.],
           [0., 0., 0., 1., 1., 1.]], dtype=float32)
    """
    q_pitch = _without_channel("q_pitch", q_pitch)
    changes = q_pitch[:, 1:] != q_pitch[:, :-1]
    n_changes = tf.shape(changes)[1]
    changes &= tf.range(n_changes) < n_changes - 1
    mask = _regions(changes, max_regions)
    if note_on_only:
        pitches = get_note_moments(q_pitch, mask, return_std=False)
        mask *= tf.cast(pitches > 0.0, tf.float32)[:, tf.newaxis, :]
    return mask


def get_note_mask_from_onset(
    q_pitch: ArrayLike,
    onset: ArrayLike,
    max_regions: int = 100,
    note_on_only: bool = True,
) -> tf.Tensor:
    """Returns a mask of the frames of each note, split at onsets.

    Args:
      q_pitch: Quantized pitch or velocity, 0 for silence, shape [batch, time] or
        [batch, time, 1].
      onset: 1 in the first frame of a note, else 0, of the shape of `q_pitch`. The
        first frame of the sequence always starts a region.
      max_regions: Maximum number of regions; further regions are dropped.
      note_on_only: Whether to exclude silent frames from all regions.

    Returns:
      Mask of shape [batch, time, max_regions], 1 in the frames of a region, else 0.

    Raises:
      ValueError: If the shapes differ.

    Example:

    >>> from ddsp.training import nn
    >>> pitch = tf.constant([[60.0, 60.0, 60.0, 60.0]])
    >>> onset = tf.constant([[1.0, 0.0, 1.0, 0.0]])
    >>> nn.get_note_mask_from_onset(pitch, onset, max_regions=2)[0].numpy().T
    array([[1., 1., 0., 0.],
           [0., 0., 1., 1.]], dtype=float32)
    """
    q_pitch = _without_channel("q_pitch", q_pitch)
    onset = _without_channel("onset", onset)
    if not q_pitch.shape.is_compatible_with(onset.shape):
        raise ValueError(
            "`q_pitch` and `onset` must have the same shape, got "
            f"{q_pitch.shape} and {onset.shape}."
        )
    mask = _regions(onset[:, 1:] > 0.0, max_regions)
    if note_on_only:
        mask *= tf.cast(q_pitch > 0.0, tf.float32)[:, :, tf.newaxis]
    return mask


def _without_channel(name: str, x: ArrayLike) -> tf.Tensor:
    x = tf_float32(x)
    checks.rank(name, x, (2, 3))
    return x[:, :, 0] if x.shape.rank == 3 else x


def _regions(starts: tf.Tensor, max_regions: int) -> tf.Tensor:
    """Returns the mask of regions, given the starts at frames 1 to n - 1."""
    checks.positive("max_regions", max_regions)
    index = tf.cumsum(tf.cast(tf.pad(starts, [[0, 0], [1, 0]]), tf.int32), axis=1)
    return tf.one_hot(index, max_regions)


def get_note_lengths(note_mask: ArrayLike) -> tf.Tensor:
    """Counts the frames of each note.

    Args:
      note_mask: Mask of 0 and 1, shape [batch, time, n_notes].

    Returns:
      Number of frames, shape [batch, n_notes].

    Example:

    >>> from ddsp.training import nn
    >>> mask = nn.get_note_mask(tf.constant([[60.0, 60.0, 62.0, 62.0, 62.0]]), 2)
    >>> nn.get_note_lengths(mask).numpy()
    array([[2., 3.]], dtype=float32)
    """
    return tf.reduce_sum(tf_float32(note_mask), axis=1)


@overload
def get_note_moments(
    x: ArrayLike, note_mask: ArrayLike, return_std: Literal[True] = True
) -> tuple[tf.Tensor, tf.Tensor]: ...


@overload
def get_note_moments(
    x: ArrayLike, note_mask: ArrayLike, return_std: Literal[False]
) -> tf.Tensor: ...


def get_note_moments(
    x: ArrayLike, note_mask: ArrayLike, return_std: bool = True
) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
    """Computes mean and standard deviation over the frames of each note.

    Args:
      x: Shape [batch, time, channels] or [batch, time].
      note_mask: Mask of 0 and 1, shape [batch, time, n_notes]. A frame belongs to at
        most one note.
      return_std: Whether to return standard deviations.

    Returns:
      Means of shape [batch, n_notes, channels] or [batch, n_notes], 0 for notes
      without frames. With `return_std`, a pair of means and standard deviations.

    Example:

    >>> from ddsp.training import nn
    >>> loudness = tf.constant([[-20.0, -30.0, -40.0, -40.0]])
    >>> mask = nn.get_note_mask(tf.constant([[60.0, 60.0, 62.0, 62.0]]), 2)
    >>> mean, std = nn.get_note_moments(loudness, mask)
    >>> mean.numpy()
    array([[-25., -40.]], dtype=float32)
    """
    x, note_mask = tf_float32(x), tf_float32(note_mask)
    checks.rank("x", x, (2, 3))
    checks.rank("note_mask", note_mask, 3)
    if x.shape.rank == 2:
        moments = _moments(x[:, :, tf.newaxis], note_mask, return_std)
        moments = [moment[:, :, 0] for moment in moments]
    else:
        moments = _moments(x, note_mask, return_std)
    return tuple(moments) if return_std else moments[0]


def _moments(x: tf.Tensor, note_mask: tf.Tensor, return_std: bool) -> list[tf.Tensor]:
    lengths = get_note_lengths(note_mask)[:, :, tf.newaxis]

    def mean(values: tf.Tensor) -> tf.Tensor:
        return safe_divide(tf.matmul(note_mask, values, transpose_a=True), lengths)

    means = mean(x)
    if not return_std:
        return [means]
    # Deviations from the mean of the own note need no [batch, time, notes, channels].
    variances = mean((x - tf.matmul(note_mask, means)) ** 2)
    return [means, safe_sqrt(variances)]


@overload
def pool_over_notes(
    x: ArrayLike, note_mask: ArrayLike, return_std: Literal[True] = True
) -> tuple[tf.Tensor, tf.Tensor]: ...


@overload
def pool_over_notes(
    x: ArrayLike, note_mask: ArrayLike, return_std: Literal[False]
) -> tf.Tensor: ...


def pool_over_notes(
    x: ArrayLike, note_mask: ArrayLike, return_std: bool = True
) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
    """Computes moments over each note and broadcasts them to its frames.

    Args:
      x: Shape [batch, time, channels].
      note_mask: Mask of 0 and 1, shape [batch, time, n_notes]. A frame belongs to at
        most one note.
      return_std: Whether to return standard deviations.

    Returns:
      Means of shape [batch, time, channels], 0 in frames without a note. With
      `return_std`, a pair of means and standard deviations.

    Example:

    >>> from ddsp.training import nn
    >>> x = tf.constant([[[1.0], [3.0], [7.0]]])
    >>> mask = tf.constant([[[1.0], [1.0], [0.0]]])
    >>> nn.pool_over_notes(x, mask, return_std=False)[0, :, 0].numpy()
    array([2., 2., 0.], dtype=float32)
    """
    checks.rank("x", tf_float32(x), 3)
    note_mask = tf_float32(note_mask)
    if not return_std:
        means = get_note_moments(x, note_mask, return_std=False)
        return tf.matmul(note_mask, means)
    mean, std = get_note_moments(x, note_mask)
    return tf.matmul(note_mask, mean), tf.matmul(note_mask, std)


def get_short_note_loss_mask(
    note_mask: ArrayLike,
    note_lengths: ArrayLike,
    note_pitches: ArrayLike,
    min_length: int = 40,
) -> tf.Tensor:
    """Returns a mask of the frames of notes that are too short.

    Args:
      note_mask: Mask of 0 and 1, shape [batch, time, n_notes].
      note_lengths: Number of frames, shape [batch, n_notes], see `get_note_lengths`.
      note_pitches: Pitch, 0 for silence, shape [batch, n_notes].
      min_length: Minimum length, in frames.

    Returns:
      Mask of shape [batch, time], 1 in short notes, else 0.

    Example:

    >>> from ddsp.training import nn
    >>> pitch = tf.constant([[60.0, 60.0, 62.0, 62.0, 62.0]])
    >>> mask = nn.get_note_mask(pitch, max_regions=2)
    >>> lengths = nn.get_note_lengths(mask)
    >>> pitches = nn.get_note_moments(pitch, mask, return_std=False)
    >>> nn.get_short_note_loss_mask(mask, lengths, pitches, min_length=3).numpy()
    array([[1., 1., 0., 0., 0.]], dtype=float32)
    """
    note_lengths, note_pitches = tf_float32(note_lengths), tf_float32(note_pitches)
    checks.rank("note_lengths", note_lengths, 2)
    checks.rank("note_pitches", note_pitches, 2)
    short = (note_lengths < float(min_length)) & (note_pitches > 0.0)
    return tf.linalg.matvec(tf_float32(note_mask), tf.cast(short, tf.float32))
