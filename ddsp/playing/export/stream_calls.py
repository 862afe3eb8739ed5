"""Calling a function again and again, as a stream does."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ddsp.playing.export.form import Arrays


@dataclasses.dataclass(frozen=True)
class Played:
    """What some calls returned.

    Attributes:
      outputs: Of each call, without the state.
      state: After the last call.
      seconds: That each call took.
    """

    outputs: list[dict[str, np.ndarray]]
    state: dict[str, np.ndarray]
    seconds: list[float]


def play(function: Callable[[Arrays], Arrays], calls: Sequence[Arrays]) -> Played:
    """Calls a function, and carries its state from call to call.

    Args:
      function: From named arrays to named arrays, the same each time.
      calls: Inputs of each call; the first with the state to start from, the others
        without.

    Returns:
      What it returned.
    """
    state: Mapping[str, np.ndarray] = {}
    played: list[dict[str, np.ndarray]] = []
    seconds: list[float] = []
    if calls:
        function(calls[0])  # runtimes prepare at the first call, which is not timed
    for inputs in calls:
        inputs = {**state, **inputs}
        start = time.perf_counter()
        outputs = {k: np.asarray(x) for k, x in function(inputs).items()}
        seconds.append(time.perf_counter() - start)
        state = {name: x for name, x in outputs.items() if name in inputs}
        played.append({name: x for name, x in outputs.items() if name not in inputs})
    return Played(played, dict(state), seconds)
