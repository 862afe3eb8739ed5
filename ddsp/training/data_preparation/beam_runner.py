"""Runs the preparation on Apache Beam, on one machine or many.

The functions are those of the local runner; Beam only distributes them.
"""

import dataclasses
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf

from ddsp.program import UserError
from ddsp.recordings import audio_io, probing
from ddsp.recordings.analysis_settings import Settings
from ddsp.training.data_preparation import examples, writer
from ddsp.training.data_preparation.example_plan import Plan

_OUTCOMES = "outcomes"


def probe(
    paths: Sequence[str], directory: str, pipeline_options: Sequence[str]
) -> list[audio_io.Recording]:
    """Looks at every file; see `probing.probe`.

    Args:
      paths: Of the files, as the machines of the runner see them.
      directory: For intermediate results, which all machines can write.
      pipeline_options: Of Beam, such as `['--runner=DirectRunner']`.

    Returns:
      What was found, in the order of the paths.

    Raises:
      UserError: If Apache Beam is not installed.
    """
    beam = _import_beam()
    prefix = os.path.join(directory, "recordings")
    with _pipeline(beam, pipeline_options) as pipeline:
        _ = (
            pipeline
            # Beam's strings are UTF-8, which the names of files need not be.
            | beam.Create([json.dumps(path) for path in paths])
            | beam.Reshuffle()
            | beam.Map(_probe_as_json)
            | beam.io.WriteToText(prefix)
        )
    found = [audio_io.Recording(**entry) for entry in _read_lines(prefix)]
    return _in_order(found, paths, lambda recording: recording.path)


def write_examples(
    plans: Sequence[Plan],
    settings: Settings,
    output: writer.Output,
    directory: str,
    pipeline_options: Sequence[str],
) -> list[dict[str, Any]]:
    """Writes the examples of all recordings to the shards of `output`.

    The records are those of the local runner; which shard each is in differs.

    Args:
      plans: What becomes of each recording.
      settings: Of the preparation.
      output: Names the shards.
      directory: To write them in.
      pipeline_options: Of Beam, such as `['--runner=DirectRunner']`.

    Returns:
      The outcome of each recording, in the order of the plans.

    Raises:
      UserError: If Apache Beam is not installed.
    """
    beam = _import_beam()
    prefix = os.path.join(directory, _OUTCOMES)
    with _pipeline(beam, pipeline_options) as pipeline:
        items = (
            pipeline
            | beam.Create(list(plans))
            | beam.Reshuffle()
            | beam.FlatMap(_make_tagged, settings).with_outputs()
        )
        for split in output.splits:
            _ = items[split] | f"Write {split}" >> beam.io.WriteToTFRecord(
                output.prefix(split, directory), num_shards=output.num_shards
            )
        _ = items[_OUTCOMES] | beam.io.WriteToText(prefix)
    return _in_order(
        list(_read_lines(prefix)),
        [plan.recording.path for plan in plans],
        lambda outcome: outcome["path"],
    )


def write_records(
    make_records: Callable[[Any], Iterable[bytes]],
    tasks: Sequence[Any],
    prefix: str,
    num_shards: int,
    pipeline_options: Sequence[str],
) -> None:
    """Writes the records that a function makes of each task.

    Args:
      make_records: From a task to serialized records; found by its name in its module.
      tasks: What it is applied to, in any order and on any machine.
      prefix: What the names of the shards begin with.
      num_shards: Shards to write.
      pipeline_options: Of Beam, such as `['--runner=DirectRunner']`.

    Raises:
      UserError: If Apache Beam is not installed.
    """
    beam = _import_beam()
    with _pipeline(beam, pipeline_options) as pipeline:
        _ = (
            pipeline
            | beam.Create(list(tasks))
            | beam.Reshuffle()
            | beam.FlatMap(make_records)
            | beam.io.WriteToTFRecord(prefix, num_shards=num_shards)
        )


def _import_beam():
    try:
        import apache_beam
    except ImportError as error:
        raise UserError(
            "`pipeline_options` needs Apache Beam, which is not installed: run "
            "pip install 'ddsp[beam]', or leave the option out to work locally."
        ) from error
    return apache_beam


def _pipeline(beam, pipeline_options: Sequence[str]):
    from apache_beam.options.pipeline_options import PipelineOptions

    return beam.Pipeline(options=PipelineOptions(list(pipeline_options)))


def _probe_as_json(path: str) -> str:
    return json.dumps(dataclasses.asdict(probing.probe(json.loads(path))))


def _make_tagged(plan: Plan, settings: Settings):
    from apache_beam.pvalue import TaggedOutput

    with tempfile.TemporaryDirectory() as directory:

        def path_of(split: str) -> str:
            return os.path.join(directory, split)

        outcome = examples.write_examples(plan, settings, path_of)
        for split in outcome["examples"]:
            for record in tf.data.TFRecordDataset(path_of(split)):
                yield TaggedOutput(split, record.numpy())
        yield TaggedOutput(_OUTCOMES, json.dumps(outcome))


def _read_lines(prefix: str):
    for path in tf.io.gfile.glob(f"{prefix}-*"):
        with tf.io.gfile.GFile(path, "r") as file:
            for line in file:
                yield json.loads(line)


def _in_order(found, paths: Sequence[str], path_of):
    by_path = {path_of(item): item for item in found}
    return [by_path[path] for path in paths]
