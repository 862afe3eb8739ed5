"""The helpers in plain Python, in a notebook, and in Colab."""

import base64
import json
import os
import re
import sys
import types

import numpy as np
import pytest
import soundfile

from ddsp.colab import colab_utils
from ddsp.program import UserError
from ddsp.training import data
from tests.training.test_data import FRAMES, RATE

RNG = np.random.default_rng(0)


def tone(seconds=0.5, rate=16000, hz=440.0):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(seconds * rate) / rate)).astype(
        np.float32
    )


def module(monkeypatch, name, **contents):
    made = types.ModuleType(name)
    vars(made).update(contents)
    monkeypatch.setitem(sys.modules, name, made)
    return made


@pytest.fixture
def notebook(monkeypatch):
    """What IPython is told to display."""
    shown = []
    kinds = {
        kind: lambda *args, kind=kind, **kwargs: (kind, args, kwargs)
        for kind in ("Audio", "FileLink")
    }
    display = types.SimpleNamespace(display=shown.append, **kinds)
    shell = types.SimpleNamespace(kernel=None)
    made = module(monkeypatch, "IPython", display=display, get_ipython=lambda: shell)
    made.__spec__ = types.SimpleNamespace()
    return shown


@pytest.fixture
def colab(monkeypatch, notebook):
    """Colab's modules: what was downloaded and run in the browser."""
    done = types.SimpleNamespace(downloaded=[], scripts=[], uploads={}, recorded=None)

    def eval_js(script):
        done.scripts.append(script)
        return done.recorded

    files = module(
        monkeypatch,
        "google.colab.files",
        download=done.downloaded.append,
        upload=lambda: done.uploads,
    )
    output = module(monkeypatch, "google.colab.output", eval_js=eval_js)
    module(monkeypatch, "google.colab", files=files, output=output)
    return done


def test_play_writes_a_file_in_plain_python(tmp_path, capsys):
    path = str(tmp_path / "a.wav")
    assert colab_utils.play([tone(), 0 * tone()], 8000, path=path) == path
    audio, rate = soundfile.read(path)
    assert rate == 8000
    # 16 bits.
    np.testing.assert_allclose(audio, tone(), atol=2**-15)
    made = colab_utils.play(3 * tone())
    assert made in capsys.readouterr().out
    audio, _ = soundfile.read(made)
    assert np.max(np.abs(audio)) == pytest.approx(1.0, abs=2**-14)
    os.remove(made)


def test_play_shows_a_player_in_a_notebook(notebook, tmp_path):
    assert colab_utils.play(3 * tone(), 8000, autoplay=True) is None
    [(kind, (audio,), options)] = notebook
    assert kind == "Audio"
    np.testing.assert_array_equal(audio, np.clip(3 * tone(), -1, 1))
    assert options == {"rate": 8000, "normalize": False, "autoplay": True}
    assert os.path.exists(colab_utils.play(tone(), path=str(tmp_path / "a.wav")))


def test_play_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"1 or 2 axes, got shape \(1, 1, 4\)"):
        colab_utils.play(np.zeros([1, 1, 4]))


def test_record_from_the_microphone(monkeypatch):
    asked = {}

    def rec(n_samples, **kwargs):
        asked.update(kwargs)
        return (0.25 * tone(n_samples / 16000) + 0.1)[:, np.newaxis]

    module(monkeypatch, "sounddevice", rec=rec, PortAudioError=RuntimeError)
    audio = colab_utils.record(0.5)
    assert asked["samplerate"] == 16000
    assert audio.shape == (8000,)
    # The offset is gone and the peak 0.1 dB below full scale.
    assert np.max(np.abs(audio)) == pytest.approx(10 ** (-0.1 / 20), rel=1e-5)
    assert np.mean(audio) == pytest.approx(0.0, abs=1e-6)
    quiet = colab_utils.record(0.5, normalize_db=None)
    np.testing.assert_allclose(quiet, 0.25 * tone(), atol=1e-4)


def test_record_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(UserError, match=r"ddsp\[live\]"):
        colab_utils.record(0.1)

    def refuse(*args, **kwargs):
        raise RuntimeError("no device")

    module(monkeypatch, "sounddevice", rec=refuse, PortAudioError=RuntimeError)
    with pytest.raises(UserError, match=r"16000 samples per second, got no device"):
        colab_utils.record(0.1)
    with pytest.raises(ValueError, match="`seconds` must be positive, got 0"):
        colab_utils.record(0)


def test_record_in_colab_takes_the_browser(colab):
    # The browser records whole blocks.
    heard = tone(1.05, 48000)
    colab.recorded = {
        "rate": 48000,
        "samples": base64.b64encode(heard.tobytes()).decode(),
    }
    audio = colab_utils.record(1, normalize_db=None)
    assert "ddspRecord(1)" in colab.scripts[0]
    assert audio.shape == (16000,)
    # But for the ends, where the tone begins and stops at once.
    np.testing.assert_allclose(audio[500:-500], tone(1.0)[500:-500], atol=1e-3)


def test_files_are_decoded_and_resampled(tmp_path):
    stereo = np.stack([tone(1.0, 44100), 0 * tone(1.0, 44100)], axis=1)
    path = str(tmp_path / "a.flac")
    soundfile.write(path, stereo, 44100)
    with open(path, "rb") as file:
        content = file.read()
    mono = colab_utils.audio_bytes_to_np(content, normalize_db=None)
    np.testing.assert_allclose(mono[500:-500], tone(1.0)[500:-500] / 2, atol=1e-3)
    both = colab_utils.audio_bytes_to_np(content, 22050, normalize_db=6.0, mono=False)
    assert both.shape == (2, 22050)
    assert np.max(np.abs(both)) == pytest.approx(10**-0.3, rel=1e-5)
    silent = str(tmp_path / "b.wav")
    soundfile.write(silent, np.zeros(100), 16000)
    [name], [audio] = colab_utils.upload(paths=silent, normalize_db=0.0)
    assert name == silent
    np.testing.assert_array_equal(audio, np.zeros(100))


def test_upload_takes_paths_a_widget_and_colab(colab, tmp_path):
    paths = [str(tmp_path / f"{i}.wav") for i in range(2)]
    for path in paths:
        soundfile.write(path, tone(), 16000)
    names, audio = colab_utils.upload(paths=paths)
    assert names == paths
    np.testing.assert_allclose(audio[1], tone(), atol=1e-4)
    with open(paths[0], "rb") as file:
        content = file.read()
    widget = types.SimpleNamespace(
        value=({"name": "w.wav", "content": memoryview(content)},)
    )
    colab.uploads["c.wav"] = content
    for chosen, name in ((widget, "w.wav"), (None, "c.wav")):
        names, [same] = colab_utils.upload(paths=chosen)
        assert names == [name]
        np.testing.assert_array_equal(same, audio[0])


def test_upload_names_what_is_wrong(tmp_path):
    with pytest.raises(ValueError, match=r"Outside Colab, paths .*got paths="):
        colab_utils.upload()
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no audio")
    with pytest.raises(ValueError, match=r"bad\.wav: .*audio file.*got 8 bytes"):
        colab_utils.upload(paths=bad)


def test_download(tmp_path, capsys):
    path = tmp_path / "a.txt"
    path.write_text("x")
    assert colab_utils.download(path) == str(path)
    assert str(path) in capsys.readouterr().out
    with pytest.raises(FileNotFoundError, match="file does not exist, got 'none'"):
        colab_utils.download("none")


def test_download_in_a_notebook(notebook, tmp_path):
    colab_utils.download(__file__)
    [(kind, (link,), _)] = notebook
    assert kind == "FileLink"
    assert os.path.samefile(link, __file__)


def test_download_in_colab(colab):
    colab_utils.download(__file__)
    assert colab.downloaded == [os.path.abspath(__file__)]


def test_tuning_to_the_scale_that_fits(capsys):
    # D major, 20 cents sharp, with one F between its F sharp and E.
    melody = np.array([62, 64, 66, 67, 69, 71, 73, 74], dtype=np.float64)
    played = np.repeat(melody, 10) + 0.2
    played[25] = 65.3 + 0.2
    on = np.ones(80, bool)
    on[:5] = False
    tuning = colab_utils.get_tuning_factor(played, np.ones(80), on)
    assert tuning == pytest.approx(0.2, abs=0.02)
    tuned = colab_utils.auto_tune(played, 0.2, on, amount=1.0)
    assert "Key: D major, tuned +20 cents" in capsys.readouterr().out
    np.testing.assert_array_equal(tuned[:5], played[:5])
    assert tuned[25] == 66.0
    np.testing.assert_allclose(
        np.delete(tuned, 25)[5:], np.delete(np.repeat(melody, 10), 25)[5:]
    )
    chromatic = colab_utils.auto_tune(played, 0.2, on, amount=1.0, chromatic=True)
    assert chromatic[25] == 65.0
    half = colab_utils.auto_tune(played, 0.2, on, amount=0.5)
    np.testing.assert_allclose(half[30:], np.repeat(melody, 10)[30:] + 0.1)
    untouched = colab_utils.auto_tune(played, 0.0, np.zeros(80, bool), amount=1.0)
    np.testing.assert_array_equal(untouched, played)


class Examples(data.DataProvider):
    """Two seconds of notes."""

    def __init__(self):
        super().__init__(RATE, FRAMES)

    def get_dataset(self, shuffle=True):
        import tensorflow as tf

        ramp = np.linspace(-40, -20, 100, dtype=np.float32)
        return tf.data.Dataset.from_tensors(
            {
                "audio": RNG.uniform(-1, 1, 2000).astype(np.float32),
                "f0_hz": np.full(100, 440, np.float32),
                "f0_confidence": np.ones(100, np.float32),
                "loudness_db": ramp,
            }
        )


def test_statistics_are_saved_as_json(tmp_path, capsys):
    path = str(tmp_path / "new" / "violin_statistics.pkl")
    statistics = colab_utils.save_dataset_statistics(Examples(), path)
    assert path in capsys.readouterr().out
    with open(path) as file:
        assert json.load(file)["mean_pitch"] == pytest.approx(69.0, abs=1e-3)
    loaded = colab_utils.load_dataset_statistics(path)
    assert loaded["mean_loudness"] == statistics["mean_loudness"]
    halves = loaded["quantile_transform"].inverse_transform(np.array([[0.5]]))
    expected = statistics["quantile_transform"].inverse_transform(np.array([[0.5]]))
    np.testing.assert_array_equal(halves, expected)
    assert set(colab_utils.save_dataset_statistics(Examples())) == set(statistics)
    pickled = tmp_path / "old.pkl"
    pickled.write_bytes(b"\x80\x04}.")
    with pytest.raises(ValueError, match=re.escape(str(pickled))):
        colab_utils.load_dataset_statistics(str(pickled))


def test_every_name_is_there():
    for name in colab_utils.__all__:
        assert getattr(colab_utils, name) is not None
