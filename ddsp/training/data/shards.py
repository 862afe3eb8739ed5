"""TFRecord files seen from outside: which there are, and whether they are whole.

A record is framed as 8 bytes of length, 4 of its checksum, the data, and 4 bytes of
checksum of the data (https://www.tensorflow.org/tutorials/load_data/tfrecord).
"""

import os
import struct

import tensorflow as tf
from google.protobuf.message import DecodeError

from ddsp.training import files

_HEADER = struct.Struct("<QI")
_FOOTER_BYTES = 4


def match(file_pattern) -> list[str]:
    """The shards that a glob pattern, or each of a list of them, matches.

    Args:
      file_pattern: Such as `data/violin.tfrecord*`. JSON files, as manifests are,
        are left out.

    Returns:
      Paths, sorted.

    Raises:
      FileNotFoundError: If there are none.
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
            "No TFRecord file matches; `ddsp_prepare_tfrecord` makes them, got "
            f"file_pattern={file_pattern!r}."
        )
    return sorted(paths)


def _glob(pattern: str) -> list[str]:
    # The name of a file may hold what a pattern takes for wildcards.
    return [pattern] if tf.io.gfile.exists(pattern) else tf.io.gfile.glob(pattern)


def count_records(path: str) -> int:
    """Counts the records of a shard by their headers and checks that it is whole.

    Raises:
      ValueError: If the file ends in the middle of a record, or is no TFRecord.
    """
    size = tf.io.gfile.stat(path).length
    with _open(path) as file:
        position = count = 0
        while position < size:
            file.seek(position)
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                raise _truncated(path, count, size)
            length, _ = _HEADER.unpack(header)
            position += _HEADER.size + length + _FOOTER_BYTES
            if position > size:
                raise _truncated(path, count, size)
            count += 1
    return count


def first_record(path: str) -> tf.train.Example:
    """The first example of a shard.

    Raises:
      ValueError: If it has none, its checksum is wrong, or it is no
        `tf.train.Example`.
    """
    try:
        record = next(iter(tf.data.TFRecordDataset(path))).numpy()
        return tf.train.Example.FromString(record)
    except (StopIteration, tf.errors.DataLossError, DecodeError) as error:
        raise ValueError(
            f"{path} holds no readable tf.train.Example: {files.reason(error)}."
        ) from error


def _open(path: str):
    if files.is_remote(path):
        return tf.io.gfile.GFile(path, "rb")
    return open(os.fspath(path), "rb", buffering=0)


def _truncated(path: str, count: int, size: int) -> ValueError:
    return ValueError(
        f"{path} is truncated or no TFRecord file: after {count} whole records it "
        f"ends within the next. Prepare or copy it again, got {size} bytes."
    )
