"""Audio files: found, checked, and read as a stream of mono blocks at one rate."""

import dataclasses
import glob
import os
from collections.abc import Iterable, Iterator

import numpy as np
import soundfile
import soxr
import tensorflow as tf

from ddsp.training import files

AUDIO_SUFFIXES = (".aif", ".aiff", ".flac", ".mp3", ".ogg", ".wav")
_IGNORED_DIRECTORY = ".ipynb_checkpoints"
_BLOCK_FRAMES = 2**16
# -80 dB of full scale, the floor of `loudness_db`.
_SILENT_PEAK = 1e-4


@dataclasses.dataclass(frozen=True)
class Recording:
    """What a look at an audio file found.

    Attributes:
      path: Of the file.
      sample_rate: Of the file, samples a second; 0 if it cannot be opened.
      channels: Of the file.
      n_samples: That can be decoded, per channel.
      problem: Why it cannot be used, or None.
      warnings: What is odd about it though it can be used.
    """

    path: str
    sample_rate: int = 0
    channels: int = 0
    n_samples: int = 0
    problem: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Length."""
        return self.n_samples / self.sample_rate if self.sample_rate else 0.0


def find_audio(patterns: Iterable[str]) -> list[str]:
    """Lists the audio files that patterns match.

    Args:
      patterns: Files, glob patterns (`**` descends into folders), or folders, which
        stand for the audio files in them. A path that exists is taken literally,
        whatever characters it has. `.ipynb_checkpoints` is passed over.

    Returns:
      Paths, each once, sorted.

    Raises:
      FileNotFoundError: If a pattern matches nothing.
    """
    found: set[str] = set()
    for pattern in patterns:
        paths = [p for p in _expand(pattern) if _IGNORED_DIRECTORY not in _parts(p)]
        if not paths:
            raise FileNotFoundError(
                "No audio file matches; give files, folders or glob patterns (in "
                f"quotes, separated by commas), got {pattern!r}."
            )
        found.update(paths)
    return sorted(found)


def _expand(pattern: str) -> list[str]:
    pattern = files.expand_path(pattern)
    if files.is_remote(pattern):
        return tf.io.gfile.glob(pattern)
    if os.path.isdir(pattern):
        return [
            entry.path
            for entry in os.scandir(pattern)
            if entry.is_file() and entry.name.lower().endswith(AUDIO_SUFFIXES)
        ]
    if os.path.exists(pattern):
        return [pattern]
    return [p for p in glob.glob(pattern, recursive=True) if os.path.isfile(p)]


def _parts(path: str) -> list[str]:
    return path.replace(os.sep, "/").split("/")


def probe(path: str) -> Recording:
    """Decodes a file once to see whether it can be used.

    Headers are not trusted: they cannot tell of damage or of NaN, and may be wrong
    about the length.
    """
    sample_rate = channels = n_samples = 0
    peak = 0.0
    problem = None
    warnings = []
    try:
        with _open(path) as file:
            sample_rate, channels, promised = (
                file.samplerate,
                file.channels,
                file.frames,
            )
            for block in _blocks(file):
                highest = np.max(np.abs(block))
                if not np.isfinite(highest):
                    problem = _not_finite(block, n_samples, sample_rate)
                    break
                peak = max(peak, float(highest))
                n_samples += len(block)
    except (soundfile.SoundFileError, OSError, tf.errors.OpError) as error:
        problem = f"cannot be decoded: {_reason(error)}"
    else:
        # 50 ms: more than the padding of a lossy codec.
        if not problem and n_samples < promised - 0.05 * sample_rate:
            warnings.append(
                f"ends after {n_samples / sample_rate:.1f} s of the "
                f"{promised / sample_rate:.1f} s that its header promises"
            )
    if not problem and not n_samples:
        problem = "is empty"
    elif not problem and peak < _SILENT_PEAK:
        problem = "is silent: it never exceeds -80 dB of full scale"
    return Recording(path, sample_rate, channels, n_samples, problem, tuple(warnings))


def _not_finite(block: np.ndarray, n_before: int, sample_rate: int) -> str:
    first = int(np.argmin(np.isfinite(block).all(axis=1)))
    return f"holds NaN or infinite samples at {(n_before + first) / sample_rate:.3f} s"


def _reason(error: Exception) -> str:
    if isinstance(error, soundfile.LibsndfileError):
        return error.error_string.strip().rstrip(".")
    return files.reason(error).rstrip(".")


def stream(path: str, sample_rate: int) -> Iterator[np.ndarray]:
    """Reads a file as mono blocks at another rate, in bounded memory.

    Channels are averaged. Resampling is soxr's at very high quality, band-limited
    and without delay: sample `i` stands at `i / sample_rate`.

    Args:
      path: Of an audio file.
      sample_rate: To resample to.

    Yields:
      Audio, [n_samples], float32; the length varies.

    Raises:
      OSError: If the file cannot be read.
    """
    try:
        with _open(path) as file:
            mono = (block.mean(axis=1) for block in _blocks(file))
            yield from resampled(mono, file.samplerate, sample_rate)
    except (soundfile.SoundFileError, tf.errors.OpError) as error:
        raise OSError(f"Cannot read {path}: {_reason(error)}.") from error


def resampled(
    blocks: Iterable[np.ndarray], rate_in: int, rate_out: int
) -> Iterator[np.ndarray]:
    """Resamples a stream of mono blocks, [n_samples] float32 each, without delay."""
    if rate_in == rate_out:
        yield from blocks
        return
    resampler = soxr.ResampleStream(
        rate_in, rate_out, num_channels=1, dtype="float32", quality="VHQ"
    )
    for block in blocks:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _open(path: str) -> soundfile.SoundFile:
    if files.is_remote(path):
        return soundfile.SoundFile(tf.io.gfile.GFile(path, "rb"))
    return soundfile.SoundFile(path)


def _blocks(file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    while True:
        block = file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)
        if not len(block):
            return
        yield block
