"""`bundle.json`: what a bundle holds, under which terms, and the checksum of each file.

A bundle travels: by mail, through caches, on sticks. Whoever opens it can tell from
the manifest that it is whole and that this version of the library can read it.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ddsp import files

MANIFEST_FILE = "bundle.json"
FORMAT = "ddsp-bundle"
FORMAT_VERSION = 1
_MOST_BYTES = 2**22
_HIGHEST_RATE = 768000


@dataclasses.dataclass(frozen=True)
class BundleManifest:
    """What stands in `bundle.json`.

    Attributes:
      library_version: Of the library that wrote the bundle.
      model: Name of the model's class.
      sample_rate: Of the audio, samples per second.
      frame_rate: Of the features, frames per second.
      features: Names of the features that the model is played from.
      latency_samples: By how much blocks of audio lag behind blocks of features.
      n_parameters: Numbers that the weights consist of.
      pitch_tracker: `name`, `model` (its size), `sample_rate` (of the audio that it
        hears, samples per second) and `centered` (whether frames are centered on their
        times) of the tracker whose pitch the model knows.
      license: Terms of use, text.
      attribution: Whom to name, text.
      exports: What `ddsp_export` wrote beside, and how it compared; see `export`.
      files: {path within the bundle: {'sha256': str, 'bytes': int}}.
    """

    library_version: str
    model: str
    sample_rate: int
    frame_rate: int
    features: list[str]
    latency_samples: int
    n_parameters: int
    pitch_tracker: dict[str, Any]
    license: str
    attribution: str
    exports: list[dict[str, Any]]
    files: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    @property
    def hop_size(self) -> int:
        """Samples a frame."""
        return self.sample_rate // self.frame_rate


def is_bundle(path: str | os.PathLike) -> bool:
    """Whether a directory is, or was meant to be, a bundle.

    Args:
      path: Any path.
    """
    manifest = Path(path) / MANIFEST_FILE
    return manifest.is_file() and not manifest.is_symlink()


def write(manifest: BundleManifest, folder: Path) -> BundleManifest:
    """Writes the manifest of a finished bundle.

    Args:
      manifest: Its `files` are found here.
      folder: Everything in it becomes part of the bundle.

    Returns:
      The manifest as written.

    Raises:
      ValueError: If an entry is wrong, so that nobody could read it.
      OSError: If a file cannot be read or written.
    """
    listed = {
        path.relative_to(folder).as_posix(): {
            "sha256": sha256(path),
            "bytes": path.stat().st_size,
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST_FILE
    }
    manifest = dataclasses.replace(manifest, files=listed)
    validated(dataclasses.asdict(manifest))
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        **dataclasses.asdict(manifest),
    }
    content["checksum"] = _checksum(content)
    files.write_text(
        str(folder / MANIFEST_FILE),
        json.dumps(content, indent=1, ensure_ascii=False) + "\n",
    )
    return manifest


def read(path: str) -> BundleManifest:
    """Reads the manifest of a bundle, whose files are not looked at.

    Args:
      path: Directory of the bundle.

    Returns:
      The manifest.

    Raises:
      FileNotFoundError: If there is no such directory.
      ValueError: If it is no bundle, is of another format version, or the manifest
        is damaged.
    """
    manifest_path = Path(path) / MANIFEST_FILE
    if not os.path.isdir(path):
        raise FileNotFoundError(f"No such bundle: expected a directory, got {path!r}.")
    if not is_bundle(path):
        raise ValueError(
            f"Not a bundle: it has no {MANIFEST_FILE}. `ddsp_export` makes a bundle of "
            f"a training run; got {path!r}."
        )
    try:
        if manifest_path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES} bytes")
        content = json.loads(manifest_path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise ValueError("another format")
        version = content.pop("format_version")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = " ".join(str(error).split())
        raise ValueError(
            f"Not a bundle, or damaged: {MANIFEST_FILE} cannot be read ({message}); "
            f"got {path!r}."
        ) from error
    _check_version(version, content, path)
    identified = {"format": FORMAT, "format_version": version, **content}
    if content.pop("checksum", None) != _checksum(identified):
        raise ValueError(
            f"The bundle is damaged: {MANIFEST_FILE} is not as it was written. Copy it "
            f"again from where it came; got {path!r}."
        )
    try:
        return validated(content)
    except ValueError as error:
        raise ValueError(
            f"The bundle is damaged: {error} in {MANIFEST_FILE}, got {path!r}."
        ) from error


def validated(content: dict[str, Any]) -> BundleManifest:
    """A manifest whose entries are of the right types and in range.

    Args:
      content: The fields of `BundleManifest` by name.

    Returns:
      The manifest.

    Raises:
      ValueError: If an entry is missing, unknown or wrong; it names the entry.
    """
    missing = [field for field in _FIELDS if field not in content]
    unknown = [field for field in content if field not in _FIELDS]
    if missing or unknown:
        raise ValueError(f"missing entries {missing}, unknown entries {unknown}")
    for field, is_valid in _FIELDS.items():
        if not is_valid(content[field]):
            shown = repr(content[field])
            raise ValueError(f"wrong entry '{field}': {shown[:80]}")
    if content["sample_rate"] % content["frame_rate"]:
        raise ValueError(
            f"frame_rate {content['frame_rate']} that does not divide sample_rate "
            f"{content['sample_rate']}"
        )
    return BundleManifest(**content)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any, least: int = 0, most: int = 2**40) -> bool:
    return type(value) is int and least <= value <= most


def _is_rate(value: Any) -> bool:
    return _is_count(value, 1, _HIGHEST_RATE)


def _is_pitch_tracker(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _is_text(value.get("name"))
        and _is_text(value.get("model"))
        and _is_rate(value.get("sample_rate"))
        and isinstance(value.get("centered"), bool)
    )


def _is_listing(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _is_name(name)
        and isinstance(entry, dict)
        and _is_text(entry.get("sha256"))
        and _is_count(entry.get("bytes"))
        for name, entry in value.items()
    )


def _is_name(name: str) -> bool:
    """Whether a path leads to a file within the bundle, on every system."""
    parts = name.split("/")
    return not (
        {"", ".", ".."} & {*parts}
        or any(mark in name for mark in ("\\", ":"))
        or not name.isprintable()
    )


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "library_version": _is_text,
    "model": _is_text,
    "sample_rate": _is_rate,
    "frame_rate": _is_rate,
    "features": lambda x: isinstance(x, list) and all(map(_is_text, x)),
    "latency_samples": _is_count,
    "n_parameters": _is_count,
    "pitch_tracker": _is_pitch_tracker,
    "license": _is_text,
    "attribution": _is_text,
    "exports": lambda x: isinstance(x, list) and all(isinstance(y, dict) for y in x),
    "files": _is_listing,
}


def _check_version(version: Any, content: dict[str, Any], path: str) -> None:
    if version == FORMAT_VERSION:
        return
    writer = content.get("library_version")
    advice = (
        f"it was written by ddsp {writer}; upgrade to that version or a later one"
        if isinstance(version, int) and version > FORMAT_VERSION
        else "no release wrote such"
    )
    raise ValueError(
        f"This version of ddsp reads bundles of format version {FORMAT_VERSION}, not "
        f"{version!r} as {MANIFEST_FILE} says: {advice}; got {path!r}."
    )


def sha256(path: Path) -> str:
    """The checksum of a file.

    Args:
      path: Path of the file.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum(content: dict[str, Any]) -> str:
    """SHA-256 of the manifest itself, however its JSON is laid out."""
    named = {key: value for key, value in content.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()
