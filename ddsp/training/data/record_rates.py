"""The rates of records without a manifest, as far as their lengths tell."""

import dataclasses
from collections.abc import Mapping
from typing import Any

_AUDIO_16K_RATE = 16000


@dataclasses.dataclass(frozen=True)
class RecordRates:
    """Rates and length of the examples in TFRecord files.

    Attributes:
      sample_rate: Of the audio, samples per second.
      frame_rate: Of the features, frames per second.
      example_secs: Length of an example, seconds.
      centered: Whether frames are centered on their times, which makes one more.
    """

    sample_rate: int
    frame_rate: int
    example_secs: float
    centered: bool

    def fit(self, n_samples: int, n_frames: int | None) -> bool:
        """Whether examples of these rates have these lengths, in whole hops."""
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
    """Rates that agree with the lengths of a record and with what the user gave.

    Lengths tell the ratio of the rates; `audio_16k`, or any one of the values that the
    user gave, tells the rest.

    Args:
      lengths: Number of values of `audio`, and of `audio_16k` if there is one.
      n_frames: Number of frames; None without features.
      defaults: Taken where they fit, in place of what was not given.
      given: Values that the user gave, by the names of `RecordRates`.

    Returns:
      The rates; None if they remain unknown. Where the lengths contradict `given`,
      rates that do not fit.
    """
    assumed = dataclasses.replace(defaults, **given)
    either = (bool(given["centered"]),) if "centered" in given else (False, True)
    told = [
        rates
        for centered in either
        if (rates := _told(lengths, n_frames, given, assumed, centered)) is not None
    ]
    for rates in [dataclasses.replace(assumed, centered=x) for x in either] + told:
        if rates.fit(lengths["audio"] or 0, n_frames) and _agree(rates, given):
            return rates
    return assumed if told else None


def _told(
    lengths: Mapping[str, int | None],
    n_frames: int | None,
    given: Mapping[str, Any],
    assumed: RecordRates,
    centered: bool,
) -> RecordRates | None:
    """What follows from the lengths and any one of the values given."""
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
