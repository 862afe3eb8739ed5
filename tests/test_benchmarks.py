"""The benchmarks measure what they say: both sides compute the same thing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import (
    __main__,
    controls,
    effects,
    losses,
    measuring,
    memory,
    oracle,
    realtime,
    report,
    running,
    synths,
    textbook,
)
from benchmarks.contests import Contest, Options, both_ways
from benchmarks.measuring import Row
from ddsp import core

ROOT = Path(__file__).resolve().parent.parent
N_FRAMES, HOP, SAMPLE_RATE = 20, 64, 16000
N_SAMPLES = N_FRAMES * HOP
SIZES = {"n_samples": N_SAMPLES, "sample_rate": SAMPLE_RATE}
# float32 running sums over 1,280 samples, at partials of some kHz; exact phase would
# allow for less.
TOLERANCE = 5e-3


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def assert_all_agree(plain, ours, right, tolerance=TOLERANCE):
    right = np.asarray(right)
    scale = np.max(np.abs(right))
    assert np.max(np.abs(plain.numpy() - right)) < tolerance * scale
    assert np.max(np.abs(ours.numpy() - right)) < min(tolerance, 1e-4) * scale


def exact(*inputs):
    return [x.astype(np.float64) for x in inputs]


def test_harmonics_agree(rng):
    f0_hz = controls.vibrato(rng, 440.0, 2, N_FRAMES)  # The upper ones alias.
    amplitudes = controls.levels(rng, 2, N_FRAMES)
    shares = controls.shares(rng, 2, 30, N_FRAMES)
    assert_all_agree(
        textbook.harmonic(f0_hz, amplitudes, shares, **SIZES),
        core.harmonic_synthesis(
            f0_hz, amplitudes, harmonic_distribution=shares, **SIZES
        ),
        oracle.harmonic(*exact(f0_hz, amplitudes, shares), **SIZES),
    )


def test_sinusoids_agree(rng):
    means = rng.uniform(50.0, 7500.0, 10)
    frequencies = controls.vibrato(rng, means, 2, N_FRAMES, n=10)
    amplitudes = controls.shares(rng, 2, 10, N_FRAMES)
    assert_all_agree(
        textbook.sinusoidal(frequencies, amplitudes, **SIZES),
        core.sinusoidal_synthesis(frequencies, amplitudes, **SIZES),
        oracle.sinusoidal(*exact(frequencies, amplitudes), **SIZES),
    )


def test_wavetables_agree(rng):
    f0_hz = controls.vibrato(rng, 220.0, 2, N_FRAMES)
    amplitudes = controls.levels(rng, 2, N_FRAMES)
    tables = controls.tables(rng, 2, 256, N_FRAMES)
    assert_all_agree(
        textbook.wavetable(f0_hz, amplitudes, tables, **SIZES),
        core.wavetable_synthesis(f0_hz, amplitudes, tables, **SIZES),
        oracle.wavetable(*exact(f0_hz, amplitudes, tables), **SIZES),
    )


@pytest.mark.parametrize(
    "make",
    [
        effects.reverb,
        effects.exp_decay_reverb,
        effects.noise_reverb,
        effects.fir_filter,
        effects.mod_delay,
    ],
)
def test_effects_agree_with_the_oracle(rng, make):
    contest = make(rng, controls.noise(rng, 1, effects.N_SAMPLES))
    row = measuring.measure("effects", contest, Options(repeats=1))
    # A delay of up to 400 samples in float32 is exact to 2e-5 samples, and noise
    # moves by up to its whole range from one sample to the next.
    assert row.ours_error < 1e-4
    if not contest.own_noise:
        assert row.textbook_error < 1e-4


def test_noise_agrees_with_the_oracle(rng):
    contest = synths.filtered_noise(rng, 1)
    row = measuring.measure("synths", contest, Options(repeats=1))
    assert row.ours_error < 1e-5  # Some roundings of float32 in sums of 128 terms.


def test_losses_agree(rng):
    contest = next(losses.contests(rng, Options(quick=True)))
    row = measuring.measure("losses", contest, Options(repeats=1))
    # Means of hundreds of thousands of float32 differences.
    assert max(row.ours_error, row.textbook_error) < 1e-5


def squares(**changes):
    fields = {
        "name": "square",
        "inputs": (np.array([[1.0, 2.0, 3.0]], np.float32),),
        "ours": lambda x: x * x,
        "textbook": lambda x: x**2 + 1.0,
        "oracle": lambda x: x**2,
    }
    return Contest(**{**fields, **changes})


def test_row_tells_time_memory_and_error():
    row = measuring.measure("toy", squares(), Options(repeats=2))
    assert (row.subject, row.case) == ("toy", "square")
    assert row.ratio == row.textbook_ms / row.ours_ms
    assert row.ours_error == 0.0
    assert row.textbook_error == pytest.approx(1.0 / 9.0)


def test_gradient_is_weighted_and_of_every_input(rng):
    _, contest = both_ways(rng, squares(), 3)
    _, (gradient,) = contest.ours(*tf.nest.map_structure(tf.constant, contest.inputs))
    (x,), weights = contest.inputs
    np.testing.assert_allclose(gradient, 2.0 * x * weights, rtol=1e-6)


def test_memory_counts_the_tensors_of_a_call():
    x = tf.ones([1000, 1])

    @tf.function
    def outer_sum(x):
        return tf.reduce_max(tf.sin(x * tf.transpose(x)))

    peak = memory.peak_extra(lambda: outer_sum(x), "cpu")
    # The sine of 1000 x 1000 numbers takes 4 MB, of which one array is needed at
    # least and two at most, in blocks up to twice as large.
    assert 4.0 <= peak <= 17.0


def test_json_comes_back_as_it_went():
    rows = [Row("toy", "square", 2.0, 1.0, 2.0), Row("toy", "cube", ours_ms=123.4)]
    machine = {"processor": "abacus"}
    assert report.from_json(report.to_json(machine, rows)) == (machine, rows)


def test_tables_show_each_figure():
    rows = [
        Row("toy", "square", 20.0, 0.5, 40.0, ours_error=1.5e-6),
        Row("other", "cube", ours_ms=1234.0),
    ]
    plain = report.table({"processor": "abacus"}, rows)
    assert "processor: abacus" in plain
    lines = plain.splitlines()
    assert lines[-2].split() == ["toy", "square", "20.0", "0.500", "40.0", "1.5e-06"]
    assert lines[-1].split() == ["other", "cube", "1,234"]
    markdown = report.table({"processor": "abacus"}, rows, markdown=True)
    assert (
        "### other\n\n| case | ours ms |\n| --- | ---: |\n| cube | 1,234 |" in markdown
    )


def test_list_names_every_subject(capsys):
    assert __main__.main(["--list"]) == 0
    out = capsys.readouterr().out
    for name in ("synths", "effects", "losses", "tiny_instrument", "pitch", "length"):
        assert f"\n{name} " in f"\n{out}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "theremin"], "'theremin'"),
        (["--only", "effects", "--match", "no such case"], "'no such case'"),
        (["--show", "nowhere.json"], "nowhere.json"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(capsys, arguments, said):
    assert __main__.main(["--quick", *arguments]) == 1
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "..." not in x]
    assert line.startswith("benchmarks: ") and said in line


def test_gpu_must_be_there(capsys, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    assert __main__.main(["--device", "gpu"]) == 1
    assert "requires a GPU" in capsys.readouterr().err


def test_command_prints_a_table_and_writes_json(tmp_path):
    output = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "effects"]
    done = subprocess.run(
        [*command, "--match", "FIRFilter", "--repeats", "1", "--output", str(output)],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    rows = json.loads(output.read_text())["rows"]
    assert [row["subject"] for row in rows] == ["effects"] * 2
    assert all(row["textbook_ms"] > 0.0 for row in rows)
    assert "FIRFilter, 65 bands, batch 1: forward+backward" in done.stdout
    assert "effects: FIRFilter" in done.stderr


def test_subjects_have_descriptions():
    assert all(len(line.split()) > 3 for line in running.subjects().splitlines())


def test_keeping_time_is_a_table(capsys, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", os.environ.get("XLA_FLAGS", ""))
    arguments = ["--models", "tiny_instrument", "--pitch", "given", "--seconds", "0.2"]
    assert realtime.main([*arguments, "--blocks", "1024"]) == 0
    *_, row = capsys.readouterr().out.splitlines()
    model, block, _, latency, factor, *times, late = row.strip("| ").split(" | ")
    assert (model, block) == ("`tiny_instrument`", "1024")
    assert latency == "80"  # 64 of the block, 12 of loudness, 4 of synthesis
    assert float(factor) > 0.0
    assert 0.0 < float(times[0]) <= float(times[1]) <= float(times[2])
    assert late.endswith("of 3")
