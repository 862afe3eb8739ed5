"""Autoencoders of controls with notes in their middle."""

from ddsp.training.models.midi_autoencoder.base import MidiAutoencoder
from ddsp.training.models.midi_autoencoder.latents import ZMidiAutoencoder

__all__ = ["MidiAutoencoder", "ZMidiAutoencoder"]
