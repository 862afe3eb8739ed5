"""What a campaign is made of."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from campaigns.drawing import Case
from campaigns.outcomes import Outcome


@dataclasses.dataclass(frozen=True)
class Campaign:
    """Cases of one kind, and how they are judged.

    Attributes:
      about: In a line.
      cases: Draws cases, given how many, a seed and the directory that was prepared;
        plain values for JSON.
      prepare: Fills a directory that all cases start from; runs in a child.
      judge: Runs a case, given it, that directory, and an empty one to work in.
      full: Cases of a full run.
      short: Cases of a short run.
      forked: Whether `judge` runs in a child; otherwise it starts its own.
      seconds: That a case may take, where it runs in a child.
      megabytes: That memory may grow in a case, where it runs in a child.
      group: The group that a case is counted in.
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
