"""What a look at an audio file finds."""

import os
import re
import socket
import threading

import numpy as np
import pytest
import soundfile

from ddsp.recordings import audio_files, audio_io, probing
from tests.training.data_preparation import signals

GOOD = signals.tones(2)


def write(folder, audio, name="a.wav", rate=16000, **kwargs):
    return signals.write(folder / name, audio, rate, **kwargs)


def floats(folder, audio, rate=16000):
    return write(folder, audio, rate=rate, subtype="FLOAT")


def read(path):
    """What is made of a recording at its own rate, and the look at it."""
    recording = probing.probe(path)
    assert recording.problem is None
    blocks = audio_io.stream(recording, recording.sample_rate)
    return np.concatenate(list(blocks)), recording


def test_a_good_recording_is_left_as_it_is(tmp_path):
    audio, recording = read(floats(tmp_path, GOOD))
    assert recording.warnings == ()
    assert recording.seconds == 2.0
    np.testing.assert_array_equal(audio, GOOD)


@pytest.mark.parametrize(
    ("audio", "problem"),
    [
        (np.where(np.arange(16000) == 8000, np.nan, GOOD[:16000]), "NaN.*at 0.500 s"),
        (np.where(np.arange(16000) == 800, np.inf, GOOD[:16000]), "NaN or inf.*0.050"),
        (0 * GOOD, "is silent"),
        (0 * GOOD + 0.3, "is silent"),
        (GOOD[:0], "is empty"),
        (np.where(np.arange(16000) == 800, 1e29, GOOD[:16000]), r"1e\+29.*at 0.050 s"),
        (np.where(np.arange(16000) == 800, 9e3, GOOD[:16000]), r"9e\+03.*at 0.050 s"),
    ],
)
def test_samples_that_cannot_be_used(tmp_path, audio, problem):
    found = probing.probe(floats(tmp_path, audio)).problem
    assert re.search(problem, found), found


@pytest.mark.parametrize("rate", [1, 2, 999, 2**31 - 1])
def test_headers_with_rates_of_no_recorder(tmp_path, rate):
    problem = probing.probe(write(tmp_path, GOOD, rate=rate)).problem
    assert problem.startswith("has a damaged header: a sample rate must be from")
    assert f"got {rate:,} Hz" in problem


@pytest.mark.parametrize("name", ["a.wav", "a.raw", "a.au", "a.m4a", "a.mp3", "a"])
def test_what_cannot_be_decoded(tmp_path, name):
    """Nor taken for headerless audio, which libsndfile does by the extension."""
    path = tmp_path / name
    path.write_bytes(b"not audio at all" * 100)
    problem = probing.probe(str(path)).problem
    assert problem.startswith("cannot be decoded: ")
    assert ("ffmpeg" in problem) == (name in ("a.raw", "a.m4a"))
    path.write_bytes(b"")
    assert probing.probe(str(path)).problem == "is empty (0 bytes)"


def test_what_is_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    (tmp_path / "lost.wav").symlink_to("missing.wav")
    problems = {
        "pipe.wav": "is a named pipe, not a file",
        "folder.wav": "is a folder, not a file",
        "loop.wav": "is a link that leads nowhere",
        "lost.wav": "is a link that leads nowhere",
        "gone.wav": "cannot be decoded: No such file or directory",
    }
    for name, problem in problems.items():
        assert probing.probe(str(tmp_path / name)).problem == problem
    assert probing.probe("/dev/zero").problem == "is a device, not a file"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.wav"))
        problem = probing.probe(str(tmp_path / "s.wav")).problem
        assert problem == "is a socket, not a file"


def test_a_file_without_permission(tmp_path, monkeypatch):
    path = write(tmp_path, GOOD)

    def refuse(path, flags):
        raise PermissionError(13, "Permission denied", path)

    # As root, the tests may read every file.
    monkeypatch.setattr(os, "open", refuse)
    assert probing.probe(path).problem == "cannot be decoded: Permission denied"


def test_names_that_are_not_utf8(tmp_path):
    path = os.fsencode(write(tmp_path, GOOD))
    os.rename(path, os.path.dirname(path) + b"/caf\xe9.wav")
    audio, _ = read(str(tmp_path / "caf\udce9.wav"))
    np.testing.assert_allclose(audio, GOOD, atol=2.0**-15)


def test_files_that_are_cut(tmp_path):
    for name in ("a.flac", "a.mp3", "a.wav", "a.aiff", "a.w64", "a.au"):
        path = write(tmp_path, signals.tones(4), name)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        recording = probing.probe(path)
        if name == "a.flac":
            assert recording.problem.startswith("cannot be decoded: ")
            continue
        assert recording.problem is None
        assert recording.seconds == pytest.approx(2, abs=0.2)
        assert "of the 4.0 s that its header promises" in recording.warnings[0]


def set_data_size(path, size):
    """Overwrites the length in the header of a plain WAV file."""
    with open(path, "r+b") as file:
        file.seek(40)
        file.write(size.to_bytes(4, "little"))


def test_headers_that_are_wrong_about_the_length(tmp_path):
    path = write(tmp_path, signals.tones(4))
    set_data_size(path, 0)
    problem = probing.probe(path).problem
    assert "has 0 samples according to its header" in problem
    assert "the file holds 128 kB" in problem
    assert "ffmpeg -ignore_length 1 -i a.wav" in problem
    set_data_size(path, 32000)
    (warning,) = probing.probe(path).warnings
    assert warning.startswith("has 96 kB beyond the 1.0 s that its header gives")
    # Written to a pipe, where the length is not known yet.
    set_data_size(path, 0xFFFFFFFF)
    recording = probing.probe(path)
    assert (recording.seconds, recording.warnings) == (4.0, ())
    # A FLAC stream that does not say its length.
    path = write(tmp_path, signals.tones(4), "a.flac")
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(content)
    recording = probing.probe(path)
    assert (recording.seconds, recording.warnings) == (4.0, ())


@pytest.mark.parametrize(
    ("name", "format", "subtype"),
    [
        ("a.w64", "W64", "PCM_24"),
        ("a.caf", "CAF", "PCM_16"),
        ("a.caf", "CAF", "ALAC_16"),
        ("a.opus", "OGG", "OPUS"),
        ("a.au", "AU", "PCM_16"),
        ("a.aifc", "AIFF", "PCM_16"),
        ("a.rf64", "RF64", "PCM_16"),
        ("a.voc", "VOC", "PCM_16"),
        ("a.sph", "NIST", "PCM_16"),
        ("a.mp3", "MP3", None),
    ],
)
def test_formats(tmp_path, name, format, subtype):
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(3 * 16000) / 16000)
    write(tmp_path, tone, name, format=format, subtype=subtype)
    (path,) = audio_files.find_audio([str(tmp_path)]).audio
    audio, recording = read(path)
    assert recording.warnings == ()
    # Lossy formats add silence at the ends, and a little noise.
    assert recording.seconds == pytest.approx(3, abs=0.1)
    assert np.std(audio[8000:40000]) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize(
    ("factor", "gain", "text"),
    [
        (3.9, 1 / 3.9, r"peaks at 3.9 times full scale \(\+11.8 dB\)"),
        (1.02, 1 / 1.02, "peaks at 1.02 times full scale"),
        (9830.0, 2.0**-15, "as large as 9830: they are taken for 16-bit integers"),
        (2.0e6, 2.0**-23, r"as large as 2e\+06: they are taken for 24-bit integers"),
        (1.5e9, 2.0**-31, r"taken for 32-bit integers and divided by 2147483648"),
    ],
)
def test_full_scale(tmp_path, factor, gain, text):
    unit = GOOD / np.max(np.abs(GOOD))
    audio, recording = read(floats(tmp_path, factor * unit))
    assert re.search(text, recording.warnings[0])
    np.testing.assert_allclose(audio, factor * gain * unit, rtol=1e-5, atol=1e-7)
    # Below full scale, levels are left alone.
    assert read(floats(tmp_path, 0.99 * unit))[1].gain == 1.0


def test_an_offset_is_removed(tmp_path):
    audio, recording = read(floats(tmp_path, GOOD + 0.05))
    assert recording.warnings == (
        "has a DC offset of 0.05 of full scale, which is removed",
    )
    np.testing.assert_allclose(audio, GOOD - np.mean(GOOD), atol=1e-6)
    # Half a step, which rounding down to 8 bits leaves, is none.
    assert read(write(tmp_path, 0.1 * GOOD, subtype="PCM_U8"))[1].warnings == ()
    # Peaks that exceed full scale only by the offset are no peaks.
    loud = 0.9 * GOOD / np.max(np.abs(GOOD))
    audio, recording = read(floats(tmp_path, loud + 0.5))
    assert recording.gain == 1.0
    np.testing.assert_allclose(audio, loud - np.mean(loud), atol=1e-6)


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "PCM_U8"])
@pytest.mark.parametrize("limit", [1.0, 0.4])
def test_clipping_is_said(tmp_path, subtype, limit):
    loud = 2.0 * GOOD / np.max(np.abs(GOOD))
    path = write(tmp_path, np.clip(loud, -1, limit), subtype=subtype)
    (warning,) = [w for w in probing.probe(path).warnings if "clipped" in w]
    assert warning.endswith("of its samples lie flat at its peak")
    clean = write(tmp_path, loud / 2.01, subtype=subtype)
    assert probing.probe(clean).warnings == ()


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "PCM_U8", "ULAW"])
@pytest.mark.parametrize("hz", [20.0, 55.0, 1000.0])
def test_the_flat_top_of_a_rounded_sine_is_no_clipping(tmp_path, subtype, hz):
    sine = 0.9 * np.sin(2 * np.pi * hz * np.arange(2 * 48000) / 48000)
    path = write(tmp_path, sine, rate=48000, subtype=subtype)
    assert probing.probe(path).warnings == ()


def stereo(left, right):
    return np.stack([left, right], axis=1)


OTHER = signals.tones(2, midi=(57, 64), seed=1)


@pytest.mark.parametrize(
    ("audio", "channel"),
    [
        (stereo(GOOD, -GOOD), 0),
        (stereo(0.5 * GOOD, -GOOD), 1),
        (stereo(GOOD, -GOOD + 0.2 * OTHER), 0),
        # For a third of the time only.
        (stereo(GOOD, np.where(np.arange(32000) < 10000, -0.9, 0.9) * GOOD), 0),
        (np.stack([GOOD, -GOOD, 0.5 * GOOD, -0.5 * GOOD], axis=1), 0),
        # What is left of these is flat.
        (np.round(stereo(GOOD, -1.001 * GOOD) * 2000) / 2000, 1),
    ],
)
def test_channels_that_cancel_are_not_mixed(tmp_path, audio, channel):
    found, recording = read(floats(tmp_path, audio))
    assert recording.channel == channel
    assert recording.warnings == (
        "has channels that cancel each other when they are mixed, so only channel "
        f"{channel + 1} of {audio.shape[1]} is used",
    )
    np.testing.assert_allclose(found, audio[:, channel], atol=1e-7)


@pytest.mark.parametrize(
    "audio",
    [
        stereo(GOOD, GOOD),
        stereo(GOOD, OTHER),
        stereo(GOOD, 0 * GOOD),
        stereo(GOOD, np.roll(GOOD, 5)),
        np.stack([GOOD, OTHER, GOOD, 0 * GOOD, OTHER, np.roll(GOOD, 200)], axis=1),
    ],
)
def test_channels_that_do_not_cancel_are_mixed(tmp_path, audio):
    found, recording = read(floats(tmp_path, audio))
    assert recording.warnings == ()
    np.testing.assert_allclose(found, audio.mean(axis=1), atol=1e-6)


def test_the_same_audio_has_the_same_digest(tmp_path):
    sixteen_bits = np.round(GOOD * 2**15) / 2**15
    same = [
        write(tmp_path, sixteen_bits, "a.wav"),
        write(tmp_path, sixteen_bits, "b.flac", subtype="PCM_24"),
        write(tmp_path, sixteen_bits, "c.wav", subtype="DOUBLE"),
        write(tmp_path, stereo(sixteen_bits, sixteen_bits), "d.aiff"),
    ]
    others = [
        write(tmp_path, -sixteen_bits, "e.wav"),
        write(tmp_path, sixteen_bits, "f.wav", rate=16001),
        write(tmp_path, sixteen_bits[:-1], "g.wav"),
        write(tmp_path, stereo(sixteen_bits, -sixteen_bits), "h.wav"),
        write(tmp_path, stereo(OTHER, -OTHER), "i.wav"),
    ]
    digests = [probing.probe(path).digest for path in same + others]
    assert len(set(digests[: len(same)])) == 1
    assert len(set(digests)) == 1 + len(others)


def test_many_channels_take_bounded_memory(tmp_path):
    path = write(tmp_path, np.tile(GOOD[:, np.newaxis], 256), "a.wav")
    with soundfile.SoundFile(path) as file:
        assert max(block.size for block in audio_io.blocks(file)) <= 2**18
    assert probing.probe(path).channels == 256


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    done = threading.Event()

    def look():
        probing.probe(str(tmp_path / "a.wav"))
        done.set()

    threading.Thread(target=look, daemon=True).start()
    assert done.wait(10.0)
