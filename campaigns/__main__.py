"""Command line: `python -m campaigns --help`."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")
# Cases run in forked children, which must not share a GPU.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

EPILOG = """\
A case passes if the library returns the correct result, or refuses the input with a
one-line message. Cases are generated from the seed. Failing cases are saved with their
files; --replay runs them again. docs/trust.md describes the campaigns and the counts.

A short run takes some minutes on two cores, a full run some hours.
"""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m campaigns",
        description="Tests the robustness of ddsp, and counts the outcomes.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="campaigns, see --list; default: all")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="run all cases of a full run")
    size.add_argument(
        "--cases", type=int, metavar="N", help="number of cases per campaign"
    )
    add("--part", type=_part, default=(1, 1), metavar="I/N", help="run every N-th case")
    add("--seed", type=int, default=0, metavar="S", help="seed of the cases, default 0")
    add("--json", type=Path, metavar="FILE", help="write the counts")
    add("--keep", type=Path, metavar="DIR", default=Path("campaign-failures"))
    add("--replay", type=Path, metavar="DIR", help="run a saved case again")
    add("--list", action="store_true", help="list the campaigns and exit")
    flags = parser.parse_args(arguments)
    if flags.cases is not None and flags.cases < 1:
        parser.error(f"--cases must be at least 1, got {flags.cases}")
    if flags.json is not None and not flags.json.absolute().parent.is_dir():
        parser.error(f"--json: the directory does not exist, got {flags.json}")
    return flags


def _part(text: str) -> tuple[int, int]:
    """Parses 'I/N'."""
    index, n_parts = map(int, text.split("/"))
    if not 1 <= index <= n_parts:
        raise ValueError(f"The part must be between 1/N and N/N, got {text}.")
    return index, n_parts


def main(arguments: list[str] | None = None) -> int:
    """Runs campaigns and returns the exit status."""
    flags = parse(arguments)
    # Imported here so that --help is fast.
    import tqdm

    from campaigns import outcomes, running

    # The monitor thread of tqdm is not safe to fork.
    tqdm.tqdm.monitor_interval = 0
    unknown = [name for name in flags.names if name not in running.CAMPAIGNS]
    if unknown:
        known = ", ".join(running.CAMPAIGNS)
        print(f"campaigns: names are {known}, got {unknown}.", file=sys.stderr)
        return 2
    if flags.list:
        for name, campaign in running.CAMPAIGNS.items():
            print(f"{name:12}  {campaign.full:5}  {campaign.about}")
        return 0
    with tempfile.TemporaryDirectory(prefix="ddsp-campaigns-") as work:
        if flags.replay is not None:
            try:
                outcome = running.replay(flags.replay, Path(work))
            except FileNotFoundError as error:
                print(f"campaigns: {error}", file=sys.stderr)
                return 2
            print(f"{outcome.kind}: {outcome.detail}")
            return int(outcome.failed)
        results = []
        for name in flags.names or running.CAMPAIGNS:
            size = flags.cases, flags.full, flags.seed, flags.part
            results.append(running.run(name, *size, Path(work), flags.keep))
            for failure in results[-1].failures:
                print(f"{failure['kept']}: {failure['kind']}: {failure['detail']}")
    about = running.about(sys.argv[1:] if arguments is None else arguments)
    print(outcomes.table(about, results))
    if flags.json is not None:
        flags.json.write_text(outcomes.to_json(about, results) + "\n")
    return int(any(result.failed for result in results))


if __name__ == "__main__":
    sys.exit(main())
