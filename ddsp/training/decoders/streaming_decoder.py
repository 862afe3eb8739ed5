"""Decoders that run block by block."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from ddsp._core.blocks import check_blocks
from ddsp.streaming import Stream, batch_size_of
from ddsp.types import State


class StreamingDecoder(Stream):
    """Mixin of a decoder without latency, for `nn.DictLayer`.

    Attributes:
      output_splits: Pairs (name, number of channels) of the outputs.

    Example:

    >>> from ddsp.training import decoders
    >>> decoder = decoders.RnnFcDecoder(
    ...     rnn_channels=4, ch=4, layers_per_stack=0, input_keys=["ld_scaled"]
    ... )
    >>> _ = decoder({"ld_scaled": tf.zeros([1, 5, 1])})
    >>> state = decoder.initial_state(batch_size=1)
    >>> outputs, state = decoder.step({"ld_scaled": tf.zeros([1, 2, 1])}, state)
    >>> outputs["amps"].shape.as_list()
    [1, 2, 1]
    """

    name: str
    output_splits: Sequence[tuple[str, int]]

    def flush(self, state: State) -> dict[str, tf.Tensor]:
        """Returns outputs without frames, [batch, 0, channels]: there is no latency."""
        n_rows = batch_size_of(state)
        return {name: tf.zeros([n_rows, 0, size]) for name, size in self.output_splits}

    def _check(
        self, keys: Sequence[str], inputs: Mapping[str, Any], state: State
    ) -> list[tf.Tensor]:
        """Returns the inputs of a block in order, [batch, n_frames, channels] each."""
        ranks = dict.fromkeys(keys, 3)
        return list(
            check_blocks(self.name, inputs, ranks, batch_size_of(state)).values()
        )
