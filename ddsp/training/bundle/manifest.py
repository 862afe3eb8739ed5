"""`bundle.json`: what a bundle holds, under which terms, and the checksum of each file.

A bundle travels: by mail, through caches, on sticks. Whoever opens it can tell from
the manifest that it is whole and that this version of the library can read it.
"""

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ddsp.training import files

MANIFEST_FILE = "bundle.json"
FORMAT = "ddsp-bundle"
FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What stands in `bundle.json`.

    Attributes:
      library_version: Of the library that wrote the bundle.
      model: Name of the model's class.
      sample_rate: Of the audio, samples a second.
      frame_rate: Of the features, frames a second.
      features: Names of the features that the model is played from.
      latency_samples: By how much blocks of audio lag behind blocks of features.
      n_parameters: Numbers that the weights consist of.
      pitch_tracker: `name`, `model` (its size), `sample_rate` (of the audio that it
        hears, samples a second) and `centered` (whether frames are centred on their
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
    """Whether a directory is, or was meant to be, a bundle."""
    return (Path(path) / MANIFEST_FILE).is_file()


def write(manifest: Manifest, folder: Path) -> Manifest:
    """Writes the manifest of a finished bundle.

    Args:
      manifest: Its `files` are found here.
      folder: Everything in it becomes part of the bundle.

    Returns:
      The manifest as written.

    Raises:
      OSError: If a file cannot be read or written.
    """
    listed = {
        path.relative_to(folder).as_posix(): {
            "sha256": _sha256(path),
            "bytes": path.stat().st_size,
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST_FILE
    }
    manifest = dataclasses.replace(manifest, files=listed)
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


def read(path: str) -> Manifest:
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
    if not manifest_path.is_file():
        raise ValueError(
            f"Not a bundle: it has no {MANIFEST_FILE}. `ddsp_export` makes a bundle of "
            f"a training run; got {path!r}."
        )
    try:
        content = json.loads(manifest_path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise ValueError("another format")
        version = content.pop("format_version")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"Not a bundle, or damaged: {MANIFEST_FILE} cannot be read ({error}); got "
            f"{path!r}."
        ) from error
    _check_version(version, content, path)
    identified = {"format": FORMAT, "format_version": version, **content}
    if content.pop("checksum", None) != _checksum(identified):
        raise ValueError(
            f"The bundle is damaged: {MANIFEST_FILE} is not as it was written. Copy it "
            f"again from where it came; got {path!r}."
        )
    return Manifest(**content)


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


def check_files(manifest: Manifest, path: str) -> None:
    """Refuses a bundle of which a file is missing or not as it was written.

    Args:
      manifest: From `read`.
      path: Directory of the bundle.

    Raises:
      ValueError: If so; it names the files.
      OSError: If one cannot be read.
    """
    folder = Path(path)
    missing = [name for name in manifest.files if not (folder / name).is_file()]
    damaged = [
        name
        for name, expected in manifest.files.items()
        if name not in missing and _sha256(folder / name) != expected["sha256"]
    ]
    if missing or damaged:
        parts = [
            f"{state} {', '.join(names)}"
            for state, names in (("missing", missing), ("damaged", damaged))
            if names
        ]
        raise ValueError(
            f"The bundle is not whole: {'; '.join(parts)}. Copy it again from where it "
            f"came; got {path!r}."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum(content: dict[str, Any]) -> str:
    """SHA-256 of the manifest itself, however its JSON is laid out."""
    named = {key: value for key, value in content.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()
