"""Composition of gin files, as in `ddsp_run`."""

from collections.abc import Iterable

from absl import flags
from absl.testing import flagsaver

from ddsp.commands import ddsp_run


def compose(files: Iterable[str], params: Iterable[str] = ()) -> None:
    """Parses like `ddsp_run`: defaults, then files, then parameters."""
    arguments = [f"--gin_file={x}" for x in files] + [
        f"--gin_param={x}" for x in params
    ]
    with flagsaver.flagsaver():
        flags.FLAGS(["ddsp_run", *arguments])
        ddsp_run.parse_gin("")
