"""Recording, playback, upload and download of audio in notebooks."""

import io
import math
import os
import tempfile
from collections.abc import Iterable
from typing import Any, Protocol, TypeAlias

import numpy as np
import soundfile
import soxr

from ddsp import spectral_ops
from ddsp._core import checks
from ddsp.colab import environment
from ddsp.playing import live_audio
from ddsp.types import ArrayLike

DEFAULT_SAMPLE_RATE = spectral_ops.CREPE_SAMPLE_RATE


class FileUpload(Protocol):
    """Upload widget of ipywidgets, with the files that the user has chosen."""

    value: Iterable[Any]


_Paths: TypeAlias = str | os.PathLike[str] | Iterable[str] | FileUpload | None


def play(
    array_of_floats: ArrayLike,
    sample_rate: int = DEFAULT_SAMPLE_RATE,
    ephemeral: bool = True,
    autoplay: bool = False,
    path: str | None = None,
) -> str | None:
    """Shows an audio player in a notebook; elsewhere writes a WAV file.

    Args:
      array_of_floats: Audio, [n_samples], or [batch, n_samples], of which the first row
        is used. It is clipped to [-1, 1].
      sample_rate: Sample rate in Hz.
      ephemeral: Has no effect; kept for notebooks of the original.
      autoplay: Whether the player starts automatically.
      path: Path of a WAV file to write, in notebooks too. If None, a temporary file is
        written outside notebooks and its path is printed.

    Returns:
      The path of the file, or None if no file was written.

    Raises:
      ValueError: If the audio has another shape.
      FileNotFoundError: If the directory of `path` does not exist.

    Example:

    >>> from ddsp.colab import colab_utils
    >>> colab_utils.play(np.zeros(1600), path=str(tmp_path / "silence.wav"))
    '...silence.wav'
    """
    del ephemeral
    audio = np.asarray(array_of_floats, dtype=np.float32)
    checks.rank("array_of_floats", audio, (1, 2))
    audio = np.clip(audio[0] if audio.ndim == 2 else audio, -1.0, 1.0)
    if environment.in_notebook():
        from IPython import display

        display.display(
            display.Audio(audio, rate=sample_rate, normalize=False, autoplay=autoplay)
        )
    elif path is None:
        handle, path = tempfile.mkstemp(prefix="ddsp-", suffix=".wav")
        os.close(handle)
        print(f"Audio written to {path}")
    if path is not None:
        if not os.path.isdir(os.path.dirname(path) or "."):
            raise FileNotFoundError(
                f"The directory of the file does not exist, got {path!r}."
            )
        soundfile.write(path, audio, sample_rate)
    return path


def record(
    seconds: float = 3,
    sample_rate: int = DEFAULT_SAMPLE_RATE,
    normalize_db: float | None = 0.1,
) -> np.ndarray:
    """Records audio with the microphone of the browser in Colab, or of the machine.

    Args:
      seconds: Duration, > 0.
      sample_rate: Sample rate of the result in Hz.
      normalize_db: Attenuation of the peak relative to full scale, in dB. None keeps
        the level.

    Returns:
      Audio, [n_samples], float32.

    Raises:
      ValueError: If `seconds` is not positive.
      UserError: If sounddevice (`ddsp[live]`) is missing, or the microphone cannot be
        opened.

    Example:

    >>> from ddsp.colab import colab_utils, environment
    >>> if environment.in_notebook():
    ...     audio = colab_utils.record(seconds=3.0)
    """
    checks.positive("seconds", seconds)
    print(f"Recording for {seconds:g} seconds ...")
    if environment.in_colab():
        audio, rate = environment.record_in_browser(seconds)
        audio = soxr.resample(audio, rate, sample_rate, quality="VHQ")
    else:
        audio = live_audio.record(seconds, sample_rate)
    print("Recorded.")
    return _leveled(audio, normalize_db)


def audio_bytes_to_np(
    wav_data: bytes,
    sample_rate: int = DEFAULT_SAMPLE_RATE,
    normalize_db: float | None = 0.1,
    mono: bool = True,
) -> np.ndarray:
    """Decodes the content of an audio file.

    Args:
      wav_data: Content of a WAV, FLAC, OGG, MP3 or AIFF file.
      sample_rate: Sample rate of the result in Hz.
      normalize_db: Attenuation of the peak relative to full scale, in dB. None keeps
        the level.
      mono: Whether to mix the channels to mono.

    Returns:
      Audio without DC offset, float32, [n_samples], or [n_channels, n_samples] if not
      `mono`.

    Raises:
      ValueError: If the bytes are not an audio file.

    Example:

    >>> from ddsp.colab import colab_utils
    >>> path = colab_utils.play(np.zeros(1600), path=str(tmp_path / "silence.wav"))
    >>> with open(path, "rb") as file:
    ...     colab_utils.audio_bytes_to_np(file.read()).shape
    (1600,)
    """
    try:
        audio, rate = soundfile.read(
            io.BytesIO(wav_data), dtype="float32", always_2d=True
        )
    except soundfile.LibsndfileError as error:
        raise ValueError(
            "The bytes must be an audio file (WAV, FLAC, OGG, MP3 or AIFF), got "
            f"{len(wav_data)} bytes ({error.error_string})."
        ) from error
    audio = audio.mean(axis=1) if mono else audio
    return _leveled(soxr.resample(audio, rate, sample_rate, "VHQ").T, normalize_db)


def upload(
    sample_rate: int = DEFAULT_SAMPLE_RATE,
    normalize_db: float | None = None,
    paths: _Paths = None,
) -> tuple[list[str], list[np.ndarray]]:
    """Loads audio files from paths, or from the upload dialog of Colab.

    Args:
      sample_rate: Sample rate of the result in Hz.
      normalize_db: Attenuation of the peak of each file relative to full scale, in dB.
        None keeps the levels.
      paths: One or more paths, or an `ipywidgets.FileUpload`. None opens the upload
        dialog of Colab.

    Returns:
      File names, and the audio of each file, [n_samples], float32.

    Raises:
      OSError: If a file cannot be read.
      ValueError: If a file is not an audio file, or `paths` is None outside Colab.

    Example:

    >>> from ddsp.colab import colab_utils
    >>> path = colab_utils.play(np.zeros(1600), path=str(tmp_path / "silence.wav"))
    >>> names, audio = colab_utils.upload(paths=path)
    >>> names[0] == path, audio[0].shape
    (True, (1600,))
    """
    contents = _contents(paths)
    audio = []
    for name, content in contents:
        try:
            audio.append(audio_bytes_to_np(content, sample_rate, normalize_db))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return [name for name, _ in contents], audio


def download(path: str) -> str:
    """Downloads a file in Colab, shows a link in a notebook, or prints its path.

    Args:
      path: Path of the file.

    Returns:
      Absolute path of the file.

    Raises:
      FileNotFoundError: If the file does not exist.

    Example:

    >>> from ddsp.colab import colab_utils
    >>> (tmp_path / "a.txt").touch()
    >>> path = colab_utils.download(str(tmp_path / "a.txt"))
    /...a.txt
    """
    absolute = os.path.abspath(path)
    if not os.path.exists(absolute):
        raise FileNotFoundError(f"The file does not exist, got {path!r}.")
    if environment.in_colab():
        environment.colab_files().download(absolute)
    elif environment.in_notebook():
        from IPython import display

        # Notebooks serve files by their path relative to the notebook.
        display.display(display.FileLink(os.path.relpath(absolute)))
    else:
        print(absolute)
    return absolute


def _contents(paths: _Paths) -> list[tuple[str, bytes]]:
    if paths is None:
        if not environment.in_colab():
            raise ValueError(
                "Outside Colab, paths or an ipywidgets.FileUpload are needed, as in "
                "upload(paths=['singing.wav']), got paths=None."
            )
        return list(environment.colab_files().upload().items())
    # The value of a widget has a dictionary for each file.
    chosen = getattr(paths, "value", None)
    if chosen is not None:
        return [(item["name"], bytes(item["content"])) for item in chosen]
    named: Any = [paths] if isinstance(paths, str | os.PathLike) else paths
    return [(os.fspath(path), _read(path)) for path in named]


def _read(path: str | os.PathLike[str]) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _leveled(audio: np.ndarray, normalize_db: float | None) -> np.ndarray:
    """Removes the DC offset and normalizes the peak; silence stays silent."""
    if not audio.size:
        return audio
    audio = audio - np.mean(audio, axis=-1, keepdims=True)
    peak = np.max(np.abs(audio))
    if normalize_db is not None and peak > 0.0:
        audio = audio * (math.pow(10.0, -normalize_db / 20.0) / peak)
    return audio.astype(np.float32)
