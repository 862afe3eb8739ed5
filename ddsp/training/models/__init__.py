"""Trained models, and how to get them."""

from ddsp.training.models.autoencoder import Autoencoder
from ddsp.training.models.inverse_synthesis import InverseSynthesis
from ddsp.training.models.loading import get_model, load
from ddsp.training.models.midi_autoencoder import MidiAutoencoder, ZMidiAutoencoder
from ddsp.training.models.model import Model

__all__ = [
    "Autoencoder",
    "InverseSynthesis",
    "MidiAutoencoder",
    "Model",
    "ZMidiAutoencoder",
    "get_model",
    "load",
]
