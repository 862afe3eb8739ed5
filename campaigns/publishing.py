"""Stops and disk errors at every call that writes a result."""

import json
import shutil
from pathlib import Path
from typing import Any

from campaigns import drawing, faults, isolation, material, tasks
from campaigns.campaign import Campaign
from campaigns.drawing import Case
from campaigns.outcomes import (
    HALF_WRITTEN,
    LOST,
    REFUSED,
    SURVIVED,
    TRACEBACK,
    Outcome,
    from_error,
)

# Faults, and whether an old result exists.
_FAULTS = ((faults.STOP, True), (faults.STOP, False), ("ENOSPC", True))
# Not for bundles, which take seconds to write.
_MORE_FAULTS = (("ENOSPC", False), ("EROFS", True), ("EIO", False))
_TARGETS = ("shards", "checkpoint", "bundle", "audio")


def cases(n: int, seed: int, base: Path) -> list[Case]:
    """Returns all combinations of target, call and fault, or a sample."""
    every = [
        {"target": target, "call": call, "fault": fault, "old": old}
        for target in _TARGETS
        for call in range(len(_known(base, target, "new")[1]))
        for fault, old in (*_FAULTS, *(() if target == "bundle" else _MORE_FAULTS))
    ]
    return drawing.sample(every, n, seed)


def _known(base: Path, target: str, age: str) -> tuple[str, list[str]]:
    """Returns the digest of a result, and the calls that write it."""
    look, calls = json.loads((base / target / f"{age}.json").read_text())
    return look, calls


def prepare(base: Path) -> None:
    """Writes the inputs, and the digests of the old and the new result."""
    material.write_recordings(base / "old-recordings", 1, 0.5)
    material.write_recordings(base / "new-recordings", 2, 0.5)
    isolation.call(material.save_run, base / "run")
    for target in _TARGETS:
        for age in ("old", "new"):
            folder = base / target / age
            folder.mkdir(parents=True)
            calls = isolation.call(_publish, target, base, folder, age == "new")
            (base / target / f"{age}.json").write_text(
                json.dumps([isolation.call(_look, target, folder), calls])
            )


def _publish(
    target: str,
    base: Path,
    folder: Path,
    new: bool,
    call: int | None = None,
    fault: str = faults.STOP,
) -> Any:
    """Writes a result while a call fails; returns the calls, or the failure."""
    counted = faults.Faults(folder, call, fault)
    publish = {
        "shards": _shards,
        "checkpoint": _checkpoint,
        "bundle": _bundle,
        "audio": _audio,
    }[target](base, folder, new)
    counted.install()
    try:
        publish()
    except Exception as error:
        outcome = from_error(error)
        return {"kind": outcome.kind, "detail": outcome.detail}
    return counted.calls


def _shards(base: Path, folder: Path, new: bool) -> Any:
    source = base / ("new-recordings" if new else "old-recordings")
    return lambda: material.prepare([str(source)], folder / "set.tfrecord")


def _checkpoint(base: Path, folder: Path, new: bool) -> Any:
    import tensorflow as tf

    from ddsp.training import checkpoints

    variable = tf.Variable([4.0 if new else 2.0] * 10)
    checkpoint = tf.train.Checkpoint(x=variable)

    def publish() -> None:
        # As at the start of training.
        checkpoints.discard_incomplete(str(folder))
        checkpoints.write(checkpoint, str(folder), 4 if new else 2, keep=1)

    return publish


def _bundle(base: Path, folder: Path, new: bool) -> Any:
    from ddsp.playing import bundle

    settings = {"license": "new" if new else "old"}
    return lambda: bundle.write(folder / "bundle", base / "run", **settings)


def _audio(base: Path, folder: Path, new: bool) -> Any:
    from ddsp.playing import timbre_transfer

    blocks = [material.tone(0.2, 300.0 if new else 200.0)] * 3
    rate = material.SAMPLE_RATE
    path = str(folder / "played.wav")
    return lambda: timbre_transfer.write_audio(path, blocks, rate, rate)


def _look(target: str, folder: Path) -> str:
    """Returns the digest of a result."""
    if target == "checkpoint":
        return _look_at_checkpoint(folder)
    name = {"shards": "prepare", "bundle": "export", "audio": "transfer"}[target]
    return tasks.TASKS[name].look(folder)


def _look_at_checkpoint(folder: Path) -> str:
    import tensorflow as tf

    from ddsp.training import checkpoints

    try:
        path = checkpoints.find_latest(str(folder))
    except FileNotFoundError:
        return tasks.ABSENT
    values = tf.train.load_checkpoint(path).get_tensor("x/.ATTRIBUTES/VARIABLE_VALUE")
    return f"value {values[0]:g}"


def judge(case: Case, base: Path, folder: Path) -> Outcome:
    """Writes with a fault, checks the result, and repeats without a fault."""
    target, old = case["target"], case["old"]
    looks = {age: _known(base, target, age)[0] for age in ("old", "new")}
    output = folder / "output"
    if old:
        shutil.copytree(base / target / "old", output)
    else:
        output.mkdir()
    fault = case["fault"]
    try:
        ended = isolation.call(
            _publish, target, base, output, True, case["call"], fault
        )
    except isolation.ChildError as error:
        # Only a stop may end the process.
        if fault != faults.STOP:
            return Outcome(TRACEBACK, str(error)[-1500:])
        ended = "stopped"
    if isinstance(ended, dict) and ended["kind"] != REFUSED:
        return Outcome(**ended)
    problem = _judge_left(target, output, old, looks)
    if problem is None and isinstance(ended, dict):
        problem = _judge_remains(base, target, output, case)
    return problem or _judge_again(target, base, output, looks, ended)


def _judge_left(
    target: str, output: Path, old: bool, looks: dict[str, str]
) -> Outcome | None:
    try:
        seen = isolation.call(_look, target, output)
    except isolation.ChildError as error:
        if target == "bundle" and "ValueError" in str(error):
            return None  # Refused as incomplete.
        return Outcome(HALF_WRITTEN, f"{material.listing(output)}: {error}"[-1500:])
    allowed = {looks["new"], looks["old"] if old else tasks.ABSENT}
    if target == "shards":
        allowed.add(tasks.REFUSED)
    if seen in allowed:
        return None
    kind = LOST if seen == tasks.ABSENT else HALF_WRITTEN
    return Outcome(kind, f"left {seen!r}: {material.listing(output)}")


def _judge_remains(base: Path, target: str, output: Path, case: Case) -> Outcome | None:
    """Checks that a failed attempt leaves no files."""
    before = material.listing(base / target / "old") if case["old"] else []
    allowed = {*before, *material.listing(base / target / "new")}
    remains = sorted(set(material.listing(output)) - allowed)
    # Files remain if the fault prevents their removal.
    if remains and not _removes(case, base):
        return Outcome(HALF_WRITTEN, f"after an error it leaves {remains}")
    return None


def _removes(case: Case, base: Path) -> bool:
    calls = _known(base, case["target"], "new")[1]
    name = calls[case["call"]] if case["call"] < len(calls) else ""
    return any(word in name for word in ("rm", "remove", "unlink"))


def _judge_again(
    target: str, base: Path, output: Path, looks: dict[str, str], ended: Any
) -> Outcome:
    try:
        again = isolation.call(_publish, target, base, output, True)
        seen = isolation.call(_look, target, output)
    except isolation.ChildError as error:
        return Outcome(LOST, f"the second attempt fails: {error}"[-1500:])
    if isinstance(again, dict):
        return Outcome(LOST, f"the second attempt fails: {again['detail']}"[-1500:])
    if seen != looks["new"]:
        return Outcome(LOST, f"the second attempt makes {seen!r}")
    left, right = material.listing(output), material.listing(base / target / "new")
    if left != right:
        more, missing = set(left) - set(right), set(right) - set(left)
        return Outcome(
            HALF_WRITTEN,
            f"after the second attempt: more {sorted(more)}, missing {sorted(missing)}",
        )
    if isinstance(ended, dict):
        return Outcome(REFUSED, ended["detail"])
    return Outcome(SURVIVED, ended if isinstance(ended, str) else "continued")


CAMPAIGN = Campaign(
    about="stops and disk errors at each call that writes a result",
    cases=cases,
    prepare=prepare,
    judge=judge,
    full=2000,
    short=8,
    forked=False,
    group=lambda case: f"{case['target']} {case['fault']}",
)
