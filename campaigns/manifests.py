"""Corrupt and malicious manifests of training data."""

import json
import shutil
from pathlib import Path

from hypothesis import strategies as st

from campaigns import drawing, material
from campaigns.campaign import Campaign
from campaigns.drawing import Case
from campaigns.outcomes import SURVIVED, WRONG_DATA, Outcome, from_error

_NAME = "manifest-set.tfrecord.json"
_TEXTS = (
    "", "null", "[]", "{}", '"x"', "NaN", "{" * 100_000, "[" * 100_000,
    '{"format": 1}', '{"format": 2}', "1e999", "\ufeff{}", "1" * 10_000,
    '{"format": 1, "format": 1}',
)  # fmt: skip


def cases(n: int, seed: int, base: Path) -> list[Case]:
    """Draws mutations of bytes or nodes, or another document."""
    del base
    return drawing.draw(
        st.one_of(
            st.fixed_dictionaries(
                {
                    "kind": st.just("bytes"),
                    "edits": st.lists(drawing.byte_edits(), min_size=1, max_size=3),
                }
            ),
            *[
                st.fixed_dictionaries(
                    {
                        "kind": st.just("nodes"),
                        "edits": st.lists(drawing.json_edits(), min_size=1, max_size=2),
                    }
                )
            ]
            * 3,
            st.fixed_dictionaries(
                {
                    "kind": st.just("document"),
                    "text": st.integers(0, len(_TEXTS) - 1),
                }
            ),
        ),
        n,
        seed,
    )


def prepare(base: Path) -> None:
    """Writes a data set, and digests of its examples."""
    paths = material.write_recordings(base / "recordings", 2, 1.25)
    (base / "set").mkdir()
    material.prepare(paths, base / "set" / "set.tfrecord", eval_split_fraction=0.3)
    (base / "look.json").write_text(json.dumps(_look(base / "set")))


def _look(folder: Path) -> list[str]:
    """Reads rates, examples and statistics, as training does."""
    from ddsp.training import data, postprocessing

    pattern = str(folder / "set.tfrecord*")
    provider = data.TFRecordProvider(pattern)
    seen = material.read(pattern)
    if provider.manifest is not None:
        postprocessing.statistics_from_dict(provider.manifest.statistics)
    return seen


def judge(case: Case, base: Path, folder: Path) -> Outcome:
    """Reads a data set with a mutated manifest."""
    place = folder / "set"
    shutil.copytree(base / "set", place)
    path = place / _NAME
    if not _change(case, path):
        return Outcome(SURVIVED, "the change cannot be made here")
    try:
        seen = _look(place)
    except Exception as error:
        return from_error(error, "manifest", "set.tfrecord", "statistics")
    if seen == json.loads((base / "look.json").read_text()):
        return Outcome(SURVIVED, "reads the same examples")
    return Outcome(WRONG_DATA, "reads other examples or rates")


def _change(case: Case, path: Path) -> bool:
    if case["kind"] == "document":
        path.write_text(_TEXTS[case["text"]])
        return True
    if case["kind"] == "bytes":
        data = path.read_bytes()
        for edit in case["edits"]:
            data = drawing.edit_bytes(data, edit)
        path.write_bytes(data)
        return True
    text = path.read_text()
    for edit in case["edits"]:
        try:
            text = drawing.edit_json(text, edit)
        except RecursionError:
            return False  # The first change nested it too deeply.
    path.write_text(text)
    return True


CAMPAIGN = Campaign(
    about="corrupt and malicious manifests of training data",
    cases=cases,
    prepare=prepare,
    judge=judge,
    full=400,
    short=20,
    seconds=30.0,
    megabytes=500.0,
    group=lambda case: case["kind"],
)
