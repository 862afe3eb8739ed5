"""TFRecord shards that are there whole or not at all."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence

import tensorflow as tf

from ddsp.training import files
from ddsp.training.data import manifest as manifests
from ddsp.training.data_preparation.split import ALL


@dataclasses.dataclass(frozen=True)
class Output:
    """Where the shards and their manifest go.

    Attributes:
      path: Start of the names of the shards, as the user gave it.
      num_shards: Files per split, >= 1.
      splits: Names of the splits.
    """

    path: str
    num_shards: int
    splits: tuple[str, ...]

    def __post_init__(self):
        if self.num_shards < 1:
            raise ValueError(f"`num_shards` must be at least 1, got {self.num_shards}.")
        if not os.path.basename(self.path):
            raise ValueError(
                "The output path must end in a name for the shards, such as "
                f"'{self.path}violin.tfrecord', got {self.path!r}."
            )

    def shard_paths(self, split: str, directory: str | None = None) -> list[str]:
        """Paths of the shards of a split, in another directory if one is given."""
        return shard_paths(self.prefix(split, directory), self.num_shards)

    def prefix(self, split: str, directory: str | None = None) -> str:
        """What the names of the shards of a split begin with."""
        home, name = os.path.split(self.path)
        stem = name if split == ALL else f"{name}-{split}"
        return os.path.join(home if directory is None else directory, stem)

    @property
    def manifest_path(self) -> str:
        """Where the manifest stands."""
        return manifests.path_for(self.path)


def shard_paths(prefix: str, num_shards: int) -> list[str]:
    """Names such as `violin.tfrecord-00003-of-00010`."""
    return [f"{prefix}-{i:05d}-of-{num_shards:05d}" for i in range(num_shards)]


@contextlib.contextmanager
def staging(output: Output) -> Iterator[str]:
    """A directory beside the output to write in; removed whatever happens.

    Raises:
      FileExistsError: If shards stand there that would be read together with the
        new ones but not be replaced by them.
      OSError: If the directory cannot be made.
    """
    _check_leftovers(output)
    home, name = os.path.split(output.path)
    directory = os.path.join(home, f".{name}.partial")
    with disk_errors(output.path):
        is_new = not tf.io.gfile.exists(home)
        if tf.io.gfile.exists(directory):
            tf.io.gfile.rmtree(directory)
        tf.io.gfile.makedirs(directory)
    try:
        yield directory
    finally:
        tf.io.gfile.rmtree(directory)
        if is_new and not tf.io.gfile.listdir(home):
            tf.io.gfile.rmtree(home)


def publish(output: Output, directory: str) -> None:
    """Moves finished shards to their place, instead of those of an earlier run."""
    new = {path for split in output.splits for path in output.shard_paths(split)}
    with disk_errors(output.path):
        old = _shards_of_manifest(output.path)
        if tf.io.gfile.exists(output.manifest_path):
            tf.io.gfile.remove(output.manifest_path)
        for path in sorted(new):
            staged = os.path.join(directory, os.path.basename(path))
            files.sync(staged)
            tf.io.gfile.rename(staged, path, overwrite=True)
        for path in old - new:
            if tf.io.gfile.exists(path):
                tf.io.gfile.remove(path)


def deal_out(parts: Sequence[str], shards: Sequence[str]) -> None:
    """Deals the records of some files out to shards, one to each in turn.

    Args:
      parts: TFRecord files, read in order; each is removed once it is read.
      shards: TFRecord files to write.
    """
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(record_writer(path)) for path in shards]
        position = 0
        for part in parts:
            for record in tf.data.TFRecordDataset(part):
                writers[position % len(writers)].write(record.numpy())
                position += 1
            tf.io.gfile.remove(part)


@contextlib.contextmanager
def record_writer(path: str) -> Iterator[tf.io.TFRecordWriter]:
    """A TFRecord file to write; trouble with the disk is one clear OSError."""
    with disk_errors(path), tf.io.TFRecordWriter(path) as writer:
        yield writer


@contextlib.contextmanager
def disk_errors(path: str) -> Iterator[None]:
    """Reports what TensorFlow says of a disk as an OSError naming `path`."""
    try:
        yield
    except tf.errors.OpError as error:
        raise OSError(
            f"Cannot write {path}: {files.reason(error)}. Is the disk full or "
            "read-only? Nothing half-written was left behind."
        ) from error


def _shards_of_manifest(output_path: str) -> set[str]:
    """The shards that an earlier run left at the same place."""
    path = manifests.path_for(output_path)
    if not tf.io.gfile.exists(path):
        return set()
    splits = manifests.read(path).splits
    return {
        shard
        for split, counts in splits.items()
        for shard in Output(output_path, counts["shards"], (split,)).shard_paths(split)
    }


def _check_leftovers(output: Output) -> None:
    ours = _shards_of_manifest(output.path)
    for split in output.splits:
        ours.update(output.shard_paths(split))
    for split in output.splits:
        pattern = f"{_escape(output.prefix(split))}-?????-of-?????"
        foreign = sorted(set(tf.io.gfile.glob(pattern)) - ours)
        if foreign:
            raise FileExistsError(
                "Shards of other data have the same name and would be read with "
                "the new ones; remove them or choose another output path, got "
                f"{foreign[0]}."
            )


def _escape(path: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)
