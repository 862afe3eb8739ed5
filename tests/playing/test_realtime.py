"""Models played in real time: what is written, and what is said about time."""

import os
import subprocess
import sys
import types

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from ddsp.commands import ddsp_stream
from ddsp.playing import Latency, StreamingModel, live_audio, realtime
from ddsp.program import UserError
from ddsp.training import models
from tests.playing.test_timbre_transfer import CONFIG, make_model

RATE = 16000
HOP = 64


class Echo:
    """A stream that gives back what it hears, late, and takes as long as it is told."""

    sample_rate = 1000

    def __init__(self, clock=None, takes=(), n_late=7):
        self.latency = Latency(n_late, 0, 0, self.sample_rate)
        self.latency_samples = n_late
        self.pitches = []
        self._clock = clock
        self._takes = list(takes)
        self._line = np.zeros(n_late, np.float32)

    def process(self, audio, f0_hz=None):
        if self._takes:
            self._clock.now += self._takes.pop(0)
        self.pitches.append(f0_hz)
        joined = np.concatenate([self._line, audio])
        self._line = joined[len(audio) :]
        return joined[: len(audio)]

    def flush(self):
        return self._line


class Clock:
    """Time that passes when one sleeps, in place of the module `time`."""

    def __init__(self):
        self.now = 100.0
        self.slept = []

    def perf_counter(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(realtime, "time", clock)
    return clock


@pytest.fixture(scope="module")
def model():
    return make_model(noise=False)


def tone(seconds, rate=RATE, hz=440.0):
    return 0.3 * np.sin(2.0 * np.pi * hz * np.arange(int(seconds * rate)) / rate)


def blocks(n_blocks, size=100):
    audio = np.random.default_rng(0).normal(size=[n_blocks, size])
    return audio.astype(np.float32)


def test_blocks_are_given_when_they_are_full(clock):
    """Blocks of 100 ms; the third is late and makes the fourth late."""
    stream = Echo(clock, takes=[0.01, 0.02, 0.25, 0.02, 0.01, 0.01])
    player = realtime.Player(stream, 100)
    list(player.play_all(blocks(6), pace=True))
    report = player.report()
    # The third is full at 0.3, due at 0.4 and done at 0.55; the fourth is due at 0.5
    # and done at 0.57; the fifth is due at 0.6 and done at 0.58.
    assert report.n_late == 2
    np.testing.assert_allclose(report.block_secs, [0.01, 0.02, 0.25, 0.02, 0.01, 0.01])
    # Until the first is full; then until the next, less what the one before took.
    np.testing.assert_allclose(
        clock.slept, [0.1, 0.09, 0.08, 0.0, 0.0, 0.02], atol=1e-9
    )


def test_without_pacing_blocks_that_take_too_long_are_drop_outs(clock):
    stream = Echo(clock, takes=[0.01, 0.11, 0.05, 0.2])
    player = realtime.Player(stream, 100)
    list(player.play_all(blocks(4), pace=False))
    assert player.report().n_late == 2
    assert not clock.slept


def test_the_report_is_what_was_measured():
    secs = np.linspace(0.001, 0.1, 100)
    report = realtime.Report(
        block_size=256,
        latency=Latency(synthesis=64, features=192, buffering=60, sample_rate=16000),
        block_secs=secs,
        n_late=3,
        gain=0.5,
    )
    assert report.seconds == pytest.approx(1.6)
    assert report.real_time_factor == pytest.approx(5.05 / 1.6)
    assert report.percentile_ms(50) == pytest.approx(50.5)
    assert report.percentile_ms(100) == pytest.approx(100.0)
    text = "\n".join(report.describe())
    rows = [line.split() for line in report.describe()[:6]]
    assert rows == [
        ["latency", "samples", "ms"],
        ["block", "256", "16.00"],
        ["buffering", "60", "3.75"],
        ["features", "192", "12.00"],
        ["synthesis", "64", "4.00"],
        ["altogether", "572", "35.75"],
    ]
    assert "drop-outs: 3 of 100" in text
    assert "real-time factor: 3.156" in text
    assert "p50 50.50 ms, p99 99.01 ms, worst 100.00 ms, of the 16.00 ms" in text
    assert "6.0 dB" in text


def test_nothing_played_is_no_error():
    report = realtime.Player(Echo(), 100).report()
    assert np.isnan(report.real_time_factor)
    assert "drop-outs: 0 of 0" in "\n".join(report.describe())


@pytest.mark.parametrize("n_samples", [1, 99, 100, 1234])
def test_a_file_is_in_time_and_as_long(tmp_path, n_samples):
    source, path = tmp_path / "in.wav", tmp_path / "out.wav"
    audio = np.random.default_rng(1).uniform(-0.5, 0.5, n_samples)
    soundfile.write(source, audio, 1000, subtype="FLOAT")
    player = realtime.Player(Echo(), 100, f0_hz=220.0)
    report = realtime.play_file(str(source), str(path), player)
    played, rate = soundfile.read(path)
    assert rate == 1000
    # One step of 16 bits.
    np.testing.assert_allclose(played, audio, atol=2.0**-15)
    assert len(report.block_secs) == -(-n_samples // 100)
    assert set(player.stream.pitches) == {220.0}


def test_a_file_of_another_rate_is_resampled(tmp_path):
    source, path = tmp_path / "in.wav", tmp_path / "out.wav"
    stereo = np.stack([tone(0.5, 4410, 50.0), np.zeros(2205)], axis=1)
    soundfile.write(source, stereo, 4410)
    realtime.play_file(str(source), str(path), realtime.Player(Echo(), 64))
    played, _ = soundfile.read(path)
    expected = 0.5 * tone(0.5, 1000, 50.0)
    # The edges, where the tone begins and ends, ring.
    np.testing.assert_allclose(played[50:-50], expected[50:-50], atol=1e-3)


def test_what_is_too_loud_is_turned_down(tmp_path):
    source, path = tmp_path / "in.wav", tmp_path / "out.wav"
    soundfile.write(source, np.full(300, 2.0), 1000, subtype="FLOAT")
    player = realtime.Player(Echo(), 100)
    report = realtime.play_file(str(source), str(path), player)
    # What is left after the recording was brought to full scale: the peak limit.
    assert report.gain == pytest.approx(10.0 ** (-1.0 / 20.0), rel=1e-4)
    assert any("does not clip" in line for line in report.describe())
    assert any("peaks at 2 times full scale" in line for line in report.describe())


def test_an_error_while_it_plays_leaves_no_file(tmp_path):
    class Broken(Echo):
        def process(self, audio, f0_hz=None):
            if len(self.pitches) == 2:
                raise ValueError("It breaks, got a third block.")
            return super().process(audio, f0_hz)

    soundfile.write(tmp_path / "in.wav", tone(1.0, 1000, 50.0), 1000)
    with pytest.raises(ValueError, match="got a third block"):
        realtime.play_file(
            str(tmp_path / "in.wav"),
            str(tmp_path / "out.wav"),
            realtime.Player(Broken(), 100),
        )
    assert [file.name for file in tmp_path.iterdir()] == ["in.wav"]


@pytest.mark.parametrize(
    ("source", "output", "error", "message"),
    [
        ("in.wav", "out.xyz", ValueError, r"got .*out\.xyz"),
        ("nothing.wav", "out.wav", FileNotFoundError, r"nothing\.wav"),
        ("text.wav", "out.wav", ValueError, "decoded"),
        ("silence.wav", "out.wav", ValueError, "silent"),
    ],
)
def test_files_that_cannot_be_played(tmp_path, source, output, error, message):
    soundfile.write(tmp_path / "in.wav", tone(0.1), RATE)
    soundfile.write(tmp_path / "silence.wav", np.zeros(100), RATE)
    (tmp_path / "text.wav").write_text("no audio")
    with pytest.raises(error, match=message):
        realtime.play_file(
            str(tmp_path / source),
            str(tmp_path / output),
            realtime.Player(Echo(), 100),
        )
    assert not (tmp_path / output).exists()


def test_a_file_is_what_the_model_plays(tmp_path, model):
    """Through a true model, paced: 0.2 s in 0.2 s."""
    source, path = tmp_path / "in.wav", tmp_path / "out.flac"
    soundfile.write(source, tone(0.2), RATE)
    stream = StreamingModel(model, 160, crepe_model=None, jit_compile=False)
    player = realtime.Player(stream, 160, f0_hz=440.0)
    report = realtime.play_file(str(source), str(path), player, pace=True)
    played, _ = soundfile.read(path)
    assert len(played) == 3200
    assert len(report.block_secs) == 20
    stream.reset()
    heard, _ = soundfile.read(source, dtype="float32")
    expected = np.concatenate(
        [*(stream.process(x, 440.0) for x in heard.reshape(20, 160)), stream.flush()]
    )[stream.latency_samples :]
    # One step of 16 bits.
    np.testing.assert_allclose(played, report.gain * expected, atol=2.0**-15)
    assert np.std(played) > 1e-3


def fake_sounddevice(errors=(), n_blocks=5, status_at=()):
    """As much of the package as is used: every block is heard at once."""
    module = types.ModuleType("sounddevice")
    module.PortAudioError = type("PortAudioError", (Exception,), {})
    module.CallbackAbort = type("CallbackAbort", (Exception,), {})
    module.played = []

    class Stream:
        def __init__(self, samplerate, blocksize, channels, dtype, latency, **calls):
            if "open" in errors:
                raise module.PortAudioError("Invalid sample rate")
            assert (channels, dtype, latency) == (1, "float32", "low")
            assert (samplerate, blocksize) == (1000, 100)
            self.calls = calls

        def __enter__(self):
            for number, heard in enumerate(blocks(n_blocks)):
                played = np.full([100, 1], np.nan, np.float32)
                try:
                    self.calls["callback"](
                        heard[:, np.newaxis], played, 100, None, number in status_at
                    )
                except module.CallbackAbort:
                    break
                module.played.append(played[:, 0])
            self.calls["finished_callback"]()
            return self

        def __exit__(self, *unused):
            return False

    module.Stream = Stream
    return module


def test_live_it_plays_what_it_hears(monkeypatch):
    module = fake_sounddevice(status_at=(2, 3))
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    player = realtime.Player(Echo(), 100)
    live_audio.play_live(player)
    played = np.concatenate(module.played)
    np.testing.assert_array_equal(played[7:], np.concatenate(blocks(5))[:-7])
    report = player.report()
    assert report.n_late == 2
    assert len(report.block_secs) == 5


def test_live_errors_are_not_lost(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", fake_sounddevice())
    player = realtime.Player(Echo(), 100)
    monkeypatch.setattr(player.stream, "process", lambda *unused: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        live_audio.play_live(player)


def test_devices_that_cannot_be_opened_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", fake_sounddevice(errors=["open"]))
    with pytest.raises(UserError, match="1000 samples per second, got Invalid"):
        live_audio.play_live(realtime.Player(Echo(), 100))


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(UserError, match=r"pip install 'ddsp\[live\]'"):
        live_audio.play_live(realtime.Player(Echo(), 100))


def test_a_missing_library_is_named(monkeypatch, tmp_path):
    """The package raises OSError when it is imported and finds no PortAudio."""
    (tmp_path / "sounddevice.py").write_text(
        "raise OSError('PortAudio library not found')"
    )
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match=r"ddsp\[live\].*libportaudio2.*not found"):
        live_audio.play_live(realtime.Player(Echo(), 100))


def test_blocks_have_a_size():
    with pytest.raises(ValueError, match="got 0"):
        realtime.Player(Echo(), 0)


@pytest.fixture(scope="module")
def run(tmp_path_factory, model):
    """A training run, its weights random."""
    folder = tmp_path_factory.mktemp("a run")
    (folder / "operative_config-1.gin").write_text(CONFIG)
    tf.train.Checkpoint(model=model).write(str(folder / "ckpt-1"))
    return folder


def stream_program(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "ddsp.commands.ddsp_stream", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_program_plays_a_file(tmp_path, run):
    source, path = tmp_path / "ein Ton.wav", tmp_path / "new" / "out.wav"
    soundfile.write(source, tone(0.5, 44100), 44100)
    done = stream_program(
        source, f"--model={run}", "-o", path, "--nopace", "--block_size=256"
    )
    assert done.returncode == 0, done.stderr
    played, rate = soundfile.read(path)
    assert (len(played), rate) == (8000, RATE)
    assert np.std(played) > 1e-3
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["block", "256", "16.00"] in rows
    assert ["altogether", "512", "32.00"] in rows
    assert "of 32 blocks" in done.stdout
    # A pipe is no terminal.
    assert "playing" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        ([], {}, r"INPUT.* got \[\]"),
        (["a.wav"], {}, "got no --output"),
        (["a.wav", "b.wav"], {"output": "c.wav"}, r"got \['a.wav', 'b.wav'\]"),
        (["a.wav"], {"live": True}, r"got \['a.wav'\]"),
        ([], {"live": True, "output": "c.wav"}, "--output=c.wav"),
        (["a.wav"], {"output": "c.wav", "crepe_model": "none"}, "--f0_hz=None"),
        (["a.wav"], {"output": "c.wav", "f0_hz": 440.0}, "--crepe_model=tiny"),
        (["."], {"output": "c.wav"}, r"got the directory '\.'"),
    ],
)
def test_arguments_that_do_not_go_together(monkeypatch, arguments, given, message):
    values = {"live": False, "output": None, "crepe_model": "tiny", "f0_hz": None}
    monkeypatch.setattr(
        ddsp_stream, "FLAGS", types.SimpleNamespace(**{**values, **given})
    )
    with pytest.raises(UserError, match=message):
        ddsp_stream.main(["ddsp_stream", *arguments])


def test_a_missing_model_is_one_line(tmp_path):
    source = tmp_path / "in.wav"
    soundfile.write(source, tone(0.1), RATE)
    done = stream_program(source, "-o", tmp_path / "out.wav", "--model=nowhere")
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_models_that_hear_the_whole_are_refused(tmp_path):
    broken = models.Autoencoder(preprocessor=None)
    with pytest.raises(ValueError, match="got preprocessor=None"):
        StreamingModel(broken, 64)


def test_short_calls_leave_the_flags_of_others_alone(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--given")
    realtime.prefer_short_calls()
    assert os.environ["XLA_FLAGS"] == "--given"
    monkeypatch.delenv("XLA_FLAGS")
    realtime.prefer_short_calls()
    assert "concurrency" in os.environ["XLA_FLAGS"]
