"""Outcomes of cases, and tables of their counts."""

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

# Outcomes of passing cases.
SURVIVED = "survived"
REFUSED = "refused"
# Outcomes of failing cases.
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

_KERAS_CONTEXT = re.compile(
    r"Exception encountered when .*?\x1b\[1m(.*?)\x1b\[0m", re.S
)
_GIN_CONTEXT = re.compile(r"\n\s*In call to configurable .*")
# Maximum length of an error message.
_MAX_MESSAGE_LENGTH = 2000


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Outcome of a case.

    Attributes:
      kind: One of `KINDS`.
      detail: Description for the user.
    """

    kind: str
    detail: str = ""

    @property
    def failed(self) -> bool:
        """Whether the case failed."""
        return self.kind in FAILURES


@dataclasses.dataclass
class Result:
    """Counts of one campaign.

    Attributes:
      name: Name of the campaign.
      counts: Number of cases per outcome.
      groups: The same for each group of cases, such as a command.
      seconds: Duration.
      failures: Directory, kind and detail of each failing case.
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
        """Number of failing cases."""
        return sum(self.counts[kind] for kind in FAILURES)


def from_error(error: BaseException, *names: str) -> Outcome:
    """Judges an exception: errors about bad input are one line and name its source.

    Args:
      error: The exception.
      *names: Strings of which the message must contain at least one.

    Returns:
      `REFUSED`, or a failure.
    """
    message = _without_context(str(error))
    detail = f"{type(error).__name__}: {message}"[:_MAX_MESSAGE_LENGTH]
    if isinstance(error, MemoryError):
        return Outcome(MEMORY, detail)
    if not isinstance(error, ValueError | TypeError | OSError):
        return Outcome(TRACEBACK, detail)
    if isinstance(error, UnicodeError) or not message or "\n" in message.strip():
        return Outcome(TRACEBACK, f"not a one-line message: {detail}")
    if len(message) > _MAX_MESSAGE_LENGTH:
        return Outcome(TRACEBACK, f"{len(message)} characters: {detail}")
    if names and not any(name in message for name in names):
        return Outcome(TRACEBACK, f"names none of {names}: {detail}")
    return Outcome(REFUSED, detail)


def _without_context(message: str) -> str:
    """Removes the context that Keras and gin add, as the commands do."""
    if inner := _KERAS_CONTEXT.search(message):
        message = inner[1]
    return _GIN_CONTEXT.sub("", message).strip()


def table(about: Mapping[str, str], results: Sequence[Result]) -> str:
    """Returns the description of the machine and a table of campaigns and groups."""
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
    """Returns the description of the machine and all results as JSON."""
    # `dataclasses.asdict` does not support Counter.
    campaigns = [vars(result) for result in results]
    return json.dumps({"about": dict(about), "campaigns": campaigns}, indent=1)
