"""Runs campaigns, keeps what fails, and runs that again."""

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
import ddsp.playing.timbre_transfer  # noqa: F401  (imported once, for all children)
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
# A file that is made by what must never run.
CANARY = "CAMPAIGN_CANARY"


def about(command: list[str]) -> dict[str, str]:
    """The machine, the versions and the command, for the head of a table."""
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
      n: Number of cases; by default that of a short or of a full run.
      full: Whether the run is a full one.
      seed: Of the cases.
      part: (i, n): of the cases every n-th, from the i-th on.
      work: A directory to work in.
      kept: Directory for the cases that fail.

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
    """Runs a case that was kept.

    Args:
      place: Directory that `run` kept it in.
      work: A directory to work in.

    Raises:
      FileNotFoundError: If no case was kept there.
    """
    path = place / _CASE_FILE
    if not path.is_file():
        raise FileNotFoundError(f"No case was kept in {place}: it has no {_CASE_FILE}.")
    kept = json.loads(path.read_text())
    campaign = CAMPAIGNS[kept["campaign"]]
    base, folder = _base(campaign, work), work / "case"
    folder.mkdir()
    with _judging(campaign, work) as judge:
        return judge(kept["case"], base, folder)


def _base(campaign: Campaign, work: Path) -> Path:
    """The directory that cases start from; campaigns may have it in common."""
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
    """Judges a case where the campaign wants it, and looks for what ran."""
    canary = work / "canary"
    os.environ[CANARY] = str(canary)

    def looked_after(case: Case, base: Path, folder: Path) -> Outcome:
        canary.unlink(missing_ok=True)
        outcome = judge(case, base, folder)
        if canary.exists():
            return Outcome(EXECUTED, f"what the case holds ran; {outcome.detail}")
        return outcome

    if not campaign.forked:
        judge = campaign.judge
        yield looked_after
        return
    limits = campaign.seconds, campaign.megabytes
    with isolation.worker(campaign.judge, work / "worker.log", *limits) as judge:
        yield looked_after


def _keep(place: Path, name: str, case: Case, outcome: Outcome, folder: Path) -> None:
    """Keeps a case, its files and what was seen."""
    shutil.rmtree(place, ignore_errors=True)
    try:
        shutil.copytree(folder, place / "files", symlinks=True)
    except (OSError, shutil.Error) as error:
        # Some files of a case cannot be copied; the case makes them anew.
        print(f"Not all files of the case were kept: {error}", file=sys.stderr)
    place.mkdir(parents=True, exist_ok=True)
    kept = {
        "campaign": name,
        "case": case,
        "kind": outcome.kind,
        "detail": outcome.detail,
    }
    (place / _CASE_FILE).write_text(json.dumps(kept, indent=1) + "\n")
