"""The gin files of the library, and the paths by which gin finds them."""

import os
import re
from pathlib import Path
from typing import TextIO

import gin

# In the original, the files are inside the package `ddsp.training`.
_ORIGINAL_PLACE = re.compile(r"(?:^|.*/)training/gin/(.+)")


def config_dir() -> str:
    """Returns the directory of the library's gin files.

    Raises:
      FileNotFoundError: If it is missing.

    Example:

    >>> import os
    >>> from ddsp.training import gin_files
    >>> os.path.isfile(os.path.join(gin_files.config_dir(), "models", "ae.gin"))
    True
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for directory in (
        os.path.join(package, "configs"),
        os.path.join(os.path.dirname(package), "configs"),
    ):
        if os.path.isdir(os.path.join(directory, "models")):
            return directory
    raise FileNotFoundError(
        "The gin files of the library are missing: reinstall it, got none in "
        f"{package}."
    )


def register_original_places() -> None:
    """Makes gin find `.../training/gin/models/ae.gin` among the library's gin files.

    A file at the path itself takes precedence.

    Example:

    >>> from ddsp.training import gin_files
    >>> gin_files.register_original_places()
    """
    gin.config.register_file_reader(_open, lambda path: bool(_library_path(path)))


def _open(path: str) -> TextIO:
    return Path(_library_path(path)).open(encoding="utf-8")


def _library_path(path: str) -> str:
    """Returns the library's file for a path in the original, or an empty string."""
    match = _ORIGINAL_PLACE.fullmatch(os.path.normpath(path).replace(os.sep, "/"))
    if match is None:
        return ""
    found = os.path.join(config_dir(), match.group(1))
    return found if os.path.isfile(found) else ""
