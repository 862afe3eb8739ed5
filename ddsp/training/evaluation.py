"""One evaluation: the model over some batches, measured and shown."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from ddsp.training import metrics
from ddsp.training.data.provider import naming_damage
from ddsp.training.evaluators import BaseEvaluator

Forward = Callable[[Any], tuple[Any, Any]]


def build(model: keras.Model, batch: Any) -> None:
    """Makes the variables of a model, by running it on one example.

    Args:
      model: Called as `model(batch, return_losses=True, training=True)`.
      batch: Features as the data provider gives them.
    """
    example = tf.nest.map_structure(lambda x: x[:1], batch)
    model(example, return_losses=True, training=True)


def make_forward(model: keras.Model) -> Forward:
    """The model as evaluators see it.

    Args:
      model: Called as `model(batch, return_losses=True, training=False)`.

    Returns:
      A compiled function from a batch to outputs and losses. To the outputs it adds
      `audio_gen`, the resynthesis, and `energy_shares`, each synthesiser's share.
    """

    @tf.function(reduce_retracing=True)
    def forward(batch):
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
    batches: Iterable[Any],
    step: int,
    measure: Sequence[BaseEvaluator] = (),
    show: Sequence[BaseEvaluator] = (),
) -> dict[str, float]:
    """Runs the model on batches and hands the results to evaluators.

    Args:
      forward: See `make_forward`.
      batches: Batches of features.
      step: Training step.
      measure: Evaluators that measure every batch.
      show: Evaluators that write examples of the first batch.

    Returns:
      The measures of all evaluators by name.
    """
    for i, batch in enumerate(batches):
        outputs, losses = forward(batch)
        batch = _evaluated(batch, outputs)
        for evaluator in measure:
            evaluator.evaluate(batch, outputs, losses)
        for evaluator in show if i == 0 else ():
            evaluator.sample(batch, outputs, step)
    results: dict[str, float] = {}
    for evaluator in measure:
        # Evaluators written for the original return nothing.
        results.update(evaluator.flush(step) or {})
    return results


def _evaluated(batch: Any, outputs: dict[str, Any]) -> dict[str, Any]:
    """A batch as evaluators see it: one dictionary with audio.

    Of batches that were read together, the outputs are of the one with audio. What
    holds controls only, a model renders itself.
    """
    batches = batch if isinstance(batch, tuple | list) else [batch]
    batch = next((x for x in batches if "audio" in x), batches[0])
    return {**batch, "audio": outputs["audio"]} if "audio" not in batch else batch


def validation_provider(data_provider: Any) -> Any | None:
    """The provider of the validation split, or None when there is none."""
    return getattr(data_provider, "validation", None)


def first_batch(data_provider: Any, batch_size: int) -> Any:
    """The first examples of a data provider.

    Args:
      data_provider: Data provider.
      batch_size: Number of examples; they repeat when there are fewer.

    Returns:
      A batch of features.

    Raises:
      ValueError: There is no example.
    """
    dataset = data_provider.get_batch(batch_size, shuffle=False, repeats=-1)
    with naming_damage(data_provider):
        for batch in dataset.take(1):
            return batch
    raise ValueError(
        "The data provider gives no batch: prepare data with at least one example "
        f"and check the file pattern. Received: {data_provider}"
    )


def format_table(title: str, results: dict[str, float]) -> str:
    """A table of measures for the terminal."""
    width = max(len(name) for name in [*results, title])
    rows = [f"{name:<{width}}  {value:>10.4f}" for name, value in results.items()]
    return "\n".join([title, "-" * (width + 12), *rows])
