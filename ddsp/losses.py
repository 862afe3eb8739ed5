"""Losses: layers that compare sounds or their parameters."""

from ddsp._losses.base import Loss, LossGroup, mean_difference
from ddsp._losses.consistency import (
    FilteredNoiseConsistencyLoss,
    HarmonicConsistencyLoss,
    ParamLoss,
    amp_loss,
    freq_loss,
)
from ddsp._losses.damped_loss import DampedSinusoidLoss
from ddsp._losses.embeddings import (
    EmbeddingLoss,
    PretrainedCREPE,
    PretrainedCREPEEmbeddingLoss,
)
from ddsp._losses.sinusoid_sets import (
    KDEConsistencyLoss,
    WassersteinConsistencyLoss,
    wasserstein_distance,
)
from ddsp._losses.spectral import SpectralLoss
from ddsp._losses.transcriber import HmmTranscriber
from ddsp._losses.two_way_mismatch import TWMLoss

__all__ = [
    "DampedSinusoidLoss",
    "EmbeddingLoss",
    "FilteredNoiseConsistencyLoss",
    "HarmonicConsistencyLoss",
    "HmmTranscriber",
    "KDEConsistencyLoss",
    "Loss",
    "LossGroup",
    "ParamLoss",
    "PretrainedCREPE",
    "PretrainedCREPEEmbeddingLoss",
    "SpectralLoss",
    "TWMLoss",
    "WassersteinConsistencyLoss",
    "amp_loss",
    "freq_loss",
    "mean_difference",
    "wasserstein_distance",
]
