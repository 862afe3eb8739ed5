"""Notes of a monophonic instrument: which frames they take, and means over them."""

from typing import Any

import tensorflow as tf

from ddsp._core import checks
from ddsp._core.safety import safe_divide, safe_sqrt
from ddsp._core.tensors import tf_float32


def get_note_mask(
    q_pitch: Any, max_regions: int = 100, note_on_only: bool = True
) -> tf.Tensor:
    """Which frames each note takes, where every change of pitch begins another.

    Args:
      q_pitch: [batch, time] or [batch, time, 1], quantised pitch or velocity, 0 where
        there is silence. A change in the very last frame begins nothing.
      max_regions: Number of regions, silences included; further ones are left out.
      note_on_only: Whether regions of silence are left empty.

    Returns:
      [batch, time, max_regions], 1 for the frames of a region and 0 elsewhere.
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
    q_pitch: Any, onset: Any, max_regions: int = 100, note_on_only: bool = True
) -> tf.Tensor:
    """Which frames each note takes, where every onset begins another.

    Args:
      q_pitch: [batch, time] or [batch, time, 1], quantised pitch or velocity, 0 where
        there is silence.
      onset: Of the same shape, 1 in the first frame of a note and 0 elsewhere. The
        first frame of all begins a region in any case.
      max_regions: Number of regions; further ones are left out.
      note_on_only: Whether frames of silence belong to no region.

    Returns:
      [batch, time, max_regions], 1 for the frames of a region and 0 elsewhere.
    """
    q_pitch = _without_channel("q_pitch", q_pitch)
    onset = _without_channel("onset", onset)
    if not q_pitch.shape.is_compatible_with(onset.shape):
        raise ValueError(
            "`q_pitch` and `onset` must have the same frames, got shapes "
            f"{q_pitch.shape} and {onset.shape}."
        )
    mask = _regions(onset[:, 1:] > 0.0, max_regions)
    if note_on_only:
        mask *= tf.cast(q_pitch > 0.0, tf.float32)[:, :, tf.newaxis]
    return mask


def _without_channel(name: str, x: Any) -> tf.Tensor:
    x = tf_float32(x)
    checks.rank(name, x, (2, 3))
    return x[:, :, 0] if x.shape.rank == 3 else x


def _regions(begins: tf.Tensor, max_regions: int) -> tf.Tensor:
    """The mask of regions that begin where `begins` [batch, time - 1], or at first."""
    checks.positive("max_regions", max_regions)
    index = tf.cumsum(tf.cast(tf.pad(begins, [[0, 0], [1, 0]]), tf.int32), axis=1)
    return tf.one_hot(index, max_regions)


def get_note_lengths(note_mask: Any) -> tf.Tensor:
    """[batch, n_notes], frames of each note, from its mask [batch, time, n_notes]."""
    return tf.reduce_sum(tf_float32(note_mask), axis=1)


def get_note_moments(x: Any, note_mask: Any, return_std: bool = True):
    """Mean and standard deviation over the frames of each note.

    Args:
      x: [batch, time, channels] or [batch, time].
      note_mask: [batch, time, n_notes] of 0 and 1, where no frame is in two notes.
      return_std: Whether to return the standard deviation as well.

    Returns:
      Means [batch, n_notes, channels] or [batch, n_notes], those of notes without
      frames 0; or a pair of means and standard deviations.
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


def _moments(x, note_mask, return_std) -> list[tf.Tensor]:
    lengths = get_note_lengths(note_mask)[:, :, tf.newaxis]

    def mean(values):
        return safe_divide(tf.matmul(note_mask, values, transpose_a=True), lengths)

    means = mean(x)
    if not return_std:
        return [means]
    # Each frame's distance from its own note takes no [batch, time, notes, channels].
    variances = mean((x - tf.matmul(note_mask, means)) ** 2)
    return [means, safe_sqrt(variances)]


def pool_over_notes(x: Any, note_mask: Any, return_std: bool = True):
    """Mean and standard deviation over each note, in all of its frames.

    Args:
      x: [batch, time, channels].
      note_mask: [batch, time, n_notes] of 0 and 1, where no frame is in two notes.
      return_std: Whether to return the standard deviation as well.

    Returns:
      Means [batch, time, channels], 0 in frames of no note; or a pair of means and
      standard deviations.
    """
    checks.rank("x", tf_float32(x), 3)
    note_mask = tf_float32(note_mask)
    moments = get_note_moments(x, note_mask, return_std)
    if not return_std:
        return tf.matmul(note_mask, moments)
    return tuple(tf.matmul(note_mask, moment) for moment in moments)


def get_short_note_loss_mask(
    note_mask: Any, note_lengths: Any, note_pitches: Any, min_length: int = 40
) -> tf.Tensor:
    """Which frames are in notes that are too short.

    Args:
      note_mask: [batch, time, n_notes] of 0 and 1.
      note_lengths: [batch, n_notes], frames, see `get_note_lengths`.
      note_pitches: [batch, n_notes], 0 for silence.
      min_length: Notes of fewer frames are short.

    Returns:
      [batch, time], 1 in short notes and 0 elsewhere.
    """
    note_lengths, note_pitches = tf_float32(note_lengths), tf_float32(note_pitches)
    checks.rank("note_lengths", note_lengths, 2)
    checks.rank("note_pitches", note_pitches, 2)
    short = (note_lengths < float(min_length)) & (note_pitches > 0.0)
    return tf.linalg.matvec(tf_float32(note_mask), tf.cast(short, tf.float32))
