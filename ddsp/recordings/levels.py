"""Level, offset, cancellation and clipping of a recording, measured in blocks."""

import dataclasses
import hashlib

import numpy as np

# -80 dB of full scale, the floor of `loudness_db`.
_SILENT_PEAK = 1e-4
# An offset of 5% of the RMS adds 0.01 dB of power. Single notes, cut anywhere, have a
# mean of up to 1% of theirs.
_OFFSET_TO_RMS = 0.05
# The mean of less is that of a sound that was cut.
_OFFSET_SECS = 0.5
# Channels without correlation have 1, opposite ones 0.
_CANCELLING = 0.5
_CANCELLED_SHARE = 0.1
# Above it, float files hold integers, or damage.
_LOUDEST_FLOAT = 128.0
_INTEGER_BITS = (16, 24, 32)
_ABOVE_ONE_SHARE = 0.01
# Samples in a row at the peak, and the fall beside them in quantization steps: a
# rounded sine is flat too, but leaves its peak by one step.
_FLAT_RUN = 3
_FLAT_FALL = 4
_CLIPPED_SHARE = 1e-4
_16_BIT_STEP = 2.0**-15


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the levels of a recording say.

    Attributes:
      channel: The channel to read; None averages them.
      offset: To subtract from the samples.
      gain: Factor to apply after that.
      problem: Why the recording cannot be used, or None.
      warnings: What was done and what is odd, in words.
    """

    channel: int | None = None
    offset: float = 0.0
    gain: float = 1.0
    problem: str | None = None
    warnings: tuple[str, ...] = ()


class Meter:
    """Measures a recording that comes in blocks."""

    def __init__(self, sample_rate: int, channels: int, step: float = _16_BIT_STEP):
        """Initializes the meter.

        Args:
          sample_rate: Samples per second.
          channels: Of the recording.
          step: Of the file's quantization, full scale being 1.
        """
        self.n_samples = 0
        self._sample_rate = sample_rate
        # One row for each channel, and the last for their mean.
        n_rows = channels + 1 if channels > 1 else 1
        self._rows = [_Row(step) for _ in range(n_rows)]
        self._energy = 0.0
        self._cancelled_energy = 0.0
        self._hashes = [hashlib.blake2b(digest_size=16) for _ in range(2)]

    def add(self, block: np.ndarray) -> None:
        """Measures a block, [n_samples, channels], finite, float32."""
        mixed = block.mean(axis=1)
        signals = [*block.T, mixed] if len(self._rows) > 1 else [mixed]
        for row, signal in zip(self._rows, signals, strict=True):
            row.add(signal, self.n_samples)
        if len(self._rows) > 1:
            self._compare(block, mixed)
        # The same recording may stand in one channel or in two equal ones. The sum
        # makes -0 a 0.
        for digest, signal in zip(self._hashes, (mixed, block[:, 0]), strict=True):
            digest.update((signal + np.float32(0.0)).astype("<f4").tobytes())
        self.n_samples += len(block)

    def _compare(self, block: np.ndarray, mixed: np.ndarray) -> None:
        """Adds up the energy of the channels, and of those that cancel each other."""
        starts = np.arange(0, len(block), max(1, self._sample_rate // 8))
        counts = np.diff([*starts, len(block)])[:, np.newaxis]

        def energies(signals: np.ndarray) -> np.ndarray:
            precise = signals.astype(np.float64)
            sums = np.add.reduceat(precise, starts)
            squares = np.add.reduceat(precise**2, starts)
            return np.sum(np.maximum(squares - sums**2 / counts, 0.0), axis=1)

        of_channels = energies(block)
        expected = of_channels / block.shape[1] ** 2
        cancel = energies(mixed[:, np.newaxis]) < _CANCELLING * expected
        self._energy += float(np.sum(of_channels))
        self._cancelled_energy += float(np.sum(of_channels[cancel]))

    @property
    def digest(self) -> str:
        """The same for recordings of the same samples."""
        parts = [digest.hexdigest() for digest in self._hashes]
        return "-".join([str(self._sample_rate), str(self.n_samples), *parts])

    def verdict(self) -> Verdict:
        """What is to be done with the recording; needs at least one sample."""
        warnings = []
        channel, row = None, self._rows[-1]
        if self._cancelled_energy > _CANCELLED_SHARE * self._energy:
            channel = int(np.argmax([row.power for row in self._rows[:-1]]))
            row = self._rows[channel]
            warnings.append(
                "has channels that cancel each other when they are mixed, so only "
                f"channel {channel + 1} of {len(self._rows) - 1} is used"
            )
        is_long = self.n_samples >= _OFFSET_SECS * self._sample_rate
        offset = row.offset if is_long else 0.0
        peak = row.peak(offset)
        gain, problem = 1.0, None
        if peak < _SILENT_PEAK:
            problem = "is silent: it never exceeds -80 dB of full scale"
        elif peak > 1.0:
            gain, text, usable = self._scaled(row, peak)
            problem = None if usable else text
            warnings.append(text)
        if offset:
            shown = offset * gain
            warnings.append(
                f"has a DC offset of {shown:.2g} of full scale, which is removed"
            )
        # What is left of channels that cancel each other is flat without clipping.
        used = self._rows[:-1] or self._rows if channel is None else [row]
        clipped = max(row.clipped_share for row in used)
        if clipped > _CLIPPED_SHARE:
            warnings.append(
                f"is clipped: {_percent(clipped)} of its samples lie flat at its peak"
            )
        if problem:
            return Verdict(problem=problem)
        return Verdict(channel, offset, gain, None, tuple(warnings))

    def _scaled(self, row: "_Row", peak: float) -> tuple[float, str, bool]:
        """Gain for a peak above 1, what to say about it, and whether it is usable."""
        if peak <= _LOUDEST_FLOAT:
            decibels = 20.0 * np.log10(peak)
            return (
                1.0 / peak,
                f"peaks at {peak:.3g} times full scale (+{decibels:.1f} dB), and is "
                "turned down to full scale",
                True,
            )
        seconds = row.loudest_sample / self._sample_rate
        bits = next((n for n in _INTEGER_BITS if peak <= 2.0 ** (n - 1)), None)
        if bits is None or row.above_one < _ABOVE_ONE_SHARE * row.not_zero:
            return (
                1.0,
                f"holds a sample of {peak:.3g} times full scale at {seconds:.3f} s: "
                "it is damaged",
                False,
            )
        return (
            2.0 ** (1 - bits),
            f"holds floats as large as {peak:.6g}: they are taken for {bits}-bit "
            f"integers and divided by {2 ** (bits - 1)}",
            True,
        )


class _Row:
    """Measures one channel."""

    def __init__(self, step: float):
        self.above_one = 0
        self.not_zero = 0
        self.loudest_sample = 0
        self._n_samples = 0
        self._sum = 0.0
        self._sum_of_squares = 0.0
        self._loudest = -1.0
        self._step = step
        self._tops = _FlatTop(step), _FlatTop(step)

    def add(self, signal: np.ndarray, n_before: int) -> None:
        """Measures a block that follows `n_before` samples."""
        precise = signal.astype(np.float64)
        magnitude = np.abs(signal)
        loudest = int(np.argmax(magnitude))
        if magnitude[loudest] > self._loudest:
            self._loudest = float(magnitude[loudest])
            self.loudest_sample = n_before + loudest
        self.above_one += int(np.count_nonzero(magnitude > 1.0))
        self.not_zero += int(np.count_nonzero(magnitude))
        self._n_samples += len(signal)
        self._sum += float(precise.sum())
        self._sum_of_squares += float(precise @ precise)
        self._tops[0].add(signal)
        self._tops[1].add(-signal)

    @property
    def power(self) -> float:
        """Mean square about the mean."""
        mean = self._sum / self._n_samples
        return max(self._sum_of_squares / self._n_samples - mean**2, 0.0)

    @property
    def offset(self) -> float:
        """The mean, where it matters, else 0."""
        mean = self._sum / self._n_samples
        # Rounding down to 8 bits leaves half a step.
        matters = max(_SILENT_PEAK, self._step, _OFFSET_TO_RMS * np.sqrt(self.power))
        return mean if abs(mean) > matters else 0.0

    def peak(self, offset: float) -> float:
        """The largest magnitude once an offset is taken off."""
        return max(self._tops[0].level - offset, self._tops[1].level + offset)

    @property
    def clipped_share(self) -> float:
        """Share of the samples that lie flat at the peak."""
        return sum(top.n_flat for top in self._tops) / self._n_samples


class _FlatTop:
    """Counts the samples that stay at the highest level in a row."""

    def __init__(self, step: float):
        self.level = -np.inf
        self.n_flat = 0
        self._step = step

    def add(self, signal: np.ndarray) -> None:
        """Looks at a block."""
        top = float(signal.max())
        if top < self.level:
            return
        if top > self.level:
            self.level, self.n_flat = top, 0
        edges = np.flatnonzero(np.diff(signal == top, prepend=False, append=False))
        starts, stops = edges[::2], edges[1::2]
        whole = (stops - starts >= _FLAT_RUN) & (starts > 0) & (stops < len(signal))
        starts, stops = starts[whole], stops[whole]
        fall = top - np.minimum(signal[starts - 1], signal[stops % len(signal)])
        clipped = fall > _FLAT_FALL * max(self._step, _16_BIT_STEP * abs(top))
        self.n_flat += int(np.sum((stops - starts)[clipped]))


def _percent(share: float) -> str:
    return f"{100.0 * share:.2g}%" if share < 0.1 else f"{share:.0%}"
