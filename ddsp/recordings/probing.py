"""What a look at an audio file finds: whether and how it can be used."""

import os
import re
import shlex

import numpy as np
import soundfile

from ddsp import files
from ddsp.recordings import audio_files, audio_io
from ddsp.recordings.audio_io import Recording
from ddsp.recordings.levels import Meter

# 50 ms: more than the padding of a lossy codec.
_MISSING_SECS = 0.05
_BYTES_A_SAMPLE = {
    "PCM_S8": 1,
    "PCM_U8": 1,
    "PCM_16": 2,
    "PCM_24": 3,
    "PCM_32": 4,
    "FLOAT": 4,
    "DOUBLE": 8,
    "ULAW": 1,
    "ALAW": 1,
}
# Of full scale; the others have 16 bits or more.
_COARSE_STEPS = {
    "PCM_S8": 2.0**-7,
    "PCM_U8": 2.0**-7,
    "DPCM_8": 2.0**-7,
    "ULAW": 2.0**-5,
    "ALAW": 2.0**-5,
}
# More than a header and what else stands in a file.
_HEADER_BYTES = 4096
# Lengths that programs write where they do not know them yet.
_UNKNOWN_FRAMES = 2**40
_UNKNOWN_BYTES = 0x7FFF0000
_SET_RIGHT = re.compile(
    r"^\s*(?:data|riff|SSND|Data Size)\s*:\s*(\d+) \(should be \d+\)", re.MULTILINE
)


def probe(path: str) -> Recording:
    """Decodes a file once to see whether and how it can be used.

    Headers are not trusted: they do not show damage or NaN, and may be wrong
    about the length.

    Args:
      path: Of a file, of whatever kind.

    Returns:
      What was found; never an error.

    Example:
      >>> probe("pause.wav").problem  # doctest: +SKIP
      'is silent: it never exceeds -80 dB of full scale'
    """
    try:
        with audio_io.opened(path) as file:
            try:
                audio_io.check_rate(file.samplerate)
            except ValueError as error:
                problem = f"has a damaged header: {error}"
                return Recording(path, file.samplerate, file.channels, problem=problem)
            return _probe_opened(path, file)
    except audio_io.DECODING_ERRORS as error:
        return Recording(path, problem=_undecodable(path, error))


def _probe_opened(path: str, file: soundfile.SoundFile) -> Recording:
    rate, channels = file.samplerate, file.channels
    meter = Meter(rate, channels, _COARSE_STEPS.get(file.subtype, 0.0))
    problem = None
    try:
        for block in audio_io.blocks(file):
            if not np.isfinite(block).all():
                problem = _not_finite(block, meter.n_samples, rate)
                break
            meter.add(block)
    except audio_io.DECODING_ERRORS as error:
        problem = _undecodable(path, error)
    n_samples = meter.n_samples
    if problem or not n_samples:
        problem = problem or _why_empty(path)
        return Recording(path, rate, channels, n_samples, problem)
    verdict = meter.verdict()
    warnings = [*verdict.warnings, *_length_warnings(path, file, n_samples)]
    return Recording(
        path,
        rate,
        channels,
        n_samples,
        verdict.problem,
        tuple(warnings),
        verdict.channel,
        verdict.offset,
        verdict.gain,
        meter.digest,
    )


def _undecodable(path: str, error: Exception) -> str:
    if os.path.islink(path) and not os.path.exists(path):
        return "is a link that leads nowhere"
    if isinstance(error, audio_io.NotAFileError):
        return str(error)
    if isinstance(error, soundfile.SoundFileError) and _size(path) == 0:
        return "is empty (0 bytes)"
    advice = audio_files.advice(path)
    return f"cannot be decoded: {advice or audio_io.reason(error)}"


def _not_finite(block: np.ndarray, n_before: int, sample_rate: int) -> str:
    first = int(np.argmin(np.isfinite(block).all(axis=1)))
    return f"holds NaN or infinite samples at {(n_before + first) / sample_rate:.3f} s"


def _why_empty(path: str) -> str:
    size = _size(path)
    if size <= _HEADER_BYTES:
        return "is empty"
    name = shlex.quote(os.path.basename(files.printable(path)))
    return (
        f"has 0 samples according to its header, but the file holds {size / 1000:,.0f} "
        "kB, as left by a recorder that was switched off; repair it, for example with "
        f"ffmpeg -ignore_length 1 -i {name} repaired.wav"
    )


def _length_warnings(path: str, file: soundfile.SoundFile, n_samples: int) -> list[str]:
    rate = file.samplerate
    seconds = n_samples / rate
    promised = max(file.frames, _frames_of_log(file)) / rate
    width = _BYTES_A_SAMPLE.get(file.subtype, 0) * file.channels
    if file.frames < _UNKNOWN_FRAMES and seconds < promised - _MISSING_SECS:
        return [
            f"ends after {seconds:.1f} s of the {promised:.1f} s that its header "
            "promises"
        ]
    beyond = _size(path) - width * n_samples
    if width and beyond > max(width * n_samples, 2**16):
        return [
            f"has {beyond / 1000:,.0f} kB beyond the {seconds:.1f} s that its header "
            "gives; they are not used"
        ]
    return []


def _frames_of_log(file: soundfile.SoundFile) -> int:
    """What the header gave before libsndfile set it right by the size of the file."""
    width = _BYTES_A_SAMPLE.get(file.subtype, 0) * file.channels
    found = _SET_RIGHT.search(file.extra_info)
    promised = int(found[1]) if found else 0
    return promised // width if width and promised < _UNKNOWN_BYTES else 0


def _size(path: str) -> int:
    if files.is_remote(path):
        return 0
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
