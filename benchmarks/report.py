"""Results as JSON and tables."""

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
    """Returns the machine and the rows as JSON."""
    return json.dumps({"machine": machine, "rows": [asdict(r) for r in rows]}, indent=2)


def from_json(text: str) -> tuple[dict[str, str], list[Row]]:
    """Parses the result of `to_json`.

    Raises:
      ValueError: If the text has another format.
    """
    try:
        results = json.loads(text)
        return results["machine"], [Row(**row) for row in results["rows"]]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"The file must contain results of a benchmark, got {error!r}."
        ) from error


def table(machine: dict[str, str], rows: list[Row], markdown: bool = False) -> str:
    """Returns a table of all subjects, or in Markdown one table per subject."""
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
        return "< 1"  # The allocator does not count very small blocks.
    # Times are reproducible to three digits at most.
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}".rstrip(".")
