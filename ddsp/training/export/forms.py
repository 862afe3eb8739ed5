"""What of a trained model is exported."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ddsp import synths
from ddsp._core import checks, compilation
from ddsp.training import models
from ddsp.training.export.form import Arrays, Form
from ddsp.training.inference.streaming_model import level_stream, scaled_features
from ddsp.training.inference.level_streams import PowerStream


def streaming_form(model: models.Autoencoder, n_frames: int = 1) -> Form:
    """A model that plays block by block, from features to audio.

    Args:
      model: Built, of pitch and loudness or power, without encoder.
      n_frames: Frames of a block.

    Returns:
      A form named 'stream'. Its inputs are `f0_hz`, `loudness_db` or `power_db` [1,
      n_frames, 1], `noise_...` [1, n_frames * hop_size] for each processor that wants
      noise, and the state; its outputs `audio` [1, n_frames * hop_size], and the new
      state. Audio comes `model.processor_group.latency_samples` late.

    Raises:
      ValueError: If the model cannot be played so, with the reason.
    """
    checks.positive("n_frames", n_frames)
    if model.encoder is not None:
        raise ValueError(
            "A model with an encoder needs all of the audio at once, so it has no "
            f"streaming form, got encoder={model.encoder!r}."
        )
    level = level_stream(model)
    level_name = "power_db" if isinstance(level, PowerStream) else "loudness_db"
    group, hop_size = model.processor_group, model.hop_size
    group.hop_size = hop_size
    noisy = {
        f"noise_{_identifier(x.name)}": x.name
        for x in group.processors
        if isinstance(x, synths.FilteredNoise)
    }

    def step(inputs: Mapping[str, tf.Tensor], state: Any) -> tuple[tf.Tensor, Any]:
        features = scaled_features(level, inputs["f0_hz"], inputs[level_name])
        controls, of_decoder = model.decoder.step(features, state["decoder"])
        audio, of_synthesis = group.step(
            {**features, **controls},
            state["synthesis"],
            {name: inputs[key] for key, name in noisy.items()},
        )
        return audio, {"decoder": of_decoder, "synthesis": of_synthesis}

    n_samples = n_frames * hop_size
    specs = {
        **dict.fromkeys(("f0_hz", level_name), tf.TensorSpec([1, n_frames, 1])),
        **dict.fromkeys(noisy, tf.TensorSpec([1, n_samples])),
    }
    start = {
        "decoder": model.decoder.initial_state(1),
        "synthesis": group.initial_state(1),
    }
    state = _State(step, specs, start)

    def function(**inputs):
        audio, new = step(inputs, state.pack(inputs))
        return {"audio": audio, **state.unpack(new)}

    return Form(
        name="stream",
        function=function,
        inputs={
            **specs,
            **{k: tf.TensorSpec(x.shape, x.dtype) for k, x in state.start.items()},
        },
        doc=f"""
        Plays {n_frames} frames of {hop_size} samples at a call. Audio comes
        {group.latency_samples} samples late. f0_hz is in Hz, {level_name} in dB below
        full scale, noise uniform in [-1, 1) and new at each call; give to each call the
        state that the call before returned, to the first its start.
        """,
        state=state.start,
        noise=list(noisy),
        sample_rate=model.sample_rate,
        samples_per_call=n_samples,
    )


def cut(
    form: Form, features: Arrays, noise: Arrays | None = None
) -> list[dict[str, np.ndarray]]:
    """Cuts what is played into the calls of a streaming form.

    Args:
      form: From `streaming_form`.
      features: {name: [1, n_frames, 1]}, the form's controls.
      noise: {name of the processor: [1, n_samples]}.

    Returns:
      Inputs of each call, without state.

    Raises:
      ValueError: If the features are not of whole blocks.
    """
    wanted = {
        **features,
        **{f"noise_{_identifier(k)}": x for k, x in (noise or {}).items()},
    }
    counts = {
        name: x.shape[1] / form.inputs[name].shape[1]
        for name, x in wanted.items()
        if name in form.inputs
    }
    n_calls = set(counts.values())
    if len(n_calls) != 1 or not (n := n_calls.pop()).is_integer():
        raise ValueError(
            f"Inputs must be of whole blocks and one length, got {counts}."
        )
    pieces = {name: np.split(wanted[name], int(n), axis=1) for name in counts}
    return [{name: x[i] for name, x in pieces.items()} for i in range(int(n))]


class _State:
    """The leaves of a nest of state that a step reads and changes, each with a name.

    What it never changes, such as the spectra of a response, becomes part of the
    function; so does what is empty, and what only the end of a stream would read.

    Attributes:
      start: {name: first value} of the others.
    """

    def __init__(
        self, step: Any, specs: Mapping[str, tf.TensorSpec], start: Any
    ) -> None:
        self._nest = start
        paths, self._leaves = zip(*keras.tree.flatten_with_path(start), strict=True)
        self._names = ["_".join(["state", *map(_identifier, path)]) for path in paths]
        if len(set(self._names)) < len(self._names):
            raise ValueError(f"Names of the state are not unique, got {self._names}.")
        moving: list[bool] = []

        def probe(inputs, leaves):
            _, nest = step(inputs, keras.tree.pack_sequence_as(start, leaves))
            moving[:] = [
                new is not old and bool(old.consumers())
                for old, new in zip(leaves, keras.tree.flatten(nest), strict=True)
            ]

        with compilation.uncompiled():
            tf.function(probe, autograph=False).get_concrete_function(
                dict(specs), [tf.TensorSpec(x.shape, x.dtype) for x in self._leaves]
            )
        self.start = {
            name: leaf.numpy()
            for name, leaf, moves in zip(self._names, self._leaves, moving, strict=True)
            if moves and leaf.shape.num_elements()
        }

    def pack(self, inputs: Mapping[str, tf.Tensor]) -> Any:
        """The nest, of named tensors and of what does not move."""
        leaves = [
            inputs[name] if name in self.start else leaf
            for name, leaf in zip(self._names, self._leaves, strict=True)
        ]
        return keras.tree.pack_sequence_as(self._nest, leaves)

    def unpack(self, nest: Any) -> dict[str, tf.Tensor]:
        """Named tensors, of a nest."""
        named = dict(zip(self._names, keras.tree.flatten(nest), strict=True))
        return {name: named[name] for name in self.start}


def _identifier(part: Any) -> str:
    return re.sub(r"\W", "_", str(part))
