"""Playing trained models: in real time, in blocks, offline, exported, in plug-ins."""

from ddsp.playing.fixed_length import AutoencoderInference
from ddsp.playing.latency import Latency
from ddsp.playing.pitch_stream import PitchStream
from ddsp.playing.streaming_model import StreamingModel
from ddsp.playing.trained_model import parse_operative_config
from ddsp.playing.vst_controls import (
    VSTBaseModule,
    VSTExtractFeatures,
    VSTPredictControls,
    VSTStatelessPredictControls,
)
from ddsp.playing.vst_synthesis import (
    VSTSynthesize,
    VSTSynthesizeHarmonic,
    VSTSynthesizeNoise,
)
from ddsp.training.level_streams import LoudnessStream, PowerStream

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
