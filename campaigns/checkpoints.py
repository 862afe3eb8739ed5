"""Corrupt and malicious checkpoints, loaded as a model."""

import json
import shutil
from pathlib import Path

from hypothesis import strategies as st

from campaigns import drawing, material
from campaigns.campaign import Campaign
from campaigns.drawing import Case
from campaigns.outcomes import SURVIVED, WRONG_DATA, Outcome, from_error

_FILES = ("ckpt-4.index", "ckpt-4.data-00000-of-00001", "checkpoint")
_CHANGES = (
    "remove", "empty", "folder", "loop", "dangling", "of step 2", "other model",
    "link to a device",
)  # fmt: skip
# Mutations of the directory.
_LAYOUTS = (
    "points outside", "points up", "points at itself", "stray index", "huge step",
    "temporary files", "no config", "config of another model", "only the state file",
)  # fmt: skip


def cases(n: int, seed: int, base: Path) -> list[Case]:
    """Draws mutations of bytes, files and the directory."""
    del base
    file = st.sampled_from(_FILES)
    return drawing.draw(
        st.one_of(
            *[
                st.fixed_dictionaries(
                    {
                        "kind": st.just("bytes"),
                        "file": file,
                        "edits": st.lists(drawing.byte_edits(), min_size=1, max_size=3),
                    }
                )
            ]
            * 8,
            st.fixed_dictionaries(
                {
                    "kind": st.just("file"),
                    "file": file,
                    "change": st.sampled_from(_CHANGES),
                }
            ),
            st.fixed_dictionaries(
                {"kind": st.just("layout"), "change": st.sampled_from(_LAYOUTS)}
            ),
        ),
        n,
        seed,
    )


def prepare(base: Path) -> None:
    """Writes a run with two checkpoints, another model, and digests of the weights."""
    import tensorflow as tf

    material.save_run(base / "run")
    outside = base / "outside"
    outside.mkdir()
    variable = tf.Variable([1.0, 2.0])
    tf.train.Checkpoint(x=variable).write(str(outside / "ckpt-4"))
    material.save_run(base / "elsewhere", (9,))
    looks = [_look(base / "run" / f"ckpt-{step}") for step in (2, 4)]
    (base / "looks.json").write_text(json.dumps(looks))


def _look(path: Path) -> str:
    from ddsp.training import models

    return material.digest_model(models.load(str(path)))


def judge(case: Case, base: Path, folder: Path) -> Outcome:
    """Loads a model from a mutated run."""
    run = folder / "run"
    shutil.copytree(base / "run", run)
    _change(case, base, run)
    try:
        seen = _look(run)
    except Exception as error:
        return from_error(error, "run")
    older, newest = json.loads((base / "looks.json").read_text())
    if seen == newest:
        return Outcome(SURVIVED, "the newest checkpoint")
    if seen == older and not (
        (run / _FILES[0]).is_file() and (run / _FILES[1]).is_file()
    ):
        return Outcome(SURVIVED, "the older checkpoint; the newest is incomplete")
    return Outcome(WRONG_DATA, "other weights")


def _change(case: Case, base: Path, run: Path) -> None:
    if case["kind"] == "layout":
        _change_layout(case["change"], base, run)
        return
    path = run / case["file"]
    data = path.read_bytes()
    if case["kind"] == "bytes":
        for edit in case["edits"]:
            data = drawing.edit_bytes(data, edit)
        path.write_bytes(data)
        return
    path.unlink()
    match case["change"]:
        case "empty":
            path.write_bytes(b"")
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "dangling":
            path.symlink_to(run / "nowhere")
        case "of step 2":
            older = base / "run" / case["file"].replace("ckpt-4", "ckpt-2")
            path.write_bytes(older.read_bytes())
        case "other model":
            other = base / "outside" / case["file"]
            path.write_bytes(other.read_bytes() if other.exists() else b"other")
        case "link to a device":
            path.symlink_to("/dev/zero")


def _change_layout(change: str, base: Path, run: Path) -> None:
    state = run / "checkpoint"
    elsewhere = base / "elsewhere" / "ckpt-9"
    match change:
        case "points outside" | "only the state file":
            state.write_text(f'model_checkpoint_path: "{elsewhere}"\n')
        case "points up":
            state.write_text('model_checkpoint_path: "../../base/elsewhere/ckpt-9"\n')
        case "points at itself":
            state.write_text('model_checkpoint_path: "checkpoint"\n')
        case "stray index":
            (run / "ckpt-6.index").write_bytes((run / "ckpt-4.index").read_bytes())
        case "huge step":
            (run / f"ckpt-{10**30}.index").write_bytes(b"")
        case "temporary files":
            (run / ".ckpt-6.tmp").mkdir()
            (run / ".ckpt-6.tmp" / "ckpt-6.index").write_bytes(b"half")
            (run / "ckpt-6.data-00000-of-00001").write_bytes(b"half")
        case "no config":
            for path in run.glob("*.gin"):
                path.unlink()
        case "config of another model":
            for path in run.glob("*.gin"):
                path.write_text(material.MODEL.replace("ch = 8", "ch = 9"))
    if change in ("points outside", "points up", "only the state file"):
        for path in run.glob("ckpt-*"):
            path.unlink()


CAMPAIGN = Campaign(
    about="corrupt and malicious checkpoints",
    cases=cases,
    prepare=prepare,
    judge=judge,
    full=400,
    short=12,
    seconds=60.0,
    megabytes=500.0,
    group=lambda case: case["kind"],
)
