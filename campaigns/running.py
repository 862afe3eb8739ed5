"""Runs campaigns, saves failing cases, and replays them."""

import contextlib
import datetime
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import tqdm

import ddsp.playing.export.exporting
import ddsp.playing.timbre_transfer  # noqa: F401  (imported for all children)
from campaigns import (
    bundles,
    checkpoints,
    configs,
    controls,
    disk,
    isolation,
    kills,
    manifests,
    pairs,
    publishing,
    recordings,
    records,
    streaming,
)
from campaigns.campaign import Campaign
from campaigns.drawing import Case
from campaigns.outcomes import EXECUTED, Outcome, Result

CAMPAIGNS: dict[str, Campaign] = {
    module.__name__.split(".")[-1]: module.CAMPAIGN
    for module in (
        kills,
        publishing,
        recordings,
        records,
        manifests,
        checkpoints,
        bundles,
        configs,
        disk,
        pairs,
        streaming,
        controls,
    )
}
_CASE_FILE = "case.json"
# File that is created by code that must never run.
CANARY = "CAMPAIGN_CANARY"


def about(command: list[str]) -> dict[str, str]:
    """Returns machine, versions and command, for the head of a table."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "tensorflow": metadata.version("tensorflow"),
        "command": " ".join(["python -m campaigns", *command]),
    }


def run(
    name: str,
    n: int | None,
    full: bool,
    seed: int,
    part: tuple[int, int],
    work: Path,
    kept: Path,
) -> Result:
    """Runs one campaign.

    Args:
      name: In `CAMPAIGNS`.
      n: Number of cases. Default: that of a short or full run.
      full: Whether to run a full campaign.
      seed: Seed of the cases.
      part: (i, n) to run every n-th case, starting with the i-th.
      work: Work directory.
      kept: Directory for failing cases.

    Returns:
      The counts.
    """
    campaign = CAMPAIGNS[name]
    n = n if n is not None else campaign.full if full else campaign.short
    result = Result(name)
    start = time.monotonic()
    base = _base(campaign, work)
    cases = list(enumerate(campaign.cases(n, seed, base)))[part[0] - 1 :: part[1]]
    with (
        _judging(campaign, work) as judge,
        tqdm.tqdm(cases, name, unit=" cases", disable=None) as bar,
    ):
        for index, case in bar:
            folder = work / "case"
            folder.mkdir()
            outcome = judge(case, base, folder)
            result.add(campaign.group(case), outcome)
            if outcome.failed:
                place = kept / f"{name}-{seed}-{index}"
                _keep(place, name, case, outcome, folder)
                result.failures.append(
                    {"kept": str(place), "kind": outcome.kind, "detail": outcome.detail}
                )
                bar.set_postfix(failed=result.failed)
            shutil.rmtree(folder, ignore_errors=True)
    result.seconds = time.monotonic() - start
    return result


def replay(place: Path, work: Path) -> Outcome:
    """Runs a saved case.

    Args:
      place: Directory of the case, written by `run`.
      work: Work directory.

    Returns:
      The outcome.

    Raises:
      FileNotFoundError: If the directory contains no case.
    """
    path = place / _CASE_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"The directory of a case must contain {_CASE_FILE}, got {place}."
        )
    kept = json.loads(path.read_text())
    campaign = CAMPAIGNS[kept["campaign"]]
    base, folder = _base(campaign, work), work / "case"
    folder.mkdir()
    with _judging(campaign, work) as judge:
        return judge(kept["case"], base, folder)


def _base(campaign: Campaign, work: Path) -> Path:
    """Returns the base directory of the cases, which campaigns may share."""
    made = campaign.prepare
    base = work / f"{made.__module__}.{made.__name__}"
    if not base.exists():
        base.mkdir()
        os.environ[CANARY] = str(work / "canary")
        isolation.call(_prepare, campaign, base, seconds=900.0)
    return base


def _prepare(campaign: Campaign, base: Path) -> None:
    isolation.redirect(base / "prepare.log", base / "prepare.log")
    campaign.prepare(base)


@contextlib.contextmanager
def _judging(
    campaign: Campaign, work: Path
) -> Iterator[Callable[[Case, Path, Path], Outcome]]:
    """Provides a judge that also detects executed code."""
    canary = work / "canary"
    os.environ[CANARY] = str(canary)

    def judge_and_detect(case: Case, base: Path, folder: Path) -> Outcome:
        canary.unlink(missing_ok=True)
        outcome = judge(case, base, folder)
        if canary.exists():
            return Outcome(EXECUTED, f"code in the case was executed; {outcome.detail}")
        return outcome

    if not campaign.forked:
        judge = campaign.judge
        yield judge_and_detect
        return
    limits = campaign.seconds, campaign.megabytes
    with isolation.worker(campaign.judge, work / "worker.log", *limits) as judge:
        yield judge_and_detect


def _keep(place: Path, name: str, case: Case, outcome: Outcome, folder: Path) -> None:
    """Saves a case, its files and its outcome."""
    shutil.rmtree(place, ignore_errors=True)
    try:
        shutil.copytree(folder, place / "files", symlinks=True)
    except (OSError, shutil.Error) as error:
        # Some files cannot be copied; a replay creates them again.
        print(f"Not all files of the case were saved: {error}", file=sys.stderr)
    place.mkdir(parents=True, exist_ok=True)
    kept = {
        "campaign": name,
        "case": case,
        "kind": outcome.kind,
        "detail": outcome.detail,
    }
    (place / _CASE_FILE).write_text(json.dumps(kept, indent=1) + "\n")
