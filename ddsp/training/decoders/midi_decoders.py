"""Decoders of notes."""

from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core
from ddsp._core import checks
from ddsp._core.tensors import tf_float32
from ddsp.training import nn
from ddsp.training.decoders.streaming_decoder import StreamingDecoder
from ddsp.training.nn.dict_layer import OutputSplits
from ddsp.types import Features, Outputs, State

# Loudness of a `MidiDecoder` in dB: offset and scale of the network output.
_CENTER_DB = -70.0
_SPREAD_DB = 30.0


class _NoteDecoder(StreamingDecoder, nn.DictLayer):
    """Network over the notes and a dense layer, with streaming if they allow it."""

    def __init__(
        self,
        net: keras.layers.Layer | None,
        f0_residual: bool,
        norm: bool,
        output_splits: OutputSplits,
        output_keys: list[str],
        causal: bool,
        **kwargs: Any,
    ) -> None:
        if net is None:
            raise ValueError(
                f"`{type(self).__name__}` requires a network `net`, such as "
                "`nn.DilatedConvStack()`, got None."
            )
        # Pitch needs float32; inner layers cast their own inputs.
        super().__init__(output_keys=output_keys, **{"autocast": False, **kwargs})
        self.net = net
        self.f0_residual = f0_residual
        self.output_splits = output_splits
        self.causal = causal
        self.dense_out = keras.layers.Dense(sum(size for _, size in output_splits))
        self.norm = nn.Normalize("layer", per_frame=causal) if norm else None

    def call(
        self,
        z_pitch: tf.Tensor,
        z_vel: tf.Tensor | None = None,
        z: tf.Tensor | None = None,
    ) -> Outputs:
        """Decodes notes.

        Args:
          z_pitch: Pitch in MIDI units, shape [batch, time, 1].
          z_vel: Velocities, unused.
          z: Conditioning of the network, shape [batch, time or 1, channels].

        Returns:
          Tensors of shape [batch, time, channels], see the class.

        Raises:
          ValueError: If the network is conditional and `z` is None, or vice versa.
        """
        del z_vel
        z_pitch = tf_float32(z_pitch)
        return self._outputs(
            z_pitch, self._project(self.net(self._net_inputs(z_pitch, z)))
        )

    def initial_state(self, batch_size: int) -> dict[str, Any]:
        """Returns the state before the first block of `step`.

        Args:
          batch_size: Number of rows of the stream.

        Returns:
          A nest of tensors.

        Raises:
          ValueError: If the decoder or its network looks ahead, or has not been called
            yet.
        """
        checks.positive("batch_size", batch_size)
        if self.norm is not None and not self.causal:
            raise ValueError(
                f"`{self.name}` cannot run block by block: it normalizes over time. "
                "Build and train it with `causal=True` or `norm=False`, got "
                "causal=False."
            )
        if hasattr(self.net, "initial_state"):
            return {"net": self.net.initial_state(batch_size)}
        if nn.is_framewise(self.net):
            return {"net": []}
        raise ValueError(
            f"`{self.name}` cannot run block by block: its `net` must be a causal "
            "`nn.DilatedConvStack` or process each frame independently, like "
            f"`nn.FcStack`, got a {type(self.net).__name__}."
        )

    def step(self, inputs: Features, state: State) -> tuple[Outputs, State]:
        """Decodes a block with the weights of `call`.

        Args:
          inputs: 'z_pitch', shape [batch, n_frames, 1], and 'z', shape [batch,
            n_frames, channels], if the network is conditional.
          state: From `initial_state` or the previous step.

        Returns:
          The outputs of `call` for the block, and the new state.

        Raises:
          ValueError: If an input is missing or has a wrong rank, or if inputs and state
            do not match.
        """
        keys = ["z_pitch", "z"] if inputs.get("z") is not None else ["z_pitch"]
        z_pitch, *rest = self._check(keys, inputs, state)
        x, after = self._net_inputs(z_pitch, *rest), state["net"]
        if hasattr(self.net, "step"):
            x, after = self.net.step(x, after)
        else:
            x = self.net(x)
        return self._outputs(z_pitch, self._project(x)), {"net": after}

    def _net_inputs(
        self, z_pitch: tf.Tensor, z: tf.Tensor | None = None
    ) -> tf.Tensor | list[tf.Tensor]:
        """Returns the inputs of the network."""
        conditional = getattr(self.net, "conditional", z is not None)
        if conditional != (z is not None):
            raise ValueError(
                f"`{self.name}` takes `z` if and only if its network is conditional, "
                f"got conditional={conditional} and "
                f"z={None if z is None else tuple(z.shape)}."
            )
        return z_pitch if z is None else [z_pitch, z]

    def _project(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        x = x if self.norm is None else self.norm(x)
        return nn.split_to_dict(tf_float32(self.dense_out(x)), self.output_splits)

    def _outputs(self, z_pitch: tf.Tensor, parts: Outputs) -> Outputs:
        """Returns the outputs, given the split projection."""
        if self.f0_residual:
            parts["f0_midi"] += z_pitch
        return parts


@configurable.layer(module="ddsp.training.decoders")
class MidiDecoder(_NoteDecoder):
    """Decoder from notes to 'f0_midi' in MIDI units and 'loudness' in dB.

    Example:

    >>> from ddsp.training import decoders, nn
    >>> decoder = decoders.MidiDecoder(net=nn.FcStack(4, 1))
    >>> outputs = decoder(tf.fill([1, 5, 1], 60.0))
    >>> {name: x.shape.as_list() for name, x in outputs.items()}
    {'f0_midi': [1, 5, 1], 'loudness': [1, 5, 1]}
    """

    def __init__(
        self,
        net: keras.layers.Layer | None = None,
        f0_residual: bool = True,
        center_loudness: bool = True,
        norm: bool = True,
        causal: bool = False,
        **kwargs: Any,
    ) -> None:
        """Initializes the decoder.

        Args:
          net: Network from [batch, time, 1], or a pair of this and `z`, to [batch,
            time, channels].
          f0_residual: Whether the network predicts the difference of f0 from the note
            instead of f0.
          center_loudness: Whether to map a network output of 0 to -70 dB, and 1 to
            -40 dB.
          norm: Whether to normalize the output of the network.
          causal: Whether to normalize each frame separately. With a causal network,
            the decoder can then run block by block, see `step`.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If `net` is None.
        """
        splits = (("f0_midi", 1), ("loudness", 1))
        keys = [name for name, _ in splits]
        super().__init__(net, f0_residual, norm, splits, keys, causal, **kwargs)
        self.center_loudness = center_loudness

    def _outputs(self, z_pitch: tf.Tensor, parts: Outputs) -> Outputs:
        outputs = super()._outputs(z_pitch, parts)
        if self.center_loudness:
            outputs["loudness"] = outputs["loudness"] * _SPREAD_DB + _CENTER_DB
        return outputs


@configurable.layer(module="ddsp.training.decoders")
class MidiToHarmonicDecoder(_NoteDecoder):
    """Decoder from notes to f0 and raw synthesizer controls.

    The outputs are those of `output_splits`, and 'f0_hz', f0 in Hz.

    Example:

    >>> from ddsp.training import decoders, nn
    >>> decoder = decoders.MidiToHarmonicDecoder(net=nn.FcStack(4, 1))
    >>> outputs = decoder(tf.fill([1, 5, 1], 60.0))
    >>> outputs["f0_hz"].shape.as_list(), outputs["magnitudes"].shape.as_list()
    ([1, 5, 1], [1, 5, 65])
    """

    def __init__(
        self,
        net: keras.layers.Layer | None = None,
        f0_residual: bool = True,
        norm: bool = True,
        output_splits: OutputSplits = (
            ("f0_midi", 1),
            ("amplitudes", 1),
            ("harmonic_distribution", 60),
            ("magnitudes", 65),
        ),
        midi_zero_silence: bool = True,
        causal: bool = False,
        **kwargs: Any,
    ) -> None:
        """Initializes the decoder.

        Args:
          net: Network from [batch, time, 1], or a pair of this and `z`, to [batch,
            time, channels].
          f0_residual: Whether the network predicts the difference of f0 from the note
            instead of f0.
          norm: Whether to normalize the output of the network.
          output_splits: Pairs (name, number of channels) of the outputs, including
            'f0_midi'.
          midi_zero_silence: Whether note 0 maps to silence, 0 Hz, instead of 8.2 Hz.
          causal: Whether to normalize each frame separately. With a causal network,
            the decoder can then run block by block, see `step`.
          **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
          ValueError: If `net` is None, or 'f0_midi' is not among the outputs.
        """
        keys = [name for name, _ in output_splits]
        if "f0_midi" not in keys:
            raise ValueError(
                f"`output_splits` must include 'f0_midi', got {tuple(output_splits)}."
            )
        keys.append("f0_hz")
        super().__init__(net, f0_residual, norm, output_splits, keys, causal, **kwargs)
        self.midi_zero_silence = midi_zero_silence

    def _outputs(self, z_pitch: tf.Tensor, parts: Outputs) -> Outputs:
        outputs = super()._outputs(z_pitch, parts)
        f0_hz = core.midi_to_hz(outputs["f0_midi"], self.midi_zero_silence)
        return {**outputs, "f0_hz": f0_hz}
