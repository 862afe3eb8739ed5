"""Audio files: found by name, in folders and by pattern."""

import dataclasses
import glob
import os
import shlex
from collections.abc import Callable, Iterable, Iterator

import soundfile
import tensorflow as tf

from ddsp import files

_SUFFIXES_OF = {
    "AIFF": (".aif", ".aifc", ".aiff"),
    "AU": (".au", ".snd"),
    "AVR": (".avr",),
    "CAF": (".caf",),
    "FLAC": (".flac",),
    "HTK": (".htk",),
    "IRCAM": (".ircam", ".sf"),
    "MP3": (".mp2", ".mp3"),
    "NIST": (".nist", ".sph"),
    "OGG": (".oga", ".ogg", ".opus"),
    "PAF": (".paf",),
    "PVF": (".pvf",),
    "RF64": (".rf64",),
    "SDS": (".sds",),
    "SVX": (".8svx", ".iff", ".svx"),
    "VOC": (".voc",),
    "W64": (".w64",),
    "WAV": (".bwf", ".wav", ".wave"),
    "WVE": (".wve",),
    "XI": (".xi",),
}
# What the installed libsndfile decodes.
AUDIO_SUFFIXES = tuple(
    suffix
    for name, suffixes in _SUFFIXES_OF.items()
    if name in soundfile.available_formats()
    for suffix in suffixes
)
# Sound, or video with sound, that libsndfile does not decode.
# fmt: off
_FOREIGN_SUFFIXES = (
    ".3gp", ".aac", ".ac3", ".alac", ".amr", ".ape", ".dff", ".dsf", ".dts", ".eac3",
    ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp4", ".mpc", ".mpga", ".ra",
    ".shn", ".spx", ".tak", ".tta", ".webm", ".wma", ".wv",
)
# fmt: on
_HEADERLESS_SUFFIXES = (".gsm", ".pcm", ".raw", ".vox")
_IGNORED_DIRECTORIES = (".ipynb_checkpoints", "__MACOSX")


@dataclasses.dataclass(frozen=True)
class Found:
    """What patterns match.

    Attributes:
      audio: Paths of the files that may hold audio, each once, sorted.
      others: Paths of the files in folders that are no audio by their names, sorted.
      unlisted: Why folders could not be listed, by path.
    """

    audio: list[str]
    others: list[str]
    unlisted: dict[str, str]


def find_audio(patterns: Iterable[str], without: str | None = None) -> Found:
    """Lists the audio files that patterns match.

    Args:
      patterns: Files, glob patterns (`**` descends into folders), or folders, which
        stand for the audio files in them and in their sub-folders. A path that exists
        is taken literally, whatever characters it has. Hidden files and folders
        within a folder are passed over. A folder that links reach twice, or that
        contains a link to itself, is listed once.
      without: A folder to leave out, such as that of the output.

    Returns:
      The files, and what was left out of the folders.

    Raises:
      FileNotFoundError: If a pattern matches no audio file.

    Example:
      >>> find_audio(["recordings", "more/**/*.flac"]).audio  # doctest: +SKIP
      ['more/take 1/a.flac', 'recordings/b.wav']
    """
    search = _Search(without)
    for pattern in patterns:
        n_before = search.n_matches
        exists = os.path.lexists(pattern)
        search.add(os.path.abspath(pattern) if exists else files.expand_path(pattern))
        if search.n_matches == n_before:
            raise FileNotFoundError(_nothing(pattern, search.unlisted))
    others = sorted(search.others - search.audio)
    return Found(sorted(search.audio), others, dict(sorted(search.unlisted.items())))


def advice(path: str) -> str | None:
    """What to do about a file that cannot be decoded, by its name; None if unknown.

    Args:
      path: Path of the file.

    Example:

    >>> from ddsp.recordings import audio_files
    >>> isinstance(audio_files.advice("notes.mp4"), str)
    True
    """
    name = os.path.basename(path)
    stem, suffix = os.path.splitext(name)
    suffix = suffix.lower()
    source, target = (
        shlex.quote(files.printable(text)) for text in (name, f"{stem}.wav")
    )
    if suffix in _FOREIGN_SUFFIXES:
        return f"convert it first, for example with ffmpeg -i {source} {target}"
    if suffix in _HEADERLESS_SUFFIXES:
        return (
            "it has no header; convert it first, for example with "
            f"ffmpeg -f s16le -ar 44100 -ac 1 -i {source} {target}"
        )
    return None


class _Search:
    def __init__(self, without: str | None):
        self.audio: set[str] = set()
        self.others: set[str] = set()
        self.unlisted: dict[str, str] = {}
        self.n_matches = 0
        self._without = _identity(without) if without else None

    def add(self, pattern: str) -> None:
        for path in _matches(pattern):
            if set(_IGNORED_DIRECTORIES) & set(path.replace(os.sep, "/").split("/")):
                continue
            if _is_folder(path):
                self._add_folder(path)
            else:
                self._add_file(path)

    def _add_file(self, path: str) -> None:
        self.n_matches += 1
        self.audio.add(path)

    def _add_folder(self, folder: str) -> None:
        for path in _files_in(folder, self._without, self._cannot_list):
            suffix = os.path.splitext(path)[1].lower()
            if suffix in AUDIO_SUFFIXES + _FOREIGN_SUFFIXES + _HEADERLESS_SUFFIXES:
                self._add_file(path)
            else:
                self.others.add(path)

    def _cannot_list(self, error: OSError) -> None:
        self.unlisted[error.filename] = f"cannot be listed: {error.strerror}"


def _nothing(pattern: str, unlisted: dict[str, str]) -> str:
    hidden = "".join(
        f" {files.printable(path)} {reason}." for path, reason in unlisted.items()
    )
    brackets = (
        " Brackets are part of a pattern: write [[] for an opening bracket in a name."
        if "[" in pattern
        else ""
    )
    return (
        "No audio file matches; give files, folders or glob patterns (in quotes, "
        f"separated by commas).{hidden}{brackets} Supported are "
        f"{', '.join(sorted(AUDIO_SUFFIXES))}; got {pattern!r}."
    )


def _matches(pattern: str) -> list[str]:
    if files.is_remote(pattern):
        return tf.io.gfile.glob(pattern)
    # A link that leads nowhere is named as such later.
    if os.path.lexists(pattern):
        return [pattern]
    return list(_glob(pattern))


def _glob(pattern: str) -> Iterator[str]:
    """As `glob.glob(recursive=True)`, which circles in folders with links to them."""
    parts = pattern.split(os.sep)
    if "**" not in parts:
        yield from glob.iglob(pattern)
        return
    descent = parts.index("**")
    rest = parts[descent + 1 :]
    for start in glob.iglob(os.sep.join(parts[:descent]) or os.sep):
        if not rest:
            yield start
            continue
        for folder in _folders_in(start):
            yield from _glob(os.path.join(glob.escape(folder), *rest))


def _is_folder(path: str) -> bool:
    if files.is_remote(path):
        return tf.io.gfile.isdir(path)
    return os.path.isdir(path)


def _folders_in(folder: str) -> Iterator[str]:
    for directory, _ in _walk(folder, None, None):
        yield directory


def _files_in(
    folder: str,
    without: tuple[int, int] | None,
    on_error: Callable[[OSError], None] | None,
) -> Iterator[str]:
    for directory, names in _walk(folder, without, on_error):
        for name in names:
            if not name.startswith("."):
                yield os.path.join(directory, name)


def _walk(
    folder: str,
    without: tuple[int, int] | None,
    on_error: Callable[[OSError], None] | None,
) -> Iterator[tuple[str, list[str]]]:
    """Folders and the names of what is in them, each folder once."""
    if files.is_remote(folder):
        for directory, _, names in tf.io.gfile.walk(folder):
            yield directory, names
        return
    seen = {without}
    for directory, subfolders, names in os.walk(
        folder, followlinks=True, onerror=on_error
    ):
        identity = _identity(directory)
        if identity in seen:
            subfolders.clear()
            continue
        seen.add(identity)
        subfolders[:] = sorted(
            name
            for name in subfolders
            if not name.startswith(".") and name not in _IGNORED_DIRECTORIES
        )
        yield directory, names


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
