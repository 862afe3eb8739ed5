"""Plays recordings with a trained model.

  ddsp_timbre_transfer INPUT --model DIR -o OUT.wav

INPUT is an audio file of any rate, length and number of channels, or a folder of
them (then OUT is a folder). Sub-folders are walked; recordings that cannot be used are
named at the end and skipped.
"""

import sys

from absl import flags

from ddsp.program import TRUSTED, UserError, run_main

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags of this program."""
    flags.DEFINE_string(
        "model", None, "Folder of a training run (or its `best` folder).", required=True
    )
    flags.DEFINE_string(
        "output",
        None,
        "File to write (.wav, .flac, .ogg, .mp3, .aiff), or a folder if INPUT is one.",
        short_name="o",
        required=True,
    )
    flags.DEFINE_boolean(
        "adjust",
        True,
        "Shift the pitch by octaves and map the loudness to the training data's, if "
        "the model has statistics of it.",
    )
    flags.DEFINE_float(
        "threshold", 1.0, "What counts as a note: lower finds more.", lower_bound=0.0
    )
    flags.DEFINE_float(
        "quiet", 20.0, "How far to turn down what is no note, dB.", lower_bound=0.0
    )
    flags.DEFINE_float(
        "autotune",
        0.0,
        "How far to pull notes to the nearest semitone.",
        lower_bound=0.0,
        upper_bound=1.0,
    )
    flags.DEFINE_float("octave_shift", 0.0, "Octaves to shift the pitch by.")
    flags.DEFINE_float("pitch_shift", 0.0, "Semitones to shift the pitch by.")
    flags.DEFINE_float("loudness_shift", 0.0, "Decibels to shift the loudness by.")
    flags.DEFINE_integer(
        "sample_rate", None, "Of the output; by default the model's.", lower_bound=1
    )
    flags.DEFINE_enum("crepe_model", "tiny", ["tiny", "full"], "Pitch tracker.")
    flags.DEFINE_boolean(
        "report", False, "Write a page with players and pictures beside each output."
    )
    flags.DEFINE_boolean("trusted", False, TRUSTED)


def main(argv: list[str]) -> None:
    """Runs the program on its positional arguments."""
    if len(argv) != 2:
        raise UserError(
            "Give one INPUT, an audio file or a folder of audio files, got "
            f"{argv[1:]}. Usage: ddsp_timbre_transfer INPUT --model DIR -o OUT.wav"
        )
    # TensorFlow takes seconds to load: not for --help, and not for a wrong flag.
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
            "are played as they are.",
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
    """The command `ddsp_timbre_transfer`."""
    define_flags()
    # Flags may follow INPUT.
    FLAGS.set_gnu_getopt(True)
    run_main(main)


if __name__ == "__main__":
    console_entry_point()
