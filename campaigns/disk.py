"""Commands on file systems that are full, read-only or blocked."""

import resource
import shutil
import signal
from pathlib import Path

from hypothesis import strategies as st

from campaigns import commands, drawing, isolation, material, mounts, tasks
from campaigns.campaign import Campaign
from campaigns.drawing import Case
from campaigns.outcomes import (
    HALF_WRITTEN,
    REFUSED,
    SURVIVED,
    TRACEBACK,
    WRONG_DATA,
    Outcome,
)

_STATES = ("full", "full", "full", "few files", "read-only", "blocked", "is a file")
_END_SECS = 120.0
# Space needed by a result, including temporary files, in bytes.
_NEEDED_BYTES = {
    "prepare": 400_000,
    "train": 400_000,
    "transfer": 120_000,
    "export": 400_000,
}


def cases(n: int, seed: int, base: Path) -> list[Case]:
    """Draws a command and a state of the file system."""
    del base
    strategy = st.fixed_dictionaries(
        {
            "state": st.sampled_from(_STATES),
            "share": drawing.fractions(),
            "old": st.booleans(),
        }
    )
    names = list(tasks.TASKS)
    return [
        {"command": names[i % len(names)], **case}
        for i, case in enumerate(drawing.draw(strategy, n, seed))
    ]


def judge(case: Case, base: Path, folder: Path) -> Outcome:
    """Runs a command in a process with private mounts."""
    try:
        return isolation.call(_judge, case, base, folder, seconds=_END_SECS + 60.0)
    except isolation.ChildError as error:
        return Outcome(TRACEBACK, str(error)[-1500:])


def _judge(case: Case, base: Path, folder: Path) -> Outcome:
    name, output = case["command"], folder / "output"
    output.mkdir()
    old = _set_up(case, base, output)
    before = tasks.TASKS[name].listing(output)
    with commands.running(
        tasks.TASKS[name].argv(base, output, True), folder / "run"
    ) as command:
        command.wait(_END_SECS)
        if problem := commands.judge_end(command):
            return problem
        code = command.code
        lines = " ".join(command.message())
    if not code:
        seen = isolation.call(tasks.TASKS[name].look, output)
        if seen != tasks.expected(base, name)["new"]:
            return Outcome(WRONG_DATA, f"succeeds with {seen!r}")
        return Outcome(SURVIVED, "enough space")
    if str(output) not in lines:
        return Outcome(TRACEBACK, f"the message does not name the path: {lines[-600:]}")
    if case["state"] in ("blocked", "is a file"):
        return Outcome(REFUSED, lines[-300:])
    if problem := tasks.judge_left(base, name, output, old):
        return problem
    left = set(tasks.TASKS[name].listing(output)) - set(before)
    # Training keeps complete checkpoints written before the disk was full.
    left = {x for x in left if name != "train" or ".tmp" in x}
    if remains := sorted(x for x in left if not x.endswith("/")):
        return Outcome(HALF_WRITTEN, f"leaves {remains}; {lines[-300:]}")
    return Outcome(REFUSED, lines[-300:])


def _set_up(case: Case, base: Path, output: Path) -> bool:
    """Sets up the file system; returns whether it contains the old result."""
    name, state = case["command"], case["state"]
    result = output / {
        "prepare": "set.tfrecord", "train": "run", "transfer": "played.wav",
        "export": "bundle",
    }[name]  # fmt: skip
    if state == "blocked":
        result.parent.rmdir()
        result.parent.write_text("a file where the directory should be")
        return False
    if state == "is a file":
        if name in ("prepare", "transfer"):
            (output / f"{result.name}-00000-of-00002").mkdir()
            if name == "transfer":
                result.mkdir()
        else:
            result.write_text("a file where the result should be")
        return False
    size = sum(
        p.stat().st_size for p in (base / name / "old").rglob("*") if p.is_file()
    )
    try:
        mounts.enter()
    except OSError:
        return _limit_files(case)
    room = round(case["share"] * _NEEDED_BYTES[name])
    start = size * 2 if case["old"] else 0
    if state == "few files":
        n_old = len(material.listing(base / name / "old")) + 2 if case["old"] else 2
        mounts.small(output, 2**26, n_old + round(case["share"] * 8))
    elif state == "full":
        mounts.small(output, start + room)
    else:
        mounts.small(output, 2**26)
    if case["old"]:
        shutil.copytree(base / name / "old", output, dirs_exist_ok=True)
    if state == "read-only":
        mounts.make_read_only(output)
    return case["old"]


def _limit_files(case: Case) -> bool:
    """Limits the file size, for lack of permission to mount."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = 4096 + round(case["share"] * 50_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return False


CAMPAIGN = Campaign(
    about="commands on full, read-only and blocked file systems",
    cases=cases,
    prepare=tasks.make_base,
    judge=judge,
    full=100,
    short=2,
    forked=False,
    group=lambda case: f"{case['command']} {case['state']}",
)
