"""Checks of the blocks of streams.

A NaN would remain in the state of a stream, so values are checked wherever they are
known.
"""

from collections.abc import Mapping

import tensorflow as tf

from ddsp._core import checks
from ddsp._core.tensors import tf_float32
from ddsp.types import ArrayLike, Features


def check_block(name: str, x: ArrayLike, rank: int) -> tf.Tensor:
    """Returns a block as a float32 tensor of known length.

    Raises:
      ValueError: If the rank is wrong, the length is unknown when a graph is built, or
        values are NaN or too large, see `checks.bounded`.
    """
    x = tf_float32(x)
    checks.rank(name, x, rank)
    checks.bounded(name, x)
    if x.shape[1] is None:
        raise ValueError(
            "The length of a block must be known when the graph is built, got "
            f"`{name}` of shape {x.shape}."
        )
    return x


def check_blocks(
    owner: str,
    inputs: Features,
    ranks: Mapping[str, int],
    batch_size: int | None,
    *,
    hops: Mapping[str, int] | None = None,
) -> dict[str, tf.Tensor]:
    """Returns blocks of one length and one batch size as float32 tensors.

    Args:
      owner: Name of the stream, for messages.
      inputs: Blocks by name; names that are not in `ranks` are ignored.
      ranks: Rank of each block.
      batch_size: Rows of the stream's state.
      hops: Samples per step of each block's time axis; 1 by default.

    Raises:
      ValueError: If a block is missing, lengths or batch sizes differ, or a block is
        invalid, see `check_block`.
    """
    if missing := [name for name in ranks if name not in inputs]:
        raise ValueError(
            f"A block of `{owner}` needs {list(ranks)}, of which {missing} are "
            f"missing, got {sorted(inputs)}."
        )
    blocks = {
        name: check_block(name, inputs[name], rank) for name, rank in ranks.items()
    }
    hops = hops or {}
    lengths = {name: x.shape[1] * hops.get(name, 1) for name, x in blocks.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"Inputs of a block of `{owner}` must have one length, got {lengths} "
            "samples."
        )
    rows = {**{name: x.shape[0] for name, x in blocks.items()}, "state": batch_size}
    if len(set(rows.values()) - {None}) > 1:
        raise ValueError(
            f"Inputs of a block of `{owner}` must have the batch size of the state, "
            f"got {rows}."
        )
    return blocks


def check_audio(
    audio: ArrayLike, hop_size: int, batch_size: int | None = None
) -> tf.Tensor:
    """Returns a block of audio that contains whole hops.

    Args:
      audio: [batch, n_frames * hop_size], float32.
      hop_size: Samples per frame.
      batch_size: Rows of the stream; None for any.

    Raises:
      TypeError: If the audio is not float32.
      ValueError: If the rank or batch size is wrong, the block does not contain whole
        hops, or values are NaN or too large, see `checks.bounded`.
    """
    audio = tf.convert_to_tensor(audio)
    if audio.dtype != tf.float32:
        raise TypeError(f"`audio` must be float32, got {audio.dtype.name}.")
    checks.rank("audio", audio, 2)
    n_samples = audio.shape[1]
    if n_samples is not None and (not n_samples or n_samples % hop_size):
        raise ValueError(
            f"A block must contain whole hops of {hop_size} samples, got shape "
            f"{audio.shape}."
        )
    if not audio.shape[:1].is_compatible_with([batch_size]):
        raise ValueError(
            f"A block must have the batch size of the stream, {batch_size}, got shape "
            f"{audio.shape}."
        )
    checks.bounded("audio", audio)
    return audio
