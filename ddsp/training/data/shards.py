"""TFRecord files: finding them, counting their records, checking completeness.

A record consists of its length (8 bytes), a checksum of the length (4 bytes), the data
and a checksum of the data (4 bytes) (https://www.tensorflow.org/tutorials/load_data/tfrecord).
"""

import hashlib
import os
import stat
import struct
from collections.abc import Iterable
from typing import Any, BinaryIO

import tensorflow as tf
from google.protobuf.message import DecodeError

from ddsp import file_errors, files

_HEADER = struct.Struct("<QI")
_FOOTER_BYTES = 4
_FINGERPRINT_BYTES = 2**16


def match(file_pattern: str | Iterable[str]) -> list[str]:
    """Returns the files that match a glob pattern or a list of patterns.

    Args:
      file_pattern: Pattern or patterns, such as `data/violin.tfrecord*`. JSON files,
        such as manifests, and directories are ignored.

    Returns:
      Paths, sorted.

    Raises:
      FileNotFoundError: If no file matches.

    Example:

    >>> from ddsp.training.data import shards
    >>> path = str(tmp_path / "a.tfrecord-00000-of-00001")
    >>> with tf.io.TFRecordWriter(path) as writer:
    ...     writer.write(tf.train.Example().SerializeToString())
    >>> shards.match(str(tmp_path / "a.tfrecord*")) == [path]
    True
    """
    patterns = [file_pattern] if isinstance(file_pattern, str) else list(file_pattern)
    paths = {
        path
        for pattern in patterns
        for path in _glob(files.expand_path(pattern))
        if not path.endswith(".json") and not tf.io.gfile.isdir(path)
    }
    if not paths:
        raise FileNotFoundError(
            "No TFRecord file matches; `ddsp_prepare_tfrecord` writes them, got "
            f"file_pattern={file_pattern!r}."
        )
    return sorted(paths)


def _glob(pattern: str) -> list[str]:
    # The name of an existing file may contain wildcards.
    return [pattern] if tf.io.gfile.exists(pattern) else tf.io.gfile.glob(pattern)


def describe(path: str) -> dict[str, Any]:
    """Returns the entry of a shard in a manifest.

    Args:
      path: Path of the shard.

    Raises:
      ValueError: If the file is truncated or not a TFRecord file.
      OSError: If it cannot be read.

    Example:

    >>> from ddsp.training.data import shards
    >>> path = str(tmp_path / "a.tfrecord-00000-of-00001")
    >>> with tf.io.TFRecordWriter(path) as writer:
    ...     writer.write(tf.train.Example().SerializeToString())
    >>> sorted(shards.describe(path))
    ['bytes', 'fingerprint', 'records']
    """
    return {
        "bytes": size(path),
        "records": count_records(path),
        "fingerprint": fingerprint(path),
    }


def size(path: str) -> int:
    """Returns the length of a file in bytes.

    Args:
      path: Path of the file.

    Raises:
      ValueError: If it is not a regular file, for example a pipe.
      OSError: If it cannot be found.

    Example:

    >>> from ddsp.training.data import shards
    >>> path = str(tmp_path / "a.tfrecord-00000-of-00001")
    >>> with tf.io.TFRecordWriter(path) as writer:
    ...     writer.write(tf.train.Example().SerializeToString())
    >>> shards.size(path)
    16
    """
    if files.is_remote(path):
        return tf.io.gfile.stat(path).length
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"A shard must be a regular file, got {path}.")
    return status.st_size


def fingerprint(path: str) -> str:
    """Returns the SHA-256 of the first and last 64 KiB of a file, in hexadecimal.

    It identifies a shard at a cost that does not depend on its length. Changes in
    between are detected by the checksum of each record.

    Args:
      path: Path of the file.

    Example:

    >>> from ddsp.training.data import shards
    >>> path = str(tmp_path / "a.tfrecord-00000-of-00001")
    >>> with tf.io.TFRecordWriter(path) as writer:
    ...     writer.write(tf.train.Example().SerializeToString())
    >>> len(shards.fingerprint(path))
    64
    """
    length = size(path)
    digest = hashlib.sha256()
    with _open(path) as file:
        digest.update(file.read(_FINGERPRINT_BYTES))
        file.seek(max(0, length - _FINGERPRINT_BYTES))
        digest.update(file.read(_FINGERPRINT_BYTES))
    return digest.hexdigest()


def count_records(path: str) -> int:
    """Counts the records of a shard from their headers and checks its length.

    Args:
      path: Path of the shard.

    Raises:
      ValueError: If the file ends within a record or is not a TFRecord file.
      OSError: If it cannot be read.

    Example:

    >>> from ddsp.training.data import shards
    >>> path = str(tmp_path / "a.tfrecord-00000-of-00001")
    >>> with tf.io.TFRecordWriter(path) as writer:
    ...     writer.write(tf.train.Example().SerializeToString())
    >>> shards.count_records(path)
    1
    """
    length_of_file = size(path)
    with _open(path) as file:
        position = count = 0
        while position < length_of_file:
            file.seek(position)
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                raise _truncated(path, count, length_of_file)
            length, _ = _HEADER.unpack(header)
            position += _HEADER.size + length + _FOOTER_BYTES
            if position > length_of_file:
                raise _truncated(path, count, length_of_file)
            count += 1
    return count


def first_record(path: str) -> tf.train.Example:
    """Returns the first example of a shard.

    Args:
      path: Path of the shard.

    Raises:
      ValueError: If there is no record, or if the first one is damaged or not a
        `tf.train.Example`.

    Example:

    >>> from ddsp.training.data import shards
    >>> path = str(tmp_path / "a.tfrecord-00000-of-00001")
    >>> with tf.io.TFRecordWriter(path) as writer:
    ...     writer.write(tf.train.Example().SerializeToString())
    >>> len(shards.first_record(path).features.feature)
    0
    """
    try:
        record = next(iter(tf.data.TFRecordDataset(path))).numpy()
        return tf.train.Example.FromString(record)
    except (StopIteration, tf.errors.DataLossError, DecodeError) as error:
        raise ValueError(
            f"{path} has no readable tf.train.Example: prepare or copy it again, got: "
            f"{file_errors.reason(error)}."
        ) from error


def _open(path: str) -> BinaryIO:
    if files.is_remote(path):
        return tf.io.gfile.GFile(path, "rb")
    return open(os.fspath(path), "rb", buffering=0)


def _truncated(path: str, count: int, length: int) -> ValueError:
    return ValueError(
        f"{path} is truncated or not a TFRecord file; it ends within record {count}: "
        f"prepare or copy it again, got {length} bytes."
    )
