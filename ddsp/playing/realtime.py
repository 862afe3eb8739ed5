"""A model that plays in real time, and how well it keeps time."""

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

# XLA would share the many small kernels of a block among threads, and wait for them.
_SHORT_CALLS = (
    "--xla_cpu_enable_concurrency_optimized_scheduler=false "
    "--xla_cpu_multi_thread_eigen=false"
)


def prefer_short_calls() -> None:
    """Has XLA compile for short blocks, which takes a fifth off their time.

    Call it before anything is compiled in the process. An environment variable
    `XLA_FLAGS` that is there already is left alone.
    """
    os.environ.setdefault("XLA_FLAGS", _SHORT_CALLS)


@dataclasses.dataclass(frozen=True)
class Report:
    """How a model kept time.

    Attributes:
      block_size: Samples of every block.
      latency: Of the model; a block has to be full before it can be played, which
        comes on top.
      block_secs: [n_blocks], the time that the model took for each.
      n_late: Drop-outs: blocks that came late where they were played in time, else
        those that took longer than they last.
      gain: Factor applied to a file so that it does not clip, at most 1.
      warnings: What is odd about the recording that was played, in words.
    """

    block_size: int
    latency: Latency
    block_secs: np.ndarray
    n_late: int
    gain: float = 1.0
    warnings: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Length of what was played."""
        return len(self.block_secs) * self.block_size / self.latency.sample_rate

    @property
    def real_time_factor(self) -> float:
        """Time that the model took for a second; NaN if nothing was played."""
        if not len(self.block_secs):
            return math.nan
        return float(np.sum(self.block_secs)) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """Milliseconds that so many percent of the blocks stayed within; NaN if none.

        Args:
          percent: 50 for the median, 100 for the worst.
        """
        if not len(self.block_secs):
            return math.nan
        return 1000.0 * float(np.percentile(self.block_secs, percent))

    def describe(self) -> list[str]:
        """The report as lines of text, a table of the latency first."""
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
    """Plays block by block and keeps the time that each took.

    Attributes:
      n_late: Drop-outs that were counted; the caller adds those that it sees.
    """

    def __init__(
        self, stream: StreamingModel, block_size: int, f0_hz: float | None = None
    ):
        """Initializes the player.

        Args:
          stream: The model, before its first block.
          block_size: Samples of every block.
          f0_hz: The pitch, Hz, for a stream that does not track it.

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
        """How long a block lasts."""
        return self.block_size / self.stream.sample_rate

    def play(self, block: np.ndarray) -> np.ndarray:
        """Plays a block, see `StreamingModel.process`."""
        began = time.perf_counter()
        played = self.stream.process(block, self._f0_hz)
        self._block_secs.append(time.perf_counter() - began)
        return played

    def play_all(
        self, blocks: Iterable[np.ndarray], pace: bool
    ) -> Iterator[np.ndarray]:
        """Plays blocks one after the other, and counts drop-outs.

        Args:
          blocks: [block_size] each.
          pace: Give the model no block before a microphone would have filled it, and
            expect the answer before the next one is full. Otherwise go on at once.

        Yields:
          What was played, block by block.
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
        """How it kept time so far.

        Args:
          gain: Factor that was applied to the output.
          warnings: What is odd about the recording that was played.
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
    """Plays a recording block by block and writes what was played.

    The latency is taken off, so that the file is in time with the recording and as
    long. The recording is held in memory: what is measured is playing, not reading.

    Args:
      source: An audio file: any rate, any channels (averaged).
      path: File to write, at the model's sample rate; its extension chooses the
        format. Written whole or not at all.
      player: Before its first block.
      pace: See `Player.play_all`.
      progress: Show a progress bar.

    Returns:
      How the model kept time.

    Raises:
      ValueError: If the recording is empty, silent, damaged or has NaN samples, or if
        the extension is unknown.
      OSError: If a file cannot be read or written.
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
    """`length` samples of a stream from sample `start` on."""
    passed = -start
    for block in blocks:
        yield block[max(-passed, 0) : max(length - passed, 0)]
        passed += len(block)
