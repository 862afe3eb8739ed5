"""Trained models outside Python, each file proved equal to Python.

form = forms.streaming_form(model)
runtime = find_runtime("onnx")
path = runtime.write(form, folder)
print(compare(form, path, runtime, calls))
"""

from ddsp.playing.export.comparison import (
    LARGEST_DIFFERENCE,
    Comparison,
    compare,
    play_in_python,
)
from ddsp.playing.export.form import Form
from ddsp.playing.export.onnx_file import Onnx
from ddsp.playing.export.runtime import Runtime
from ddsp.playing.export.saved_model import SavedModel
from ddsp.playing.export.stream_calls import Played, play
from ddsp.playing.export.tflite import TFLite
from ddsp.playing.export.web import Web

RUNTIMES: dict[str, Runtime] = {
    runtime.name: runtime for runtime in (SavedModel(), TFLite(), Onnx(), Web())
}


def find_runtime(name: str) -> Runtime:
    """Returns the runtime of a format.

    Args:
      name: One of `RUNTIMES`.

    Raises:
      ValueError: If there is none of this name.
    """
    if name not in RUNTIMES:
        raise ValueError(f"Known formats are {list(RUNTIMES)}, got {name!r}.")
    return RUNTIMES[name]


__all__ = [
    "LARGEST_DIFFERENCE",
    "RUNTIMES",
    "Comparison",
    "Form",
    "Onnx",
    "Played",
    "Runtime",
    "SavedModel",
    "TFLite",
    "Web",
    "compare",
    "find_runtime",
    "play",
    "play_in_python",
]
