"""Commands whose results can be identified as old, new or neither.

A task writes to its own directory. `set_up` creates the initial contents, and `look`
identifies the result.
"""

import dataclasses
import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import soundfile

from campaigns import commands, isolation, material
from campaigns.outcomes import HALF_WRITTEN, LOST, WRONG_DATA, Outcome

ABSENT = "absent"
REFUSED = "refused"


@dataclasses.dataclass(frozen=True)
class Task:
    """Command, and the identification of its result.

    Attributes:
      argv: Returns the command line, given the base directory, the output directory,
        and whether to write the new result or the old one.
      look: Returns a digest of the result in a directory, or `ABSENT` or `REFUSED`.
      may_refuse: Whether an interrupted command may leave a result that is refused.
      passes_old: Whether the old result is an intermediate step of the new one.
      varies: Pattern of the names of files that differ between runs.
    """

    argv: Callable[[Path, Path, bool], list[str]]
    look: Callable[[Path], str]
    may_refuse: bool = False
    passes_old: bool = False
    varies: str = "$^"

    def listing(self, folder: Path) -> list[str]:
        """Returns the paths in a directory, except those that vary."""
        varies = re.compile(self.varies)
        return [x for x in material.listing(folder) if not varies.search(x)]


def _prepare(base: Path, folder: Path, new: bool) -> list[str]:
    recordings = base / ("new" if new else "old")
    return [
        "ddsp_prepare_tfrecord",
        f"--input_audio_filepatterns={recordings}",
        f"--output_tfrecord_path={folder / 'set.tfrecord'}",
        *material.PREPARE,
    ]


def _look_at_shards(folder: Path) -> str:
    if not list(folder.glob("set.tfrecord*")):
        return ABSENT
    try:
        read = material.read(str(folder / "set.tfrecord*"))
    except (ValueError, OSError):
        return REFUSED
    return hashlib.sha256(repr(read).encode()).hexdigest()


def _train(base: Path, folder: Path, new: bool) -> list[str]:
    pattern = base / "data" / "set.tfrecord*"
    return [
        "ddsp_run",
        "--mode=train",
        f"--save_dir={folder / 'run'}",
        f"--gin_file={base / 'train.gin'}",
        f"--gin_param=TFRecordProvider.file_pattern='{pattern}'",
        f"--gin_param=train.num_steps={4 if new else 2}",
        "--seed=1",
    ]


def _look_at_checkpoints(folder: Path) -> str:
    """Returns the newest step, after reading every checkpoint."""
    import tensorflow as tf

    from ddsp.training import checkpoints

    saved = checkpoints.list_checkpoints(str(folder / "run"))
    for path in saved.values():
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    return f"step {max(saved)}" if saved else ABSENT


def _transfer(base: Path, folder: Path, new: bool) -> list[str]:
    source = base / ("new" if new else "old") / "tone0.wav"
    return [
        "ddsp_timbre_transfer",
        str(source),
        f"--model={base / 'run'}",
        f"--output={folder / 'played.wav'}",
        "--noadjust",
    ]


def _look_at_audio(folder: Path) -> str:
    path = folder / "played.wav"
    if not path.exists():
        return ABSENT
    audio, rate = soundfile.read(path, dtype="int16")
    return f"{rate} Hz, {hashlib.sha256(audio.tobytes()).hexdigest()}"


def _export(base: Path, folder: Path, new: bool) -> list[str]:
    return [
        "ddsp_export",
        f"--model={base / 'run'}",
        f"--output={folder / 'bundle'}",
        f"--license={'new' if new else 'old'}",
    ]


def _look_at_bundle(folder: Path) -> str:
    from ddsp.playing import bundle

    if not (folder / "bundle").exists():
        return ABSENT
    opened = bundle.load(folder / "bundle")
    if opened.check() > 1e-4:
        return "plays otherwise"
    return opened.info.license


TASKS = {
    "prepare": Task(_prepare, _look_at_shards, may_refuse=True),
    "train": Task(
        _train,
        _look_at_checkpoints,
        passes_old=True,
        varies=r"events\.out\.|operative_config|dataset_statistics|^run/summaries",
    ),
    "transfer": Task(_transfer, _look_at_audio),
    "export": Task(_export, _look_at_bundle),
}


def make_base(base: Path) -> None:
    """Writes recordings, data, a run, and the old and new result of each task."""
    material.write_recordings(base / "old", 2, 0.9)
    material.write_recordings(base / "new", 3, 1.3)
    (base / "data").mkdir()
    isolation.call(
        _call_prepare, str(base / "new"), str(base / "data" / "set.tfrecord")
    )
    isolation.call(material.save_run, base / "run")
    (base / "train.gin").write_text(material.MODEL + material.TRAIN)
    for name, task in TASKS.items():
        for age, new in (("old", False), ("new", True)):
            folder = base / name / age
            folder.mkdir(parents=True)
            if new and name == "train":
                # Training resumes from the old result.
                shutil.copytree(base / name / "old", folder, dirs_exist_ok=True)
            done = commands.finish(task.argv(base, folder, new), base / f"{name}-{age}")
            (base / name / f"{age}.txt").write_text(isolation.call(task.look, folder))
            (base / name / f"{age}.seconds").write_text(f"{done.seconds}")


def _call_prepare(source: str, output: str) -> None:
    material.prepare([source], output)


def expected(base: Path, name: str) -> dict[str, str]:
    """Returns the digests of the old and the new result of a task."""
    return {a: (base / name / f"{a}.txt").read_text() for a in ("old", "new")}


def seconds(base: Path, name: str) -> float:
    """Returns the duration of an undisturbed task."""
    return float((base / name / "new.seconds").read_text())


def set_up(base: Path, name: str, folder: Path, old: bool) -> None:
    """Creates a directory, with the old result if requested."""
    folder.mkdir()
    if old:
        shutil.copytree(base / name / "old", folder, dirs_exist_ok=True)


def judge_left(base: Path, name: str, folder: Path, old: bool) -> Outcome | None:
    """Returns the failure in the result of an interrupted task, or None."""
    task, looks = TASKS[name], expected(base, name)
    try:
        seen = isolation.call(task.look, folder)
    except isolation.ChildError as error:
        return Outcome(HALF_WRITTEN, f"{material.listing(folder)}: {error}"[-1500:])
    allowed = {looks["new"], looks["old"] if old else ABSENT}
    if task.may_refuse:
        allowed.add(REFUSED)
    if task.passes_old:
        allowed.add(looks["old"])
    if seen in allowed:
        return None
    kind = LOST if seen in (ABSENT, REFUSED) else WRONG_DATA
    return Outcome(kind, f"left {seen!r}: {material.listing(folder)}")


def judge_rerun(base: Path, name: str, folder: Path) -> Outcome | None:
    """Runs a task again after an interruption; returns the failure, or None."""
    task = TASKS[name]
    with commands.running(task.argv(base, folder, True), folder.parent / "again") as c:
        c.wait(120.0)
        if problem := commands.judge_end(c):
            return problem
        if c.code:
            return Outcome(LOST, f"the rerun fails: {' '.join(c.message())[-800:]}")
    try:
        seen = isolation.call(task.look, folder)
    except isolation.ChildError as error:
        return Outcome(LOST, f"after the rerun: {error}"[-1500:])
    if seen != expected(base, name)["new"]:
        return Outcome(WRONG_DATA, f"after the rerun: {seen!r}")
    left, right = task.listing(folder), task.listing(base / name / "new")
    if left != right:
        return Outcome(
            HALF_WRITTEN,
            f"after the rerun: more {sorted(set(left) - set(right))}, "
            f"missing {sorted(set(right) - set(left))}",
        )
    return None
