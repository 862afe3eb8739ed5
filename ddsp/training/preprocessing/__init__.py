"""Preprocessors: resampling and scaling of features for the networks."""

from ddsp.training.preprocessing.base import Preprocessor
from ddsp.training.preprocessing.feature_scaling import (
    DB_RANGE,
    F0_RANGE,
    at_least_3d,
    inv_scale_db,
    inv_scale_f0_hz,
    scale_db,
    scale_f0_hz,
)
from ddsp.training.preprocessing.given_features import (
    F0LoudnessPreprocessor,
    F0PowerPreprocessor,
)
from ddsp.training.preprocessing.online import OnlineF0PowerPreprocessor

__all__ = [
    "DB_RANGE",
    "F0_RANGE",
    "F0LoudnessPreprocessor",
    "F0PowerPreprocessor",
    "OnlineF0PowerPreprocessor",
    "Preprocessor",
    "at_least_3d",
    "inv_scale_db",
    "inv_scale_f0_hz",
    "scale_db",
    "scale_f0_hz",
]
