"""Plays a recording, or the microphone, with a trained model in real time.

  ddsp_stream INPUT --model DIR -o OUT.wav
  ddsp_stream --live --model DIR

INPUT is an audio file of any rate and number of channels. It is played block by block,
as a microphone would fill the blocks; then the latency, the time that blocks took and
the drop-outs are shown.
"""

import os
import sys

from absl import flags

from ddsp.program import TRUSTED, UserError, run_main

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags of this program."""
    flags.DEFINE_string(
        "model",
        None,
        "Folder of a training run (or its `best` folder), or a bundle.",
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
        "From the microphone to the loudspeaker, until Ctrl-C; needs "
        "pip install 'ddsp[live]'.",
    )
    flags.DEFINE_boolean(
        "pace",
        True,
        "Give the model each block when a microphone would have filled it; otherwise "
        "as fast as it goes.",
    )
    flags.DEFINE_integer(
        "block_size",
        512,
        "Samples of a block. Whole hops of the model need no buffering.",
        lower_bound=1,
    )
    flags.DEFINE_float("pitch_shift", 0.0, "Semitones to shift the pitch by.")
    flags.DEFINE_float("loudness_shift", 0.0, "Decibels to shift the loudness by.")
    flags.DEFINE_float("gain", 0.0, "Decibels to amplify the output by.")
    flags.DEFINE_enum(
        "crepe_model",
        "tiny",
        ["tiny", "full", "none"],
        "Pitch tracker; with none the pitch is --f0_hz.",
    )
    flags.DEFINE_integer(
        "pitch_rate",
        100,
        "Frames a second that are tracked; must divide 16000.",
        lower_bound=1,
    )
    flags.DEFINE_float(
        "f0_hz",
        None,
        "Pitch to play at, Hz, with --crepe_model=none.",
        lower_bound=0.0,
    )
    flags.DEFINE_boolean("trusted", False, TRUSTED)


def main(argv: list[str]) -> None:
    """Runs the program on its positional arguments."""
    _check_usage(argv)
    # TensorFlow takes seconds to load: not for --help, and not for a wrong flag.
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
        print("Playing; Ctrl-C ends it.", file=sys.stderr)
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
    """Refuses arguments that do not go together."""
    usage = "Usage: ddsp_stream INPUT --model DIR -o OUT.wav"
    if FLAGS.live and (len(argv) > 1 or FLAGS.output):
        raise UserError(
            "With --live there is neither an INPUT nor an --output, got "
            f"{argv[1:]} and --output={FLAGS.output}."
        )
    if not FLAGS.live and len(argv) != 2:
        raise UserError(f"Give one INPUT, an audio file, got {argv[1:]}. {usage}")
    if not FLAGS.live and FLAGS.output is None:
        raise UserError(f"Say what to write, got no --output. {usage}")
    if not FLAGS.live and os.path.isdir(argv[1]):
        raise UserError(f"INPUT must be an audio file, got the folder {argv[1]!r}.")
    if (FLAGS.crepe_model == "none") != (FLAGS.f0_hz is not None):
        raise UserError(
            "Either the pitch is tracked, or --crepe_model=none and --f0_hz go "
            f"together, got --crepe_model={FLAGS.crepe_model}, --f0_hz={FLAGS.f0_hz}."
        )


def console_entry_point() -> None:
    """The command `ddsp_stream`."""
    define_flags()
    # Flags may follow INPUT.
    FLAGS.set_gnu_getopt(True)
    run_main(main)


if __name__ == "__main__":
    console_entry_point()
