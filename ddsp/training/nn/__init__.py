"""Layers and operations that the models are built from."""

from ddsp.training.nn.convolution import DilatedConvStack, SpectralNormalization
from ddsp.training.nn.dense import (
    Fc,
    FcStack,
    FcStackOut,
    Identity,
    get_nonlinearity,
    is_framewise,
)
from ddsp.training.nn.dict_layer import DictLayer, OutputSplitsLayer, split_to_dict
from ddsp.training.nn.keras_layers import get_embedding, gin_register_keras_layers
from ddsp.training.nn.normalization import (
    ConditionalNorm,
    ConditionalScaleAndShift,
    Normalize,
    ensure_4d,
    get_norm,
    inv_ensure_4d,
    normalize_op,
)
from ddsp.training.nn.notes import (
    get_note_lengths,
    get_note_mask,
    get_note_mask_from_onset,
    get_note_moments,
    get_short_note_loss_mask,
    pool_over_notes,
)
from ddsp.training.nn.polyphase import PolyphaseResample, polyphase_resample
from ddsp.training.nn.quantization import VectorQuantization
from ddsp.training.nn.recurrent import (
    Rnn,
    RnnFc,
    RnnSandwich,
    SingleGru,
    StatelessRnn,
    run_from,
    state_sizes,
)
from ddsp.training.nn.resnet import NormReluConv, ResidualLayer, ResidualStack, ResNet
from ddsp.training.nn.straight_through import (
    straight_through_choice,
    straight_through_int_quantization,
    straight_through_softmax,
)

__all__ = [
    "ConditionalNorm",
    "ConditionalScaleAndShift",
    "DictLayer",
    "DilatedConvStack",
    "Fc",
    "FcStack",
    "FcStackOut",
    "Identity",
    "NormReluConv",
    "Normalize",
    "OutputSplitsLayer",
    "PolyphaseResample",
    "ResNet",
    "ResidualLayer",
    "ResidualStack",
    "Rnn",
    "RnnFc",
    "RnnSandwich",
    "SingleGru",
    "SpectralNormalization",
    "StatelessRnn",
    "VectorQuantization",
    "ensure_4d",
    "get_embedding",
    "get_nonlinearity",
    "get_norm",
    "get_note_lengths",
    "get_note_mask",
    "get_note_mask_from_onset",
    "get_note_moments",
    "get_short_note_loss_mask",
    "gin_register_keras_layers",
    "inv_ensure_4d",
    "is_framewise",
    "normalize_op",
    "polyphase_resample",
    "pool_over_notes",
    "run_from",
    "split_to_dict",
    "state_sizes",
    "straight_through_choice",
    "straight_through_int_quantization",
    "straight_through_softmax",
]

gin_register_keras_layers()
