"""Timbre transfer: a recording resynthesized by a trained model.

The model takes f0 and loudness of the recording, and returns audio in the timbre of its
training data (Engel et al., "DDSP: Differentiable Digital Signal Processing", 2020,
section 4.4).
"""

import dataclasses
import math
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import tqdm

from ddsp import file_errors, files
from ddsp._core import checks
from ddsp.playing import bundle
from ddsp.playing.adjustment import Adjusted, Adjustment, adjust_features
from ddsp.playing.rendering import Performance, render
from ddsp.recordings import audio_files, audio_io, probing, quality
from ddsp.recordings.analysis_settings import CREPE_SAMPLE_RATE, Settings
from ddsp.recordings.features import feature_blocks
from ddsp.recordings.pitch_range import PeriodFinder
from ddsp.recordings.rolling import RollingReader
from ddsp.training import checkpoints, models, postprocessing

# -1 dB of full scale, as headroom for peaks between samples in lossy formats and
# converters.
PEAK_LIMIT = 10.0 ** (-1.0 / 20.0)
OUTPUT_SUFFIXES = (".aiff", ".flac", ".mp3", ".ogg", ".wav")


@dataclasses.dataclass(frozen=True)
class Features:
    """Features of a recording.

    Attributes:
      f0_hz: Fundamental frequency in Hz, [n_frames].
      f0_confidence: Pitch confidence, 0 to 1, [n_frames].
      loudness_db: Loudness in dB, [n_frames].
      frame_rate: Frames per second.
      warnings: Warnings about the recording.

    Example:

    >>> from ddsp.playing.timbre_transfer import Features
    >>> Features(np.full(4, 440.0), np.ones(4), np.full(4, -30.0), 250).warnings
    ()
    """

    f0_hz: np.ndarray
    f0_confidence: np.ndarray
    loudness_db: np.ndarray
    frame_rate: int
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Transfer:
    """Result of a timbre transfer, as returned by `transfer`.

    Attributes:
      source: The recording.
      path: The output file.
      seconds: Duration of the output, with the reverb's tail.
      sample_rate: Sample rate of the output.
      gain: Factor that prevents the output from clipping, at most 1.
      before: Features of the recording.
      after: Features after adjustment to the model.

    Example:

    >>> import soundfile
    >>> from ddsp.playing import timbre_transfer
    >>> tone = 0.5 * np.sin(2 * np.pi * 440.0 / 16000.0 * np.arange(4000))
    >>> source, path = str(tmp_path / "in.wav"), str(tmp_path / "out.wav")
    >>> soundfile.write(source, np.stack([tone, tone], 1), 16000)
    >>> model = ddsp.testing.tiny_autoencoder()
    >>> timbre_transfer.transfer(source, path, model).describe()[0]
    'Mixed 2 channels down to one.'
    """

    source: audio_io.Recording
    path: str
    seconds: float
    sample_rate: int
    gain: float
    before: Features
    after: Adjusted

    def describe(self) -> list[str]:
        """Returns a description of the transfer, one sentence per line."""
        lines = []
        if self.source.channels > 1 and self.source.channel is None:
            lines.append(f"Mixed {self.source.channels} channels down to one.")
        warnings = [*self.source.warnings, *self.before.warnings]
        lines.extend(f"The recording {text}." for text in warnings)
        if not self.after.mask_on.any():
            lines.append(
                "No notes found: the recording has no clear pitch, so nothing was "
                "adjusted to the model. A lower threshold finds more."
            )
        if self.after.octaves:
            lines.append(
                f"Shifted the pitch by {self.after.octaves:+d} octave(s), to where the "
                "model was trained."
            )
        if self.after.mapped:
            lines.append("Mapped the loudness to that of the training data.")
        if self.gain < 1.0:
            decibels = 20.0 * math.log10(self.gain)
            lines.append(f"Turned down by {-decibels:.1f} dB so that it does not clip.")
        return lines


def load_model(
    directory: str, trusted: bool = False
) -> tuple[models.Autoencoder, dict[str, Any] | None]:
    """Loads a trained model, and the statistics of its training data if present.

    Args:
      directory: A bundle of `ddsp_export`; or a training run, its `best` folder, or a
        checkpoint in either.
      trusted: Whether the config of a training run may import modules and name
        anything; see `models.load`.

    Returns:
      The model, and what `postprocessing.load_dataset_statistics` returns or None.

    Raises:
      FileNotFoundError: If there is no trained model.
      ValueError: If it is not an autoencoder of f0 and loudness, or is damaged.

    Example:

    >>> from ddsp.playing import timbre_transfer
    >>> timbre_transfer.load_model(str(tmp_path))
    Traceback (most recent call last):
      ...
    FileNotFoundError: ...
    """
    if bundle.is_bundle(directory):
        opened = bundle.load(directory)
        return opened.model, opened.statistics
    model = models.load(directory, trusted)
    if not isinstance(model, models.Autoencoder) or model.preprocessor is None:
        raise ValueError(
            "Timbre transfer needs an autoencoder with a preprocessor, got "
            f"{type(model).__name__} in {directory!r}."
        )
    places = checkpoints.folders_of(directory)
    return model, postprocessing.find_dataset_statistics(*places)


def measure(
    recording: audio_io.Recording,
    frame_rate: int,
    crepe_model: str = "tiny",
    progress: bool = False,
    centered: bool = False,
    causal: bool = False,
) -> Features:
    """Measures f0 and loudness of a recording, in bounded memory.

    Args:
      recording: From `usable_recording`.
      frame_rate: Frames per second.
      crepe_model: Size of the pitch tracker, 'tiny' or 'full'.
      progress: Whether to show a progress bar.
      centered: Whether frames are centered on their times, as in the model's training
        data; otherwise they start there.
      causal: Whether the loudness has no look-ahead, as real-time models require.

    Returns:
      The features, with frame `i` at `i / frame_rate` seconds.

    Raises:
      OSError: If the file cannot be read.

    Example:

    >>> import soundfile
    >>> from ddsp.playing import timbre_transfer
    >>> tone = 0.5 * np.sin(2 * np.pi * 440.0 / 16000.0 * np.arange(4000))
    >>> path = str(tmp_path / "in.wav")
    >>> soundfile.write(path, tone, 16000)
    >>> recording = timbre_transfer.usable_recording(path)
    >>> features = timbre_transfer.measure(recording, frame_rate=100)
    >>> features.f0_hz.shape
    (25,)
    """
    settings = Settings(frame_rate=frame_rate, crepe_model=crepe_model, center=centered)
    n_frames = math.ceil(recording.n_samples * frame_rate / recording.sample_rate)
    for_pitch, for_loudness = (
        audio_io.stream(recording, CREPE_SAMPLE_RATE) for _ in range(2)
    )
    periods = PeriodFinder()
    blocks = list(
        _watched(
            feature_blocks(
                RollingReader(for_pitch),
                RollingReader(periods.watch(for_loudness)),
                n_frames,
                settings,
                loudness_padding="causal" if causal else None,
            ),
            n_frames / frame_rate,
            frame_rate,
            "analyzing" if progress else None,
        )
    )
    f0_hz, f0_confidence, loudness_db = np.concatenate(blocks).T
    warnings = quality.wrong_pitch_warnings(
        f0_hz, f0_confidence, loudness_db, periods.at_frames(n_frames, frame_rate)
    )
    return Features(f0_hz, f0_confidence, loudness_db, frame_rate, tuple(warnings))


def transfer(
    source: str,
    path: str,
    model: models.Autoencoder,
    statistics: dict[str, Any] | None = None,
    adjustment: Adjustment | None = None,
    crepe_model: str = "tiny",
    sample_rate: int | None = None,
    progress: bool = False,
) -> Transfer:
    """Resynthesizes a recording with a model and writes the output.

    Args:
      source: Audio file of any sample rate and length; channels are averaged.
      path: File to write; its extension sets the format. It appears whole or not at
        all.
      model: From `load_model`.
      statistics: From `load_model`.
      adjustment: Adjustment of the features to the model.
      crepe_model: Size of the pitch tracker, 'tiny' or 'full'.
      sample_rate: Sample rate of the output; by default the model's.
      progress: Whether to show progress bars.

    Returns:
      A description of the result.

    Raises:
      ValueError: If the recording is empty, silent, damaged or has NaN samples, if
        the extension is unknown, or if the output is the recording itself.
      OSError: If a file cannot be read or written.

    Example:

    >>> import soundfile
    >>> from ddsp.playing import timbre_transfer
    >>> tone = 0.5 * np.sin(2 * np.pi * 440.0 / 16000.0 * np.arange(4000))
    >>> path = str(tmp_path / "in.wav")
    >>> soundfile.write(path, tone, 16000)
    >>> model = ddsp.testing.tiny_autoencoder()
    >>> result = timbre_transfer.transfer(path, str(tmp_path / "out.wav"), model)
    >>> result.sample_rate, result.seconds >= 0.25
    (16000, True)
    """
    check_output(path)
    recording = usable_recording(source)
    if os.path.exists(path) and os.path.samefile(source, path):
        raise ValueError(
            "The output must be another file than the recording, got "
            f"{files.printable(path)}."
        )
    preprocessor: Any = model.preprocessor
    centered = bool(statistics and statistics.get("centered"))
    causal = getattr(preprocessor, "padding", None) == "causal"
    before = measure(
        recording, preprocessor.frame_rate, crepe_model, progress, centered, causal
    )
    after = adjust_features(
        before.f0_hz,
        before.f0_confidence,
        before.loudness_db,
        adjustment or Adjustment(),
        statistics,
    )
    model_rate = model.sample_rate
    reader = RollingReader(audio_io.stream(recording, model_rate))
    blocks = render(
        model,
        Performance(after.f0_hz, after.loudness_db, after.gate, reader.read),
    )
    seconds = len(after.f0_hz) / preprocessor.frame_rate
    written, gain = write_audio(
        path,
        _watched(blocks, seconds, model_rate, "playing" if progress else None),
        model_rate,
        sample_rate or model_rate,
    )
    return Transfer(
        recording, path, written, sample_rate or model_rate, gain, before, after
    )


def usable_recording(source: str) -> audio_io.Recording:
    """Probes a recording and checks that it can be analyzed.

    Args:
      source: Path of the recording.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If the recording is empty, silent, damaged or has NaN samples.

    Example:

    >>> import soundfile
    >>> from ddsp.playing import timbre_transfer
    >>> tone = 0.5 * np.sin(2 * np.pi * 440.0 / 16000.0 * np.arange(4000))
    >>> path = str(tmp_path / "in.wav")
    >>> soundfile.write(path, tone, 16000)
    >>> timbre_transfer.usable_recording(path).n_samples
    4000
    """
    if not os.path.lexists(source):
        raise FileNotFoundError(f"No such audio file: {source!r}.")
    recording = probing.probe(source)
    if recording.problem:
        raise ValueError(
            f"The recording {recording.problem}, got {files.printable(source)}."
        )
    return recording


def plan_outputs(source: str, output: str) -> dict[str, str]:
    """Maps each recording to the file to write.

    Args:
      source: An audio file, or a directory of audio files.
      output: The file to write, or the directory for a directory of recordings.

    Returns:
      {recording: file to write}. Each recording of a directory becomes a WAV file of
      the same name, in the same subdirectory.

    Raises:
      FileNotFoundError: If there is no such file, or no audio in the directory.
      ValueError: If one is a directory and the other a file, or both are the same
        directory.

    Example:

    >>> import soundfile
    >>> from ddsp.playing import timbre_transfer
    >>> tone = 0.5 * np.sin(2 * np.pi * 440.0 / 16000.0 * np.arange(4000))
    >>> path = str(tmp_path / "in.wav")
    >>> soundfile.write(path, tone, 16000)
    >>> list(timbre_transfer.plan_outputs(path, "violin.wav").values())
    ['violin.wav']
    """
    if not os.path.isdir(source):
        if not os.path.exists(source):
            raise FileNotFoundError(f"No such audio file or folder: {source!r}.")
        if os.path.isdir(output):
            raise ValueError(
                f"For a single recording the output must be a file, got {output!r}."
            )
        check_output(output)
        return {source: output}
    if os.path.isfile(output) or Path(output).suffix.lower() in OUTPUT_SUFFIXES:
        raise ValueError(
            f"For a folder of recordings the output must be a folder, got {output!r}."
        )
    if os.path.isdir(output) and os.path.samefile(source, output):
        raise ValueError(
            "The output must be another folder than that of the recordings, got "
            f"{output!r}."
        )
    # Paths of the recordings in the folder, without their extension where that names
    # one of them only. TensorFlow's file functions want UTF-8.
    paths = {
        path: Path(files.printable(os.path.relpath(path, os.path.abspath(source))))
        for path in audio_files.find_audio([source], without=output).audio
    }
    stems = Counter(path.with_suffix("") for path in paths.values())
    return {
        source: os.path.join(
            output,
            f"{path.with_suffix('') if stems[path.with_suffix('')] == 1 else path}.wav",
        )
        for source, path in paths.items()
    }


def left_out(source: str, output: str) -> list[str]:
    """Lists the other files in a directory of recordings, one sentence per line.

    Args:
      source: See `plan_outputs`.
      output: See `plan_outputs`.

    Example:

    >>> import soundfile
    >>> from ddsp.playing import timbre_transfer
    >>> tone = 0.5 * np.sin(2 * np.pi * 440.0 / 16000.0 * np.arange(4000))
    >>> path = str(tmp_path / "in.wav")
    >>> soundfile.write(path, tone, 16000)
    >>> _ = (tmp_path / "notes.txt").write_text("")
    >>> timbre_transfer.left_out(str(tmp_path), "out")
    ['Left out, not audio by their names: notes.txt.']
    """
    if not os.path.isdir(source):
        return []
    found = audio_files.find_audio([source], without=output)
    lines = [
        f"{files.printable(path)} {reason}." for path, reason in found.unlisted.items()
    ]
    if found.others:
        names = ", ".join(
            files.printable(os.path.basename(path)) for path in found.others[:5]
        )
        more = f" and {len(found.others) - 5} more" if len(found.others) > 5 else ""
        lines.append(f"Left out, not audio by their names: {names}{more}.")
    return lines


def check_output(path: str) -> None:
    """Checks the path of an output file.

    Args:
      path: Path of the audio file to write.

    Raises:
      ValueError: If the extension is not one of `OUTPUT_SUFFIXES`.

    Example:

    >>> from ddsp.playing import timbre_transfer
    >>> timbre_transfer.check_output("violin.wav")
    """
    if Path(path).suffix.lower() not in OUTPUT_SUFFIXES:
        raise ValueError(
            f"The output must be one of {', '.join(OUTPUT_SUFFIXES)}, got {path!r}."
        )
    files.check_utf8(path)


def write_audio(
    path: str, blocks: Iterable[np.ndarray], rate_in: int, rate_out: int
) -> tuple[float, float]:
    """Writes blocks of audio without clipping, in bounded memory.

    Args:
      path: File to write, whole or not at all. Its directory is created if missing.
      blocks: [n_samples] each, float32.
      rate_in: Sample rate of the blocks.
      rate_out: Sample rate of the file.

    Returns:
      seconds: Duration of the file.
      gain: Factor that keeps the peak at or below `PEAK_LIMIT`.

    Raises:
      OSError: If the file cannot be written.
      ValueError: If the audio is not finite.

    Example:

    >>> from ddsp.playing import timbre_transfer
    >>> blocks = [np.full(8000, 0.5, np.float32)]
    >>> timbre_transfer.write_audio(str(tmp_path / "a.wav"), blocks, 16000, 16000)
    (0.5, 1.0)
    """
    checks.positive("sample_rate", rate_out)
    folder = os.path.dirname(os.path.abspath(path))
    with file_errors.writing(path, soundfile.SoundFileError):
        os.makedirs(folder, exist_ok=True)
        # The gain is known at the end, so the audio is buffered on disk.
        with (
            tempfile.TemporaryFile(dir=folder) as raw,
            files.staged(path) as temporary,
        ):
            peak = 0.0
            n_samples = 0
            for block in audio_io.resampled(blocks, rate_in, rate_out):
                if not np.all(np.isfinite(block)):
                    raise ValueError(
                        "The model produced NaN or infinite samples; its checkpoint "
                        f"is of no use, got them at {n_samples / rate_out:.2f} s."
                    )
                peak = max(peak, float(np.max(np.abs(block), initial=0.0)))
                n_samples += len(block)
                raw.write(np.ascontiguousarray(block, "<f4").tobytes())
            gain = min(1.0, PEAK_LIMIT / peak) if peak else 1.0
            raw.seek(0)
            with soundfile.SoundFile(
                temporary, "w", samplerate=rate_out, channels=1
            ) as file:
                while chunk := raw.read(2**20):
                    file.write(gain * np.frombuffer(chunk, "<f4"))
    return n_samples / rate_out, gain


def _watched(
    blocks: Iterable[np.ndarray], seconds: float, rate: int, label: str | None
) -> Iterator[np.ndarray]:
    """Shows a progress bar over blocks of `rate` rows per second, if labeled."""
    layout = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s [{elapsed}]"
    with tqdm.tqdm(
        total=seconds, desc=label, disable=label is None, bar_format=layout
    ) as bar:
        for block in blocks:
            yield block
            # A reverb's tail exceeds the duration of the recording.
            bar.update(min(len(block) / rate, seconds - bar.n))
