"""Training: data, networks, models, evaluation.

Importing this package makes every class known to gin by the name that configs use.
"""

from ddsp.training import (
    data,
    decoders,
    encoders,
    eval_util,
    evaluators,
    gin_files,
    metrics,
    models,
    nn,
    postprocessing,
    preprocessing,
    summaries,
    train_util,
    trainers,
)

gin_files.register_original_places()

__all__ = [
    "data",
    "decoders",
    "encoders",
    "eval_util",
    "evaluators",
    "metrics",
    "models",
    "nn",
    "postprocessing",
    "preprocessing",
    "summaries",
    "train_util",
    "trainers",
]
