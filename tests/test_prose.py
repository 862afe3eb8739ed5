"""Spelling is American, and one ending of messages holds, in code, tests and docs."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("ddsp", "tests", "docs", "benchmarks", "campaigns", "configs", "examples")
SUFFIXES = {".cff", ".gin", ".html", ".js", ".md", ".py", ".toml", ".yml"}

_IZE = (
    "synthesi|normali|initiali|optimi|seriali|recogni|organi|generali|minimi|maximi"
    "|quanti|regulari|locali|summari|vectori|factori|discreti|utili|parametri|visuali"
)
BRITISH = re.compile(
    rf"({_IZE})s(e|ed|er|ers|ing|able|ation)(?![a-z])"
    r"|(behaviour|colour|favour|neighbour|honour|licence|centre|(?<![a-z])grey)"
    r"|analys(e|ed|er|ing)(?![a-z])|(label|model)l(ed|ing)(?![a-z])"
    r"|(?<![a-z])(un|re)?learnt",
    re.IGNORECASE,
)
# A message of libsndfile.
OUTSIDE = re.compile(r"Format not recognised")


def _lines() -> Iterator[tuple[Path, int, str]]:
    paths = {path for folder in FOLDERS for path in (ROOT / folder).rglob("*")}
    for path in sorted(paths | set(ROOT.glob("*.*"))):
        if path.suffix in SUFFIXES and path != Path(__file__) and path.is_file():
            text = path.read_text(encoding="utf-8")
            for number, line in enumerate(text.splitlines(), 1):
                yield path.relative_to(ROOT), number, line


def test_spelling_is_american():
    misses = [
        f"{path}:{number}: {found.group()}"
        for path, number, line in _lines()
        if (found := BRITISH.search(OUTSIDE.sub("", line)))
    ]
    assert not misses, "\n".join(misses)
