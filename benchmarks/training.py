"""A training step, and each of its parts forward and backward."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks import models
from benchmarks.contests import Contest, Options
from ddsp import core
from ddsp.training import trainers


def contests(
    name: str, rng: np.random.Generator, options: Options
) -> Iterator[Contest]:
    """Yields the step and its parts.

    Args:
      name: Name of the model, a key of `models.GIN_FILES`.
      rng: Random generator of the inputs.
      options: Options of the measurement.
    """
    size = 4 if options.quick or name == "ae" else 16
    batch = tf.nest.map_structure(tf.constant, models.batch(rng, size))
    model = models.model(name)
    strategy = tf.distribute.OneDeviceStrategy(f"/{options.device}:0")
    trainer = trainers.Trainer(model, strategy)
    trainer.build(batch)
    name = f"{name}, batch {size}"
    yield Contest(f"{name}: step", (batch,), trainer.train_step, compiled=True)

    outputs = tf.function(model, autograph=False)(batch, training=True)
    features = model.encode(batch)
    if model.encoder is not None:
        inputs = ({**batch, **model.preprocessor(batch)},)
        yield _part(f"{name}: encoder", model.encoder, inputs, (), model.encoder)
    inputs = (features,)
    yield _part(f"{name}: decoder", model.decoder, inputs, (), model.decoder)
    made = set(model.decoder(features))
    for node, keys in model.processor_group.dag:
        processor = getattr(model.processor_group, node)
        inputs = tuple(core.nested_lookup(key, outputs) for key in keys)
        # f0 is measured, not predicted: it needs no gradient.
        watched = [i for i, key in enumerate(keys) if key in made or "/" in key]
        yield _part(f"{name}: {node}", processor, inputs, watched, processor)
    audio = (outputs["audio"], outputs["audio_synth"])
    for loss in model.loss_objs:
        yield _part(f"{name}: {loss.name}", loss, audio, [1], loss)
    yield _optimizer(f"{name}: optimizer", trainer)


def _part(
    name: str,
    fn: Callable,
    inputs: tuple,
    watched: Sequence[int],
    layer: keras.layers.Layer,
) -> Contest:
    """Returns a contest of a layer, with gradients of weights and watched inputs."""

    def ours(*inputs: Any) -> Any:
        sources = [inputs[i] for i in watched]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            outputs = fn(*inputs)
        return tape.gradient(outputs, [*sources, *layer.trainable_variables])

    return Contest(name, inputs, ours)


def _optimizer(name: str, trainer: trainers.Trainer) -> Contest:
    """Returns a contest that clips the gradients and updates the weights."""
    variables = trainer.model.trainable_variables
    gradients = [1e-3 * tf.ones_like(variable) for variable in variables]

    def ours(*gradients: tf.Tensor) -> tf.Tensor:
        clipped, norm = tf.clip_by_global_norm(gradients, trainer.grad_clip_norm)
        trainer.optimizer.apply(clipped, variables)
        return norm

    return Contest(name, tuple(gradients), ours)
