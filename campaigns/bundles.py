"""Corrupt and malicious bundles."""

import hashlib
import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from campaigns import drawing, gin_texts, material
from campaigns.campaign import Campaign
from campaigns.drawing import Case
from campaigns.outcomes import SURVIVED, WRONG_DATA, Outcome, from_error

_FILES = (
    "weights.npz", "config.gin", "bundle.json", "test_vector.npz",
    "dataset_statistics.json", "README.md",
)  # fmt: skip
_ARRAYS = (
    "remove", "rename", "add", "shape", "rank", "empty", "float64", "int32", "object",
    "text", "nan", "inf", "huge header", "negative header", "bomb", "twice", "pickle",
    "no npy", "path in name",
)  # fmt: skip
_LAYOUTS = (
    "missing", "folder", "loop", "link outside", "link to a device", "empty",
    "unlisted", "unlisted module", "listed outside", "listed absolute", "listed device",
    "listed folder", "listed itself", "fifo",
)  # fmt: skip


def cases(n: int, seed: int, base: Path) -> list[Case]:
    """Draws mutations, with and without valid checksums."""
    del base
    file = st.sampled_from(_FILES)
    arrays = st.sampled_from(["weights.npz", "test_vector.npz"])
    return drawing.draw(
        st.one_of(
            *[
                st.fixed_dictionaries(
                    {
                        "kind": st.just("bytes"),
                        "file": file,
                        "edits": st.lists(drawing.byte_edits(), min_size=1, max_size=3),
                        "signed": st.booleans(),
                    }
                )
            ]
            * 2,
            *[
                st.fixed_dictionaries(
                    {
                        "kind": st.just("nodes"),
                        "file": st.sampled_from(
                            ["bundle.json", "bundle.json", "dataset_statistics.json"]
                        ),
                        "edits": st.lists(drawing.json_edits(), min_size=1, max_size=2),
                    }
                )
            ]
            * 2,
            st.fixed_dictionaries(
                {
                    "kind": st.just("arrays"),
                    "file": arrays,
                    "change": st.sampled_from(_ARRAYS),
                    "member": drawing.fractions(),
                }
            ),
            st.fixed_dictionaries(
                {
                    "kind": st.just("config"),
                    "edits": st.lists(gin_texts.edits(), min_size=1, max_size=2),
                }
            ),
            st.fixed_dictionaries(
                {
                    "kind": st.just("layout"),
                    "file": file,
                    "change": st.sampled_from(_LAYOUTS),
                }
            ),
        ),
        n,
        seed,
    )


def prepare(base: Path) -> None:
    """Writes a bundle, payloads, and a description of the bundle."""
    from ddsp.playing import bundle

    material.save_run(base / "run")
    bundle.write(base / "bundle", base / "run", license="free")
    (base / "outside").mkdir()
    (base / "outside" / "weights.npz").write_bytes(
        (base / "bundle" / "weights.npz").read_bytes()
    )
    gin_texts.write_saved_model(base / "saved_model", os.environ["CAMPAIGN_CANARY"])
    (base / "look.json").write_text(json.dumps(_look(base / "bundle")))


def _look(path: Path) -> dict[str, Any]:
    """Loads and runs a bundle, and describes its contents."""
    from ddsp.playing import bundle

    opened = bundle.load(path)
    difference = opened.check()
    model, info = opened.model, opened.info
    rates_agree = (
        info.sample_rate == model.sample_rate
        and info.frame_rate == model.preprocessor.frame_rate
    )
    return {
        "weights": material.digest_model(model),
        "plays": bool(difference < 1e-4),
        "finite": all(bool(np.all(np.isfinite(v.numpy()))) for v in model.weights),
        "rates": rates_agree,
        "license": info.license,
    }


def judge(case: Case, base: Path, folder: Path) -> Outcome:
    """Loads and runs a mutated bundle."""
    place = folder / "bundle"
    shutil.copytree(base / "bundle", place)
    gin_texts.write_payloads(base)
    if not _change(case, base, place):
        return Outcome(SURVIVED, "the change cannot be made here")
    try:
        seen = _look(place)
    except Exception as error:
        return from_error(error)
    if not seen["finite"]:
        return Outcome(WRONG_DATA, "weights that are not finite")
    if not seen["rates"]:
        return Outcome(WRONG_DATA, "rates that are not the model's")
    # With valid checksums it may be a different bundle; damage must be detected.
    is_damage = case["kind"] == "bytes" and not case["signed"]
    if is_damage and seen != json.loads((base / "look.json").read_text()):
        return Outcome(WRONG_DATA, f"damage is accepted: {seen}")
    return Outcome(SURVIVED, "the same" if seen["plays"] else "plays otherwise")


def _change(case: Case, base: Path, place: Path) -> bool:
    """Mutates a bundle; returns whether that was possible."""
    if case["kind"] == "layout":
        _change_layout(case["change"], base, place, case["file"])
        return True
    path = place / case.get("file", "config.gin")
    data = path.read_bytes()
    match case["kind"]:
        case "bytes":
            for edit in case["edits"]:
                data = drawing.edit_bytes(data, edit)
        case "config":
            for edit in case["edits"]:
                data = gin_texts.edit(data, edit, base)
        case "arrays":
            data = _changed_arrays(data, case)
        case "nodes":
            try:
                for edit in case["edits"]:
                    data = drawing.edit_json(data.decode(), edit).encode()
            except RecursionError:
                return False
    path.write_bytes(data)
    if case.get("signed", True):
        sign(place, path.name)
    return True


def sign(place: Path, changed: str) -> None:
    """Recomputes the checksums, as an attacker would."""
    path = place / "bundle.json"
    try:
        content = json.loads(path.read_text())
        if changed != "bundle.json":
            data = (place / changed).read_bytes()
            content["files"][changed] = {
                "sha256": hashlib.sha256(data).hexdigest(),
                "bytes": len(data),
            }
        content.pop("checksum", None)
        text = json.dumps(content, sort_keys=True)
        content["checksum"] = hashlib.sha256(text.encode()).hexdigest()
        path.write_text(json.dumps(content))
    except (ValueError, RecursionError, TypeError, AttributeError, KeyError):
        return  # The document has no checksums.


def _changed_arrays(data: bytes, case: Case) -> bytes:
    """Returns a .npz file with one member mutated."""
    with np.load(io.BytesIO(data)) as stored:
        arrays = dict(stored)
    name = sorted(arrays)[round(case["member"] * (len(arrays) - 1))]
    array = arrays.pop(name)
    changes: dict[str, Callable[[], Any]] = {
        "rename": lambda: {f"{name}x": array},
        "add": lambda: {name: array, "more": np.zeros(3)},
        "shape": lambda: {name: np.zeros([*array.shape[:-1], 7], np.float32)},
        "rank": lambda: {name: array[np.newaxis]},
        "empty": lambda: {name: array[:0]},
        "float64": lambda: {name: array.astype(np.float64)},
        "int32": lambda: {name: array.astype(np.int32)},
        "text": lambda: {name: array.astype(str)},
        "nan": lambda: {name: np.full_like(array, np.nan)},
        "inf": lambda: {name: np.full_like(array, np.inf)},
        "object": lambda: {name: np.array([_Payload()], object)},
        "path in name": lambda: {name: array, "../../outside": array},
        "remove": dict,
    }
    if case["change"] in changes:
        made = io.BytesIO()
        np.savez(made, **arrays, **changes[case["change"]]())
        return made.getvalue()
    raw = _raw_member(case["change"], array)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for other, values in arrays.items():
            file.writestr(f"{other}.npy", _npy(values))
        file.writestr(f"{name}.npy", raw)
        if case["change"] == "twice":
            file.writestr(f"{name}.npy", _npy(np.zeros_like(array)))
    return made.getvalue()


def _raw_member(change: str, array: np.ndarray) -> bytes:
    match change:
        case "huge header":
            return _npy(array)[:10] + _header(10**12)
        case "negative header":
            return _npy(array)[:10] + _header(-5)
        case "bomb":
            return _npy(np.zeros([2**28 // 4], np.float32))
        case "pickle":
            return pickle.dumps(_Payload())
        case "no npy":
            return b"no array"
    return _npy(array)


def _npy(array: np.ndarray) -> bytes:
    made = io.BytesIO()
    np.save(made, array)
    return made.getvalue()


def _header(size: int) -> bytes:
    """Returns an array header of 118 bytes, padded like NumPy's."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({size},), }}"
    return text.ljust(117).encode() + b"\n" + b"\0" * 64


class _Payload:
    """Creates a file when unpickled."""

    def __reduce__(self) -> Any:
        return open, (os.environ["CAMPAIGN_CANARY"], "w")


def _change_layout(change: str, base: Path, place: Path, name: str) -> None:
    path = place / name
    if change.startswith("listed"):
        target = {
            "listed outside": "../outside.txt",
            "listed absolute": str(base / "outside" / "weights.npz"),
            "listed device": "/dev/zero",
            "listed folder": "folder",
            "listed itself": "bundle.json",
        }[change]
        (place / "folder").mkdir()
        (place.parent / "outside.txt").write_text("outside")
        content = json.loads((place / "bundle.json").read_text())
        digest = hashlib.sha256(b"outside").hexdigest()
        content["files"][target] = {"sha256": digest, "bytes": 7}
        (place / "bundle.json").write_text(json.dumps(content))
        sign(place, "bundle.json")
        return
    if change.startswith("unlisted"):
        module = change == "unlisted module"
        added = place / ("campaign_payload.py" if module else "more.txt")
        added.write_text("open('x', 'w')" if module else "more")
        return
    data = path.read_bytes()
    path.unlink()
    match change:
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "link outside":
            (place.parent / "outside.bin").write_bytes(data)
            path.symlink_to(place.parent / "outside.bin")
        case "link to a device":
            path.symlink_to("/dev/zero")
        case "empty":
            path.write_bytes(b"")
        case "fifo":
            os.mkfifo(path)


CAMPAIGN = Campaign(
    about="corrupt and malicious bundles",
    cases=cases,
    prepare=prepare,
    judge=judge,
    full=400,
    short=14,
    seconds=60.0,
    megabytes=700.0,
    group=lambda case: case["kind"],
)
