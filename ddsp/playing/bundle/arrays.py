"""Arrays in `.npz` files, checked before they take memory."""

import math
import zipfile
from pathlib import Path

import numpy as np

Header = tuple[tuple[int, ...], np.dtype]
_SUFFIX = ".npy"
_ENCRYPTED = 0x1
_ERRORS = (
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    zipfile.BadZipFile,
)


def read_headers(path: Path) -> dict[str, Header]:
    """Shapes and types of the arrays in a file that `np.savez` wrote.

    Args:
      path: Of the file.

    Returns:
      {name: (shape, dtype)}.

    Raises:
      ValueError: If it is no such file, or would take more memory than it has bytes.
      OSError: If it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            headers = {_name(entry): _header(archive, entry) for entry in entries}
            if len(headers) < len(entries):
                raise ValueError("a name is there twice")
            n_bytes = sum(entry.file_size for entry in entries)
            # Entries may share what is stored.
            if n_bytes > path.stat().st_size:
                raise ValueError(f"{n_bytes} bytes in a file of {path.stat().st_size}")
    except _ERRORS as error:
        raise _unreadable(path, error) from error
    return headers


def read(path: Path) -> dict[str, np.ndarray]:
    """Reads arrays of finite numbers.

    Args:
      path: Of a file whose headers were read.

    Returns:
      {name: array}.

    Raises:
      ValueError: If it is no such file, or numbers are not finite.
      OSError: If it cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
    except _ERRORS as error:
        raise _unreadable(path, error) from error
    for name, array in arrays.items():
        if not np.all(np.isfinite(array)):
            raise ValueError(
                f"Arrays must hold finite numbers, got NaN or infinity in '{name}' of "
                f"{str(path)!r}."
            )
    return arrays


def _name(entry: zipfile.ZipInfo) -> str:
    if not entry.filename.endswith(_SUFFIX):
        raise ValueError(f"'{entry.filename}' is no array")
    return entry.filename.removesuffix(_SUFFIX)


def _header(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Header:
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & _ENCRYPTED:
        raise ValueError(f"'{entry.filename}' is compressed or encrypted")
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            header = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            header = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError(f"'{entry.filename}' has the unknown version {version}")
        shape, _, dtype = header
        n_bytes = entry.file_size - file.tell()
    if dtype.kind not in "fiu":
        raise ValueError(f"'{entry.filename}' does not hold numbers but {dtype}")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != n_bytes:
        raise ValueError(f"'{entry.filename}' is not as long as its shape {shape}")
    return shape, dtype


def _unreadable(path: Path, error: Exception) -> ValueError:
    message = " ".join(str(error).split()) or type(error).__name__
    return ValueError(f"The arrays cannot be read ({message}), got {str(path)!r}.")
