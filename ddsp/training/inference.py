"""Trained models under the original's name; they live in `ddsp.playing`."""

from ddsp.playing import (
    AutoencoderInference,
    VSTBaseModule,
    VSTExtractFeatures,
    VSTPredictControls,
    VSTStatelessPredictControls,
    VSTSynthesize,
    VSTSynthesizeHarmonic,
    VSTSynthesizeNoise,
    parse_operative_config,
)

__all__ = [
    "AutoencoderInference",
    "VSTBaseModule",
    "VSTExtractFeatures",
    "VSTPredictControls",
    "VSTStatelessPredictControls",
    "VSTSynthesize",
    "VSTSynthesizeHarmonic",
    "VSTSynthesizeNoise",
    "parse_operative_config",
]
