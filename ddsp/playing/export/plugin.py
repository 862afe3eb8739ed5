"""What plug-ins load, made of a bundle and compared on its test vector."""

import itertools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from ddsp import pitch
from ddsp.playing import bundle
from ddsp.playing.bundle.bundle_loading import CONFIG_FILE
from ddsp.playing.export import vst_format
from ddsp.playing.export.comparison import Comparison, compare, play_in_python
from ddsp.playing.export.form import Arrays, Form
from ddsp.playing.export.runtime import quiet
from ddsp.playing.export.tflite import TFLite
from ddsp.training import preprocessing

_DECODER = "vst_stateless_predict_controls"
_N_FRAMES = 20


def write(
    draft: bundle.Draft,
    folder: Path,
    progress: Callable[[str], None],
    name: str = "model",
) -> list[tuple[str, Comparison]]:
    """Writes the plug-in's model, and the original's other modules as TFLite.

    Args:
      draft: A bundle that is being made.
      folder: Where to write.
      progress: Told in a line what is being done.
      name: Of the plug-in's model, without suffix.

    Returns:
      The path of each module, and how it compared.

    Raises:
      ValueError: If plug-ins cannot play the model, or its statistics are missing.
      RuntimeError: If a file differs from Python by more than 1e-4.
    """
    if draft.statistics is None:
        raise ValueError(
            "Plug-ins need to know the range of the training data, got a model "
            "without statistics."
        )
    with tempfile.TemporaryDirectory() as run, quiet():
        _write_run(draft, Path(run))
        progress("Writing and comparing the plug-in's model")
        path, *_ = vst_format.write_plugin(run, folder, draft.statistics, name)
        decoder = vst_format.module_form(_DECODER, run)
        played = _Played(decoder, draft)
        comparison = compare(
            decoder, path, vst_format.PluginFile(), played.calls(decoder)
        )
        written = [(path, comparison)]
        for module in vst_format.MODULES:
            # The plug-in's model is the decoder.
            if module == _DECODER or not module.startswith("vst_"):
                continue
            progress(f"Writing and comparing {module} for tflite")
            form = vst_format.module_form(module, run)
            path = TFLite().write(form, folder)
            written.append((path, compare(form, path, TFLite(), played.calls(form))))
    return written


def _write_run(draft: bundle.Draft, folder: Path) -> None:
    """The model as training leaves it, which is what the modules read."""
    tf.train.Checkpoint(model=draft.model).write(str(folder / "ckpt-0"))
    shutil.copyfile(draft.folder / CONFIG_FILE, folder / "operative_config-0.gin")


class _Played:
    """Inputs of every module along the test vector."""

    def __init__(self, decoder: Form, draft: bundle.Draft):
        vector, hop_size = draft.vector, draft.model.hop_size
        f0_hz = vector.features["f0_hz"][0, :_N_FRAMES]
        power_db = vector.features["power_db"][0, :_N_FRAMES]
        self._scaled = [
            {"f0_scaled": f0, "pw_scaled": power}
            for f0, power in zip(
                np.asarray(preprocessing.scale_f0_hz(f0_hz)),
                np.asarray(preprocessing.scale_db(power_db)),
                strict=True,
            )
        ]
        controls = play_in_python(decoder, self._scaled).outputs
        (white_noise,) = vector.noise.values()
        noise = white_noise[0].reshape([-1, hop_size])
        self._hops: list[Arrays] = [
            {
                **now,
                "f0": f0_hz[i + 1],
                **{f"prev_{name}": x for name, x in before.items()},
                "prev_f0": f0_hz[i],
                "prev_phase": np.full(1, 0.1 * i, np.float32),
                "white_noise": noise[i],
            }
            for i, (before, now) in enumerate(itertools.pairwise(controls))
        ]
        audio = vector.audio[0]
        n_frames = min(_N_FRAMES, len(audio) // pitch.FRAME_SIZE)
        frames = np.split(audio[: n_frames * pitch.FRAME_SIZE], n_frames)
        self._frames = [{"audio": frame} for frame in frames]

    def calls(self, form: Form) -> list[Arrays]:
        """Inputs of each call of a module, without state."""
        wanted = form.inputs.keys() - form.state.keys()
        for candidates in (self._frames, self._scaled, self._hops):
            if wanted <= candidates[0].keys():
                return [{name: call[name] for name in wanted} for call in candidates]
        raise ValueError(
            f"The test vector has no inputs for '{form.name}', got {sorted(wanted)}."
        )
