r"""Prepares recordings for training: TFRecord examples of audio, pitch and loudness.

  ddsp_prepare_tfrecord \
    --input_audio_filepatterns='recordings/*.wav,more/*.flac' \
    --output_tfrecord_path=data/violin.tfrecord

Reads WAV, FLAC, MP3, OGG, Opus, AIFF, CAF and more, of any rate from 1 kHz; folders
with their sub-folders. Channels are mixed to mono. Train on the result with
--gin_param="TFRecordProvider.file_pattern='data/violin.tfrecord*'".

Each recording is cut into overlapping examples. What a hop leaves over at the end is
covered by one more example if it is at least half a hop. A recording shorter than
one example is filled up with silence, or skipped if it is shorter than half of one.
Files that cannot be used are skipped, and named with the reason at the end and in the
manifest (manifest-NAME.json beside the shards), which also holds the data's
statistics. Named too are copies, clipping, DC offsets, peaks above full scale,
channels that cancel each other, and recordings that sound polyphonic, are mostly
silent, or have a pitch that the tracker misses.
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
    "Audio files, glob patterns (** descends into folders) or folders with all that is "
    "in them, separated by commas. More can follow the flags as arguments of their "
    "own, which may hold commas themselves.",
)
_OUTPUT = flags.DEFINE_string(
    "output_tfrecord_path",
    None,
    "Start of the names of the shards: data/violin.tfrecord gives "
    "data/violin.tfrecord-00000-of-00010, or with an evaluation split "
    "data/violin.tfrecord-train-00000-of-00010 and ...-eval-....",
    required=True,
)
_NUM_SHARDS = flags.DEFINE_integer(
    "num_shards", 10, "Files to divide the examples into, per split.", lower_bound=1
)
_SAMPLE_RATE = flags.DEFINE_integer(
    "sample_rate", 16000, "Of the audio in the examples, samples a second."
)
_FRAME_RATE = flags.DEFINE_integer(
    "frame_rate",
    250,
    "Of pitch and loudness, frames a second. Divides the sample rate and 16000. 0: "
    "neither is measured.",
)
_EXAMPLE_SECS = flags.DEFINE_float(
    "example_secs",
    4,
    "Length of an example, seconds. 0: pieces of --chunk_secs that do not overlap.",
)
_HOP_SECS = flags.DEFINE_float(
    "hop_secs",
    1,
    "From the start of an example to the start of the next, seconds. As long as an "
    "example: none overlap.",
)
_EVAL_SPLIT_FRACTION = flags.DEFINE_float(
    "eval_split_fraction",
    0.0,
    "Share of the audio kept for evaluation: whole recordings where that comes near "
    "the share, else the end of each. Examples never overlap across the split.",
)
_CHUNK_SECS = flags.DEFINE_float(
    "chunk_secs",
    20.0,
    "How much audio is analysed at a time, seconds. Memory grows with it; results "
    "do not depend on it. With --example_secs=0, the length of an example; 0 there "
    "makes each recording one example.",
)
_CENTER = flags.DEFINE_boolean(
    "center",
    False,
    "Centre frame i on time i / frame_rate, which makes one frame more, instead of "
    "starting it there.",
)
_VITERBI = flags.DEFINE_boolean(
    "viterbi",
    True,
    "Track pitch along the most likely path through the recording, instead of taking "
    "each frame's own peak.",
)
_PIPELINE_OPTIONS = flags.DEFINE_list(
    "pipeline_options",
    [],
    "Options of Apache Beam, separated by commas, such as --runner=DirectRunner, to "
    "run there (needs pip install 'ddsp[beam]'). Empty: run in local processes.",
)
_CREPE_MODEL = flags.DEFINE_enum(
    "crepe_model",
    "tiny",
    CREPE_MODELS,
    "Size of the pitch tracker. full is some 15 times slower and needs "
    "pip install 'ddsp[full-crepe]'.",
)
_NUM_WORKERS = flags.DEFINE_integer(
    "num_workers",
    0,
    "Local processes; 0 chooses by the processors and the work there is.",
    lower_bound=0,
)


def main(argv: list[str]) -> None:
    """Prepares what the flags say and prints the summary."""
    patterns = _INPUT.value + argv[1:]
    if not patterns:
        raise ValueError(
            "Name the recordings to prepare: --input_audio_filepatterns='folder/*.wav'."
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
        "the manifest beside them says more."
    )


def console_entry_point() -> None:
    """What the command `ddsp_prepare_tfrecord` calls."""
    run_main(main)


if __name__ == "__main__":
    console_entry_point()
