"""Exports a trained model as a bundle, and in the formats of other runtimes.

Example:

  ddsp_export --model=models/violin --output=violin --formats=saved_model,tflite,onnx

The output directory is a bundle to share: it holds weights, config, statistics, license
and a test vector. Load it with ddsp.load('violin'), or pass it to ddsp_timbre_transfer
and ddsp_stream as --model. Every exported format is run on the test vector. If its
output differs by more than 1e-4, the export fails and nothing is written.
"""

import sys
from pathlib import Path

from absl import flags

from ddsp.program import TRUSTED, UserError, run_main

FLAGS = flags.FLAGS

# Values of --inference_model in the original.
_MODULES = (
    "autoencoder",
    "streaming_f0_pw",
    "vst_extract_features",
    "vst_predict_controls",
    "vst_stateless_predict_controls",
    "vst_synthesize",
    "vst_synthesize_harmonic",
    "vst_synthesize_noise",
)


def define_flags() -> None:
    """Defines the flags of the program."""
    flags.DEFINE_string(
        "model",
        None,
        "Directory of a training run (or its `best` folder), a checkpoint, or a "
        "bundle.",
        required=True,
    )
    flags.DEFINE_string(
        "output",
        None,
        "Directory to write. By default `export`, or the value of --name, inside the "
        "directory of the run.",
        short_name="o",
    )
    flags.DEFINE_list(
        "formats",
        [],
        "Formats to add to the bundle, separated by commas: saved_model, tflite, onnx, "
        "web, vst. The format vst is for the plug-in of the original library.",
    )
    flags.DEFINE_list(
        "forms",
        ["stream"],
        "Parts of the model to export, separated by commas: stream (features to audio, "
        "block by block), whole (features to audio in one call, with as many frames as "
        "the test vector), decoder (features to controls), level (audio to loudness or "
        "power).",
    )
    flags.DEFINE_integer(
        "block_frames", 1, "Frames per block of the form stream.", lower_bound=1
    )
    flags.DEFINE_string("license", None, "License of the model, such as CC-BY-4.0.")
    flags.DEFINE_string(
        "attribution", None, "Credits of the musician and the recordings."
    )
    flags.DEFINE_enum(
        "crepe_model",
        None,
        ["tiny", "full"],
        "Pitch tracker of the training data, if its statistics do not name one.",
    )
    flags.DEFINE_boolean(
        "need_statistics", True, "Refuse to export a model without dataset statistics."
    )
    flags.DEFINE_string(
        "name", None, "Name of the plug-in model, written as NAME.tflite."
    )
    flags.DEFINE_boolean("trusted", False, TRUSTED)
    # Flags of the original.
    flags.DEFINE_alias("model_path", "model")
    flags.DEFINE_alias("save_dir", "output")
    flags.DEFINE_enum(
        "inference_model",
        None,
        _MODULES,
        "Flag of the original. Values that start with vst_ mean --formats=vst.",
    )
    flags.DEFINE_boolean(
        "tflite", None, "Flag of the original, same as --formats=tflite."
    )
    flags.DEFINE_boolean(
        "tfjs", None, "Flag of the original, replaced by --formats=web."
    )


def main(argv: list[str]) -> None:
    """Runs the program.

    Args:
      argv: Positional arguments, after the name of the program.
    """
    if len(argv) > 1:
        raise UserError(f"The program has no positional arguments, got {argv[1:]}.")
    # Loading TensorFlow takes seconds, which --help and wrong flags do not need.
    from ddsp.playing.export import exporting

    output = FLAGS.output or _default_output(FLAGS.model)
    formats = _formats()
    try:
        comparisons = exporting.export_model(
            output,
            FLAGS.model,
            formats,
            FLAGS.forms,
            FLAGS.block_frames,
            progress=lambda text: print(text, file=sys.stderr),
            plugin_name=FLAGS.name or "model",
            license=FLAGS.license,
            attribution=FLAGS.attribution,
            crepe_model=FLAGS.crepe_model,
            need_statistics=FLAGS.need_statistics,
            trusted=FLAGS.trusted,
        )
    except (ImportError, RuntimeError) as error:
        raise UserError(f"{error} Nothing was written.") from error
    if comparisons:
        print(exporting.table(comparisons))
    print(output)


def _default_output(model: str) -> str:
    folder = Path(model)
    if not folder.is_dir():
        folder = folder.parent
    return str(folder / (FLAGS.name or "export"))


def _formats() -> list[str]:
    """Returns the formats that --formats and the flags of the original select."""
    if FLAGS.tfjs:
        raise UserError(
            "TensorFlow.js is not supported: use --formats=web for a page that runs "
            "the model in a browser, got --tfjs."
        )
    module = FLAGS.inference_model
    if module is None:
        return [*FLAGS.formats, *(["tflite"] if FLAGS.tflite else [])]
    if module.startswith("vst_"):
        return [*FLAGS.formats, "vst"]
    raise UserError(
        "Use --formats=saved_model with --forms=whole (one call) or --forms=stream "
        f"(block by block), got --inference_model={module}."
    )


def console_entry_point() -> None:
    """Entry point of the command `ddsp_export`."""
    define_flags()
    run_main(main)


if __name__ == "__main__":
    console_entry_point()
