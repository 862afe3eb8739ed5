"""Definition of a campaign."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from campaigns.drawing import Case
from campaigns.outcomes import Outcome


@dataclasses.dataclass(frozen=True)
class Campaign:
    """Cases of one kind, and their evaluation.

    Attributes:
      about: One-line description.
      cases: Draws cases as JSON values, given their number, a seed and the base
        directory.
      prepare: Fills the base directory, which all cases share; runs in a child.
      judge: Runs a case, given it, the base directory and an empty work directory.
      full: Number of cases of a full run.
      short: Number of cases of a short run.
      forked: Whether `judge` runs in a child process; otherwise it starts its own.
      seconds: Time limit of a case in a child process.
      megabytes: Limit of the memory growth of a case in a child process.
      group: Returns the group in which a case is counted.
    """

    about: str
    cases: Callable[[int, int, Path], list[Case]]
    prepare: Callable[[Path], None]
    judge: Callable[[Case, Path, Path], Outcome]
    full: int
    short: int
    forked: bool = True
    seconds: float = 60.0
    megabytes: float = 1000.0
    group: Callable[[Case], str] = lambda case: ""
