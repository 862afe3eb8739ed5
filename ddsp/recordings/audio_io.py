"""Audio files read as a stream of mono blocks at one rate, in bounded memory."""

import contextlib
import dataclasses
import os
import stat
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import soundfile
import soxr
import tensorflow as tf

from ddsp import file_errors, files

# Headers that say otherwise are damaged: no recorder is slower or faster.
LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000
# What a damaged or foreign file can raise; TypeError is for one without a header.
DECODING_ERRORS = (
    soundfile.SoundFileError,
    OSError,
    TypeError,
    ValueError,
    tf.errors.OpError,
)
_BLOCK_FRAMES = 2**14
# 1 MB of float32, however many channels there are or samples come out.
_BLOCK_SAMPLES = 2**18
_SPECIAL_FILES = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NotAFileError(OSError):
    """Raised for a path that is a directory, pipe, socket or device.

    Example:

    >>> from ddsp.recordings import audio_io
    >>> issubclass(audio_io.NotAFileError, OSError)
    True
    """


@dataclasses.dataclass(frozen=True)
class Recording:
    """An audio file, and how to read it.

    Attributes:
      path: Of the file.
      sample_rate: Of the file, samples per second; 0 if it cannot be opened.
      channels: Of the file.
      n_samples: That can be decoded, per channel.
      problem: Why it cannot be used, or None.
      warnings: What is odd about it though it can be used.
      channel: The channel to read; None averages them.
      offset: To subtract from the samples.
      gain: Factor to apply after that.
      digest: Of the decoded audio; recordings with equal ones are the same. None if
        it could not be decoded.

    Example:

    >>> from ddsp.recordings import audio_io
    >>> audio_io.Recording("a.wav", sample_rate=16000, n_samples=8000).seconds
    0.5
    """

    path: str
    sample_rate: int = 0
    channels: int = 0
    n_samples: int = 0
    problem: str | None = None
    warnings: tuple[str, ...] = ()
    channel: int | None = None
    offset: float = 0.0
    gain: float = 1.0
    digest: str | None = None

    @property
    def seconds(self) -> float:
        """Length."""
        return self.n_samples / self.sample_rate if self.sample_rate else 0.0

    def mono(self, block: np.ndarray) -> np.ndarray:
        """One channel of a decoded block, [n_samples, channels]: [n_samples]."""
        if self.channel is None:
            audio = block.mean(axis=1)
        else:
            audio = np.ascontiguousarray(block[:, self.channel])
        if self.offset:
            audio = audio - np.float32(self.offset)
        return audio if self.gain == 1.0 else np.float32(self.gain) * audio


def stream(source: str | Recording, sample_rate: int) -> Iterator[np.ndarray]:
    """Reads a file as mono blocks at another rate, in bounded memory.

    Resampling is soxr's at very high quality, band-limited and without delay: sample
    `i` stands at `i / sample_rate`.

    Args:
      source: From `probing.probe`, which decides on channel, offset and gain; or the
        path of a file, to be read as it is, its channels averaged.
      sample_rate: To resample to.

    Yields:
      Audio, [n_samples], float32; the length varies.

    Raises:
      OSError: If the file cannot be read.

    Example:

    >>> import soundfile
    >>> path = str(tmp_path / "a.wav")
    >>> soundfile.write(path, np.zeros(4800), 48000)
    >>> np.concatenate(list(stream(path, 16000))).shape
    (1600,)
    """
    recording = Recording(source) if isinstance(source, str) else source
    path = recording.path
    try:
        with opened(path) as file:
            check_rate(file.samplerate)
            found = file.samplerate, file.channels
            if recording.sample_rate and found != (
                recording.sample_rate,
                recording.channels,
            ):
                raise OSError("it has changed since it was checked")
            mono = (recording.mono(block) for block in blocks(file))
            yield from resampled(mono, file.samplerate, sample_rate)
    except DECODING_ERRORS as error:
        raise OSError(f"Cannot read {files.printable(path)}: {reason(error)}.") from (
            error
        )


def resampled(
    blocks: Iterable[np.ndarray], rate_in: int, rate_out: int
) -> Iterator[np.ndarray]:
    """Resamples a stream of mono blocks without delay.

    Blocks are cut to bound the size of the outputs at any ratio of the rates.

    Args:
      blocks: Arrays [n_samples], float32.
      rate_in: Sample rate of the blocks.
      rate_out: Sample rate of the output.

    Example:

    >>> from ddsp.recordings import audio_io
    >>> blocks = [np.zeros(4410, np.float32)] * 2
    >>> sum(len(block) for block in audio_io.resampled(blocks, 44100, 16000))
    3200
    """
    if rate_in == rate_out:
        yield from blocks
        return
    resampler = soxr.ResampleStream(
        rate_in, rate_out, num_channels=1, dtype="float32", quality="VHQ"
    )
    step = max(1, _BLOCK_FRAMES * rate_in // max(rate_in, rate_out))
    for block in blocks:
        for first in range(0, len(block), step):
            yield resampler.resample_chunk(block[first : first + step])
    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def check_rate(sample_rate: int) -> None:
    """Checks that a sample rate is plausible.

    Args:
      sample_rate: Samples per second.

    Raises:
      ValueError: If the rate is out of range.

    Example:

    >>> from ddsp.recordings import audio_io
    >>> audio_io.check_rate(10)
    Traceback (most recent call last):
    ...
    ValueError: a sample rate must be from 1,000 Hz to 1,000,000 Hz, got 10 Hz
    """
    if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
        raise ValueError(
            f"a sample rate must be from {LOWEST_RATE:,} Hz to {HIGHEST_RATE:,} Hz, "
            f"got {sample_rate:,} Hz"
        )


class _Sequential(soundfile.SoundFile):
    """A file that is read from its beginning to its end.

    soundfile seeks after every block, to where the file stands anyway: MP3 loses what
    frames share with those before, and a FLAC file that does not say its length loses
    its last block.
    """

    def seekable(self) -> bool:
        return False


@contextlib.contextmanager
def opened(path: str) -> Iterator[soundfile.SoundFile]:
    """Opens an audio file.

    Args:
      path: Path of the file.

    Raises:
      NotAFileError: If the path is not that of a regular file.

    Example:

    >>> import soundfile
    >>> from ddsp.recordings import audio_io
    >>> soundfile.write(tmp_path / "a.wav", np.zeros(100), 16000)
    >>> with audio_io.opened(str(tmp_path / "a.wav")) as file:
    ...     file.samplerate
    16000
    """
    with _binary(path) as raw, _Sequential(raw) as file:
        yield file


def blocks(file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    """Decodes an open file in blocks [n_samples, channels], float32.

    Args:
      file: The open file.

    Example:

    >>> import soundfile
    >>> from ddsp.recordings import audio_io
    >>> soundfile.write(tmp_path / "a.wav", np.zeros(100), 16000)
    >>> with audio_io.opened(str(tmp_path / "a.wav")) as file:
    ...     [block.shape for block in audio_io.blocks(file)]
    [(100, 1)]
    """
    n_frames = max(1, min(_BLOCK_FRAMES, _BLOCK_SAMPLES // file.channels))
    while True:
        block = file.read(n_frames, dtype="float32", always_2d=True)
        if not len(block):
            return
        yield block


def reason(error: Exception) -> str:
    """Returns in a few words why a file cannot be decoded.

    Args:
      error: The exception raised by decoding.

    Example:

    >>> from ddsp.recordings import audio_io
    >>> audio_io.reason(audio_io.NotAFileError("is a folder, not a file"))
    'it is a folder, not a file'
    """
    if isinstance(error, soundfile.LibsndfileError):
        return error.error_string.removeprefix("Error : ").strip().rstrip(".")
    if isinstance(error, NotAFileError):
        return f"it {error}"
    return file_errors.reason(error).rstrip(".")


def _binary(path: str) -> Any:
    if files.is_remote(path):
        return tf.io.gfile.GFile(path, "rb")
    # Before it is opened: a named pipe would wait for someone to write into it.
    mode = os.stat(path).st_mode
    for is_kind, name in _SPECIAL_FILES:
        if is_kind(mode):
            raise NotAFileError(f"is {name}, not a file")
    # Without its name, libsndfile has to judge by what is in it.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    return open(descriptor, "rb")
