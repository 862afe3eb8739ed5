"""Finding, checking and decoding audio files."""

import numpy as np
import pytest
import soxr

from ddsp.training.data_preparation import audio_io
from tests.training.data_preparation import signals


def read(path, sample_rate=16000):
    return np.concatenate(list(audio_io.stream(path, sample_rate)))


def dominant_hz(audio, sample_rate):
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    return np.argmax(spectrum) * sample_rate / len(audio)


def test_tone_above_nyquist_does_not_alias(tmp_path):
    t = np.arange(44100) / 44100
    path = signals.write(
        tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 10000 * t), 44100
    )
    # A converter that aliases leaves the amplitude of 0.5 at 6 kHz. The edges of
    # the file are steps, whose ringing is no alias.
    assert np.max(np.abs(read(path)[1000:-1000])) < 1e-4


def test_tone_below_nyquist_keeps_its_frequency(tmp_path):
    t = np.arange(44100) / 44100
    path = signals.write(
        tmp_path / "tone.wav",
        0.5 * np.sin(2 * np.pi * 3000 * t),
        44100,
        subtype="FLOAT",
    )
    audio = read(path)
    assert len(audio) == 16000
    # Against the sine itself, which also shows that there is no delay.
    expected = 0.5 * np.sin(2 * np.pi * 3000 * np.arange(16000) / 16000)
    np.testing.assert_allclose(audio[1000:-1000], expected[1000:-1000], atol=1e-4)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_formats(tmp_path, suffix):
    t = np.arange(3 * 22050) / 22050
    path = signals.write(
        tmp_path / f"a.{suffix}", 0.3 * np.sin(2 * np.pi * 440 * t), 22050
    )
    recording = audio_io.probe(path)
    assert recording.problem is None
    assert recording.seconds == pytest.approx(3, abs=0.1)
    assert dominant_hz(read(path), 16000) == pytest.approx(440, abs=1)


def test_blocks_equal_the_whole(tmp_path):
    noise = np.random.default_rng(0).uniform(-1, 1, 300_000).astype(np.float32)
    path = signals.write(tmp_path / "a.wav", noise, 44100, subtype="FLOAT")
    blocks = list(audio_io.stream(path, 16000))
    # Long files come in many small blocks, never as a whole.
    assert max(map(len, blocks)) < 2**16
    whole = soxr.resample(noise, 44100, 16000, quality="VHQ")
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-6)


def test_channels_are_averaged(tmp_path):
    left, right = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 1000))
    path = signals.write(
        tmp_path / "a.wav", np.stack([left, right], axis=1), subtype="FLOAT"
    )
    assert audio_io.probe(path).channels == 2
    np.testing.assert_allclose(read(path), (left + right) / 2, atol=1e-6)


def test_finds_patterns_folders_and_odd_names(tmp_path):
    names = [
        "mit Leerzeichen/Übung №1, à gauche.wav",
        "mit Leerzeichen/take [2].wav",
        "mit Leerzeichen/tiefer/c.WAV",
    ]
    paths = [signals.write(tmp_path / name, signals.tones(0.1)) for name in names]
    signals.write(tmp_path / "mit Leerzeichen/.ipynb_checkpoints/x.wav", np.ones(9))
    (tmp_path / "mit Leerzeichen/notes.txt").write_text("no audio")
    folder = str(tmp_path / "mit Leerzeichen")
    assert audio_io.find_audio([f"{folder}/*.wav"]) == sorted(paths[:2])
    assert audio_io.find_audio([folder]) == sorted(paths[:2])
    assert audio_io.find_audio([f"{folder}/**/*.WAV"]) == paths[2:]
    assert audio_io.find_audio([paths[1], *paths, folder]) == sorted(paths)
    for path in paths:
        assert audio_io.probe(path).problem is None


@pytest.mark.parametrize("pattern", ["missing.wav", "*.flac", "."])
def test_no_match(tmp_path, pattern):
    signals.write(tmp_path / ".ipynb_checkpoints/x.wav", np.ones(9))
    with pytest.raises(FileNotFoundError, match="No audio file matches"):
        audio_io.find_audio([str(tmp_path / pattern)])


def test_problems_are_named(tmp_path):
    good = signals.tones(2)
    with_nan = good.copy()
    with_nan[8000] = np.nan
    paths = {
        "NaN or infinite samples at 0.500 s": signals.write(
            tmp_path / "nan.wav", with_nan, subtype="FLOAT"
        ),
        "is silent": signals.write(tmp_path / "silent.wav", 0 * good),
        "is empty": signals.write(tmp_path / "empty.wav", good[:0]),
        "cannot be decoded": str(tmp_path / "text.wav"),
    }
    (tmp_path / "text.wav").write_text("not audio")
    for problem, path in paths.items():
        assert problem in audio_io.probe(path).problem


def test_damaged_files(tmp_path):
    path = tmp_path / "cut.flac"
    signals.write(path, signals.tones(4))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "cannot be decoded" in audio_io.probe(str(path)).problem
    with pytest.raises(OSError, match=r"Cannot read .*cut\.flac"):
        read(str(path))


def test_file_that_ends_early_is_used_with_a_warning(tmp_path):
    path = tmp_path / "cut.mp3"
    signals.write(path, signals.tones(4))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    recording = audio_io.probe(str(path))
    assert recording.problem is None
    assert recording.seconds == pytest.approx(2, abs=0.2)
    assert "of the 4.0 s that its header promises" in recording.warnings[0]
