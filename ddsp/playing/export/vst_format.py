"""Models for plug-ins: a TFLite file with metadata, and the reverb as a recording.

DDSP-VST plays what is put into its folder of models: files of the decoder, frame by
frame, with 60 harmonics, 65 bands of noise and a GRU of 512 units at 50 frames a
second, as `models/vst/vst.gin` trains them.
"""

import datetime
import inspect
import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
import tensorflow as tf

from ddsp import core, files, gin_state, playing, version
from ddsp.playing import reverbs, trained_model
from ddsp.playing.export.comparison import compare
from ddsp.playing.export.form import Form
from ddsp.playing.export.tflite import TFLite
from ddsp.playing.signatures import Forms
from ddsp.playing.voice import find_voice
from ddsp.training import checkpoints, models, postprocessing

# By the names that the original's command takes.
MODULES: dict[str, type[Forms]] = {
    "vst_extract_features": playing.VSTExtractFeatures,
    "vst_predict_controls": playing.VSTPredictControls,
    "vst_stateless_predict_controls": playing.VSTStatelessPredictControls,
    "vst_synthesize": playing.VSTSynthesize,
    "vst_synthesize_harmonic": playing.VSTSynthesizeHarmonic,
    "vst_synthesize_noise": playing.VSTSynthesizeNoise,
    "autoencoder": playing.AutoencoderInference,
}
METADATA_FILE = "metadata.json"

_RANGES = ("min_pitch", "max_pitch", "min_power", "max_power")
_N_COMPARED = 20


def module_form(name: str, ckpt: str | Path, **settings_of_module: Any) -> Form:
    """One of the original's modules, to be exported.

    Where the module draws noise, the form takes it as `white_noise`.

    Args:
      name: One of `MODULES`.
      ckpt: Directory of a training run, or a checkpoint in it.
      **settings_of_module: Further arguments of the module's class.

    Returns:
      A form with this name and the inputs and outputs that the module's class says.

    Raises:
      FileNotFoundError: If the checkpoint or the operative config beside it is missing.
      ValueError: If the name is unknown, or the model cannot be used so.
    """
    if name not in MODULES:
        raise ValueError(f"Modules are {list(MODULES)}, got {name!r}.")
    module: Any = MODULES[name]
    return _as_form(name, module(ckpt, **settings_of_module))


def _as_form(name: str, module: Any) -> Form:
    forms = module.call_specs
    specs = forms.get("call_with_noise") or next(iter(forms.values()))
    carried = {"state"} & set(specs)
    renders = isinstance(module, playing.VSTSynthesize)
    return Form(
        name=name,
        function=module.named_outputs,
        inputs=specs,
        doc=inspect.getdoc(type(module)) or "",
        state={key: np.zeros(specs[key].shape, np.float32) for key in carried},
        noise=[key for key in specs if key == "white_noise"],
        sample_rate=module.sample_rate,
        samples_per_call=module.hop_size if renders else None,
    )


def write_plugin(
    ckpt: str | Path,
    folder: str | Path,
    statistics: Mapping[str, Any] | None = None,
    name: str = "model",
    reverb_sample_rate: int | None = 44100,
    trusted: bool = False,
) -> list[str]:
    """Writes what a plug-in of the original needs of a trained model.

    That is `NAME.tflite` with the metadata inside, for the folder of models;
    `metadata.json`; and for a model with a reverb `reverb_ir_RATE_hz.wav`. The TFLite
    file is played and compared with Python.

    Args:
      ckpt: Directory of a training run, or a checkpoint in it.
      folder: Where to write; made when missing.
      statistics: Of the training data, from
        `postprocessing.compute_dataset_statistics`; by default those beside the
        checkpoint.
      name: Of the TFLite file: the plug-in shows it.
      reverb_sample_rate: Write the impulse response at this rate too.
      trusted: Whether the model's config may import modules and name anything; see
        `models.load`.

    Returns:
      The paths of the files.

    Raises:
      FileNotFoundError: If checkpoint, config or statistics are missing.
      ImportError: If a package is missing; it names the extra to install.
      ValueError: If the model cannot be used so.
      RuntimeError: If the file differs from Python by more than 1e-4.
    """
    folder = Path(files.expand_path(str(folder)))
    with gin_state.isolated():
        trained_model.parse_operative_config(ckpt, trusted)
        model = trained_model.restored_autoencoder(ckpt)
    if statistics is None:
        statistics = _statistics_beside(ckpt)
    text = json.dumps(metadata(model, statistics), indent=1) + "\n"
    module = playing.VSTStatelessPredictControls(ckpt, trusted=trusted)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [_write_tflite(module, folder / f"{name}.tflite", text)]
    paths.append(str(folder / METADATA_FILE))
    files.write_text(paths[-1], text)
    if reverbs.trained_reverbs(model.processor_group):
        paths += write_impulse_response(model, folder, reverb_sample_rate)
    return paths


def metadata(
    model: models.Autoencoder, statistics: Mapping[str, Any]
) -> dict[str, Any]:
    """What plug-ins read about a model.

    Args:
      model: With a preprocessor that measures power.
      statistics: From `postprocessing.compute_dataset_statistics`.

    Returns:
      Plain values for JSON: `mean_min_pitch_note` and `mean_max_pitch_note` (MIDI),
      the same with `_hz`, `mean_min_power_note` and `mean_max_power_note` (dB),
      `num_harmonics`, `num_noise_amps`, `frame_rate`, `frame_size`, `sample_rate`,
      `version` and `export_time`.

    Raises:
      ValueError: If the statistics lack a range, or the model is none for plug-ins.
    """
    voice = find_voice(model)
    preprocessor = model.preprocessor
    if not hasattr(preprocessor, "frame_size"):
        raise ValueError(
            "Plug-ins play from power: the preprocessor must measure it, got "
            f"{type(preprocessor).__name__}."
        )
    keys = [f"mean_{name}_note" for name in _RANGES]
    if missing := [key for key in keys if key not in statistics]:
        raise ValueError(
            f"Statistics that lack {missing} are of an older version: compute them "
            "anew by `postprocessing.compute_dataset_statistics`, got "
            f"{sorted(statistics)}."
        )
    ranges = {key: float(statistics[key]) for key in keys}
    in_hz = {
        f"{key}_hz": float(core.midi_to_hz(value))
        for key, value in ranges.items()
        if "pitch" in key
    }
    return {
        **ranges,
        **in_hz,
        "version": version.__version__,
        "export_time": datetime.datetime.now(datetime.UTC).isoformat(),
        "num_harmonics": voice.n_harmonics,
        "num_noise_amps": voice.n_noise,
        "frame_rate": preprocessor.frame_rate,
        "frame_size": preprocessor.frame_size,
        "sample_rate": model.sample_rate,
    }


def write_impulse_response(
    model: models.Autoencoder, folder: str | Path, sample_rate: int | None = None
) -> list[str]:
    """Writes the response of a model's reverb, `reverb_ir_RATE_hz.wav`.

    It is the reverberation alone, without the direct sound: mix it with the dry
    signal. Samples are floats, so that none is clipped.

    Args:
      model: Restored.
      folder: Where to write; made when missing.
      sample_rate: Write it at this rate too. Its level is changed with the rate so
        that convolution is as loud.

    Returns:
      The paths of the files.

    Raises:
      ValueError: If the model does not have one trained reverb.
    """
    found = reverbs.trained_reverbs(model.processor_group)
    if len(found) != 1:
        raise ValueError(
            "The model must have one trained reverb, got "
            f"{[reverb.name for reverb in found]}."
        )
    response = reverbs.impulse_response(found[0]).numpy()
    response[0] = 0.0  # which the model leaves out
    folder = Path(files.expand_path(str(folder)))
    folder.mkdir(parents=True, exist_ok=True)
    written = {model.sample_rate: response}
    if sample_rate is not None and sample_rate != model.sample_rate:
        ratio = model.sample_rate / sample_rate
        written[sample_rate] = ratio * soxr.resample(
            response, model.sample_rate, sample_rate
        )
    paths = []
    for rate, samples in written.items():
        path = folder / f"reverb_ir_{rate}_hz.wav"
        soundfile.write(path, samples, rate, subtype="FLOAT")
        paths.append(str(path))
    return paths


def _statistics_beside(ckpt: str | Path) -> dict[str, Any]:
    places = checkpoints.folders_of(str(ckpt))
    statistics = postprocessing.find_dataset_statistics(*places)
    if statistics is None:
        raise FileNotFoundError(
            f"Plug-ins need {postprocessing.STATISTICS_FILE}, which training writes "
            f"beside the checkpoints, got none in {places}."
        )
    return statistics


class PluginFile(TFLite):
    """Runs files whose tensors have the names that plug-ins look for."""

    def load(self, path):
        run = super().load(path)
        names = playing.VSTStatelessPredictControls.output_names
        numbered = {f"output_{i}": name for i, name in enumerate(names)}
        return lambda inputs: {numbered[key]: x for key, x in run(inputs).items()}


def _write_tflite(
    module: playing.VSTStatelessPredictControls, path: Path, text: str
) -> str:
    """Writes the decoder, and compares the file with it."""
    with tempfile.TemporaryDirectory() as folder:
        # A SavedModel of the module, not of its form, gives tensors their names.
        module.save_model(folder)
        content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
        file = Path(folder) / path.name
        file.write_bytes(content)
        # Plug-ins read this as a zip archive, which is found from its end.
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr(METADATA_FILE, text)
        form = _as_form("vst_stateless_predict_controls", module)
        rising = np.linspace(0.2, 0.8, _N_COMPARED, dtype=np.float32)
        calls = [{"f0_scaled": x, "pw_scaled": x} for x in rising[:, np.newaxis]]
        compare(form, str(file), PluginFile(), calls)
        shutil.copyfile(file, path)
    return str(path)
