"""How much later than what is heard what is played comes."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Latency:
    """Samples by which what is played comes after what is heard.

    Attributes:
      synthesis: From controls to audio: interpolation between frames, and filters.
      features: Look-ahead of the features, in whole hops.
      buffering: Samples that wait for their hop to be full, where blocks are not of
        whole hops.
      sample_rate: Samples a second.
    """

    synthesis: int
    features: int
    buffering: int
    sample_rate: int

    @property
    def samples(self) -> int:
        """All of them."""
        return self.synthesis + self.features + self.buffering

    def ms(self, n_samples: int) -> float:
        """A number of samples in milliseconds."""
        return 1000.0 * n_samples / self.sample_rate
