"""A short run of every campaign: nothing falls."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("hypothesis", reason="the campaigns draw their cases with it")

ROOT = Path(__file__).resolve().parents[1]

# Those that start commands have their results to compare with in common.
GROUPS = (
    ("kills", "disk", "pairs"),
    ("publishing", "streaming"),
    ("recordings", "records", "manifests", "controls"),
    ("checkpoints", "bundles", "configs"),
)


@pytest.mark.parametrize("names", GROUPS, ids="-".join)
def test_short_run(names, tmp_path):
    counts = tmp_path / "counts.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "campaigns", *names),
            *("--json", str(counts), "--keep", str(tmp_path / "kept")),
        ],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(counts.read_text())["campaigns"]
    assert [campaign["name"] for campaign in found] == list(names)
    for campaign in found:
        assert sum(campaign["counts"].values()) > 0
        assert campaign["failures"] == []
