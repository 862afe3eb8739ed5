"""Command line: `python -m benchmarks --help`."""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

EPILOG = """\
Each case runs alternately with this library and with the plain implementation in
benchmarks/textbook.py, both inside tf.function and with the same inputs. Times are
medians after warm-up. Memory is the peak of one call above the level before it. Errors
are the maximum deviation from a float64 NumPy reference, relative to its peak.
docs/performance.md explains the results.

A full run takes about half an hour on two cores, --quick less than two minutes.
"""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Time, memory and error of ddsp and a plain implementation.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="fewer cases and repeats")
    add("--only", nargs="+", metavar="SUBJECT", help="subjects to run, see --list")
    add(
        "--match",
        default="",
        metavar="TEXT",
        help="run only cases with TEXT in the name",
    )
    add("--list", action="store_true", help="list the subjects and exit")
    add("--device", choices=("cpu", "gpu"), default="cpu", help="default: cpu")
    add(
        "--repeats",
        type=int,
        metavar="N",
        help="number of timed calls, default 15, quick 5",
    )
    add("--output", type=Path, metavar="FILE", help="write the results as JSON")
    add("--show", type=Path, metavar="FILE", help="print saved results")
    add("--markdown", action="store_true", help="print the tables in Markdown")
    flags = parser.parse_args(arguments)
    if flags.repeats is not None and flags.repeats < 1:
        parser.error(f"--repeats must be at least 1, got {flags.repeats}")
    if flags.output is not None and not flags.output.absolute().parent.is_dir():
        parser.error(f"--output: the directory does not exist, got {flags.output}")
    return flags


def main(arguments: list[str] | None = None) -> int:
    """Runs the benchmarks and returns the exit status."""
    flags = parse(arguments)
    # Imported here so that --help is fast.
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
