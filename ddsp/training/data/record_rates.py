"""Rates of records without a manifest, inferred from the lengths of their features."""

import dataclasses
from collections.abc import Mapping
from typing import Any

_AUDIO_16K_RATE = 16000


@dataclasses.dataclass(frozen=True)
class RecordRates:
    """Rates and length of the examples in TFRecord files.

    Attributes:
      sample_rate: Samples per second of the audio.
      frame_rate: Frames per second of the features.
      example_secs: Length of an example in seconds.
      centered: Whether frames are centered on their times, which adds one frame.

    Example:

    >>> from ddsp.training.data.record_rates import RecordRates
    >>> rates = RecordRates(16000, 250, example_secs=4.0, centered=False)
    >>> rates.fit(n_samples=64000, n_frames=1000)
    True
    """

    sample_rate: int
    frame_rate: int
    example_secs: float
    centered: bool

    def fit(self, n_samples: int, n_frames: int | None) -> bool:
        """Returns whether examples with these rates have these lengths."""
        if self.sample_rate % self.frame_rate:
            return False
        frames = round(self.example_secs * self.frame_rate) + self.centered
        return n_samples == round(self.example_secs * self.sample_rate) and (
            n_frames is None or n_frames == frames
        )


def find(
    lengths: Mapping[str, int | None],
    n_frames: int | None,
    defaults: RecordRates,
    given: Mapping[str, Any],
) -> RecordRates | None:
    """Infers the rates of a record from its lengths and the user's values.

    The lengths determine the ratio of the rates. `audio_16k`, or any one value of the
    user, determines the rest.

    Args:
      lengths: Number of values of `audio` and, if present, of `audio_16k`.
      n_frames: Number of frames; None without features.
      defaults: Used in place of missing values if they fit the lengths.
      given: Values set by the user, by the names of `RecordRates`.

    Returns:
      The rates, or None if they cannot be determined. If `given` contradicts the
      lengths, rates that do not fit.

    Example:

    >>> from ddsp.training.data import record_rates
    >>> defaults = record_rates.RecordRates(16000, 250, 4.0, centered=False)
    >>> lengths = {"audio": 96000}
    >>> record_rates.find(lengths, 200, defaults, {"sample_rate": 48000})
    RecordRates(sample_rate=48000, frame_rate=100, example_secs=2.0, centered=False)
    """
    assumed = dataclasses.replace(defaults, **given)
    options = (bool(given["centered"]),) if "centered" in given else (False, True)
    inferred = [
        rates
        for centered in options
        if (rates := _infer(lengths, n_frames, given, assumed, centered)) is not None
    ]
    for rates in [dataclasses.replace(assumed, centered=x) for x in options] + inferred:
        if rates.fit(lengths["audio"] or 0, n_frames) and _agree(rates, given):
            return rates
    return assumed if inferred else None


def _infer(
    lengths: Mapping[str, int | None],
    n_frames: int | None,
    given: Mapping[str, Any],
    assumed: RecordRates,
    centered: bool,
) -> RecordRates | None:
    """Infers the rates from the lengths and any one given value."""
    n_samples, n_16k = lengths["audio"], lengths.get("audio_16k")
    hops = None if n_frames is None else n_frames - centered
    if not n_samples or (hops is not None and hops <= 0):
        return None
    if "sample_rate" in given:
        sample_rate = given["sample_rate"]
    elif "example_secs" in given:
        sample_rate = n_samples / given["example_secs"]
    elif n_16k:
        sample_rate = n_samples * _AUDIO_16K_RATE / n_16k
    elif hops and "frame_rate" in given:
        sample_rate = given["frame_rate"] * n_samples / hops
    else:
        return None
    frame_rate = sample_rate * hops / n_samples if hops else assumed.frame_rate
    seconds = n_samples / sample_rate
    return RecordRates(_whole(sample_rate), _whole(frame_rate), seconds, centered)


def _agree(rates: RecordRates, given: Mapping[str, Any]) -> bool:
    values = dataclasses.asdict(rates)
    return all(
        values[name] == given.get(name, values[name])
        and (name in given or isinstance(values[name], int))
        for name in ("sample_rate", "frame_rate")
    )


def _whole(rate: float) -> Any:
    return round(rate) if abs(rate - round(rate)) < 1e-6 else rate
