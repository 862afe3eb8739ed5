"""Encoders from audio and features to latent variables, f0 and notes."""

from ddsp.training.encoders.feature_encoders import (
    AggregateFeaturesEncoder,
    ExpressionEncoder,
    OneHotEncoder,
)
from ddsp.training.encoders.harmonic_encoder import SinusoidalToHarmonicEncoder
from ddsp.training.encoders.mfcc import (
    MfccEncoder,
    MfccRnnEncoder,
    MfccTimeDistributedRnnEncoder,
)
from ddsp.training.encoders.midi_encoders import HarmonicToMidiEncoder, MidiEncoder
from ddsp.training.encoders.resnet_encoders import (
    ResnetF0Encoder,
    ResnetSinusoidalEncoder,
)
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
