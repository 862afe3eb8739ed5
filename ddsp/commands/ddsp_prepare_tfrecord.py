r"""Prepares recordings for training: TFRecord examples of audio, f0 and loudness.

Example:

  ddsp_prepare_tfrecord \
    --input_audio_filepatterns='recordings/*.wav,more/*.flac' \
    --output_tfrecord_path=data/violin.tfrecord

Train on the result with
--gin_param="TFRecordProvider.file_pattern='data/violin.tfrecord*'".

Input files are WAV, FLAC, MP3, OGG, Opus, AIFF, CAF and more, at any sample rate from
1 kHz. Directories are searched recursively. Channels are mixed to mono.

Each recording is cut into overlapping examples. If at least half a hop remains at the
end, one more example covers it. A recording shorter than one example is padded with
silence, or skipped if it is shorter than half an example.

Files that cannot be used are skipped. They are listed with the reason in the summary
and in the manifest (manifest-NAME.json, in the directory of the shards), which also
holds the statistics of the data. Warnings report duplicates, clipping, DC offsets,
peaks above full scale, channels that cancel out, and recordings that seem polyphonic,
are mostly silent, or have pitches that the tracker misses.
"""

import time

from absl import flags

from ddsp.program import run_main
from ddsp.recordings.analysis_settings import CREPE_MODELS
from ddsp.training.data_preparation import prepare_tfrecord_lib

FLAGS = flags.FLAGS

_INPUT = flags.DEFINE_list(
    "input_audio_filepatterns",
    [],
    "Audio files, glob patterns (** matches nested directories) or directories, "
    "separated by commas. Paths that contain commas can be passed as positional "
    "arguments after the flags.",
)
_OUTPUT = flags.DEFINE_string(
    "output_tfrecord_path",
    None,
    "Prefix of the output files: data/violin.tfrecord writes "
    "data/violin.tfrecord-00000-of-00010, or with an evaluation split "
    "data/violin.tfrecord-train-00000-of-00010 and ...-eval-....",
    required=True,
)
_NUM_SHARDS = flags.DEFINE_integer(
    "num_shards", 10, "Number of output files (shards) per split.", lower_bound=1
)
_SAMPLE_RATE = flags.DEFINE_integer(
    "sample_rate", 16000, "Sample rate of the examples, in Hz."
)
_FRAME_RATE = flags.DEFINE_integer(
    "frame_rate",
    250,
    "Frames per second of f0 and loudness. Must divide the sample rate and 16000. 0 "
    "writes audio only.",
)
_EXAMPLE_SECS = flags.DEFINE_float(
    "example_secs",
    4,
    "Length of an example, in seconds. 0 cuts the audio into pieces of --chunk_secs "
    "without overlap.",
)
_HOP_SECS = flags.DEFINE_float(
    "hop_secs",
    1,
    "Time between the starts of two examples, in seconds. The length of an example "
    "means no overlap.",
)
_EVAL_SPLIT_FRACTION = flags.DEFINE_float(
    "eval_split_fraction",
    0.0,
    "Fraction of the audio to set aside for evaluation: entire recordings if they add "
    "up to about this fraction, otherwise the end of each recording. Training and "
    "evaluation examples never overlap.",
)
_CHUNK_SECS = flags.DEFINE_float(
    "chunk_secs",
    20.0,
    "Length of the audio that is analyzed at a time, in seconds. It affects memory, "
    "but not the results. With --example_secs=0 it is the length of an example, and 0 "
    "makes each recording one example.",
)
_CENTER = flags.DEFINE_boolean(
    "center",
    False,
    "Center frame i at time i / frame_rate, which adds one frame, instead of starting "
    "it there.",
)
_VITERBI = flags.DEFINE_boolean(
    "viterbi",
    True,
    "Track f0 along the most likely path through the recording (Viterbi decoding), "
    "instead of frame by frame.",
)
_PIPELINE_OPTIONS = flags.DEFINE_list(
    "pipeline_options",
    [],
    "Options of Apache Beam, separated by commas, such as --runner=DirectRunner. Needs "
    "pip install 'ddsp[beam]'. Without options, local processes do the work.",
)
_CREPE_MODEL = flags.DEFINE_enum(
    "crepe_model",
    "tiny",
    CREPE_MODELS,
    "Size of the pitch tracker. full is about 15 times slower and needs "
    "pip install 'ddsp[full-crepe]'.",
)
_NUM_WORKERS = flags.DEFINE_integer(
    "num_workers",
    0,
    "Number of local processes. 0 chooses it from the number of CPUs and the amount of "
    "work.",
    lower_bound=0,
)


def main(argv: list[str]) -> None:
    """Runs the program and prints the summary.

    Args:
      argv: Positional arguments, after the name of the program.
    """
    patterns = _INPUT.value + argv[1:]
    if not patterns:
        raise ValueError(
            "The recordings must be named, as in "
            "--input_audio_filepatterns='recordings/*.wav', got none."
        )
    start = time.monotonic()
    manifest = prepare_tfrecord_lib.prepare_tfrecord(
        patterns,
        _OUTPUT.value,
        num_shards=_NUM_SHARDS.value,
        sample_rate=_SAMPLE_RATE.value,
        frame_rate=_FRAME_RATE.value,
        example_secs=_EXAMPLE_SECS.value,
        hop_secs=_HOP_SECS.value,
        eval_split_fraction=_EVAL_SPLIT_FRACTION.value,
        chunk_secs=_CHUNK_SECS.value,
        center=_CENTER.value,
        viterbi=_VITERBI.value,
        pipeline_options=_PIPELINE_OPTIONS.value,
        crepe_model=_CREPE_MODEL.value,
        num_workers=_NUM_WORKERS.value,
    )
    print(prepare_tfrecord_lib.summary(manifest))
    print(
        f"Written to {_OUTPUT.value}-* in {time.monotonic() - start:.0f} s; "
        "see the manifest for details."
    )


def console_entry_point() -> None:
    """Entry point of the command `ddsp_prepare_tfrecord`."""
    run_main(main)


if __name__ == "__main__":
    console_entry_point()
