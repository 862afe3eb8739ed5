"""Playing trained models.

To open a bundle or a run, use `ddsp.load` or `timbre_transfer.load_model`. Then:

- process audio in real time: `StreamingModel`; `realtime` measures its timing, and
  `live_audio` connects it to audio devices;
- resynthesize a recording: `timbre_transfer.transfer`, or `rendering.render` with given
  features;
- render a fixed length: `AutoencoderInference`;
- share the model: `bundle`, a directory with weights, config and a test vector;
- run it outside Python: `export` writes SavedModel, TFLite, ONNX, a web page and
  plug-in files;
- call the modules of the original's plug-in: the `VST...` classes.

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
