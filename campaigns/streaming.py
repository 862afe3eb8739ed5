"""Long streams: constant memory, and output equal to offline processing."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from campaigns import isolation, material
from campaigns.campaign import Campaign
from campaigns.drawing import Case
from campaigns.outcomes import MEMORY, SURVIVED, WRONG_DATA, Outcome

_BLOCKS = (512, 64, 1000, 4096)
_COMPARED_SECS = 20.0
_WARM_UP_SECS = 10.0
# Maximum growth of memory, including caches of the allocator.
_MEGABYTES = 20.0


def cases(n: int, seed: int, base: Path) -> list[Case]:
    """Returns one long stream, and shorter ones in threads."""
    del base
    hour = {"seconds": 3600.0, "block": _BLOCKS[0], "threads": 1, "seed": seed}
    short = [
        {"seconds": 60.0, "block": block, "threads": 1 + i % 4, "seed": seed + i}
        for i, block in zip(range(n), itertools.cycle(_BLOCKS), strict=False)
    ]
    # A short run omits the stream of an hour.
    return [hour, *short[1:]] if n >= CAMPAIGN.full else short


def prepare(base: Path) -> None:
    """Writes a run with a model to stream."""
    material.save_run(base / "run", (4,))


def judge(case: Case, base: Path, folder: Path) -> Outcome:
    """Runs streams in threads, and compares their output with offline processing."""
    del folder
    from ddsp.training import models

    model = models.load(str(base / "run"))
    indices = range(case["threads"])
    memory: list[float] = []
    with ThreadPoolExecutor(len(indices)) as pool:
        # Compile every stream before memory is measured.
        streams = list(pool.map(lambda _: _open(model), indices))
        played = list(
            pool.map(
                lambda i: _play(streams[i], case, i, memory if i == 0 else []), indices
            )
        )
    for index, (start, finite) in enumerate(played):
        if not finite:
            return Outcome(WRONG_DATA, f"output of thread {index} is not finite")
        whole = _whole(model, case, index)
        n = min(len(whole), len(start))
        difference = float(np.max(np.abs(whole[:n] - start[:n])))
        if difference > 1e-5 * max(1.0, float(np.max(np.abs(whole)))):
            return Outcome(WRONG_DATA, f"error of {difference:.1e} in thread {index}")
    grown = memory[-1] - memory[0]
    text = f"{case['seconds']:.0f} s, memory {grown:+.1f} MB"
    return Outcome(MEMORY if grown > _MEGABYTES else SURVIVED, text)


def _controls(case: Case, index: int, n_hops: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns audio with a period of one second, and f0 per hop."""
    rng = np.random.default_rng(case["seed"] + index)
    hop = material.SAMPLE_RATE // material.FRAME_RATE
    second = material.tone(1.0, 220.0 + 10.0 * index) * rng.uniform(0.2, 1.0)
    audio = np.tile(second, -(-n_hops * hop // len(second)))[: n_hops * hop]
    f0_hz = 220.0 + 30.0 * np.sin(np.arange(n_hops) / 100.0 + index)
    return audio, f0_hz.astype(np.float32)


def _open(model: Any) -> Any:
    from ddsp.playing import StreamingModel

    return StreamingModel(model, crepe_model=None)


def _play(
    stream: Any, case: Case, index: int, memory: list[float]
) -> tuple[np.ndarray, bool]:
    """Returns the first output samples, and whether all output is finite."""
    period_hops = material.FRAME_RATE * 60
    audio, f0_hz = _controls(case, index, period_hops)
    hop, block = stream.hop_size, case["block"]
    n_samples = round(case["seconds"] * material.SAMPLE_RATE)
    start: list[np.ndarray] = []
    kept = finite_blocks = done = blocks = 0
    next_look = _WARM_UP_SECS
    while done < n_samples:
        places = np.arange(done, done + block) % len(audio)
        hops = np.arange(done // hop, (done + block) // hop) % period_hops
        out = stream.process(audio[places], f0_hz=f0_hz[hops])
        blocks += 1
        finite_blocks += bool(np.all(np.isfinite(out)))
        if kept < _COMPARED_SECS * material.SAMPLE_RATE:
            start.append(out)
            kept += len(out)
        done += block
        if done >= next_look * material.SAMPLE_RATE:
            memory.append(isolation.status_megabytes("VmRSS"))
            next_look += 10.0
    joined = np.concatenate(start)[stream.latency_samples :]
    return joined, finite_blocks == blocks


def _whole(model: Any, case: Case, index: int) -> np.ndarray:
    """Returns the start of the output of a new stream, processed as one block."""
    n_hops = round((_COMPARED_SECS + 1.0) * material.FRAME_RATE)
    audio, f0_hz = _controls(case, index, material.FRAME_RATE * 60)
    n_hops = min(n_hops, len(f0_hz))
    stream = _open(model)
    hop = stream.hop_size
    return stream.process(audio[: n_hops * hop], f0_hz=f0_hz[:n_hops])[
        stream.latency_samples :
    ]


CAMPAIGN = Campaign(
    about="one hour of streaming with constant memory, and streams in threads",
    cases=cases,
    prepare=prepare,
    judge=judge,
    full=9,
    short=1,
    seconds=1800.0,
    megabytes=3000.0,
    group=lambda case: f"{case['seconds']:.0f} s, {case['threads']} threads",
)
