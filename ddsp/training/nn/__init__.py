"""Building blocks of the trained networks."""

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
from ddsp.training.nn.normalization import (
    ConditionalNorm,
    ConditionalScaleAndShift,
    Normalize,
    ensure_4d,
    get_norm,
    inv_ensure_4d,
    normalize_op,
)
from ddsp.training.nn.recurrent import (
    Rnn,
    RnnSandwich,
    StatelessRnn,
    run_from,
    state_sizes,
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
    "Normalize",
    "OutputSplitsLayer",
    "Rnn",
    "RnnSandwich",
    "SpectralNormalization",
    "StatelessRnn",
    "ensure_4d",
    "get_nonlinearity",
    "get_norm",
    "inv_ensure_4d",
    "is_framewise",
    "normalize_op",
    "run_from",
    "split_to_dict",
    "state_sizes",
]
