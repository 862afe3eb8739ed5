"""Timbre transfer: a recording played by a trained model.

The model is given the pitch and the loudness of the recording, and answers in the
timbre that it was trained on (Engel et al., "DDSP: Differentiable Digital Signal
Processing", 2020, section 4.4).
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

# -1 dB of full scale: room for what a lossy format or a converter adds between
# samples.
PEAK_LIMIT = 10.0 ** (-1.0 / 20.0)
OUTPUT_SUFFIXES = (".aiff", ".flac", ".mp3", ".ogg", ".wav")


@dataclasses.dataclass(frozen=True)
class Features:
    """What was heard in a recording.

    Attributes:
      f0_hz: [n_frames], Hz.
      f0_confidence: [n_frames], 0 to 1.
      loudness_db: [n_frames], dB.
      frame_rate: Frames per second.
      warnings: What is odd about them, in words.
    """

    f0_hz: np.ndarray
    f0_confidence: np.ndarray
    loudness_db: np.ndarray
    frame_rate: int
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Transfer:
    """A transfer that was done.

    Attributes:
      source: The recording that was read.
      path: The file that was written.
      seconds: Its length, the reverb's tail included.
      sample_rate: Its sample rate.
      gain: Factor applied so that it does not clip, at most 1.
      before: Features of the recording.
      after: Features that the model played.
    """

    source: audio_io.Recording
    path: str
    seconds: float
    sample_rate: int
    gain: float
    before: Features
    after: Adjusted

    def describe(self) -> list[str]:
        """What was done, a sentence a line."""
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
    """A trained model, and the statistics of its training data if it has them.

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
    """Pitch and loudness of a recording, in bounded memory.

    Args:
      recording: From `probing.probe`, without a problem.
      frame_rate: Frames per second.
      crepe_model: Size of the pitch tracker, 'tiny' or 'full'.
      progress: Show a progress bar.
      centered: Whether frames are centered on their times, as in the data that the
        model learned from; otherwise they start there.
      causal: Whether the loudness is that of a model made for real time: its frames
        hear nothing later than their hop.

    Returns:
      The features, frame `i` at `i / frame_rate` seconds.

    Raises:
      OSError: If the file can no longer be read.
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
            "listening" if progress else None,
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
    """Plays a recording with a model and writes the result.

    Args:
      source: An audio file: any rate, any channels (averaged), any length.
      path: File to write; its extension chooses the format. Written whole or not at
        all.
      model: From `load_model`.
      statistics: From `load_model`.
      adjustment: How the features are adjusted to the model.
      crepe_model: Size of the pitch tracker, 'tiny' or 'full'.
      sample_rate: Of the output; by default the model's.
      progress: Show progress bars.

    Returns:
      What was done.

    Raises:
      ValueError: If the recording is empty, silent, damaged or has NaN samples, if
        the extension is unknown, or if the output is the recording itself.
      OSError: If a file cannot be read or written.
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
    """What a look at an audio file found, if it can be played from.

    Args:
      source: Path of the recording.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If the recording is empty, silent, damaged or has NaN samples.
    """
    if not os.path.lexists(source):
        raise FileNotFoundError(f"No such audio file: {source!r}.")
    recording = probing.probe(source)
    if recording.problem:
        raise ValueError(
            "This recording cannot be played, it "
            f"{recording.problem}: {files.printable(source)}."
        )
    return recording


def plan_outputs(source: str, output: str) -> dict[str, str]:
    """What is read and what is written.

    Args:
      source: An audio file, or a folder of audio files.
      output: The file to write; for a folder, the folder.

    Returns:
      {recording: file to write}. In a folder every recording becomes a WAV file of
      its name, in a sub-folder of the same name as its own.

    Raises:
      FileNotFoundError: If there is no such file, or no audio in the folder.
      ValueError: If one is a folder and the other a file, or both are the same folder.
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
    """What a folder holds beside the recordings, a sentence a line.

    Args:
      source: As `plan_outputs` takes it.
      output: As `plan_outputs` takes it.
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
    """Refuses a file to write whose format is unknown.

    Args:
      path: Path of the audio file to write.

    Raises:
      ValueError: If the extension is not one of `OUTPUT_SUFFIXES`.
    """
    if Path(path).suffix.lower() not in OUTPUT_SUFFIXES:
        raise ValueError(
            f"The output must be one of {', '.join(OUTPUT_SUFFIXES)}, got {path!r}."
        )
    files.check_utf8(path)


def write_audio(
    path: str, blocks: Iterable[np.ndarray], rate_in: int, rate_out: int
) -> tuple[float, float]:
    """Writes a stream of audio that may be too loud, in bounded memory.

    Args:
      path: File to write, whole or not at all. Its folder is made if missing.
      blocks: [n_samples] each, float32.
      rate_in: Sample rate of the blocks.
      rate_out: Sample rate of the file.

    Returns:
      seconds: Length written.
      gain: Factor applied to keep the peak at or below `PEAK_LIMIT`.

    Raises:
      OSError: If it cannot be written.
      ValueError: If the audio is not finite.
    """
    checks.positive("sample_rate", rate_out)
    folder = os.path.dirname(os.path.abspath(path))
    with file_errors.writing(path, soundfile.SoundFileError):
        os.makedirs(folder, exist_ok=True)
        # The gain is only known at the end, so the audio waits on the disk.
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
            # A reverb's tail is longer than what was played.
            bar.update(min(len(block) / rate, seconds - bar.n))
