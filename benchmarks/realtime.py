"""Real-time performance, block by block: `python -m benchmarks.realtime`.

Models from gin files with new weights process the bundled violin recording, with a
constant pitch or with tiny CREPE. docs/realtime.md explains the results.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

VIOLIN = Path(__file__).parents[1] / "examples" / "audio" / "solo_violin.flac"
INSTRUMENTS = ("tiny_instrument", "realtime", "solo_instrument")
PITCH_RATE = 100
F0_HZ = 440.0

HEADER = (
    "| model | block | pitch | latency, ms | real-time factor | p50, ms | p99, ms "
    "| worst, ms | drop-outs |\n|---|--:|---|--:|--:|--:|--:|--:|--:|"
)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.realtime", description=__doc__.split("\n\n")[1]
    )
    add = parser.add_argument
    add("--models", nargs="+", choices=INSTRUMENTS, default=INSTRUMENTS[:2])
    add("--blocks", nargs="+", type=int, default=[64, 128, 256, 512, 1024])
    add("--pitch", nargs="+", choices=("given", "tiny"), default=["given", "tiny"])
    add("--seconds", type=float, default=10.0, help="seconds of audio, default 10")
    add(
        "--pace",
        action="store_true",
        help="deliver blocks in real time, like a microphone",
    )
    return parser.parse_args(arguments)


def rows(flags: argparse.Namespace) -> Iterator[str]:
    """Yields a row of the table for each case."""
    import numpy as np

    from benchmarks import models
    from ddsp.playing import StreamingModel, realtime
    from ddsp.recordings import audio_io

    realtime.prefer_short_calls()
    for name in flags.models:
        model = models.model(name)
        model.build_variables()
        audio = np.concatenate(list(audio_io.stream(str(VIOLIN), model.sample_rate)))
        audio = audio[: round(flags.seconds * model.sample_rate)]
        for pitch in flags.pitch:
            f0_hz, tracker = (F0_HZ, None) if pitch == "given" else (None, pitch)
            for size in flags.blocks:
                stream = StreamingModel(model, size, tracker, PITCH_RATE)
                player = realtime.Player(stream, size, f0_hz)
                blocks = audio[: len(audio) // size * size].reshape(-1, size)
                for _ in player.play_all(blocks, flags.pace):
                    pass
                report = player.report()
                latency = report.latency.ms(size + report.latency.samples)
                times = [f"{report.percentile_ms(q):.2f}" for q in (50, 99, 100)]
                yield (
                    f"| `{name}` | {size} | {pitch} | {latency:.0f} "
                    f"| {report.real_time_factor:.3f} | {' | '.join(times)} "
                    f"| {report.n_late} of {len(blocks)} |"
                )


def main(arguments: list[str] | None = None) -> int:
    """Prints the table and returns the exit status."""
    flags = parse(arguments)
    print(HEADER, flush=True)
    for row in rows(flags):
        print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
