"""Decoding audio files as a stream of mono blocks."""

import numpy as np
import pytest
import soundfile
import soxr

from ddsp.recordings import audio_io
from ddsp.recordings.audio_io import Recording
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
    assert len(read(path)) == pytest.approx(3 * 16000, abs=1600)
    assert dominant_hz(read(path), 16000) == pytest.approx(440, abs=1)


@pytest.mark.parametrize("suffix", ["flac", "mp3", "ogg"])
def test_compressed_blocks_equal_the_whole(tmp_path, suffix):
    path = signals.write(tmp_path / f"a.{suffix}", signals.tones(5))
    whole, _ = soundfile.read(path, dtype="float32")
    # Rounding in the decoder.
    np.testing.assert_allclose(read(path), whole, atol=1e-6)


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
    np.testing.assert_allclose(read(path), (left + right) / 2, atol=1e-6)


def test_a_recording_says_how_it_is_read(tmp_path):
    left, right = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 1000))
    path = signals.write(
        tmp_path / "a.wav", np.stack([left, right], axis=1), subtype="FLOAT"
    )
    recording = Recording(path, 16000, 2, channel=1, offset=0.125, gain=0.5)
    np.testing.assert_allclose(read(recording), 0.5 * (right - 0.125), atol=1e-6)
    with pytest.raises(OSError, match="has changed since it was checked"):
        read(Recording(path, 16000, 3))


@pytest.mark.parametrize(("rate_in", "rate_out"), [(1000, 96000), (96000, 1000)])
def test_blocks_are_bounded_by_what_comes_out(rate_in, rate_out):
    noise = np.random.default_rng(0).uniform(-1, 1, 100_000).astype(np.float32)
    blocks = list(audio_io.resampled([noise], rate_in, rate_out))
    # soxr gathers up to 70,000 samples, however long its input is; the whole has
    # 9.6 million.
    assert max(map(len, blocks)) < 2**17
    whole = soxr.resample(noise, rate_in, rate_out, quality="VHQ")
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-6)


@pytest.mark.parametrize("rate", [1, 2, 999, 1_000_001])
def test_rates_of_no_recorder_are_refused(tmp_path, rate):
    path = signals.write(tmp_path / "a.wav", signals.tones(1), rate)
    with pytest.raises(OSError, match=r"1,000 Hz to 1,000,000 Hz, got"):
        read(path)


def test_damaged_files(tmp_path):
    path = tmp_path / "cut.flac"
    signals.write(path, signals.tones(4))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(OSError, match=r"Cannot read .*cut\.flac"):
        read(str(path))
