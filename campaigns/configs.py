"""Corrupt and malicious configs of training runs."""

import os
import shutil
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from campaigns import drawing, gin_texts, material
from campaigns.campaign import Campaign
from campaigns.drawing import Case
from campaigns.outcomes import SURVIVED, WRONG_DATA, Outcome, from_error


def cases(n: int, seed: int, base: Path) -> list[Case]:
    """Draws mutations of a config, starting with one per statement."""
    del base
    each = [
        {"edits": [{"do": "append", "statement": i}]}
        for i in range(len(gin_texts.STATEMENTS))
    ]
    strategy = st.fixed_dictionaries(
        {"edits": st.lists(gin_texts.edits(), min_size=1, max_size=3)}
    )
    drawn = drawing.draw(strategy, n, seed)
    return drawing.sample(each, n, seed) + drawn[: max(0, n - len(each))]


def prepare(base: Path) -> None:
    """Writes a run and payloads."""
    material.save_run(base / "run", (4,))
    gin_texts.write_saved_model(base / "saved_model", os.environ["CAMPAIGN_CANARY"])


def judge(case: Case, base: Path, folder: Path) -> Outcome:
    """Loads a model with a mutated config."""
    from ddsp.training import models

    gin_texts.write_payloads(base)
    run = folder / "run"
    shutil.copytree(base / "run", run)
    gin_texts.write_payloads(run)
    path = run / "operative_config-4.gin"
    data = path.read_bytes()
    for edit in case["edits"]:
        data = gin_texts.edit(data, edit, base)
    path.write_bytes(data)
    try:
        model = models.load(str(run))
    except Exception as error:
        return from_error(error)
    if not all(np.all(np.isfinite(v.numpy())) for v in model.weights):
        return Outcome(WRONG_DATA, "weights that are not finite")
    return Outcome(SURVIVED, "loads")


CAMPAIGN = Campaign(
    about="corrupt and malicious configs of training runs",
    cases=cases,
    prepare=prepare,
    judge=judge,
    full=320,
    short=14,
    seconds=60.0,
    megabytes=700.0,
    group=lambda case: case["edits"][0]["do"],
)
