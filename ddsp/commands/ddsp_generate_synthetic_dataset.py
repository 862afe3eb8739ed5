r"""Makes up notes whose pitch is known, to pretrain models that find pitch.

  ddsp_generate_synthetic_dataset \
    --output_tfrecord_path=data/notes.tfrecord \
    --num_examples=100000

Each example is 4 s of random notes, one after the other, with vibrato, glides, changing
levels and timbres, and filtered noise: as controls of synthesisers, not as audio. Train
on them with

  ddsp_run --mode=train --save_dir=models/pitch \
    --gin_file=papers/icml2020/pretrain_model.gin \
    --gin_file=papers/icml2020/pretrain_dataset.gin \
    --gin_param="data.SyntheticNotes.file_pattern='data/notes.tfrecord*'"

The same seed gives the same notes with any number of workers, here and on Apache Beam.
An example takes some 180 kB: the paper's ten million are 1.8 TB. What was made, and
how, stands in the manifest (manifest-NAME.json beside the shards), which readers obey.
"""

import time

from absl import flags

from ddsp.program import run_main
from ddsp.training.data_preparation import generate_synthetic_lib
from ddsp.training.data_preparation.synthetic_data import NoteSettings

FLAGS = flags.FLAGS

_OUTPUT = flags.DEFINE_string(
    "output_tfrecord_path",
    None,
    "Start of the names of the shards: data/notes.tfrecord gives "
    "data/notes.tfrecord-00000-of-00010.",
    required=True,
)
_NUM_EXAMPLES = flags.DEFINE_integer(
    "num_examples", 1_000_000, "Examples to make.", lower_bound=1
)
_NUM_SHARDS = flags.DEFINE_integer(
    "num_shards", 10, "Files to divide the examples into.", lower_bound=1
)
_RANDOM_SEED = flags.DEFINE_integer(
    "random_seed", 42, "Other seeds give other notes.", lower_bound=0
)
_N_TIMESTEPS = flags.DEFINE_integer(
    "n_timesteps", 125, "Frames in an example.", lower_bound=1
)
_N_HARMONICS = flags.DEFINE_integer(
    "n_harmonics", 100, "Harmonics, and as many sinusoids.", lower_bound=1
)
_N_MAGS = flags.DEFINE_integer("n_mags", 65, "Bands of the noise.", lower_bound=1)
_SAMPLE_RATE = flags.DEFINE_integer(
    "sample_rate",
    16000,
    "Samples a second; harmonics above half of it are left out.",
    lower_bound=1,
)
_EXAMPLE_SECS = flags.DEFINE_float("example_secs", 4, "Length of an example, seconds.")
_MIN_NOTE_LENGTH = flags.DEFINE_integer(
    "min_note_length", 5, "Of a note, frames.", lower_bound=1
)
_MAX_NOTE_LENGTH = flags.DEFINE_integer(
    "max_note_length", 25, "Of a note, frames.", lower_bound=1
)
_P_SILENT = flags.DEFINE_float("p_silent", 0.1, "Share of rests, 0 to 1.")
_P_VIBRATO = flags.DEFINE_float(
    "p_vibrato", 0.5, "Share of the notes with vibrato, 0 to 1."
)
_PIPELINE_OPTIONS = flags.DEFINE_list(
    "pipeline_options",
    [],
    "Options of Apache Beam, separated by commas, such as --runner=DirectRunner, to "
    "run there (needs pip install 'ddsp[beam]'). Empty: run in local processes.",
)
_NUM_WORKERS = flags.DEFINE_integer(
    "num_workers",
    0,
    "Local processes; 0 chooses by the processors and the work there is.",
    lower_bound=0,
)


def main(argv: list[str]) -> None:
    """Makes what the flags say and prints where it stands."""
    if len(argv) > 1:
        raise ValueError(f"This command takes flags only, got {argv[1:]}.")
    start = time.monotonic()
    generate_synthetic_lib.generate_synthetic_dataset(
        _OUTPUT.value,
        num_examples=_NUM_EXAMPLES.value,
        num_shards=_NUM_SHARDS.value,
        random_seed=_RANDOM_SEED.value,
        settings=NoteSettings(
            n_timesteps=_N_TIMESTEPS.value,
            n_harmonics=_N_HARMONICS.value,
            n_mags=_N_MAGS.value,
            sample_rate=_SAMPLE_RATE.value,
            example_secs=_EXAMPLE_SECS.value,
            min_note_length=_MIN_NOTE_LENGTH.value,
            max_note_length=_MAX_NOTE_LENGTH.value,
            p_silent=_P_SILENT.value,
            p_vibrato=_P_VIBRATO.value,
        ),
        pipeline_options=_PIPELINE_OPTIONS.value,
        num_workers=_NUM_WORKERS.value,
    )
    print(
        f"{_NUM_EXAMPLES.value} examples written to {_OUTPUT.value}-* in "
        f"{time.monotonic() - start:.0f} s; the manifest beside them says more."
    )


def console_entry_point() -> None:
    """What the command `ddsp_generate_synthetic_dataset` calls."""
    run_main(main)


if __name__ == "__main__":
    console_entry_point()
