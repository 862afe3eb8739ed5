"""The whole way from a seed to TFRecord shards of synthetic notes with a manifest."""

import dataclasses
import functools
import os
from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

from ddsp import files
from ddsp._core import checks
from ddsp.training.data import Manifest
from ddsp.training.data.manifest import ALL
from ddsp.training.data.synthetic_notes import feature_channels
from ddsp.training.data_preparation import beam_runner, workers, writer
from ddsp.training.data_preparation.examples import serialize
from ddsp.training.data_preparation.synthetic_data import NoteSettings, generate_notes

# Of examples that are written to one file before they are dealt out.
_BLOCK = 256
# So many examples take one process some 12 s; starting one takes half of that.
_EXAMPLES_PER_WORKER = 1000


@dataclasses.dataclass(frozen=True)
class Block:
    """Examples `start` to `stop - 1` of a data set."""

    start: int
    stop: int


def generate_synthetic_dataset(
    output_tfrecord_path: str,
    num_examples: int = 1_000_000,
    num_shards: int = 10,
    random_seed: int = 42,
    settings: NoteSettings | None = None,
    pipeline_options: Sequence[str] | str = (),
    num_workers: int = 0,
) -> Manifest:
    """Makes a data set of synthetic notes, which `data.SyntheticNotes` reads.

    An example depends on the seed and on its place in the data set alone, so every
    runner and every number of workers makes the same ones, and a larger data set
    begins with a smaller one of the same seed. All of it appears at the end, or
    nothing.

    Args:
      output_tfrecord_path: Start of the names of the shards.
      num_examples: Examples to make, >= 1.
      num_shards: Files to divide them into.
      random_seed: Of all that is drawn, >= 0.
      settings: What the notes are like.
      pipeline_options: Of Apache Beam, to run there; empty to run in local processes.
        Which shard an example is in then differs.
      num_workers: Local processes; 0 chooses. With more than one, a script must
        call this under `if __name__ == "__main__":`, since they import it.

    Returns:
      The manifest, which stands beside the shards.

    Raises:
      FileExistsError: If foreign shards stand at the output.
      OSError: If something cannot be written.
      ValueError: If a number is out of range.
      UserError: If Apache Beam is wanted and missing, or a worker died.
    """
    checks.positive("num_examples", num_examples)
    if random_seed < 0:
        raise ValueError(f"`random_seed` must be at least 0, got {random_seed}.")
    settings = settings or NoteSettings()
    output = writer.Output(files.expand_path(output_tfrecord_path), num_shards, (ALL,))
    blocks = [
        Block(start, min(start + _BLOCK, num_examples))
        for start in range(0, num_examples, _BLOCK)
    ]
    if isinstance(pipeline_options, str):
        pipeline_options = pipeline_options.split()
    with writer.staging(output) as directory:
        if pipeline_options:
            beam_runner.write_records(
                functools.partial(make_records, seed=random_seed, settings=settings),
                blocks,
                output.prefix(ALL, directory),
                num_shards,
                pipeline_options,
            )
        else:
            _write_here(blocks, random_seed, settings, output, directory, num_workers)
        manifest = _manifest(num_examples, num_shards, random_seed, settings)
        return writer.publish(output, directory, manifest)


def make_records(block: Block, seed: int, settings: NoteSettings) -> Iterator[bytes]:
    """Makes the examples of a block.

    Args:
      block: Which.
      seed: Of the data set.
      settings: What the notes are like.

    Yields:
      Serialized `tf.train.Example`s, in order.
    """
    for index in range(block.start, block.stop):
        notes = generate_notes(seed, index, settings)
        yield serialize({name: np.ravel(value) for name, value in notes.items()})


def _write_here(
    blocks: Sequence[Block],
    seed: int,
    settings: NoteSettings,
    output: writer.Output,
    directory: str,
    num_workers: int,
) -> None:
    n_examples = blocks[-1].stop
    num_workers = num_workers or workers.choose(
        len(blocks), n_examples / _EXAMPLES_PER_WORKER
    )
    parts = [os.path.join(directory, f"part-{b.start:012d}") for b in blocks]
    tasks = [
        (block, seed, settings, part) for block, part in zip(blocks, parts, strict=True)
    ]
    with tqdm(
        desc="Generating", total=n_examples, unit=" examples", disable=None
    ) as bar:
        workers.run(_write_block, tasks, num_workers, bar.update)
    writer.deal_out(parts, output.shard_paths(ALL, directory))


def _write_block(
    task: tuple[Block, int, NoteSettings, str], report: workers.Report
) -> None:
    block, seed, settings, path = task
    with writer.record_writer(path) as records:
        for record in make_records(block, seed, settings):
            records.write(record)
            report(1)


def _manifest(
    num_examples: int, num_shards: int, seed: int, settings: NoteSettings
) -> Manifest:
    channels = feature_channels(settings.n_harmonics, settings.n_mags)
    return Manifest(
        sample_rate=settings.sample_rate,
        frame_rate=settings.frame_rate,
        example_secs=settings.example_secs,
        hop_secs=settings.example_secs,
        center=False,
        features={name: settings.n_timesteps * n for name, n in channels.items()},
        pitch_tracker={},
        splits={ALL: {"examples": num_examples, "shards": num_shards}},
        statistics={},
        recordings=[],
        synthesis={"random_seed": seed, **dataclasses.asdict(settings)},
    )
