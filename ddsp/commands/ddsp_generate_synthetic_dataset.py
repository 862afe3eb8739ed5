r"""Generates synthetic notes with known f0, to pretrain models that estimate f0.

Example:

  ddsp_generate_synthetic_dataset \
    --output_tfrecord_path=data/notes.tfrecord \
    --num_examples=100000

Each example holds 4 s of random notes with vibrato, glides, varying levels and timbres,
and filtered noise. It is stored as controls of synthesizers, not as audio.
Train on the result with

  ddsp_run --mode=train --save_dir=models/pitch \
    --gin_file=papers/icml2020/pretrain_model.gin \
    --gin_file=papers/icml2020/pretrain_dataset.gin \
    --gin_param="data.SyntheticNotes.file_pattern='data/notes.tfrecord*'"

The notes depend only on the seed, not on the number of workers or on Apache Beam. An
example takes about 180 kB, so the ten million of the paper take 1.8 TB. The manifest
(manifest-NAME.json, in the directory of the shards) describes the data for the readers.
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
    "Prefix of the output files: data/notes.tfrecord writes "
    "data/notes.tfrecord-00000-of-00010.",
    required=True,
)
_NUM_EXAMPLES = flags.DEFINE_integer(
    "num_examples", 1_000_000, "Number of examples.", lower_bound=1
)
_NUM_SHARDS = flags.DEFINE_integer(
    "num_shards", 10, "Number of output files (shards).", lower_bound=1
)
_RANDOM_SEED = flags.DEFINE_integer(
    "random_seed", 42, "Seed of the random notes.", lower_bound=0
)
_N_TIMESTEPS = flags.DEFINE_integer(
    "n_timesteps", 125, "Number of frames per example.", lower_bound=1
)
_N_HARMONICS = flags.DEFINE_integer(
    "n_harmonics", 100, "Number of harmonics, and of sinusoids.", lower_bound=1
)
_N_MAGS = flags.DEFINE_integer("n_mags", 65, "Number of noise bands.", lower_bound=1)
_SAMPLE_RATE = flags.DEFINE_integer(
    "sample_rate",
    16000,
    "Sample rate in Hz. Harmonics above half of it are removed.",
    lower_bound=1,
)
_EXAMPLE_SECS = flags.DEFINE_float(
    "example_secs", 4, "Length of an example, in seconds."
)
_MIN_NOTE_LENGTH = flags.DEFINE_integer(
    "min_note_length", 5, "Minimum length of a note, in frames.", lower_bound=1
)
_MAX_NOTE_LENGTH = flags.DEFINE_integer(
    "max_note_length", 25, "Maximum length of a note, in frames.", lower_bound=1
)
_P_SILENT = flags.DEFINE_float("p_silent", 0.1, "Probability of a rest, in [0, 1].")
_P_VIBRATO = flags.DEFINE_float(
    "p_vibrato", 0.5, "Probability that a note has vibrato, in [0, 1]."
)
_PIPELINE_OPTIONS = flags.DEFINE_list(
    "pipeline_options",
    [],
    "Options of Apache Beam, separated by commas, such as --runner=DirectRunner. Needs "
    "pip install 'ddsp[beam]'. Without options, local processes do the work.",
)
_NUM_WORKERS = flags.DEFINE_integer(
    "num_workers",
    0,
    "Number of local processes. 0 chooses it from the number of CPUs and the amount of "
    "work.",
    lower_bound=0,
)


def main(argv: list[str]) -> None:
    """Runs the program and prints where the examples are.

    Args:
      argv: Positional arguments, after the name of the program.
    """
    if len(argv) > 1:
        raise ValueError(f"The program has no positional arguments, got {argv[1:]}.")
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
        f"{time.monotonic() - start:.0f} s; see the manifest for details."
    )


def console_entry_point() -> None:
    """Entry point of the command `ddsp_generate_synthetic_dataset`."""
    run_main(main)


if __name__ == "__main__":
    console_entry_point()
