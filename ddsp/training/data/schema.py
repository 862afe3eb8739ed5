"""Schema of manifests: the type and range of every entry.

A manifest is untrusted input. Its numbers determine the sizes of buffers and loops, so
they are bounded before they are used.
"""

import math
from typing import Any

# A record is a protocol buffer, which holds less than 2 GiB.
_MAX_VALUES = 2**29
_MAX_RATE = 10**6
_MAX_SECS = 10.0**6
_MAX_SHARDS = 10**5
_MAX_EXAMPLES = 10**12
_SPLITS = ({"all"}, {"train", "eval"})


def check(content: dict[str, Any]) -> None:
    """Checks the contents of a manifest.

    Args:
      content: Contents of the JSON file, without `format`.

    Raises:
      ValueError: If an entry is missing, has the wrong type or is out of range.

    Example:

    >>> from ddsp.training.data import schema
    >>> schema.check({"sample_rate": -1})
    Traceback (most recent call last):
    ValueError: `sample_rate` is -1
    """
    sample_rate = _number(content, "sample_rate", 1, _MAX_RATE, integer=True)
    if content.get("frame_rate", 0) is not None:
        _number(content, "frame_rate", 0, sample_rate)
    n_samples = None
    if content.get("example_secs", 0) is not None:
        n_samples = round(_number(content, "example_secs", 0, _MAX_SECS) * sample_rate)
    _number(content, "hop_secs", 0, _MAX_SECS)
    _typed(content, "center", bool)
    _check_features(_typed(content, "features", dict), n_samples)
    _typed(content, "pitch_tracker", dict)
    _typed(content, "statistics", dict)
    _typed(content, "recordings", list)
    _check_splits(_typed(content, "splits", dict))
    _typed(content, "synthesis", dict | None, None)
    for name, entry in _typed(content, "shards", dict, {}).items():
        _instance(f"shards[{name!r:.80}]", entry, dict)
        _number(entry, "bytes", 0, math.inf, integer=True)
        _number(entry, "records", 0, _MAX_EXAMPLES, integer=True)
        _typed(entry, "fingerprint", str)


def _check_features(features: dict[str, Any], n_samples: int | None) -> None:
    known = {name: length for name, length in features.items() if length is not None}
    for name in known:
        _number(known, name, 1, _MAX_VALUES, integer=True)
    if sum(known.values()) > _MAX_VALUES:
        raise ValueError(f"more than {_MAX_VALUES} values per example")
    if n_samples is not None and known.get("audio", n_samples) != n_samples:
        raise ValueError(
            f"`audio` has {features['audio']} samples, but example_secs and "
            f"sample_rate require {n_samples}"
        )


def _check_splits(splits: dict[str, Any]) -> None:
    if set(splits) not in _SPLITS:
        raise ValueError(f"`splits` are {sorted(splits)!s:.80}")
    for name in splits:
        counts = _typed(splits, name, dict)
        _number(counts, "examples", 0, _MAX_EXAMPLES, integer=True)
        _number(counts, "shards", 1, _MAX_SHARDS, integer=True)


def _number(
    content: dict[str, Any], name: str, low: float, high: float, integer: bool = False
) -> Any:
    """Returns a number in (low, high], or [low, high] if it must be an integer."""
    value = _typed(content, name, int if integer else int | float)
    inside = (low <= value if integer else low < value) and value <= high
    if isinstance(value, bool) or not inside:
        raise ValueError(f"`{name}` is {value!r:.40}")
    return value


def _typed(content: dict[str, Any], name: str, kind: Any, *default: Any) -> Any:
    if name not in content:
        if default:
            return default[0]
        raise ValueError(f"`{name}` is missing")
    return _instance(name, content[name], kind)


def _instance(name: str, value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"`{name}` is {value!r:.40}")
    return value
