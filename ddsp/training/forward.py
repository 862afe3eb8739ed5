"""Runs a model over batches of data: first batch, forward pass, evaluators."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import keras
import tensorflow as tf

from ddsp.training import metrics
from ddsp.training.data.provider import naming_damage
from ddsp.types import Batch, Evaluator, Outputs, Provider, Tensors

Forward: TypeAlias = Callable[[Batch], tuple[Outputs, dict[str, tf.Tensor]]]


def first_batch(data_provider: Provider, batch_size: int) -> Batch:
    """Returns the first examples of a data provider.

    Args:
      data_provider: Data provider.
      batch_size: Number of examples; they repeat if the data set has fewer.

    Returns:
      A batch of features.

    Raises:
      ValueError: If the data set is empty.

    Example:

    >>> from ddsp.training import forward
    >>> batch = forward.first_batch(ddsp.testing.tiny_provider(), batch_size=2)
    >>> batch["audio"].shape.as_list()
    [2, 6400]
    """
    dataset = data_provider.get_batch(batch_size, shuffle=False, repeats=-1)
    with naming_damage(data_provider):
        for batch in dataset.take(1):
            return batch
    raise ValueError(
        "The data provider returns no batch: prepare data with at least one example "
        f"and check the file pattern, got {data_provider}."
    )


def build(model: keras.Model, batch: Batch) -> None:
    """Creates the variables of a model by running it on one example.

    Args:
      model: Called as `model(batch, return_losses=True, training=True)`.
      batch: Features from the data provider.

    Example:

    >>> import keras
    >>> from ddsp.training import forward, models
    >>> class Dense(models.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = keras.layers.Dense(1)
    ...     def call(self, features, training=False):
    ...         return {"audio_synth": self.layer(features["audio"])}
    ...     def compute_losses(self, outputs):
    ...         return {}
    >>> model = Dense()
    >>> forward.build(model, {"audio": tf.zeros([2, 64])})
    >>> model.layer.kernel.shape.as_list()
    [64, 1]
    """
    example = tf.nest.map_structure(lambda x: x[:1], batch)
    model(example, return_losses=True, training=True)


def make_forward(model: keras.Model) -> Forward:
    """Compiles the forward pass of a model for evaluation.

    Args:
      model: Called as `model(batch, return_losses=True, training=False)`.

    Returns:
      A function from a batch to outputs and losses. The outputs include `audio_gen`,
      the resynthesis, and `energy_shares`, the share of each synthesizer.

    Example:

    >>> from ddsp.training import forward, models
    >>> class Gain(models.Model):
    ...     def call(self, features, training=False):
    ...         return {**features, "audio_synth": 0.5 * features["audio"]}
    ...     def compute_losses(self, outputs):
    ...         return {"power": tf.reduce_mean(outputs["audio_synth"] ** 2)}
    ...     def get_audio_from_outputs(self, outputs):
    ...         return outputs["audio_synth"]
    >>> run = forward.make_forward(Gain())
    >>> outputs, losses = run({"audio": tf.ones([2, 64])})
    >>> outputs["audio_gen"].shape.as_list(), float(losses["total_loss"])
    ([2, 64], 0.25)
    """

    @tf.function(reduce_retracing=True)
    def forward(batch: Batch) -> tuple[Outputs, dict[str, tf.Tensor]]:
        outputs, losses = model(batch, return_losses=True, training=False)
        outputs = {
            **outputs,
            "audio_gen": model.get_audio_from_outputs(outputs),
            "energy_shares": metrics.energy_shares(model, outputs),
        }
        return outputs, losses

    return forward


def run_evaluators(
    forward: Forward,
    batches: Iterable[Batch],
    step: int,
    measure: Sequence[Evaluator] = (),
    show: Sequence[Evaluator] = (),
) -> dict[str, float]:
    """Runs a model on batches and passes its outputs to evaluators.

    Args:
      forward: Forward pass; see `make_forward`.
      batches: Batches of features.
      step: Training step.
      measure: Evaluators that compute metrics over all batches.
      show: Evaluators that write examples of the first batch.

    Returns:
      The metrics of all evaluators by name.

    Example:

    >>> from ddsp.training import evaluators, forward
    >>> batch = {"audio": np.zeros([2, 64], np.float32)}
    >>> forward.run_evaluators(
    ...     lambda batch: ({"audio_gen": batch["audio"]}, {"total_loss": 3.0}),
    ...     [batch, batch],
    ...     step=1,
    ...     measure=[evaluators.BasicEvaluator(16000, 250)],
    ... )
    {'losses/total_loss': 3.0}
    """
    for i, batch in enumerate(batches):
        outputs, losses = forward(batch)
        features = _features_with_audio(batch, outputs)
        for evaluator in measure:
            evaluator.evaluate(features, outputs, losses)
        for evaluator in show if i == 0 else ():
            evaluator.sample(features, outputs, step)
    results: dict[str, float] = {}
    for evaluator in measure:
        # Evaluators written for the original return nothing.
        results.update(evaluator.flush(step) or {})
    return results


def _features_with_audio(batch: Batch, outputs: Outputs) -> Tensors:
    """Returns the features that evaluators compare with the outputs.

    From several data sets read together, these are the features of the one with audio.
    If there is only synthesis data, the model renders the audio from its controls.
    """
    data_sets = [batch] if isinstance(batch, Mapping) else batch
    features = next((x for x in data_sets if "audio" in x), data_sets[0])
    if "audio" in features:
        return features
    return {**features, "audio": outputs["audio"]}
