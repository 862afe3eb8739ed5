"""Autoencoders whose latent variables are notes."""

from ddsp.training.models.midi_autoencoder.midi_autoencoder import MidiAutoencoder
from ddsp.training.models.midi_autoencoder.z_midi_autoencoder import ZMidiAutoencoder

__all__ = ["MidiAutoencoder", "ZMidiAutoencoder"]
