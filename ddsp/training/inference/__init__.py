"""Trained models out of training: block by block, and as plug-ins call them."""

from ddsp.training.inference.autoencoder import AutoencoderInference
from ddsp.training.inference.latency import Latency
from ddsp.training.inference.level_streams import LoudnessStream, PowerStream
from ddsp.training.inference.pitch_stream import PitchStream
from ddsp.training.inference.settings import parse_operative_config
from ddsp.training.inference.streaming_model import StreamingModel
from ddsp.training.inference.vst import (
    VSTBaseModule,
    VSTExtractFeatures,
    VSTPredictControls,
    VSTStatelessPredictControls,
)
from ddsp.training.inference.vst_synthesis import (
    VSTSynthesize,
    VSTSynthesizeHarmonic,
    VSTSynthesizeNoise,
)

__all__ = [
    "AutoencoderInference",
    "Latency",
    "LoudnessStream",
    "PitchStream",
    "PowerStream",
    "StreamingModel",
    "VSTBaseModule",
    "VSTExtractFeatures",
    "VSTPredictControls",
    "VSTStatelessPredictControls",
    "VSTSynthesize",
    "VSTSynthesizeHarmonic",
    "VSTSynthesizeNoise",
    "parse_operative_config",
]
