"""Command line: `python -m benchmarks --help`."""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

EPILOG = """\
Each case is run side by side, in turns, by this library and by the plain
implementation in benchmarks/textbook.py, both inside tf.function, on the same inputs
made from a seed. Times are medians after warming up. Memory is the peak of one call
beyond what was there before. Errors are the largest deviation from a float64 NumPy
oracle as a share of its peak. docs/performance.md explains the figures.

A full run takes about half an hour on two cores, --quick under two minutes.
"""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Time, memory and error of ddsp, next to a plain implementation.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="few cases, few repeats")
    add("--only", nargs="+", metavar="SUBJECT", help="subjects to run, see --list")
    add("--match", default="", metavar="TEXT", help="only cases with TEXT in the name")
    add("--list", action="store_true", help="name the subjects and stop")
    add("--device", choices=("cpu", "gpu"), default="cpu", help="default: cpu")
    add("--repeats", type=int, metavar="N", help="timed calls, default 15, quick 5")
    add("--output", type=Path, metavar="FILE", help="write the results as JSON")
    add("--show", type=Path, metavar="FILE", help="print results written before")
    add("--markdown", action="store_true", help="print the tables in Markdown")
    flags = parser.parse_args(arguments)
    if flags.repeats is not None and flags.repeats < 1:
        parser.error(f"--repeats must be at least 1, got {flags.repeats}")
    if flags.output is not None and not flags.output.absolute().parent.is_dir():
        parser.error(f"--output: there is no folder for {flags.output}")
    return flags


def main(arguments: list[str] | None = None) -> int:
    """Runs the benchmarks; returns the exit status."""
    flags = parse(arguments)
    # Only now, so that --help answers at once.
    from benchmarks import report, running

    try:
        if flags.list:
            print(running.subjects())
            return 0
        if flags.show is not None:
            machine, rows = report.from_json(flags.show.read_text())
        else:
            machine, rows = running.run(flags)
    except (ValueError, OSError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    if flags.output is not None:
        flags.output.write_text(report.to_json(machine, rows) + "\n")
    print(report.table(machine, rows, flags.markdown))
    return 0


if __name__ == "__main__":
    sys.exit(main())
