"""Decoders of notes."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from ddsp import configurable, core
from ddsp._core import checks
from ddsp._core.tensors import tf_float32
from ddsp.training import nn
from ddsp.training.decoders.streaming_decoder import StreamingDecoder
from ddsp.training.nn.dict_layer import OutputSplits
from ddsp.types import State

# Loudness of a `MidiDecoder` in dB: where its network's 0 lies, and what 1 adds.
_CENTER_DB = -70.0
_SPREAD_DB = 30.0


class _NoteDecoder(StreamingDecoder, nn.DictLayer):
    """A network over the notes, then a dense layer; with blocks where those allow."""

    def __init__(
        self,
        net: keras.layers.Layer | None,
        f0_residual: bool,
        norm: bool,
        output_splits: OutputSplits,
        output_keys: list[str],
        causal: bool,
        **kwargs,
    ):
        if net is None:
            raise ValueError(
                f"`{type(self).__name__}` needs a network: give it `net`, such as "
                "`nn.DilatedConvStack()`, got None."
            )
        # Half precision cannot hold a pitch; the layers inside cast for themselves.
        super().__init__(output_keys=output_keys, **{"autocast": False, **kwargs})
        self.net = net
        self.f0_residual = f0_residual
        self.output_splits = output_splits
        self.causal = causal
        self.dense_out = keras.layers.Dense(sum(size for _, size in output_splits))
        self.norm = nn.Normalize("layer", per_frame=causal) if norm else None

    def call(self, z_pitch, z_vel=None, z=None):
        """Decodes notes.

        Args:
          z_pitch: [batch, time, 1], MIDI notes.
          z_vel: Velocities, without effect.
          z: [batch, time or 1, channels], conditions the network where it takes two
            inputs.

        Returns:
          {name: [batch, time, channels]}, see the class.

        Raises:
          ValueError: If the network is conditional and there is no `z`, or the other
            way round.
        """
        del z_vel
        z_pitch = tf_float32(z_pitch)
        return self._outputs(z_pitch, self._project(self.net(self._pair(z_pitch, z))))

    def initial_state(self, batch_size: int) -> dict[str, Any]:
        """The state before the first block of `step`.

        Args:
          batch_size: Rows of the stream.

        Returns:
          A nest of tensors.

        Raises:
          ValueError: If the decoder or its network look ahead, or have not been called
            yet.
        """
        checks.positive("batch_size", batch_size)
        if self.norm is not None and not self.causal:
            raise ValueError(
                f"`{self.name}` cannot be played in blocks: it normalizes over time. "
                "Make and train it with `causal=True` or `norm=False`, got "
                "causal=False."
            )
        if hasattr(self.net, "initial_state"):
            return {"net": self.net.initial_state(batch_size)}
        if nn.is_framewise(self.net):
            return {"net": []}
        raise ValueError(
            f"`{self.name}` cannot be played in blocks: its `net` must be a causal "
            "`nn.DilatedConvStack` or treat every frame by itself, as `nn.FcStack` "
            f"does, got a {type(self.net).__name__}."
        )

    def step(self, inputs: Mapping[str, Any], state: State):
        """Decodes a block, on from a state; with the weights of `call`.

        Args:
          inputs: 'z_pitch' [batch, n_frames, 1]; 'z' [batch, n_frames, channels] if the
            network is conditional.
          state: From `initial_state` or the step before.

        Returns:
          What `call` returns for the block, and the new state.

        Raises:
          ValueError: If an input is missing or of a wrong rank, or if inputs and state
            do not go together.
        """
        keys = ["z_pitch", "z"] if inputs.get("z") is not None else ["z_pitch"]
        z_pitch, *rest = self._check(keys, inputs, state)
        x, after = self._pair(z_pitch, *rest), state["net"]
        if hasattr(self.net, "step"):
            x, after = self.net.step(x, after)
        else:
            x = self.net(x)
        return self._outputs(z_pitch, self._project(x)), {"net": after}

    def _pair(self, z_pitch: tf.Tensor, z: Any = None):
        """What the network takes."""
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

    def _outputs(self, z_pitch: tf.Tensor, parts: dict[str, tf.Tensor]):
        """The outputs by name, from the parts of the projection."""
        if self.f0_residual:
            parts["f0_midi"] += z_pitch
        return parts


@configurable.layer(module="ddsp.training.decoders")
class MidiDecoder(_NoteDecoder):
    """From notes to pitch and loudness: 'f0_midi' (MIDI notes) and 'loudness' (dB)."""

    def __init__(
        self,
        net: keras.layers.Layer | None = None,
        f0_residual: bool = True,
        center_loudness: bool = True,
        norm: bool = True,
        causal: bool = False,
        **kwargs,
    ):
        """Initializer.

        Args:
          net: From [batch, time, 1], or a pair of that and `z`, to [batch, time,
            channels].
          f0_residual: Whether the network gives the pitch's distance from the note,
            not the pitch itself.
          center_loudness: Whether the network's 0 means -70 dB, and its 1 30 dB more.
          norm: Whether to normalize what the network gives.
          causal: Whether every frame is normalized by itself. With a causal network
            such a decoder can be played in blocks, see `step`.
          **kwargs: Passed on to `keras.layers.Layer`.

        Raises:
          ValueError: If there is no network.
        """
        splits = (("f0_midi", 1), ("loudness", 1))
        keys = [name for name, _ in splits]
        super().__init__(net, f0_residual, norm, splits, keys, causal, **kwargs)
        self.center_loudness = center_loudness

    def _outputs(self, z_pitch, parts):
        outputs = super()._outputs(z_pitch, parts)
        if self.center_loudness:
            outputs["loudness"] = outputs["loudness"] * _SPREAD_DB + _CENTER_DB
        return outputs


@configurable.layer(module="ddsp.training.decoders")
class MidiToHarmonicDecoder(_NoteDecoder):
    """From notes to pitch and raw controls of the synthesizers.

    Beside the outputs of `output_splits` there is 'f0_hz', the pitch in Hz.
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
        **kwargs,
    ):
        """Initializer.

        Args:
          net: From [batch, time, 1], or a pair of that and `z`, to [batch, time,
            channels].
          f0_residual: Whether the network gives the pitch's distance from the note,
            not the pitch itself.
          norm: Whether to normalize what the network gives.
          output_splits: Pairs (name, number of channels) of the outputs, 'f0_midi'
            (MIDI notes) among them.
          midi_zero_silence: Whether note 0 means silence, 0 Hz, not 8.2 Hz.
          causal: Whether every frame is normalized by itself. With a causal network
            such a decoder can be played in blocks, see `step`.
          **kwargs: Passed on to `keras.layers.Layer`.

        Raises:
          ValueError: If there is no network, or no 'f0_midi' among the outputs.
        """
        keys = [name for name, _ in output_splits]
        if "f0_midi" not in keys:
            raise ValueError(
                f"'f0_midi' must be among `output_splits`, got {tuple(output_splits)}."
            )
        keys.append("f0_hz")
        super().__init__(net, f0_residual, norm, output_splits, keys, causal, **kwargs)
        self.midi_zero_silence = midi_zero_silence

    def _outputs(self, z_pitch, parts):
        outputs = super()._outputs(z_pitch, parts)
        f0_hz = core.midi_to_hz(outputs["f0_midi"], self.midi_zero_silence)
        return {**outputs, "f0_hz": f0_hz}
