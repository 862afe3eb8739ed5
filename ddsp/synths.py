"""Synthesizers: processors that make audio from controls at frame rate."""

from ddsp._synths.base import Synth
from ddsp._synths.harmonic import Harmonic
from ddsp._synths.noise import FilteredNoise
from ddsp._synths.sinusoidal import DampedSinusoidal, Sinusoidal
from ddsp._synths.wavetable import TensorToAudio, Wavetable

__all__ = [
    "DampedSinusoidal",
    "FilteredNoise",
    "Harmonic",
    "Sinusoidal",
    "Synth",
    "TensorToAudio",
    "Wavetable",
]
