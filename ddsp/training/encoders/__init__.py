"""Encoders from audio and features to latent variables, f0 and notes."""

from ddsp.training.encoders.features import (
    AggregateFeaturesEncoder,
    ExpressionEncoder,
    OneHotEncoder,
)
from ddsp.training.encoders.harmonic import SinusoidalToHarmonicEncoder
from ddsp.training.encoders.mfcc import (
    MfccEncoder,
    MfccRnnEncoder,
    MfccTimeDistributedRnnEncoder,
)
from ddsp.training.encoders.midi import HarmonicToMidiEncoder, MidiEncoder
from ddsp.training.encoders.resnet import ResnetF0Encoder, ResnetSinusoidalEncoder
from ddsp.training.encoders.z_encoder import ZEncoder

__all__ = [
    "AggregateFeaturesEncoder",
    "ExpressionEncoder",
    "HarmonicToMidiEncoder",
    "MfccEncoder",
    "MfccRnnEncoder",
    "MfccTimeDistributedRnnEncoder",
    "MidiEncoder",
    "OneHotEncoder",
    "ResnetF0Encoder",
    "ResnetSinusoidalEncoder",
    "SinusoidalToHarmonicEncoder",
    "ZEncoder",
]
