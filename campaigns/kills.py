"""Commands killed at random times, and run again afterwards."""

import signal
import time
from pathlib import Path

from hypothesis import strategies as st

from campaigns import commands, drawing, tasks
from campaigns.campaign import Campaign
from campaigns.drawing import Case
from campaigns.outcomes import SURVIVED, TRACEBACK, Outcome

# Latest kill, relative to the usual duration; above 1, the command has finished.
_MAX_SHARE = 1.05
# Time to start the interpreter, and to import TensorFlow.
_START_SECS, _IMPORT_SECS = 0.5, 4.0
_POLL_SECS = 0.0005
_END_SECS = 60.0


def cases(n: int, seed: int, base: Path) -> list[Case]:
    """Draws a command, a signal and the time of the kill."""
    del base  # Times are relative to the measured duration.
    moments = st.one_of(
        st.fixed_dictionaries({"share": st.floats(0.0, _MAX_SHARE)}),
        # After this many changes in the output directory.
        st.fixed_dictionaries(
            {"changes": st.integers(1, 8), "after_ms": st.sampled_from([0, 1, 3, 10])}
        ),
    )
    strategy = st.fixed_dictionaries(
        {
            "signal": st.sampled_from(["KILL", "TERM", "INT"]),
            "moment": moments,
            "old": st.booleans(),
            "real": st.sampled_from([False, False, False, True]),
        }
    )
    names = list(tasks.TASKS)
    drawn = drawing.draw(strategy, n, seed)
    return [
        {
            "command": names[i % len(names)],
            # Forked commands cannot leave orphans.
            "workers": 2 if names[i % len(names)] == "prepare" and case["real"] else 1,
            **case,
        }
        for i, case in enumerate(drawn)
    ]


def judge(case: Case, base: Path, folder: Path) -> Outcome:
    """Kills a command, and checks the remaining files."""
    name, old = case["command"], case["old"]
    output = folder / "output"
    tasks.set_up(base, name, output, old)
    argv = tasks.TASKS[name].argv(base, output, True)
    if case["workers"] > 1:
        argv = [*argv, f"--num_workers={case['workers']}"]
    with commands.running(argv, folder / "killed", case["real"]) as command:
        _wait_for(command, case, output, tasks.seconds(base, name))
        number = signal.Signals[f"SIG{case['signal']}"]
        was_running = command.code is None
        command.send(number)
        command.wait(_END_SECS)
        if problem := commands.judge_end(command, interrupted=True):
            return problem
        if was_running and number != signal.SIGKILL and len(command.message()) > 3:
            return Outcome(TRACEBACK, f"too many lines: {command.text[-800:]}")
        ended = f"ended with {command.code}: {' '.join(command.message())[-200:]}"
    problem = tasks.judge_left(base, name, output, old) or tasks.judge_rerun(
        base, name, output
    )
    return problem or Outcome(SURVIVED, ended)


def _wait_for(
    command: commands.Command, case: Case, output: Path, usual_secs: float
) -> None:
    """Waits until the time of the kill, or the end of the command."""
    moment = case["moment"]
    if "share" in moment:
        after = moment["share"] * usual_secs
        if case["real"]:
            after = max(_START_SECS, moment["share"] * (usual_secs + _IMPORT_SECS))
        command.wait(after)
        return
    seen = _state(output)
    changes = 0
    while command.code is None and changes < moment["changes"]:
        time.sleep(_POLL_SECS)
        now = _state(output)
        changes += now != seen
        seen = now
    time.sleep(moment["after_ms"] / 1000)


def _state(folder: Path) -> list[tuple[str, int]]:
    """Returns paths and sizes of the files in a directory."""
    state = []
    for path in sorted(folder.rglob("*")):
        try:
            state.append((str(path), path.lstat().st_size))
        except OSError:
            continue  # Removed since it was listed.
    return state


CAMPAIGN = Campaign(
    about="kill -9, -TERM and -INT at random times of four commands",
    cases=cases,
    prepare=tasks.make_base,
    judge=judge,
    full=120,
    short=4,
    forked=False,
    group=lambda case: f"{case['command']} {case['signal']}",
)
