"""TFRecord shards that are there whole or not at all."""

import contextlib
import dataclasses
import glob
import os
import uuid
from collections.abc import Iterator, Sequence

import tensorflow as tf

from ddsp import files, locks
from ddsp.training.data import manifest as manifests
from ddsp.training.data import shards
from ddsp.training.data.manifest import Manifest


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
        files.check_utf8(self.path)
        if self.num_shards < 1:
            raise ValueError(f"`num_shards` must be at least 1, got {self.num_shards}.")
        if not os.path.basename(self.path):
            raise ValueError(
                "The output path must end in a name for the shards, such as "
                f"'{self.path}violin.tfrecord', got {self.path!r}."
            )

    def shard_paths(self, split: str, directory: str | None = None) -> list[str]:
        """Paths of the shards of a split, in another directory if one is given."""
        home, name = os.path.split(self.path)
        return [
            os.path.join(home if directory is None else directory, shard)
            for shard in manifests.shard_names(name, split, self.num_shards)
        ]

    def prefix(self, split: str, directory: str) -> str:
        """What the paths of the shards of a split in a directory begin with."""
        return self.shard_paths(split, directory)[0].rsplit("-", 3)[0]

    @property
    def manifest_path(self) -> str:
        """Where the manifest stands."""
        return manifests.path_for(self.path)


@contextlib.contextmanager
def staging(output: Output) -> Iterator[str]:
    """A directory beside the output to write in; removed whatever happens.

    Raises:
      FileExistsError: If another preparation writes to the same output, or shards
        stand there that would be read together with the new ones but not be replaced
        by them.
      OSError: If the directory cannot be made.
    """
    home, name = os.path.split(output.path)
    parent = os.path.join(home, f".{name}.partial")
    # Its own each time: workers of a killed run may still be writing.
    directory = os.path.join(parent, uuid.uuid4().hex)
    with (
        _made(home),
        locks.exclusive(
            os.path.join(home, f".{name}.lock"), f"preparing {output.path}"
        ),
    ):
        _check_leftovers(output)
        with files.writing(output.path):
            files.remove(parent)
            tf.io.gfile.makedirs(directory)
        try:
            yield directory
        finally:
            # Trouble here must not hide why it came to this; the next run clears it.
            with contextlib.suppress(OSError, tf.errors.OpError):
                files.remove(parent)


@contextlib.contextmanager
def _made(directory: str) -> Iterator[None]:
    """Makes a directory; removes what was made of it if it stays empty."""
    made = []
    path = directory
    while not tf.io.gfile.exists(path) and os.path.dirname(path) != path:
        made.append(path)
        path = os.path.dirname(path)
    with files.writing(directory):
        tf.io.gfile.makedirs(directory)
    try:
        yield
    finally:
        with contextlib.suppress(OSError, tf.errors.OpError):
            for path in made:
                if not tf.io.gfile.listdir(path):
                    tf.io.gfile.rmtree(path)


def publish(output: Output, directory: str, manifest: Manifest) -> Manifest:
    """Moves finished shards to their place, instead of those of an earlier run.

    A set is as its manifest says, and the manifest comes last. Before the first shard
    is touched, a mark that the set is unfinished takes the place of the old manifest:
    wherever this is stopped, readers find the old set, the new one, or the mark.

    Args:
      output: Where to.
      directory: Holds the shards.
      manifest: Describes the set but for the shards themselves.

    Returns:
      The manifest as it was written.

    Raises:
      OSError: If something cannot be written.
    """
    home = os.path.dirname(output.path)
    staged = {
        os.path.basename(path): path
        for split in output.splits
        for path in output.shard_paths(split, directory)
    }
    manifest = dataclasses.replace(
        manifest, shards={name: shards.describe(path) for name, path in staged.items()}
    )
    old = manifests.owned_shards(output.manifest_path)
    with files.writing(output.path):
        for path in staged.values():
            files.sync(path)
        manifests.write_unfinished(output.manifest_path, old | set(staged))
        for name, path in staged.items():
            tf.io.gfile.rename(path, os.path.join(home, name), overwrite=True)
        for path in (os.path.join(home, name) for name in sorted(old - set(staged))):
            if tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path):
                tf.io.gfile.remove(path)
        files.sync(home)
        manifest.write(output.manifest_path)
    return manifest


def deal_out(parts: Sequence[str], paths: Sequence[str]) -> None:
    """Deals the records of some files out to shards, one to each in turn.

    Args:
      parts: TFRecord files, read in order; each is removed once it is read.
      paths: Of the shards to write.
    """
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(record_writer(path)) for path in paths]
        position = 0
        for part in parts:
            for record in tf.data.TFRecordDataset(part):
                writers[position % len(writers)].write(record.numpy())
                position += 1
            tf.io.gfile.remove(part)


@contextlib.contextmanager
def record_writer(path: str) -> Iterator[tf.io.TFRecordWriter]:
    """A TFRecord file to write; trouble with the disk is one clear OSError."""
    with files.writing(path), tf.io.TFRecordWriter(path) as writer:
        yield writer


def _check_leftovers(output: Output) -> None:
    home, name = os.path.split(output.path)
    ours = manifests.owned_shards(output.manifest_path)
    for split in output.splits:
        ours.update(manifests.shard_names(name, split, output.num_shards))
    stems = [name, *(f"{name}-{split}" for split in manifests.SPLITS)]
    for stem in stems:
        pattern = f"{glob.escape(os.path.join(home, stem))}-?????-of-?????"
        found = {os.path.basename(path) for path in tf.io.gfile.glob(pattern)}
        if foreign := sorted(found - ours):
            raise FileExistsError(
                "Shards of other data have the same name and would be read with "
                "the new ones; remove them or choose another output path, got "
                f"{os.path.join(home, foreign[0])}."
            )
