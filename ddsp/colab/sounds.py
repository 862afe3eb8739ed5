"""Audio into notebooks and out of them."""

import io
import math
import os
import tempfile
from collections.abc import Iterable
from typing import Any

import numpy as np
import soundfile
import soxr

from ddsp import spectral_ops
from ddsp._core import checks
from ddsp.colab import environment
from ddsp.playing import live_audio

DEFAULT_SAMPLE_RATE = spectral_ops.CREPE_SAMPLE_RATE


def play(
    array_of_floats: Any,
    sample_rate: int = DEFAULT_SAMPLE_RATE,
    ephemeral: bool = True,
    autoplay: bool = False,
    path: str | None = None,
) -> str | None:
    """Shows a player in a notebook; elsewhere writes a WAV file.

    Args:
      array_of_floats: [n_samples] or [batch, n_samples], of which the first is played;
        cut off beyond -1 to 1.
      sample_rate: Samples a second.
      ephemeral: Of no effect; for notebooks of the original.
      autoplay: Whether the player starts by itself.
      path: WAV file to write, in a notebook too. Outside notebooks None makes one in
        the directory for temporary files, and prints its path.

    Returns:
      The path of the file, or None if none was written.

    Raises:
      ValueError: If the audio has other axes.
      FileNotFoundError: If the directory of `path` is missing.
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
            raise FileNotFoundError(f"There is no such directory to write to: {path!r}")
        soundfile.write(path, audio, sample_rate)
    return path


def record(
    seconds: float = 3,
    sample_rate: int = DEFAULT_SAMPLE_RATE,
    normalize_db: float | None = 0.1,
) -> np.ndarray:
    """Records: in Colab with the browser's microphone, elsewhere with this machine's.

    Args:
      seconds: How long.
      sample_rate: Of the result, samples a second.
      normalize_db: How far below full scale the peak is brought, dB; None leaves the
        level.

    Returns:
      Audio, [n_samples], float32.

    Raises:
      ValueError: If `seconds` is not positive.
      UserError: If sounddevice (`ddsp[live]`) is missing, or the microphone cannot be
        opened.
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
    """Decodes an audio file that is in memory.

    Args:
      wav_data: Content of a WAV, FLAC, OGG, MP3 or AIFF file.
      sample_rate: To resample to, samples a second.
      normalize_db: How far below full scale the peak is brought, dB; None leaves the
        level.
      mono: Whether to average the channels.

    Returns:
      Audio without offset, float32: [n_samples] or, unless `mono`, [channels,
      n_samples].

    Raises:
      ValueError: If the bytes are not such a file.
    """
    try:
        audio, rate = soundfile.read(
            io.BytesIO(wav_data), dtype="float32", always_2d=True
        )
    except soundfile.LibsndfileError as error:
        raise ValueError(
            "The bytes must be an audio file (WAV, FLAC, OGG, MP3 or AIFF), got "
            f"{len(wav_data)} bytes: {error.error_string}"
        ) from error
    audio = audio.mean(axis=1) if mono else audio
    return _leveled(soxr.resample(audio, rate, sample_rate, "VHQ").T, normalize_db)


def upload(
    sample_rate: int = DEFAULT_SAMPLE_RATE,
    normalize_db: float | None = None,
    paths: Any = None,
) -> tuple[list[str], list[np.ndarray]]:
    """Loads audio files: those named, or those chosen in Colab's dialogue.

    Args:
      sample_rate: To resample to, samples a second.
      normalize_db: How far below full scale each peak is brought, dB; None leaves the
        levels.
      paths: A path, several, or an `ipywidgets.FileUpload` with which files have been
        chosen. None asks in Colab.

    Returns:
      File names and audio, [n_samples], float32, of each.

    Raises:
      OSError: If a file cannot be read.
      ValueError: If a file holds no audio, or nothing is named outside Colab.
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
    """Offers a file: Colab sends it to the browser, a notebook shows a link.

    Args:
      path: Of the file.

    Returns:
      Its absolute path, which is printed outside notebooks.

    Raises:
      FileNotFoundError: If there is no such file.
    """
    absolute = os.path.abspath(path)
    if not os.path.exists(absolute):
        raise FileNotFoundError(f"There is nothing to download, got {path!r}.")
    if environment.in_colab():
        environment.colab_files().download(absolute)
    elif environment.in_notebook():
        from IPython import display

        # A notebook serves what lies below its own directory.
        display.display(display.FileLink(os.path.relpath(absolute)))
    else:
        print(absolute)
    return absolute


def _contents(paths: Any) -> list[tuple[str, bytes]]:
    if paths is None:
        if not environment.in_colab():
            raise ValueError(
                "Outside Colab, name the files: upload(paths=['singing.wav']), or give "
                "an ipywidgets.FileUpload, got paths=None."
            )
        return list(environment.colab_files().upload().items())
    # The value of a widget: a dictionary for each file.
    chosen = getattr(paths, "value", None)
    if chosen is not None:
        return [(item["name"], bytes(item["content"])) for item in chosen]
    named: Iterable = [paths] if isinstance(paths, str | os.PathLike) else paths
    return [(os.fspath(path), _read(path)) for path in named]


def _read(path: Any) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _leveled(audio: np.ndarray, normalize_db: float | None) -> np.ndarray:
    """Without offset, and with its peak where it is wanted; silence stays silent."""
    if not audio.size:
        return audio
    audio = audio - np.mean(audio, axis=-1, keepdims=True)
    peak = np.max(np.abs(audio))
    if normalize_db is not None and peak > 0.0:
        audio = audio * (math.pow(10.0, -normalize_db / 20.0) / peak)
    return audio.astype(np.float32)
