"""How recordings are cut and analyzed."""

import dataclasses
import math

from ddsp._core import checks

CREPE_SAMPLE_RATE = 16000
CREPE_MODELS = ("tiny", "full")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the preparation.

    Attributes:
      sample_rate: Of the audio in the examples, samples per second.
      frame_rate: Of the features, frames per second. Divides `sample_rate` and 16000,
        the rate at which pitch and loudness are measured. None: audio alone.
      example_secs: Length of an example, seconds; a whole number of frames. None:
        each recording is one example.
      hop_secs: From the start of an example to the next, seconds; a whole number
        of frames. Not used where recordings are not cut.
      eval_split_fraction: Share of the audio kept for evaluation, 0 <= x < 1.
      chunk_secs: How much audio is analyzed at a time, seconds. Results do not
        depend on it; memory does.
      center: Whether frame `i` is centered on time `i / frame_rate` (and there is
        one more frame) rather than starting there.
      viterbi: Whether pitch follows the most likely path through the whole
        recording rather than each frame's own peak.
      crepe_model: Size of the pitch tracker, 'tiny' or 'full'.

    Raises:
      ValueError: If a setting is out of range.
    """

    sample_rate: int = 16000
    frame_rate: int | None = 250
    example_secs: float | None = 4
    hop_secs: float = 1
    eval_split_fraction: float = 0.0
    chunk_secs: float = 20.0
    center: bool = False
    viterbi: bool = True
    crepe_model: str = "tiny"

    def __post_init__(self) -> None:
        if self.frame_rate is not None:
            checks.hop_size(self.sample_rate, self.frame_rate)
            checks.hop_size(CREPE_SAMPLE_RATE, self.frame_rate)
        checks.positive("sample_rate", self.sample_rate)
        checks.positive("chunk_secs", self.chunk_secs)
        checks.one_of("crepe_model", self.crepe_model, CREPE_MODELS)
        if self.example_secs is not None:
            for name in ("example_secs", "hop_secs"):
                self._check_whole_frames(name)
        if not 0 <= self.eval_split_fraction < 1:
            raise ValueError(
                "`eval_split_fraction` must be at least 0 and below 1, got "
                f"{self.eval_split_fraction}."
            )

    def _check_whole_frames(self, name: str) -> None:
        seconds = getattr(self, name)
        checks.positive(name, seconds)
        frames = seconds * self.grid_rate
        # 1e-6 frames: what rounding in float64 can leave of a whole number.
        if round(frames) < 1 or abs(frames - round(frames)) > 1e-6:
            nearest = max(1, round(frames)) / self.grid_rate
            raise ValueError(
                f"`{name}` must be a whole number of frames at "
                f"{self.grid_rate} frames per second; the nearest is {nearest:g} s, "
                f"got {seconds}."
            )

    @property
    def padding(self) -> str:
        """How frames lie, in the terms of `spectral_ops`."""
        return "center" if self.center else "same"

    @property
    def grid_rate(self) -> int:
        """Frames per second in which recordings are cut.

        Without features, the highest rate that divides both sample rates.
        """
        return self.frame_rate or math.gcd(self.sample_rate, CREPE_SAMPLE_RATE)

    @property
    def example_frames(self) -> int | None:
        """Frames that an example lasts; None for a whole recording."""
        if self.example_secs is None:
            return None
        return round(self.example_secs * self.grid_rate)

    @property
    def hop_frames(self) -> int:
        """Frames from an example to the next."""
        return round(self.hop_secs * self.grid_rate)

    @property
    def audio_rates(self) -> dict[str, int]:
        """Sample rates of the audio features in an example, by name."""
        return {"audio": self.sample_rate, "audio_16k": CREPE_SAMPLE_RATE}

    @property
    def frame_features(self) -> tuple[str, ...]:
        """Names of the features with one value a frame."""
        return FRAME_FEATURES if self.frame_rate else ()

    def feature_lengths(self, n_frames: int) -> dict[str, int]:
        """Length of each feature of an example that lasts `n_frames`, by name."""
        lengths = {
            name: n_frames * checks.hop_size(rate, self.grid_rate)
            for name, rate in self.audio_rates.items()
        }
        return lengths | dict.fromkeys(self.frame_features, n_frames + self.center)


# In the order of the columns that `features.feature_blocks` yields.
FRAME_FEATURES = ("f0_hz", "f0_confidence", "loudness_db")
