"""The files of a bundle: those that its manifest lists, and no others."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ddsp.playing.bundle.bundle_manifest import MANIFEST_FILE, BundleManifest, sha256

# What file managers leave in any folder that they show.
_BYSTANDERS = {".DS_Store", "Thumbs.db", "desktop.ini"}
_DEEPEST = 16


def check_files(manifest: BundleManifest, path: str) -> None:
    """Refuses a bundle whose files are not exactly those that were written.

    Args:
      manifest: From `manifest.read`.
      path: Directory of the bundle.

    Raises:
      ValueError: If a file is missing, damaged or not listed, or if there is a link or
        anything else that is no file; it names them.
      OSError: If one cannot be read.
    """
    found = dict(_walk(Path(path), path))
    problems = {
        "missing": [name for name in manifest.files if name not in found],
        "not listed": [name for name in found if name not in manifest.files],
        "damaged": [
            name
            for name, expected in manifest.files.items()
            if name in found and not _matches(found[name], expected)
        ],
    }
    if any(problems.values()):
        parts = [f"{k} {', '.join(names)}" for k, names in problems.items() if names]
        raise ValueError(
            f"The bundle is not whole: {'; '.join(parts)}. Copy it again from where it "
            f"came; got {path!r}."
        )


def _matches(path: Path, expected: dict) -> bool:
    # Nothing longer than listed is read.
    return (
        path.stat().st_size == expected["bytes"] and sha256(path) == expected["sha256"]
    )


def _walk(folder: Path, root: str, depth: int = 0) -> Iterator[tuple[str, Path]]:
    """The files below a folder by their names in the bundle."""
    if depth > _DEEPEST:
        raise ValueError(f"The bundle has folders within folders, got {root!r}.")
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = Path(entry.path)
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                yield from _walk(path, root, depth + 1)
            elif not stat.S_ISREG(mode):
                raise ValueError(
                    "A bundle holds files and folders alone, no links or devices; got "
                    f"{entry.path!r}."
                )
            elif entry.name not in _BYSTANDERS:
                name = path.relative_to(root).as_posix()
                if name != MANIFEST_FILE:
                    yield name, path
