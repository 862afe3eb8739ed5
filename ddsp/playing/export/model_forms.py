"""The forms in which a trained model is exported: stream, whole, decoder, level."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp._core import checks
from ddsp.playing.export.form import Arrays, Form
from ddsp.playing.export.state import NamedState, Outputs, Step, identifier
from ddsp.training import models

Inputs = Mapping[str, tf.Tensor]

# Frames per block of a form of fixed length, for which the decoder needs no loop.
_LARGEST_BLOCK = 8
# Nor does a reverb with partitions of 64 samples or more.
_LARGEST_BLOCK_SAMPLES = 1024

_NOISE = "Noise is uniform in [-1, 1), new for each call."
_STATE = "Pass the state that the previous call returned, and its start value at first."


def streaming_form(model: models.Autoencoder, n_frames: int = 1) -> Form:
    """Returns the form of a model that runs block by block, from features to audio.

    Args:
      model: A built autoencoder of f0 and loudness or power, without encoder.
      n_frames: Frames per block.

    Returns:
      A form named 'stream'. Its inputs are `f0_hz`, `loudness_db` or `power_db` [1,
      n_frames, 1], `noise_...` [1, n_frames * hop_size] for each processor that draws
      noise, and the state; its outputs are `audio` [1, n_frames * hop_size] and the new
      state. The latency of the audio is `model.latency_samples`.

    Raises:
      ValueError: If the model does not run block by block, with the reason.

    Example:

    >>> from ddsp.playing.export.model_forms import streaming_form
    >>> form = streaming_form(ddsp.testing.tiny_autoencoder())
    >>> form.graph.outputs[0], form.inputs["f0_hz"].shape
    ('audio', TensorShape([1, 1, 1]))
    """
    start = model.initial_state(1)
    noise = _noise_specs(model, n_frames)
    specs = {**model.input_specs(n_frames), **noise}
    state = NamedState(_step(model), specs, start)
    return Form(
        name="stream",
        function=state.step,
        inputs={**specs, **state.specs},
        doc=f"Synthesizes {n_frames} frames of {model.hop_size} samples per call, with"
        f" a latency of {model.latency_samples} samples. {_units(model)} {_NOISE} "
        f"{_STATE}",
        state=state.start,
        noise=list(noise),
        sample_rate=model.sample_rate,
        samples_per_call=n_frames * model.hop_size,
    )


def offline_form(model: models.Autoencoder, n_frames: int) -> Form:
    """Returns the form of a model that renders a fixed length, from features to audio.

    Args:
      model: A built autoencoder of f0 and loudness or power, without encoder.
      n_frames: Frames of the features.

    Returns:
      A form named 'whole', with the inputs of `streaming_form` but without state. Its
      output is `audio` [1, n_frames * hop_size], aligned with the features.

    Raises:
      ValueError: If the model does not run block by block, with the reason.

    Example:

    >>> from ddsp.playing.export.model_forms import offline_form
    >>> form = offline_form(ddsp.testing.tiny_autoencoder(), n_frames=4)
    >>> sorted(form.inputs)
    ['f0_hz', 'loudness_db', 'noise_noise']
    """
    start = model.initial_state(1)
    noise = _noise_specs(model, n_frames)
    specs = {**model.input_specs(n_frames), **noise}
    n_blocks = n_frames // _block(n_frames, model.hop_size)
    block_specs = {
        name: tf.TensorSpec([1, spec.shape[1] // n_blocks, *spec.shape[2:]])
        for name, spec in specs.items()
    }
    state = NamedState(_step(model), block_specs, start, model.flush)

    def function(**inputs: tf.Tensor) -> Outputs:
        audio, last = _loop(state, inputs, n_blocks, n_frames * model.hop_size)
        audio = tf.concat([audio, state.finish(**last)], axis=1)
        return {"audio": audio[:, model.latency_samples :]}

    return Form(
        name="whole",
        function=function,
        inputs=specs,
        doc=f"Synthesizes {n_frames} frames of {model.hop_size} samples at once. "
        f"{_units(model)} {_NOISE}",
        noise=list(noise),
        sample_rate=model.sample_rate,
        samples_per_call=n_frames * model.hop_size,
    )


def decoder_form(model: models.Autoencoder, n_frames: int = 1) -> Form:
    """Returns the form of a model's decoder, for runtimes with their own synthesizers.

    Args:
      model: A built autoencoder of f0 and loudness or power, without encoder.
      n_frames: Frames per block.

    Returns:
      A form named 'decoder'. Its inputs are `f0_hz`, `loudness_db` or `power_db` [1,
      n_frames, 1], and the state; its outputs are those of the decoder, before the
      synthesizers scale them, [1, n_frames, channels], and the new state.

    Raises:
      ValueError: If the model does not run block by block, with the reason.

    Example:

    >>> from ddsp.playing.export.model_forms import decoder_form
    >>> form = decoder_form(ddsp.testing.tiny_autoencoder())
    >>> [name for name in form.graph.outputs if "state" not in name]
    ['amps', 'harmonic_distribution', 'noise_magnitudes']
    """
    start = model.initial_state(1)
    specs = model.input_specs(n_frames)

    def step(inputs: Inputs, state: Any) -> tuple[Outputs, Any]:
        controls, after = model.decode_step(inputs, {"decoder": state})
        outputs = {name: controls[name] for name, _ in model.decoder.output_splits}
        return outputs, after["decoder"]

    state = NamedState(step, specs, start["decoder"])
    return Form(
        name="decoder",
        function=state.step,
        inputs={**specs, **state.specs},
        doc=f"Decodes {n_frames} frames per call. {_units(model)} {_STATE}",
        state=state.start,
        sample_rate=model.sample_rate,
        samples_per_call=n_frames * model.hop_size,
    )


def level_form(model: models.Autoencoder, n_frames: int = 1) -> Form:
    """Returns the form that measures a model's loudness or power, block by block.

    Args:
      model: An autoencoder with a preprocessor of f0 and a level.
      n_frames: Frames per block.

    Returns:
      A form named 'level'. Its inputs are `audio` [1, n_frames * hop_size] and the
      state, its outputs `loudness_db` or `power_db` [1, n_frames, 1] and the new state.

    Raises:
      ValueError: If the model is not driven by f0 and a level.

    Example:

    >>> from ddsp.playing.export.model_forms import level_form
    >>> form = level_form(ddsp.testing.tiny_autoencoder())
    >>> form.graph.outputs[0]
    'loudness_db'
    """
    checks.positive("n_frames", n_frames)
    level = model.level_stream()
    specs = {"audio": tf.TensorSpec([1, n_frames * level.hop_size])}

    def step(inputs: Inputs, state: Any) -> tuple[Outputs, Any]:
        measured, state = level.step(inputs["audio"], state)
        return {model.level_name: measured[:, :, tf.newaxis]}, state

    state = NamedState(step, specs, level.initial_state(1))
    return Form(
        name="level",
        function=state.step,
        inputs={**specs, **state.specs},
        doc=f"Measures {n_frames} frames of {level.hop_size} samples at a call, in dB, "
        f"{level.latency_frames} frames late. {_STATE}",
        state=state.start,
        sample_rate=model.sample_rate,
        samples_per_call=n_frames * level.hop_size,
    )


def cut(
    form: Form, features: Arrays, noise: Arrays | None = None
) -> list[dict[str, np.ndarray]]:
    """Cuts features into the calls of a form.

    Args:
      form: A form of this module.
      features: {name: [1, n_frames, 1]}, or samples; those that the form does not take
        are ignored.
      noise: {name of the processor: [1, n_samples]}.

    Returns:
      Inputs of each call, without state.

    Raises:
      ValueError: If an input is missing, or the lengths are not whole blocks.

    Example:

    >>> from ddsp.playing.export.model_forms import cut, level_form
    >>> form = level_form(ddsp.testing.tiny_autoencoder())
    >>> len(cut(form, {"audio": np.zeros([1, 640], np.float32)}))
    10
    """
    noise = {f"noise_{identifier(name)}": x for name, x in (noise or {}).items()}
    given = {**features, **noise}
    wanted = [name for name in form.inputs if name not in form.state]
    if missing := [name for name in wanted if name not in given]:
        raise ValueError(
            f"The form '{form.name}' needs {wanted}, of which {missing} are missing, "
            f"got {sorted(given)}."
        )
    counts = {
        name: given[name].shape[1] / form.inputs[name].shape[1] for name in wanted
    }
    n_calls = counts[wanted[0]]
    if set(counts.values()) != {n_calls} or not n_calls.is_integer():
        raise ValueError(
            f"Inputs must be whole blocks of one length, got blocks: {counts}."
        )
    pieces = {name: np.split(given[name], int(n_calls), axis=1) for name in wanted}
    return [{name: x[i] for name, x in pieces.items()} for i in range(int(n_calls))]


def _step(model: models.Autoencoder) -> Step:
    """Returns the model's step, with noise among its named inputs."""
    keys = _noise_keys(model)

    def step(inputs: Inputs, state: Any) -> tuple[Outputs, Any]:
        noise = {name: inputs[key] for name, key in keys.items()}
        audio, state = model.step(inputs, state, noise)
        return {"audio": audio}, state

    return step


def _noise_keys(model: models.Autoencoder) -> dict[str, str]:
    """Returns {processor: name of its input for noise}."""
    names = model.processor_group.noise_names
    return {name: f"noise_{identifier(name)}" for name in names}


def _noise_specs(model: models.Autoencoder, n_frames: int) -> dict[str, tf.TensorSpec]:
    spec = tf.TensorSpec([1, n_frames * model.hop_size])
    return dict.fromkeys(_noise_keys(model).values(), spec)


def _units(model: models.Autoencoder) -> str:
    return f"`f0_hz` is in Hz, `{model.level_name}` in dB."


def _loop(
    state: NamedState, inputs: Inputs, n_blocks: int, n_samples: int
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Runs blocks in a loop; returns all of the audio and the last state.

    Converters know loops over tensors, but not all arrays that a loop fills. Inputs are
    therefore shifted out and audio is shifted in.
    """
    sizes = {name: x.shape[1] // n_blocks for name, x in inputs.items()}

    def body(block, inputs, audio, before):
        now = {name: x[:, : sizes[name]] for name, x in inputs.items()}
        after = state.step(**now, **before)
        audio = tf.concat([audio, after.pop("audio")], axis=1)
        shifted = {
            name: tf.concat([x[:, sizes[name] :], now[name]], axis=1)
            for name, x in inputs.items()
        }
        return block + 1, shifted, audio[:, -n_samples:], after

    first = {name: tf.constant(x) for name, x in state.start.items()}
    *_, audio, last = tf.while_loop(
        lambda block, *_: block < n_blocks,
        body,
        (0, dict(inputs), tf.zeros([1, n_samples]), first),
    )
    return audio, last


def _block(n_frames: int, hop_size: int) -> int:
    """Returns the largest block that divides a length, in frames."""
    largest = min(_LARGEST_BLOCK, max(_LARGEST_BLOCK_SAMPLES // hop_size, 1))
    return next(n for n in range(largest, 0, -1) if n_frames % n == 0)
