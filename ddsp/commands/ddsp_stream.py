"""Timbre transfer in real time, from a recording or the microphone.

Examples:

  ddsp_stream singing.wav --model=models/violin -o violin.wav
  ddsp_stream --live --model=models/violin

The input is an audio file of any sample rate and number of channels. It is processed
block by block at the pace of a microphone. At the end the program prints the latency,
the processing time per block and the number of dropouts.
"""

import os
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
        "File to write (.wav, .flac, .ogg, .mp3, .aiff).",
        short_name="o",
    )
    flags.DEFINE_boolean(
        "live",
        False,
        "Process the microphone and play to the loudspeaker until Ctrl-C. Needs "
        "pip install 'ddsp[live]'.",
    )
    flags.DEFINE_boolean(
        "pace",
        True,
        "Process blocks at the pace of a microphone instead of as fast as possible.",
    )
    flags.DEFINE_integer(
        "block_size",
        512,
        "Samples per block. Multiples of the hop of the model avoid buffering.",
        lower_bound=1,
    )
    flags.DEFINE_float("pitch_shift", 0.0, "Pitch shift in semitones.")
    flags.DEFINE_float("loudness_shift", 0.0, "Loudness shift in dB.")
    flags.DEFINE_float("gain", 0.0, "Gain of the output in dB.")
    flags.DEFINE_enum(
        "crepe_model",
        "tiny",
        ["tiny", "full", "none"],
        "Size of the pitch tracker. With none, the pitch is --f0_hz.",
    )
    flags.DEFINE_integer(
        "pitch_rate",
        100,
        "Frames per second of the pitch tracker. Must divide 16000.",
        lower_bound=1,
    )
    flags.DEFINE_float(
        "f0_hz",
        None,
        "Constant pitch in Hz, with --crepe_model=none.",
        lower_bound=0.0,
    )
    flags.DEFINE_boolean("trusted", False, TRUSTED)


def main(argv: list[str]) -> None:
    """Runs the program on its positional argument.

    Args:
      argv: Positional arguments, after the name of the program.
    """
    _check_usage(argv)
    # Loading TensorFlow takes seconds, which --help and wrong flags do not need.
    from ddsp.playing import StreamingModel, live_audio, realtime, timbre_transfer

    if not FLAGS.live:
        timbre_transfer.plan_outputs(argv[1], FLAGS.output)
    realtime.prefer_short_calls()
    model, _ = timbre_transfer.load_model(FLAGS.model, FLAGS.trusted)
    stream = StreamingModel(
        model,
        FLAGS.block_size,
        crepe_model=None if FLAGS.crepe_model == "none" else FLAGS.crepe_model,
        pitch_rate=FLAGS.pitch_rate,
    )
    stream.pitch_shift = FLAGS.pitch_shift
    stream.loudness_shift = FLAGS.loudness_shift
    stream.gain = FLAGS.gain
    player = realtime.Player(stream, FLAGS.block_size, FLAGS.f0_hz)
    if FLAGS.live:
        print("Playing. Stop with Ctrl-C.", file=sys.stderr)
        live_audio.play_live(player)
        report = player.report()
    else:
        report = realtime.play_file(
            argv[1],
            FLAGS.output,
            player,
            pace=FLAGS.pace,
            progress=sys.stderr.isatty(),
        )
        print(FLAGS.output)
    for line in report.describe():
        print(line)


def _check_usage(argv: list[str]) -> None:
    """Raises an error for arguments that contradict each other."""
    usage = "Usage: ddsp_stream INPUT --model=DIR -o OUT.wav."
    if FLAGS.live and (len(argv) > 1 or FLAGS.output):
        raise UserError(
            "With --live there must be no input and no --output, got "
            f"{argv[1:]} and --output={FLAGS.output}."
        )
    if not FLAGS.live and len(argv) != 2:
        raise UserError(f"{usage} INPUT must be one audio file, got {argv[1:]}.")
    if not FLAGS.live and FLAGS.output is None:
        raise UserError(f"{usage} The output file must be named, got no --output.")
    if not FLAGS.live and os.path.isdir(argv[1]):
        raise UserError(f"INPUT must be an audio file, got the directory {argv[1]!r}.")
    if (FLAGS.crepe_model == "none") != (FLAGS.f0_hz is not None):
        raise UserError(
            "--crepe_model=none and --f0_hz must be used together, got "
            f"--crepe_model={FLAGS.crepe_model} and --f0_hz={FLAGS.f0_hz}."
        )


def console_entry_point() -> None:
    """Entry point of the command `ddsp_stream`."""
    define_flags()
    # Flags may follow the input.
    FLAGS.set_gnu_getopt(True)
    run_main(main)


if __name__ == "__main__":
    console_entry_point()
