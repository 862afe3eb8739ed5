"""What became of a case, and the table of all of them."""

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

# A case ends well in one of two ways.
SURVIVED = "survived"
REFUSED = "refused"
# It fails in one of these.
TRACEBACK = "traceback"
LOST = "lost"
HALF_WRITTEN = "half-written"
WRONG_DATA = "wrong data"
EXECUTED = "executed"
ORPHAN = "orphan"
HANG = "hang"
CRASH = "crash"
MEMORY = "memory"
FAILURES = (
    TRACEBACK,
    LOST,
    HALF_WRITTEN,
    WRONG_DATA,
    EXECUTED,
    ORPHAN,
    HANG,
    CRASH,
    MEMORY,
)
KINDS = (SURVIVED, REFUSED, *FAILURES)

_OF_KERAS = re.compile(r"Exception encountered when .*?\x1b\[1m(.*?)\x1b\[0m", re.S)
_OF_GIN = re.compile(r"\n\s*In call to configurable .*")
# A message is one line, that a person reads.
_LONGEST_MESSAGE = 2000


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one case ended.

    Attributes:
      kind: One of `KINDS`.
      detail: What was seen, for a person to read.
    """

    kind: str
    detail: str = ""

    @property
    def failed(self) -> bool:
        """Whether the library did not stand the case."""
        return self.kind in FAILURES


@dataclasses.dataclass
class Result:
    """The counts of one campaign.

    Attributes:
      name: Of the campaign.
      counts: Cases of each kind.
      groups: The same for each group of cases, such as a command.
      seconds: That it took.
      failures: Where the failing cases were kept, and what was seen.
    """

    name: str
    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    groups: dict[str, Counter[str]] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    failures: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def add(self, group: str, outcome: Outcome) -> None:
        """Counts a case."""
        self.counts[outcome.kind] += 1
        self.groups.setdefault(group, Counter())[outcome.kind] += 1

    @property
    def failed(self) -> int:
        """Number of cases that failed."""
        return sum(self.counts[kind] for kind in FAILURES)


def of_error(error: BaseException, *names: str) -> Outcome:
    """Judges an exception: bad input is refused in one line that names its source.

    Args:
      error: What was raised.
      *names: Texts of which the message must hold at least one.

    Returns:
      `REFUSED`, or a failure.
    """
    message = _without_frames(str(error))
    told = f"{type(error).__name__}: {message}"[:_LONGEST_MESSAGE]
    if isinstance(error, MemoryError):
        return Outcome(MEMORY, told)
    if not isinstance(error, ValueError | TypeError | OSError):
        return Outcome(TRACEBACK, told)
    if isinstance(error, UnicodeError) or not message or "\n" in message.strip():
        return Outcome(TRACEBACK, f"not one clear line: {told}")
    if len(message) > _LONGEST_MESSAGE:
        return Outcome(TRACEBACK, f"{len(message)} characters: {told}")
    if names and not any(name in message for name in names):
        return Outcome(TRACEBACK, f"names none of {names}: {told}")
    return Outcome(REFUSED, told)


def _without_frames(message: str) -> str:
    """A message without what Keras and gin say about the call, as commands show it."""
    if inner := _OF_KERAS.search(message):
        message = inner[1]
    return _OF_GIN.sub("", message).strip()


def table(about: Mapping[str, str], results: Sequence[Result]) -> str:
    """The machine, and a line for each campaign and each of its groups."""
    used = [k for k in KINDS if k in (SURVIVED, REFUSED) or _any(results, k)]
    rows = [("campaign", "cases", *used, "failed", "seconds")]
    for result in results:
        rows.append(_row(result.name, result.counts, used, f"{result.seconds:.0f}"))
        if len(result.groups) > 1:
            rows += [
                _row(f"  {group}", counts, used, "")
                for group, counts in sorted(result.groups.items())
            ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if not i else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*(f"{k}: {v}" for k, v in about.items()), "", *lines])


def _any(results: Sequence[Result], kind: str) -> bool:
    return any(result.counts[kind] for result in results)


def _row(
    name: str, counts: Counter[str], used: Sequence[str], seconds: str
) -> tuple[str, ...]:
    failed = sum(counts[kind] for kind in FAILURES)
    cells = (str(counts[kind]) for kind in used)
    return (name, str(counts.total()), *cells, str(failed), seconds)


def to_json(about: Mapping[str, str], results: Sequence[Result]) -> str:
    """The machine, and a dictionary for each campaign."""
    # `dataclasses.asdict` would count the items of a Counter.
    campaigns = [vars(result) for result in results]
    return json.dumps({"about": dict(about), "campaigns": campaigns}, indent=1)
