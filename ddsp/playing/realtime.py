"""Real-time use of a model, and measurement of its timing."""

import array
import dataclasses
import math
import os
import time
from collections.abc import Iterable, Iterator

import numpy as np
import tqdm

from ddsp._core import checks
from ddsp.playing import Latency, StreamingModel, timbre_transfer
from ddsp.recordings import audio_io

# XLA would distribute the many small kernels of a block over threads and wait for them.
_SHORT_CALLS = (
    "--xla_cpu_enable_concurrency_optimized_scheduler=false "
    "--xla_cpu_multi_thread_eigen=false"
)


def prefer_short_calls() -> None:
    """Makes XLA compile for short blocks, which saves a fifth of their time.

    Call it before anything is compiled in the process. If the environment variable
    `XLA_FLAGS` is set, it stays as it is.

    Example:

    >>> import os
    >>> from ddsp.playing import realtime
    >>> realtime.prefer_short_calls()
    >>> "XLA_FLAGS" in os.environ
    True
    """
    os.environ.setdefault("XLA_FLAGS", _SHORT_CALLS)


@dataclasses.dataclass(frozen=True)
class Report:
    """Timing of a model.

    Attributes:
      block_size: Samples per block.
      latency: Latency of the model; filling a block adds to it.
      block_secs: Processing time of each block in seconds, [n_blocks].
      n_late: Drop-outs: blocks that missed their deadline when paced, otherwise blocks
        whose processing took longer than their duration.
      gain: Factor that prevents a file from clipping, at most 1.
      warnings: Warnings about the recording.

    Example:

    >>> from ddsp.playing import Latency
    >>> from ddsp.playing.realtime import Report
    >>> latency = Latency(synthesis=64, features=0, buffering=0, sample_rate=16000)
    >>> report = Report(160, latency, np.array([0.001, 0.002]), n_late=0)
    >>> report.seconds, report.real_time_factor, report.percentile_ms(100)
    (0.02, 0.15, 2.0)
    """

    block_size: int
    latency: Latency
    block_secs: np.ndarray
    n_late: int
    gain: float = 1.0
    warnings: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Duration of the processed audio in seconds."""
        return len(self.block_secs) * self.block_size / self.latency.sample_rate

    @property
    def real_time_factor(self) -> float:
        """Processing time per second of audio; NaN without blocks."""
        if not len(self.block_secs):
            return math.nan
        return float(np.sum(self.block_secs)) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """Returns a percentile of the processing time per block, in milliseconds.

        Args:
          percent: 50 for the median, 100 for the maximum.

        Returns:
          Milliseconds; NaN without blocks.
        """
        if not len(self.block_secs):
            return math.nan
        return 1000.0 * float(np.percentile(self.block_secs, percent))

    def describe(self) -> list[str]:
        """Returns the report as lines of text, with a table of the latency first."""
        latency = self.latency
        parts = {
            "block": self.block_size,
            "buffering": latency.buffering,
            "features": latency.features,
            "synthesis": latency.synthesis,
            "altogether": self.block_size + latency.samples,
        }
        p50, p99, worst = (self.percentile_ms(percent) for percent in (50, 99, 100))
        lines = [f"{'latency':<12}{'samples':>9}{'ms':>9}"]
        lines += [f"{name:<12}{n:9d}{latency.ms(n):9.2f}" for name, n in parts.items()]
        lines += [
            f"real-time factor: {self.real_time_factor:.3f}",
            f"time for a block: p50 {p50:.2f} ms, p99 {p99:.2f} ms, worst {worst:.2f} "
            f"ms, of the {latency.ms(self.block_size):.2f} ms that it lasts",
            f"drop-outs: {self.n_late} of {len(self.block_secs)} blocks",
        ]
        if self.gain < 1.0:
            decibels = -20.0 * math.log10(self.gain)
            lines.append(f"Turned down by {decibels:.1f} dB so that it does not clip.")
        lines.extend(f"The recording {text}." for text in self.warnings)
        return lines


class Player:
    """Runs a stream block by block and measures the time of each block.

    Attributes:
      n_late: Drop-outs so far; the caller adds those that the audio device reports.

    Example:

    >>> from ddsp.playing import StreamingModel
    >>> from ddsp.playing.realtime import Player
    >>> model = ddsp.testing.tiny_autoencoder()
    >>> stream = StreamingModel(model, 64, crepe_model=None, jit_compile=False)
    >>> player = Player(stream, block_size=64, f0_hz=440.0)
    >>> player.play(np.zeros(64, np.float32)).shape
    (64,)
    >>> len(player.report().block_secs)
    1
    """

    def __init__(
        self, stream: StreamingModel, block_size: int, f0_hz: float | None = None
    ):
        """Initializes the player.

        Args:
          stream: A stream before its first block.
          block_size: Samples per block.
          f0_hz: Fundamental frequency in Hz, for a stream without a pitch tracker.

        Raises:
          ValueError: If the size is not positive.
        """
        checks.positive("block_size", block_size)
        self.stream = stream
        self.block_size = block_size
        self.n_late = 0
        self._f0_hz = f0_hz
        self._block_secs = array.array("d")

    @property
    def seconds_a_block(self) -> float:
        """Duration of a block in seconds."""
        return self.block_size / self.stream.sample_rate

    def play(self, block: np.ndarray) -> np.ndarray:
        """Processes a block, see `StreamingModel.process`."""
        began = time.perf_counter()
        played = self.stream.process(block, self._f0_hz)
        self._block_secs.append(time.perf_counter() - began)
        return played

    def play_all(
        self, blocks: Iterable[np.ndarray], pace: bool
    ) -> Iterator[np.ndarray]:
        """Processes blocks in order, and counts drop-outs.

        Args:
          blocks: Input blocks, [block_size] each.
          pace: Whether to pass each block when a microphone would have filled it, with
            the next block as the deadline. Otherwise blocks follow at once.

        Yields:
          Output blocks.
        """
        start = time.perf_counter()
        for number, block in enumerate(blocks, start=1):
            if pace:
                full = start + number * self.seconds_a_block
                time.sleep(max(full - time.perf_counter(), 0.0))
            played = self.play(block)
            if pace:
                late = time.perf_counter() > full + self.seconds_a_block
            else:
                late = self._block_secs[-1] > self.seconds_a_block
            self.n_late += late
            yield played

    def report(self, gain: float = 1.0, warnings: tuple[str, ...] = ()) -> Report:
        """Returns the timing so far.

        Args:
          gain: Factor that was applied to the output.
          warnings: Warnings about the recording.
        """
        return Report(
            self.block_size,
            self.stream.latency,
            np.array(self._block_secs),
            self.n_late,
            gain,
            warnings,
        )


def play_file(
    source: str,
    path: str,
    player: Player,
    pace: bool = False,
    progress: bool = False,
) -> Report:
    """Processes a recording block by block and writes the output.

    The output has no latency: it is aligned with the recording and of the same length.
    The recording is read into memory first, so that only the model is timed.

    Args:
      source: Audio file of any sample rate; channels are averaged.
      path: File to write, at the model's sample rate; its extension sets the format.
        It appears whole or not at all.
      player: A player before its first block.
      pace: See `Player.play_all`.
      progress: Whether to show a progress bar.

    Returns:
      The timing of the model.

    Raises:
      ValueError: If the recording is empty, silent, damaged or has NaN samples, or if
        the extension is unknown.
      OSError: If a file cannot be read or written.

    Example:

    >>> import soundfile
    >>> from ddsp.playing import StreamingModel, realtime
    >>> tone = 0.5 * np.sin(2 * np.pi * 440.0 / 16000.0 * np.arange(1600))
    >>> soundfile.write(tmp_path / "in.wav", tone, 16000)
    >>> model = ddsp.testing.tiny_autoencoder()
    >>> stream = StreamingModel(model, 64, crepe_model=None, jit_compile=False)
    >>> player = realtime.Player(stream, 64, f0_hz=440.0)
    >>> source, path = (str(tmp_path / name) for name in ("in.wav", "out.wav"))
    >>> len(realtime.play_file(source, path, player).block_secs)
    25
    """
    timbre_transfer.check_output(path)
    recording = timbre_transfer.usable_recording(source)
    stream, size = player.stream, player.block_size
    audio = np.concatenate(list(audio_io.stream(recording, stream.sample_rate)))
    n_samples = len(audio)
    blocks = np.pad(audio, (0, -n_samples % size)).reshape(-1, size)
    watched = tqdm.tqdm(blocks, desc="playing", unit="block", disable=not progress)

    def played() -> Iterator[np.ndarray]:
        yield from player.play_all(watched, pace)
        yield stream.flush()

    _, gain = timbre_transfer.write_audio(
        path,
        _excerpt(played(), stream.latency_samples, n_samples),
        stream.sample_rate,
        stream.sample_rate,
    )
    return player.report(gain, recording.warnings)


def _excerpt(
    blocks: Iterable[np.ndarray], start: int, length: int
) -> Iterator[np.ndarray]:
    """Yields `length` samples of a stream from sample `start` on."""
    passed = -start
    for block in blocks:
        yield block[max(-passed, 0) : max(length - passed, 0)]
        passed += len(block)
