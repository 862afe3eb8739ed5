"""The campaigns notice what they are made to notice."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("hypothesis", reason="the campaigns draw their cases with it")

from hypothesis import strategies as st

from campaigns import __main__, commands, drawing, outcomes
from campaigns.outcomes import Outcome

ROOT = Path(__file__).resolve().parents[1]

WORKER = """
import os, sys, time
from pathlib import Path
from campaigns import isolation
from campaigns.outcomes import Outcome

def judge(what):
    if what == "exit":
        os._exit(3)
    if what == "abort":
        os.abort()
    if what == "sleep":
        time.sleep(60)
    if what == "memory":
        return Outcome("survived", str(len(bytearray(200 * 2**20))))
    if what == "raise":
        raise KeyError(what)
    return Outcome("survived", what)

log = Path(sys.argv[1])
with isolation.worker(judge, log, 1.0, 100.0) as run:
    for what in ("fine", "exit", "fine", "abort", "sleep", "memory", "raise", "fine"):
        print(run(what).kind)
"""


def run(*arguments: str, **kwargs) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        **kwargs,
    )


def test_a_worker_survives_what_its_cases_do(tmp_path):
    # In an interpreter of its own: the process of the tests has run TensorFlow.
    done = run("-c", WORKER, str(tmp_path / "log"))
    assert done.stdout.split() == [
        "survived", "crash", "survived", "crash", "hang", "memory", "traceback",
        "survived",
    ], done.stderr  # fmt: skip


def test_cases_follow_from_the_seed():
    strategy = st.fixed_dictionaries({"edit": drawing.byte_edits()})
    first, again = (drawing.draw(strategy, 40, 3) for _ in range(2))
    assert first == again
    assert len({json.dumps(case) for case in first}) == 40
    assert drawing.draw(strategy, 40, 4) != first


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ({"do": "flip", "at": 0.0, "bit": 1}, b"cbcdefgh"),
        ({"do": "cut", "at": 0.5}, b"abcd"),
        ({"do": "remove", "at": 1.0, "count": 3}, b"abcdefg"),
        ({"do": "insert", "at": 0.0, "hex": "2121"}, b"!!abcdefgh"),
        ({"do": "overwrite", "at": 0.0, "hex": "2121"}, b"!!cdefgh"),
        ({"do": "zeros", "at": 1.0, "count": 4}, b"abcdefg\0"),
        ({"do": "repeat", "at": 0.0, "count": 2}, b"ababcdefgh"),
        ({"do": "number", "offset": 4, "value": 1}, b"abcd\1\0\0\0"),
        ({"do": "empty"}, b""),
        ({"do": "twice"}, b"abcdefghabcdefgh"),
    ],
)
def test_bytes_are_edited(edit, expected):
    assert drawing.edit_bytes(b"abcdefgh", edit) == expected


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ({"do": "delete", "node": 0.0}, {"b": [1, 2]}),
        ({"do": "rename", "node": 0.0}, {"a_": 3, "b": [1, 2]}),
        ({"do": "scale", "node": 0.0, "by": 10}, {"a": 30, "b": [1, 2]}),
        ({"do": "nest", "node": 1.0, "depth": 3}, {"a": 3, "b": [1, [[[]]]]}),
        ({"do": "replace", "node": 1.0, "value": 3}, {"a": 3, "b": [1, 0]}),
    ],
)
def test_documents_are_edited(edit, expected):
    text = json.dumps({"a": 3, "b": [1, 2]})
    assert json.loads(drawing.edit_json(text, edit)) == expected


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("data/x is damaged, got 3."), "refused"),
        (OSError("Cannot read data/x."), "refused"),
        (ValueError("two\nlines"), "traceback"),
        (ValueError("names nothing"), "traceback"),
        (KeyError("data/x"), "traceback"),
        (MemoryError(), "memory"),
        (ValueError("data/x" + "x" * 5000), "traceback"),
    ],
)
def test_errors_are_judged(error, kind):
    assert outcomes.from_error(error, "data/x").kind == kind


def test_the_table_adds_up():
    result = outcomes.Result("kills", seconds=2.0)
    for kind in ("survived", "refused", "refused", "orphan"):
        result.add("train", Outcome(kind))
    head, line = outcomes.table({"seed": "0"}, [result]).splitlines()[-2:]
    assert head.split() == [
        "campaign", "cases", "survived", "refused", "orphan", "failed", "seconds",
    ]  # fmt: skip
    assert line.split() == ["kills", "4", "1", "2", "1", "1", "2"]
    (written,) = json.loads(outcomes.to_json({}, [result]))["campaigns"]
    assert written["counts"] == {"survived": 1, "refused": 2, "orphan": 1}
    assert written["groups"] == {"train": written["counts"]}


def test_processes_that_outlive_a_command_are_found():
    script = (
        "import subprocess as s\n"
        "print(s.Popen(['sleep', '60'], stdout=s.DEVNULL).pid, flush=True)"
    )
    done = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    left = int(done.communicate()[0])
    try:
        assert commands.session(done.pid) == [left]
    finally:
        os.kill(left, signal.SIGKILL)


def test_a_file_system_of_its_own_is_small():
    script = (
        "from campaigns import mounts; import pathlib, tempfile\n"
        "folder = pathlib.Path(tempfile.mkdtemp())\n"
        "mounts.enter(); mounts.small(folder, 8192)\n"
        "try:\n    (folder / 'x').write_bytes(b'x' * 100_000)\n"
        "except OSError as error:\n    print(error.errno)\n"
    )
    done = run("-c", script)
    if "Operation not permitted" in done.stderr:
        pytest.skip("this machine does not allow mounts")
    assert done.stdout.strip() == "28", done.stderr


def test_help_answers_without_tensorflow():
    done = run("-X", "importtime", "-m", "campaigns", "--help")
    assert done.returncode == 0
    assert "--replay" in done.stdout
    assert "tensorflow" not in done.stderr


@pytest.mark.parametrize("part", ["0/2", "3/2", "x", "1"])
def test_a_part_is_a_part(part, capsys):
    with pytest.raises(SystemExit):
        __main__.parse(["--part", part])
    assert "--part" in capsys.readouterr().err
    assert __main__.parse(["--part", "2/3"]).part == (2, 3)


def test_an_unknown_campaign_is_refused():
    done = run("-m", "campaigns", "nothing")
    assert done.returncode == 2
    assert "nothing" in done.stderr
    assert "Traceback" not in done.stderr


def test_isolation_reports_what_a_child_raised():
    script = (
        "from campaigns import isolation\n"
        "try:\n    isolation.call(int, 'x')\n"
        "except isolation.ChildError as error:\n    print(error)\n"
        "print(isolation.call(int, '3'))\n"
    )
    done = run("-c", script)
    assert "ValueError" in done.stdout
    assert done.stdout.splitlines()[-1] == "3"
