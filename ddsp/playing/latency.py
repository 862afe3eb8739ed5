"""Latency between input and output of a stream."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Latency:
    """The parts of a stream's latency, in samples.

    Attributes:
      synthesis: From controls to audio: interpolation between frames, and filters.
      features: Look-ahead of the features, in whole hops.
      buffering: Samples that wait for a complete hop, if blocks are not whole hops.
      sample_rate: Samples per second.

    Example:

    >>> from ddsp.playing import Latency
    >>> latency = Latency(synthesis=64, features=0, buffering=0, sample_rate=16000)
    >>> latency.samples, latency.ms(latency.samples)
    (64, 4.0)
    """

    synthesis: int
    features: int
    buffering: int
    sample_rate: int

    @property
    def samples(self) -> int:
        """Total latency in samples."""
        return self.synthesis + self.features + self.buffering

    def ms(self, n_samples: int) -> float:
        """Returns a number of samples in milliseconds."""
        return 1000.0 * n_samples / self.sample_rate
