"""Networks from latent features to synthesizer controls."""

from ddsp.training.decoders.convolutional import DilatedConvDecoder
from ddsp.training.decoders.midi_decoders import MidiDecoder, MidiToHarmonicDecoder
from ddsp.training.decoders.rnn_decoder import RnnFcDecoder

__all__ = [
    "DilatedConvDecoder",
    "MidiDecoder",
    "MidiToHarmonicDecoder",
    "RnnFcDecoder",
]
