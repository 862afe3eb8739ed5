"""Building blocks of the trained networks."""

from ddsp.training.nn.dense import Fc, FcStack, FcStackOut, Identity, get_nonlinearity
from ddsp.training.nn.dict_layer import DictLayer, OutputSplitsLayer, split_to_dict
from ddsp.training.nn.normalization import (
    Normalize,
    ensure_4d,
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
    "DictLayer",
    "Fc",
    "FcStack",
    "FcStackOut",
    "Identity",
    "Normalize",
    "OutputSplitsLayer",
    "Rnn",
    "RnnSandwich",
    "StatelessRnn",
    "ensure_4d",
    "get_nonlinearity",
    "inv_ensure_4d",
    "normalize_op",
    "run_from",
    "split_to_dict",
    "state_sizes",
]
