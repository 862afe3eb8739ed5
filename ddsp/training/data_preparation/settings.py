"""How recordings are cut and analysed."""

import dataclasses

from ddsp._core import checks

CREPE_SAMPLE_RATE = 16000
CREPE_MODELS = ("tiny", "full")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the preparation.

    Attributes:
      sample_rate: Of the audio in the examples, samples a second.
      frame_rate: Of the features, frames a second. Divides `sample_rate` and 16000,
        the rate at which pitch and loudness are measured.
      example_secs: Length of an example, seconds; a whole number of frames.
      hop_secs: From the start of an example to the next, seconds; a whole number
        of frames.
      eval_split_fraction: Share of the audio kept for evaluation, 0 <= x < 1.
      chunk_secs: How much audio is analysed at a time, seconds. Results do not
        depend on it; memory does.
      center: Whether frame `i` is centred on time `i / frame_rate` (and there is
        one more frame) rather than starting there.
      viterbi: Whether pitch follows the most likely path through the whole
        recording rather than each frame's own peak.
      crepe_model: Size of the pitch tracker, 'tiny' or 'full'.

    Raises:
      ValueError: If a setting is out of range.
    """

    sample_rate: int = 16000
    frame_rate: int = 250
    example_secs: float = 4
    hop_secs: float = 1
    eval_split_fraction: float = 0.0
    chunk_secs: float = 20.0
    center: bool = False
    viterbi: bool = True
    crepe_model: str = "tiny"

    def __post_init__(self):
        checks.hop_size(self.sample_rate, self.frame_rate)
        checks.hop_size(CREPE_SAMPLE_RATE, self.frame_rate)
        checks.positive("chunk_secs", self.chunk_secs)
        checks.one_of("crepe_model", self.crepe_model, CREPE_MODELS)
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
        frames = seconds * self.frame_rate
        # 1e-6 frames: what rounding in float64 can leave of a whole number.
        if round(frames) < 1 or abs(frames - round(frames)) > 1e-6:
            nearest = max(1, round(frames)) / self.frame_rate
            raise ValueError(
                f"`{name}` must be a whole number of frames at frame_rate="
                f"{self.frame_rate}; the nearest is {nearest:g} s, got {seconds}."
            )

    @property
    def padding(self) -> str:
        """How frames lie, in the terms of `spectral_ops`."""
        return "center" if self.center else "same"

    @property
    def example_frames(self) -> int:
        """Frames that an example lasts."""
        return round(self.example_secs * self.frame_rate)

    @property
    def hop_frames(self) -> int:
        """Frames from an example to the next."""
        return round(self.hop_secs * self.frame_rate)

    @property
    def feature_frames(self) -> int:
        """Frames of features that an example holds."""
        return self.example_frames + self.center

    @property
    def audio_rates(self) -> dict[str, int]:
        """Sample rates of the audio features in an example, by name."""
        rates = {"audio": self.sample_rate}
        if self.sample_rate != CREPE_SAMPLE_RATE:
            rates["audio_16k"] = CREPE_SAMPLE_RATE
        return rates

    @property
    def feature_lengths(self) -> dict[str, int]:
        """Length of each feature of an example, by name."""
        lengths = {
            name: self.example_frames * checks.hop_size(rate, self.frame_rate)
            for name, rate in self.audio_rates.items()
        }
        return lengths | dict.fromkeys(FRAME_FEATURES, self.feature_frames)


# In the order of the columns that `features.feature_blocks` yields.
FRAME_FEATURES = ("f0_hz", "f0_confidence", "loudness_db")
