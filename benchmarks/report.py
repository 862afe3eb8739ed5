"""Results as JSON and as tables."""

import json
from dataclasses import asdict
from typing import Any

from benchmarks.measuring import Row

_HEADINGS = {
    "case": "case",
    "textbook_ms": "textbook ms",
    "ours_ms": "ours ms",
    "ratio": "ratio",
    "textbook_mb": "textbook MB",
    "ours_mb": "ours MB",
    "textbook_error": "textbook error",
    "ours_error": "ours error",
}


def to_json(machine: dict[str, str], rows: list[Row]) -> str:
    """The machine, and a dictionary for each row."""
    return json.dumps({"machine": machine, "rows": [asdict(r) for r in rows]}, indent=2)


def from_json(text: str) -> tuple[dict[str, str], list[Row]]:
    """What `to_json` was given.

    Raises:
      ValueError: if it is nothing of the sort.
    """
    try:
        results = json.loads(text)
        return results["machine"], [Row(**row) for row in results["rows"]]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"These are no results of a benchmark: {error!r}") from error


def table(machine: dict[str, str], rows: list[Row], markdown: bool = False) -> str:
    """A table, all subjects in one; in Markdown one for each subject."""
    about = [f"{name}: {value}" for name, value in machine.items()]
    if not markdown:
        lines = _cells(rows, {"subject": "subject", **_HEADINGS})
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        texts = [
            "  ".join(
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([*about, "", *texts])
    parts = ["; ".join(about)]
    for subject in dict.fromkeys(row.subject for row in rows):
        mine = [row for row in rows if row.subject == subject]
        used = {
            name: heading
            for name, heading in _HEADINGS.items()
            if any(getattr(row, name) is not None for row in mine)
        }
        head, *body = _cells(mine, used)
        rule = ["---"] + ["---:"] * (len(head) - 1)
        drawn = [f"| {' | '.join(line)} |" for line in (head, rule, *body)]
        parts.append("\n".join([f"### {subject}", "", *drawn]))
    return "\n\n".join(parts)


def _cells(rows: list[Row], headings: dict[str, str]) -> list[list[str]]:
    body = [[_text(name, getattr(row, name)) for name in headings] for row in rows]
    return [list(headings.values()), *body]


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if name.endswith("_error"):
        return f"{value:.1e}"
    if name.endswith("_mb") and value < 1.0:
        return "< 1"  # The allocator does not count the smallest blocks.
    # Three digits say what can be said of a time.
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}".rstrip(".")
