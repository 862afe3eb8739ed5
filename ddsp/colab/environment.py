"""Detection of notebooks, and functions of Colab."""

import base64
import importlib.util
import sys
from types import ModuleType

import numpy as np

# Records raw samples, since the file formats of browsers differ and most of them need a
# separate program to decode.
_RECORDER = """
async function ddspRecord(seconds) {
  const stream = await navigator.mediaDevices.getUserMedia({audio: true});
  const context = new AudioContext();
  const recorder = context.createScriptProcessor(4096, 1, 1);
  const blocks = [];
  const full = new Promise((resolve) => {
    recorder.onaudioprocess = (event) => {
      blocks.push(event.inputBuffer.getChannelData(0).slice());
      if (blocks.length * 4096 >= seconds * context.sampleRate) resolve();
    };
  });
  context.createMediaStreamSource(stream).connect(recorder);
  recorder.connect(context.destination);
  await context.resume();
  await full;
  recorder.disconnect();
  stream.getTracks().forEach((track) => track.stop());
  const rate = context.sampleRate;
  await context.close();
  const bytes = new Uint8Array(await new Blob(blocks).arrayBuffer());
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return {rate: rate, samples: btoa(text)};
}
"""


def in_colab() -> bool:
    """Returns whether the code runs in a Colab notebook.

    Example:

    >>> from ddsp.colab import environment
    >>> environment.in_colab()
    False
    """
    return in_notebook() and "google.colab" in sys.modules


def in_notebook() -> bool:
    """Returns whether the code runs in a notebook.

    Example:

    >>> from ddsp.colab import environment
    >>> environment.in_notebook()
    False
    """
    # A notebook has imported IPython, so it need not be imported to find out.
    if "IPython" not in sys.modules or not importlib.util.find_spec("IPython"):
        return False
    import IPython

    return hasattr(IPython.get_ipython(), "kernel")


def colab_files() -> ModuleType:
    """Returns the module of Colab that uploads and downloads files.

    Example:

    >>> from ddsp.colab import environment
    >>> files = environment.colab_files() if environment.in_colab() else None
    """
    from google.colab import files

    return files


def record_in_browser(seconds: float) -> tuple[np.ndarray, float]:
    """Records with the microphone of the browser that shows the Colab notebook.

    Args:
      seconds: Duration.

    Returns:
      Audio, [n_samples], float32, and its sample rate in Hz.

    Example:

    >>> from ddsp.colab import environment
    >>> if environment.in_colab():
    ...     audio, sample_rate = environment.record_in_browser(seconds=3.0)
    """
    from google.colab import output

    recorded = output.eval_js(f"{_RECORDER}\nddspRecord({seconds:g})")
    samples = np.frombuffer(base64.b64decode(recorded["samples"]), dtype="<f4")
    rate = recorded["rate"]
    return samples[: round(seconds * rate)], rate
