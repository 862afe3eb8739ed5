"""Playing trained models.

| to … | use |
| --- | --- |
| open a bundle or a training run | `ddsp.load`, `timbre_transfer.load_model` |
| process audio in real time | `StreamingModel`; `realtime` measures it, `live_audio` uses devices |
| resynthesize a recording | `timbre_transfer.transfer`, `rendering.render` for given features |
| render a fixed length | `AutoencoderInference` |
| share a model | `bundle`, one directory with weights, config and test vector |
| run a model outside Python | `export`: SavedModel, TFLite, ONNX, a web page, plug-in files |
| call the original's plug-in modules | the `VST...` classes |

Nothing here depends on the training loop.
"""

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
