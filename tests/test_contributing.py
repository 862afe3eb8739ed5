"""CONTRIBUTING.md says what holds: its code runs, its map is the enforced one."""

import re
import tomllib
from pathlib import Path

import pytest

import ddsp

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^### (.+?)$.*?^```python\n(.+?)^```", TEXT, re.M | re.S)


@pytest.mark.parametrize("code", [x[1] for x in EXAMPLES], ids=[x[0] for x in EXAMPLES])
def test_the_examples_run(code):
    exec(compile(code, "CONTRIBUTING.md", "exec"), {"__name__": "example"})


def test_there_is_an_example_of_each_kind():
    assert len(EXAMPLES) == 4


def test_the_layers_are_those_that_are_enforced():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
        "importlinter"
    ]["contracts"]
    enforced = [
        [name.strip().removeprefix("ddsp.") for name in re.split("[|:]", layer)]
        for layer in contracts[0]["layers"]
    ]
    shown = re.search(r"<!-- layers -->\n```text\n(.+?)```", TEXT, re.S).group(1)
    assert [line.split(", ") for line in shown.splitlines()] == enforced


def test_the_citation_has_the_version():
    assert f"version: {ddsp.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_types_are_declared():
    assert (Path(ddsp.__file__).parent / "py.typed").is_file()
