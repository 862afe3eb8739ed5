"""Two concurrent commands with the same output."""

import contextlib
import time
from pathlib import Path

from hypothesis import strategies as st

from campaigns import commands, drawing, isolation, tasks
from campaigns.campaign import Campaign
from campaigns.drawing import Case
from campaigns.outcomes import (
    HALF_WRITTEN,
    LOST,
    SURVIVED,
    WRONG_DATA,
    Outcome,
)

_END_SECS = 120.0


def cases(n: int, seed: int, base: Path) -> list[Case]:
    """Draws a command, and the delay of the second one."""
    del base
    strategy = st.fixed_dictionaries(
        {"delay": st.floats(0.0, 1.0, width=32), "old": st.booleans()}
    )
    names = list(tasks.TASKS)
    return [
        {"command": names[i % len(names)], **case}
        for i, case in enumerate(drawing.draw(strategy, n, seed))
    ]


def judge(case: Case, base: Path, folder: Path) -> Outcome:
    """Starts two commands, one for the old result and one for the new."""
    name, output = case["command"], folder / "output"
    task = tasks.TASKS[name]
    tasks.set_up(base, name, output, case["old"])
    delay = case["delay"] * tasks.seconds(base, name)
    with (
        commands.running(task.argv(base, output, True), folder / "first") as first,
        _start_second(
            delay, task.argv(base, output, False), folder / "second"
        ) as second,
    ):
        for command in (first, second):
            command.wait(_END_SECS)
        for command in (first, second):
            if problem := commands.judge_end(command):
                return problem
        codes = first.code, second.code
        said = " ".join(first.message() + second.message())[-500:]
    if all(codes):
        return Outcome(LOST, f"both fail: {said}")
    looks = tasks.expected(base, name)
    try:
        seen = isolation.call(task.look, output)
    except isolation.ChildError as error:
        return Outcome(HALF_WRITTEN, f"{codes}: {error}"[-1500:])
    # The result is that of the last success; checkpoints of both are one training.
    allowed = set(looks.values())
    if seen not in allowed:
        return Outcome(WRONG_DATA, f"{codes}, {seen!r}: {said}")
    known = {*task.listing(base / name / "old"), *task.listing(base / name / "new")}
    if more := set(task.listing(output)) - known:
        return Outcome(HALF_WRITTEN, f"{codes}: leaves {sorted(more)}")
    return Outcome(SURVIVED, f"exit codes {codes}: {said}")


def _start_second(
    delay: float, argv: list[str], log: Path
) -> contextlib.AbstractContextManager[commands.Command]:
    time.sleep(delay)
    return commands.running(argv, log)


CAMPAIGN = Campaign(
    about="two concurrent commands with the same output",
    cases=cases,
    prepare=tasks.make_base,
    judge=judge,
    full=40,
    short=2,
    forked=False,
    group=lambda case: case["command"],
)
