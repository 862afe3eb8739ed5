"""Reproducible cases drawn by Hypothesis, as JSON values."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import hypothesis
from hypothesis import strategies as st

Case = dict[str, Any]

# Unexpected values for JSON nodes.
UNEXPECTED_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 255, -(2**31), 2**31, 2**32, 2**63, 2**64,
    10**12, 10**30, 0.0, -0.0, 0.5, 1e-300, 1e300, -1e300, float("nan"), float("inf"),
    float("-inf"), "", "x", "0", "nan", "../../outside", "/etc/passwd", "\u0000",
    "\ud83d\ude00", "a" * 10_000, [], {}, [[]], [None], {"": {}}, [0] * 1000,
    {"a": {"b": {"c": []}}},
)  # fmt: skip


def draw(strategy: st.SearchStrategy[Case], n: int, seed: int) -> list[Case]:
    """Draws distinct cases.

    Args:
      strategy: Strategy for cases of JSON values.
      n: Number of cases; fewer if the strategy has no more.
      seed: Random seed.

    Returns:
      The cases.
    """
    drawn: dict[str, Case] = {}

    def collect(case: Case) -> None:
        drawn.setdefault(json.dumps(case, sort_keys=True), case)

    for turn in range(10):
        missing = n - len(drawn)
        if missing <= 0:
            break
        given = hypothesis.given(strategy)(collect)
        given = hypothesis.seed(seed * 1000 + turn)(given)
        hypothesis.settings(
            max_examples=missing + 10,
            database=None,
            deadline=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )(given)()
    return list(drawn.values())[:n]


def fractions() -> st.SearchStrategy[float]:
    """Draws relative positions, with a preference for the ends."""
    ends = st.sampled_from([0.0, 0.001, 0.01, 0.5, 0.99, 1.0])
    return st.one_of(ends, *[st.floats(0.0, 1.0, width=32)] * 3)


def byte_edits() -> st.SearchStrategy[Case]:
    """One change of a file's bytes; see `edit_bytes`."""
    at = fractions()
    return st.one_of(
        st.fixed_dictionaries(
            {"do": st.just("flip"), "at": at, "bit": st.integers(0, 7)}
        ),
        st.fixed_dictionaries({"do": st.just("cut"), "at": at}),
        st.fixed_dictionaries(
            {"do": st.just("remove"), "at": at, "count": st.integers(1, 64)}
        ),
        st.fixed_dictionaries(
            {
                "do": st.sampled_from(["insert", "overwrite"]),
                "at": at,
                "hex": st.binary(min_size=1, max_size=16).map(bytes.hex),
            }
        ),
        st.fixed_dictionaries(
            {
                "do": st.sampled_from(["zeros", "ones", "repeat"]),
                "at": at,
                "count": st.sampled_from([1, 2, 4, 8, 64, 512, 4096]),
            }
        ),
        st.fixed_dictionaries(
            {
                "do": st.just("number"),
                "offset": st.integers(0, 16).map(lambda i: 4 * i),
                "value": st.sampled_from(
                    [0, 1, 2, 255, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1]
                ),
            }
        ),
        st.sampled_from([{"do": "empty"}, {"do": "twice"}, {"do": "reverse"}]),
    )


def edit_bytes(data: bytes, edit: Mapping[str, Any]) -> bytes:
    """Applies one of `byte_edits`."""
    at = round(edit.get("at", 0.0) * max(len(data) - 1, 0))
    count = edit.get("count", 1)
    match edit["do"]:
        case "flip":
            changed = bytearray(data)
            if changed:
                changed[at] ^= 1 << edit["bit"]
            return bytes(changed)
        case "cut":
            return data[:at]
        case "remove":
            return data[:at] + data[at + count :]
        case "insert":
            return data[:at] + bytes.fromhex(edit["hex"]) + data[at:]
        case "overwrite":
            new = bytes.fromhex(edit["hex"])
            return data[:at] + new + data[at + len(new) :]
        case "zeros" | "ones":
            fill = b"\0" if edit["do"] == "zeros" else b"\xff"
            count = min(count, len(data) - at)
            return data[:at] + fill * count + data[at + count :]
        case "repeat":
            return data[: at + count] + data[at:]
        case "number":
            start = edit["offset"]
            new = edit["value"].to_bytes(4, "little")
            return (data[:start] + new + data[start + 4 :])[: max(len(data), 4)]
        case "empty":
            return b""
        case "twice":
            return data + data
        case "reverse":
            return data[::-1]
    raise ValueError(f"Unknown edit, got {edit!r}.")


def json_edits() -> st.SearchStrategy[Case]:
    """Draws a change of a JSON document; see `edit_json`."""
    node = fractions()
    return st.one_of(
        st.fixed_dictionaries(
            {
                "do": st.just("replace"),
                "node": node,
                "value": st.integers(0, len(UNEXPECTED_VALUES) - 1),
            }
        ),
        st.fixed_dictionaries({"do": st.just("delete"), "node": node}),
        st.fixed_dictionaries({"do": st.just("rename"), "node": node}),
        st.fixed_dictionaries(
            {
                "do": st.just("scale"),
                "node": node,
                "by": st.sampled_from([-1, 0.5, 2, 10, 1e9, 1e30]),
            }
        ),
        st.fixed_dictionaries(
            {
                "do": st.just("nest"),
                "node": node,
                "depth": st.sampled_from([1, 10, 1000, 100_000]),
            }
        ),
        st.fixed_dictionaries(
            {
                "do": st.just("add"),
                "node": node,
                "value": st.integers(0, len(UNEXPECTED_VALUES) - 1),
            }
        ),
    )


def edit_json(text: str, edit: Mapping[str, Any]) -> str:
    """Applies one of `json_edits` to a JSON document."""
    document = json.loads(text)
    places = list(_places(document))
    owner, key = places[round(edit["node"] * (len(places) - 1))]
    marker = "\u0001"
    match edit["do"]:
        case "replace":
            owner[key] = UNEXPECTED_VALUES[edit["value"]]
        case "delete":
            del owner[key]
        case "rename":
            if isinstance(owner, dict):
                owner[f"{key}_"] = owner.pop(key)
        case "scale":
            if isinstance(owner[key], int | float):
                owner[key] = owner[key] * edit["by"]
        case "nest":
            # json.dumps cannot nest that deeply.
            owner[key] = marker
        case "add":
            if isinstance(owner, dict):
                owner["unknown"] = UNEXPECTED_VALUES[edit["value"]]
            else:
                owner.insert(key, UNEXPECTED_VALUES[edit["value"]])
    depth = edit.get("depth", 0)
    return json.dumps(document).replace(json.dumps(marker), "[" * depth + "]" * depth)


def _places(node: Any) -> Any:
    keys: Any = ()
    if isinstance(node, dict):
        keys = list(node)
    elif isinstance(node, list):
        # Only the first and the last element of a list.
        keys = sorted({0, len(node) - 1}) if node else []
    for key in keys:
        yield node, key
        yield from _places(node[key])


def sample(cases: Sequence[Case], n: int, seed: int) -> list[Case]:
    """Returns `n` randomly chosen cases in order, or all."""
    import random

    if n >= len(cases):
        return list(cases)
    chosen = random.Random(seed).sample(range(len(cases)), n)
    return [cases[i] for i in sorted(chosen)]
