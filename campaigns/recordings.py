"""Mutated recordings, read alone and prepared together with a good one."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from hypothesis import strategies as st

from campaigns import drawing, material
from campaigns.campaign import Campaign
from campaigns.drawing import Case
from campaigns.outcomes import (
    LOST,
    REFUSED,
    SURVIVED,
    TRACEBACK,
    WRONG_DATA,
    Outcome,
    from_error,
)

_BASES = ("a.wav", "float.wav", "stereo.wav", "b.flac", "c.ogg", "d.mp3", "e.aiff")
_SECONDS = 0.6
# Number of recordings that are also prepared together.
_TOGETHER = 40
# Samples that must not be used for training.
_UNUSABLE = ("nan", "inf", "silence", "huge")
_SAMPLES = (
    *_UNUSABLE,
    "int16",
    "loud",
    "dc",
    "opposite",
    "clipped",
    "denormal",
    "impulse",
)
_RATES = (1, 2, 7, 999, 1000, 4000, 8000, 11025, 96000, 192000, 384000, 2**31 - 1)
_NAMES = (
    "a b.wav", "naïve.wav", "日本.wav", "new\nline.wav", "-rf.wav", "[x].wav", "*.wav",
    "a" * 240 + ".wav", "'quote\".wav", "{x}.wav", "%s.wav", "$HOME.wav", "~.wav",
    "no_suffix", "x.m4a", "x.txt", ".hidden.wav", "UPPER.WAV", "a,b.wav", "x.wav.wav",
    "bytes:caf\udce9.wav", "tab\t.wav", "back\\slash.wav", "x.caf", "x.w64", "x.opus",
)  # fmt: skip
_SPECIAL_FILES = (
    "loop",
    "dangling",
    "folder",
    "fifo",
    "unreadable",
    "link to a device",
)


def cases(n: int, seed: int, base: Path) -> list[Case]:
    """Draws mutations of bytes, samples, headers, names and file types."""
    del base
    single = _draw(n, seed)
    if n < _TOGETHER:
        return single
    starts = range(0, len(single), _TOGETHER)
    together = [{"together": single[i : i + _TOGETHER]} for i in starts]
    return [*single, *together]


def _draw(n: int, seed: int) -> list[Case]:
    name = st.sampled_from(_BASES)
    edits = st.lists(drawing.byte_edits(), min_size=1, max_size=4)
    return drawing.draw(
        st.one_of(
            *[
                st.fixed_dictionaries(
                    {"kind": st.just("bytes"), "base": name, "edits": edits}
                )
            ]
            * 3,
            st.fixed_dictionaries(
                {
                    "kind": st.just("samples"),
                    "samples": st.sampled_from(_SAMPLES),
                    "at": drawing.fractions(),
                    "count": st.sampled_from([1, 10, 10_000]),
                    "channels": st.sampled_from([1, 2, 3, 8]),
                    "rate": st.sampled_from([8000, 16000, 44100]),
                }
            ),
            st.fixed_dictionaries(
                {
                    "kind": st.just("header"),
                    "rate": st.sampled_from(_RATES),
                    "channels": st.sampled_from([0, 1, 2, 9, 255, 1024, 65535]),
                    "n_samples": st.sampled_from([0, 1, 100, 9600, 2**31]),
                }
            ),
            st.fixed_dictionaries(
                {"kind": st.just("name"), "name": st.sampled_from(_NAMES)}
            ),
            st.fixed_dictionaries(
                {"kind": st.just("file"), "file": st.sampled_from(_SPECIAL_FILES)}
            ),
        ),
        n,
        seed,
    )


def prepare(base: Path) -> None:
    """Writes recordings to mutate, a good one, and digests of its records."""
    audio = material.tone(_SECONDS, 330.0)
    for name in _BASES:
        if name == "float.wav":
            soundfile.write(base / name, audio, material.SAMPLE_RATE, subtype="FLOAT")
        elif name == "stereo.wav":
            both = material.tone(_SECONDS, 330.0, 44100)
            soundfile.write(base / name, np.stack([both, both], 1), 44100)
        else:
            soundfile.write(base / name, audio, material.SAMPLE_RATE)
    good = base / "good.wav"
    soundfile.write(good, material.tone(0.8, 200.0), material.SAMPLE_RATE)
    material.prepare([str(good)], base / "set.tfrecord", num_shards=1)
    (base / "records.json").write_text(json.dumps(_records(base / "set.tfrecord")))


def _records(output: Path) -> list[str]:
    """Returns digests of the records, or the peaks of invalid ones."""
    import tensorflow as tf

    found = []
    for path in sorted(output.parent.glob(f"{output.name}-*")):
        for record in tf.data.TFRecordDataset(str(path)):
            example = tf.train.Example.FromString(record.numpy())
            arrays = {
                name: np.asarray(feature.float_list.value, np.float32)
                for name, feature in example.features.feature.items()
            }
            finite = all(np.all(np.isfinite(x)) for x in arrays.values())
            peak = float(np.max(np.abs(arrays["audio"]), initial=0.0))
            valid = finite and peak <= 1.5
            found.append(material.digest_arrays(arrays) if valid else f"peak {peak}")
    return found


def judge(case: Case, base: Path, folder: Path) -> Outcome:
    """Reads recordings, and prepares them together with a good one."""
    sources = folder / "recordings"
    sources.mkdir()
    (sources / "zz-good.wav").write_bytes((base / "good.wav").read_bytes())
    paths = {}
    for index, single in enumerate(case.get("together", [case])):
        place = sources / f"{index}"
        place.mkdir()
        paths[_make(single, base, place)] = single
    for path in paths:
        outcome = _read(path)
        if outcome.failed:
            return outcome
    try:
        manifest = material.prepare(
            [str(sources), *paths],
            folder / "set.tfrecord",
            num_shards=1,
        )
    except Exception as error:
        judged = from_error(error)
        kind = LOST if judged.kind == REFUSED else judged.kind
        return Outcome(kind, f"the preparation fails: {judged.detail}")
    problem = _judge_records(base, folder)
    outcomes = [_judge_entry(one, path, manifest) for path, one in paths.items()]
    failed = [outcome for outcome in outcomes if outcome.failed]
    return problem or (failed or outcomes)[0]


def _judge_records(base: Path, folder: Path) -> Outcome | None:
    """Returns the failure in the written records, or None."""
    records = _records(folder / "set.tfrecord")
    good = json.loads((base / "records.json").read_text())
    if not set(good) <= set(records):
        return Outcome(LOST, f"records of the good recording are missing: {records}")
    if odd := [record for record in records if record.startswith("peak")]:
        return Outcome(WRONG_DATA, f"invalid records: {odd}")
    return None


def _judge_entry(case: Case, path: str, manifest: Any) -> Outcome:
    """Judges the manifest entry of a recording."""
    from ddsp import files

    shown = files.printable(path)
    entries = [r for r in manifest.recordings if r["path"] in (path, shown)]
    if not entries:
        others = [r["path"] for r in manifest.recordings]
        return Outcome(LOST, f"{path!r} is not in the manifest: {others}")
    entry = entries[0]
    if entry["status"] == "used":
        if case.get("samples") in _UNUSABLE and case["count"] > 1:
            return Outcome(WRONG_DATA, f"{case['samples']} is used")
        return Outcome(SURVIVED, "; ".join(entry["warnings"]))
    if not entry["reason"] or "\n" in entry["reason"]:
        return Outcome(TRACEBACK, f"no clear reason: {entry['reason']!r}")
    return Outcome(REFUSED, entry["reason"])


def _read(path: str) -> Outcome:
    """Reads a recording like timbre transfer."""
    from ddsp.playing import timbre_transfer
    from ddsp.recordings import audio_io

    try:
        recording = timbre_transfer.usable_recording(path)
        n_samples = 0
        for block in audio_io.stream(recording, material.SAMPLE_RATE):
            n_samples += len(block)
            if not np.all(np.isfinite(block)):
                return Outcome(WRONG_DATA, "reads samples that are not finite")
    except Exception as error:
        return from_error(error)
    if abs(n_samples / material.SAMPLE_RATE - recording.seconds) > 0.1:
        return Outcome(WRONG_DATA, f"{n_samples} samples of {recording.seconds} s")
    return Outcome(SURVIVED)


def _make(case: Case, base: Path, folder: Path) -> str:
    """Writes the recording of a case; returns its path."""
    match case["kind"]:
        case "bytes":
            data = (base / case["base"]).read_bytes()
            for edit in case["edits"]:
                data = drawing.edit_bytes(data, edit)
            path = folder / case["base"]
            path.write_bytes(data)
        case "samples":
            path = folder / "samples.wav"
            audio = _samples(case)
            soundfile.write(path, audio, case["rate"], subtype="FLOAT")
        case "header":
            path = folder / "header.wav"
            path.write_bytes(_wav(case["rate"], case["channels"], case["n_samples"]))
        case "name":
            name = case["name"].removeprefix("bytes:")
            if "." in name and name.split(".")[-1] in ("caf", "w64"):
                path = folder / name
                audio = material.tone(_SECONDS, 330.0)
                soundfile.write(path, audio, material.SAMPLE_RATE)
            else:
                path = folder / name
                path.write_bytes((base / "a.wav").read_bytes())
        case _:
            return _make_special_file(case["file"], folder)
    return str(path)


def _make_special_file(kind: str, folder: Path) -> str:
    path = folder / "odd.wav"
    match kind:
        case "loop":
            path.symlink_to(path)
        case "dangling":
            path.symlink_to(folder / "nowhere.wav")
        case "folder":
            path.mkdir()
            (path / "notes.txt").write_text("no audio")
            return str(path / "notes.txt")
        case "fifo":
            os.mkfifo(path)
        case "unreadable":
            path.write_bytes(b"RIFF")
            path.chmod(0)
        case _:
            path.symlink_to("/dev/zero")
    return str(path)


def _samples(case: Case) -> np.ndarray:
    audio = material.tone(_SECONDS, 330.0, case["rate"])
    audio = np.tile(audio[:, np.newaxis], [1, case["channels"]])
    start = round(case["at"] * (len(audio) - 1))
    part = slice(start, start + case["count"])
    match case["samples"]:
        case "nan" | "inf":
            audio[part] = float(case["samples"])
        case "huge":
            audio[part] = 1e29
        case "silence":
            audio[:] = 0.0
        case "int16":
            audio *= 32768.0
        case "loud":
            audio *= 7.8
        case "dc":
            audio += 0.4
        case "opposite":
            audio[:, 1::2] *= -1.0
        case "clipped":
            audio = np.clip(audio * 8.0, -1.0, 1.0)
        case "denormal":
            audio[part] = 1e-42
        case "impulse":
            audio[:] = 0.0
            audio[start] = 1.0
    return audio


def _wav(rate: int, channels: int, n_samples: int) -> bytes:
    """Returns a 16-bit WAV file that declares `n_samples`, of at most 0.2 MB."""
    audio = (material.tone(_SECONDS, 330.0) * 32767).astype("<i2").tobytes()
    size = min(n_samples * channels * 2, 2**32 - 100)
    data = (audio * 12)[: min(size, 200_000)]
    fields = (
        (1, 2), (channels, 2), (rate, 4), (min(rate * channels * 2, 2**32 - 1), 4),
        (channels * 2 % 2**16, 2), (16, 2),
    )  # fmt: skip
    fmt = b"".join(value.to_bytes(width, "little") for value, width in fields)
    chunks = b"fmt " + len(fmt).to_bytes(4, "little") + fmt
    chunks += b"data" + size.to_bytes(4, "little") + data
    return b"RIFF" + min(size + 36, 2**32 - 1).to_bytes(4, "little") + b"WAVE" + chunks


CAMPAIGN = Campaign(
    about="mutated recordings, read alone and prepared with a good one",
    cases=cases,
    prepare=prepare,
    judge=judge,
    full=560,
    short=12,
    seconds=120.0,
    megabytes=1500.0,
    group=lambda case: case.get("kind", "many at once"),
)
