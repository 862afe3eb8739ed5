"""TFRecord shards, published whole or not at all."""

import contextlib
import dataclasses
import glob
import os
from collections.abc import Iterator, Sequence

import tensorflow as tf

from ddsp import file_errors, files, locks
from ddsp.training.data import manifest as manifests
from ddsp.training.data import shards
from ddsp.training.data.manifest import Manifest


@dataclasses.dataclass(frozen=True)
class Output:
    """Destination of the shards and their manifest.

    Attributes:
      path: Prefix of the names of the shards, as set by the user.
      num_shards: Files per split, ≥ 1.
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
        """Returns the paths of the shards of a split, at the output or elsewhere."""
        home, name = os.path.split(self.path)
        return [
            os.path.join(home if directory is None else directory, shard)
            for shard in manifests.shard_names(name, split, self.num_shards)
        ]

    def prefix(self, split: str, directory: str) -> str:
        """Returns the common prefix of the paths of the shards of a split."""
        return self.shard_paths(split, directory)[0].rsplit("-", 3)[0]

    @property
    def manifest_path(self) -> str:
        """Path of the manifest."""
        return manifests.path_for(self.path)


@contextlib.contextmanager
def staging(output: Output) -> Iterator[str]:
    """Creates a workspace for the shards, and locks the output.

    Args:
      output: Destination of the shards.

    Yields:
      The path of the workspace, which is removed at the end.

    Raises:
      FileExistsError: If another preparation writes to the same output, or if there
        are shards that would be read with the new ones but not be replaced by them.
      OSError: If the directory cannot be created.
    """
    home, name = os.path.split(output.path)
    lock = os.path.join(home, f".{name}.lock")
    with (
        _created(home),
        locks.exclusive(lock, f"preparing {output.path}"),
    ):
        _check_leftovers(output)
        with files.workspace(home, name, locked=True) as directory:
            yield directory


@contextlib.contextmanager
def _created(directory: str) -> Iterator[None]:
    """Creates a directory, and removes it and its new parents if they stay empty."""
    created = []
    path = directory
    while not tf.io.gfile.exists(path) and os.path.dirname(path) != path:
        created.append(path)
        path = os.path.dirname(path)
    files.make_directory(directory)
    try:
        yield
    finally:
        with contextlib.suppress(OSError, tf.errors.OpError):
            for path in created:
                if not tf.io.gfile.listdir(path):
                    tf.io.gfile.rmtree(path)


def publish(output: Output, directory: str, manifest: Manifest) -> Manifest:
    """Moves finished shards into place and removes those of an earlier run.

    The manifest describes the set and is written last. Before the first shard moves, a
    mark that the set is unfinished replaces the old manifest. After a stop at any
    point, readers find the old set, the new one, or the mark.

    Args:
      output: Destination of the shards.
      directory: Workspace that holds the shards.
      manifest: Description of the set, without the shards.

    Returns:
      The manifest that was written.

    Raises:
      OSError: If a file cannot be written.
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
    with file_errors.writing(output.path):
        files.publish(
            directory,
            home,
            list(staged),
            before=lambda: manifests.write_unfinished(
                output.manifest_path, old | set(staged)
            ),
        )
        for path in (os.path.join(home, name) for name in sorted(old - set(staged))):
            if tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path):
                tf.io.gfile.remove(path)
        files.sync(home)
        manifest.write(output.manifest_path)
    return manifest


def deal_out(parts: Sequence[str], paths: Sequence[str]) -> None:
    """Distributes the records of some files over shards, in rotation.

    Args:
      parts: TFRecord files, read in order; each is removed after it was read.
      paths: Paths of the shards to write.
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
    """Opens a TFRecord file for writing.

    Args:
      path: The file.

    Yields:
      The writer.

    Raises:
      OSError: If a record cannot be written, for example because the disk is full.
    """
    with file_errors.writing(path), tf.io.TFRecordWriter(path) as writer:
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
