"""Timbre transfer: resynthesizes recordings with the sound of a trained model.

Example:

  ddsp_timbre_transfer singing.wav --model=models/violin -o violin.wav

The input is an audio file of any sample rate, length and number of channels, or a
directory of audio files, which is searched recursively. For a directory the output is a
directory too, and files that cannot be used are skipped and listed at the end.
"""

import sys

from absl import flags

from ddsp.program import TRUSTED, UserError, run_main

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags of the program."""
    flags.DEFINE_string(
        "model",
        None,
        "Directory of a training run (or its `best` folder), or a bundle.",
        required=True,
    )
    flags.DEFINE_string(
        "output",
        None,
        "File to write (.wav, .flac, .ogg, .mp3, .aiff), or a directory if the input "
        "is one.",
        short_name="o",
        required=True,
    )
    flags.DEFINE_boolean(
        "adjust",
        True,
        "Shift the pitch by octaves and match the loudness to the training data, if "
        "the model has its statistics.",
    )
    flags.DEFINE_float(
        "threshold",
        1.0,
        "Threshold of the note detection. Lower values detect more notes.",
        lower_bound=0.0,
    )
    flags.DEFINE_float(
        "quiet",
        20.0,
        "Attenuation of frames without a note, in dB.",
        lower_bound=0.0,
    )
    flags.DEFINE_float(
        "autotune",
        0.0,
        "Amount of tuning to the nearest semitone, from 0 (none) to 1.",
        lower_bound=0.0,
        upper_bound=1.0,
    )
    flags.DEFINE_float("octave_shift", 0.0, "Pitch shift in octaves.")
    flags.DEFINE_float("pitch_shift", 0.0, "Pitch shift in semitones.")
    flags.DEFINE_float("loudness_shift", 0.0, "Loudness shift in dB.")
    flags.DEFINE_integer(
        "sample_rate",
        None,
        "Sample rate of the output in Hz; by default that of the model.",
        lower_bound=1,
    )
    flags.DEFINE_enum(
        "crepe_model", "tiny", ["tiny", "full"], "Size of the pitch tracker."
    )
    flags.DEFINE_boolean(
        "report",
        False,
        "Write an HTML page with players and plots next to each output.",
    )
    flags.DEFINE_boolean("trusted", False, TRUSTED)


def main(argv: list[str]) -> None:
    """Runs the program on its positional argument.

    Args:
      argv: Positional arguments, after the name of the program.
    """
    if len(argv) != 2:
        raise UserError(
            "Usage: ddsp_timbre_transfer INPUT --model=DIR -o OUT.wav. INPUT must be "
            f"one audio file or directory, got {argv[1:]}."
        )
    # Loading TensorFlow takes seconds, which --help and wrong flags do not need.
    import tensorflow as tf

    from ddsp import files
    from ddsp.playing import timbre_transfer, transfer_report
    from ddsp.playing.adjustment import Adjustment

    outputs = timbre_transfer.plan_outputs(argv[1], FLAGS.output)
    left_out = timbre_transfer.left_out(argv[1], FLAGS.output)
    adjustment = Adjustment(
        automatic=FLAGS.adjust,
        threshold=FLAGS.threshold,
        quiet=FLAGS.quiet,
        autotune=FLAGS.autotune,
        pitch_shift=FLAGS.pitch_shift,
        octave_shift=FLAGS.octave_shift,
        loudness_shift=FLAGS.loudness_shift,
    )
    model, statistics = timbre_transfer.load_model(FLAGS.model, FLAGS.trusted)
    if statistics is None and FLAGS.adjust:
        print(
            "warning: the model has no dataset_statistics.json, so pitch and loudness "
            "are not adjusted.",
            file=sys.stderr,
        )
    failures = []
    for source, path in outputs.items():
        try:
            transfer = timbre_transfer.transfer(
                source,
                path,
                model,
                statistics,
                adjustment,
                crepe_model=FLAGS.crepe_model,
                sample_rate=FLAGS.sample_rate,
                progress=sys.stderr.isatty(),
            )
            page = transfer_report.write_report(transfer) if FLAGS.report else None
        except (ValueError, OSError, tf.errors.OpError) as error:
            if len(outputs) == 1:
                raise
            failures.append(f"{files.printable(source)}: {error}")
            continue
        for line in transfer.describe():
            print(line)
        seconds, rate = transfer.seconds, transfer.sample_rate
        print(f"{files.printable(path)}: {seconds:.1f} s at {rate} Hz")
        if page:
            print(files.printable(page))
    for failure in failures:
        print(f"skipped {failure}", file=sys.stderr)
    for line in left_out:
        print(line, file=sys.stderr)
    if failures:
        print(
            f"{len(outputs) - len(failures)} of {len(outputs)} recordings transferred.",
            file=sys.stderr,
        )
    if len(failures) == len(outputs):
        raise UserError(f"None of the recordings in {argv[1]} could be transferred.")


def console_entry_point() -> None:
    """Entry point of the command `ddsp_timbre_transfer`."""
    define_flags()
    # Flags may follow the input.
    FLAGS.set_gnu_getopt(True)
    run_main(main)


if __name__ == "__main__":
    console_entry_point()
