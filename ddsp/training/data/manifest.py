"""The manifest: what stands in a set of TFRecord shards, and where it came from.

It is a JSON file beside the shards. Its name starts with `manifest-`, so that the
pattern `name*`, by which shards are usually given, does not match it.
"""

import dataclasses
import json
import os
import re
from typing import Any

import tensorflow as tf

from ddsp.training import files

_FORMAT = 1
_SHARD_SUFFIX = re.compile(r"-\d{5,}-of-\d{5,}$")
SPLITS = ("train", "eval")


@dataclasses.dataclass(frozen=True)
class Manifest:
    """Contents of a set of shards.

    Attributes:
      sample_rate: Of `audio`, samples a second.
      frame_rate: Of the features, frames a second; None if there are none.
      example_secs: Length of an example, seconds; None if each is a whole recording.
      hop_secs: From the start of an example to the next in a recording, seconds.
      center: Whether frame `i` is centred on time `i / frame_rate` rather than
        starting there; there is then one frame more.
      features: Length of each float feature, by name; None where it differs from
        example to example.
      pitch_tracker: Name, model and whether Viterbi decoding was used; empty if pitch
        was not tracked.
      splits: Per split ('all', or 'train' and 'eval'), numbers of `examples` and
        `shards`.
      statistics: Of the training examples, plain numbers and lists, as
        `postprocessing.statistics_from_dict` reads them; empty if there are none.
      recordings: Per input file its `path`, `status` ('used' or 'skipped'),
        `reason`, `seconds`, `sample_rate`, `channels`, `examples` per split and
        `warnings`. Synthetic data has none.
      synthesis: Of synthetic data, the settings and the seed it was made with.
    """

    sample_rate: int
    frame_rate: float | None
    example_secs: float | None
    hop_secs: float
    center: bool
    features: dict[str, int | None]
    pitch_tracker: dict[str, Any]
    splits: dict[str, dict[str, int]]
    statistics: dict[str, Any]
    recordings: list[dict[str, Any]]
    synthesis: dict[str, Any] | None = None

    def write(self, path: str) -> None:
        """Writes the JSON file, whole or not at all.

        Raises:
          OSError: If it cannot be written.
        """
        content = {"format": _FORMAT, **dataclasses.asdict(self)}
        files.write_text(path, json.dumps(content, indent=1, ensure_ascii=False))


def read(path: str) -> Manifest:
    """Reads the manifest at `path`.

    Raises:
      ValueError: If it is not a manifest of a known form.
    """
    with tf.io.gfile.GFile(path, "r") as file:
        text = file.read()
    try:
        content = json.loads(text)
        found = content.pop("format")
        if found != _FORMAT:
            raise ValueError(f"format {found}, known is {_FORMAT}")
        return Manifest(**content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"Not a manifest that can be read: {path} ({error}).") from (
            error
        )


def path_for(output_tfrecord_path: str) -> str:
    """Where the manifest of the shards `<output_tfrecord_path>-...` stands."""
    directory, name = os.path.split(output_tfrecord_path)
    return os.path.join(directory, f"manifest-{name}.json")


def find_for_shard(shard_path: str) -> str | None:
    """The path of the manifest that a shard belongs to, or None."""
    stem = _SHARD_SUFFIX.sub("", shard_path)
    stems = [stem] + [
        stem.removesuffix(f"-{split}") for split in SPLITS if stem.endswith(f"-{split}")
    ]
    for candidate in map(path_for, stems):
        if tf.io.gfile.exists(candidate):
            return candidate
    return None
