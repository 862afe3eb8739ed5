"""Writes a trained model as a bundle, and in the formats of other runtimes.

  ddsp_export --model RUN --output DIR --formats=saved_model,tflite,onnx

DIR can be given away: it holds weights, config, statistics, licence and a test vector;
`ddsp.load(DIR)` brings it back, and `ddsp_timbre_transfer` and `ddsp_stream` play it.
Every format is run on the test vector; one that differs by more than 1e-4 is an error,
and then nothing is left behind.
"""

import sys
from pathlib import Path

from absl import flags

from ddsp.program import TRUSTED, UserError, run_main

FLAGS = flags.FLAGS

# What the original's command can be asked for.
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
    """Defines the flags of this program."""
    flags.DEFINE_string(
        "model",
        None,
        "Folder of a training run (or its `best` folder), a checkpoint, or a bundle.",
        required=True,
    )
    flags.DEFINE_string(
        "output",
        None,
        "Folder to write; by default `export`, or --name, in that of the run.",
        short_name="o",
    )
    flags.DEFINE_list(
        "formats",
        [],
        "Formats beside the bundle: saved_model, tflite, onnx, web, vst. The last is "
        "what plug-ins of the original load.",
    )
    flags.DEFINE_list(
        "forms",
        ["stream"],
        "What is exported to the formats: stream (features to audio, block by block), "
        "whole (as many frames as the test vector has, at once), decoder (features to "
        "controls), level (audio to loudness or power).",
    )
    flags.DEFINE_integer(
        "block_frames", 1, "Frames of a block of audio.", lower_bound=1
    )
    flags.DEFINE_string("license", None, "Terms of use of the model.")
    flags.DEFINE_string(
        "attribution", None, "Whom to name: the musician, the recordings."
    )
    flags.DEFINE_enum(
        "crepe_model",
        None,
        ["tiny", "full"],
        "Pitch tracker of the training data, where its statistics do not say.",
    )
    flags.DEFINE_boolean(
        "need_statistics", True, "Refuse a model without statistics of its data."
    )
    flags.DEFINE_string("name", None, "Of the plug-in's model: NAME.tflite.")
    flags.DEFINE_boolean("trusted", False, TRUSTED)
    # As the original calls them.
    flags.DEFINE_alias("model_path", "model")
    flags.DEFINE_alias("save_dir", "output")
    flags.DEFINE_enum(
        "inference_model",
        None,
        _MODULES,
        "A module of the original's plug-in, all of which are in --formats=vst.",
    )
    flags.DEFINE_boolean("tflite", None, "As --formats=tflite.")
    flags.DEFINE_boolean("tfjs", None, "Replaced by --formats=web.")


def main(argv: list[str]) -> None:
    """Runs the program; it takes no positional arguments."""
    if len(argv) > 1:
        raise UserError(f"This program takes flags alone, got {argv[1:]}.")
    # TensorFlow takes seconds to load: not for --help, and not for a wrong flag.
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
    """What `--formats` and the original's flags ask for."""
    if FLAGS.tfjs:
        raise UserError(
            "Models for TensorFlow.js are not written; --formats=web writes a page "
            "that plays the model in a browser, got --tfjs."
        )
    module = FLAGS.inference_model
    if module is None:
        return [*FLAGS.formats, *(["tflite"] if FLAGS.tflite else [])]
    if module.startswith("vst_"):
        return [*FLAGS.formats, "vst"]
    raise UserError(
        "Whole models are written by --formats=saved_model, with --forms=whole for all "
        "frames at once and --forms=stream for blocks, got --inference_model="
        f"{module}."
    )


def console_entry_point() -> None:
    """The command `ddsp_export`."""
    define_flags()
    run_main(main)


if __name__ == "__main__":
    console_entry_point()
