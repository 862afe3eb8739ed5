"""Trained models, and how to get them."""

from ddsp.training.models.autoencoder import Autoencoder
from ddsp.training.models.loading import get_model, load
from ddsp.training.models.model import Model

__all__ = [
    "Autoencoder",
    "Model",
    "get_model",
    "load",
]
