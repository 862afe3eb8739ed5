"""Pitch and loudness of a whole recording, a stretch at a time.

A frame depends on the samples it covers, and with Viterbi decoding on its
neighbors. Every stretch is therefore analyzed with what surrounds it, so that the
result is that of the recording as a whole, and no frame is analyzed twice however
much examples overlap.
"""

from collections.abc import Iterator

import numpy as np

from ddsp import pitch, spectral_ops
from ddsp._core import checks, framing
from ddsp.recordings.analysis_settings import CREPE_SAMPLE_RATE, Settings
from ddsp.recordings.rolling import RollingReader

LOUDNESS_FRAME_SIZE = 512
# Viterbi paths that start apart have long met after two seconds.
_VITERBI_CONTEXT_SECS = 2.0


def feature_blocks(
    audio_16k: RollingReader,
    audio_16k_again: RollingReader,
    n_frames: int,
    settings: Settings,
    loudness_padding: str | None = None,
) -> Iterator[np.ndarray]:
    """Computes the frame features of a recording.

    Args:
      audio_16k: The recording, mono, at 16 kHz, to take the pitch from.
      audio_16k_again: The same, read independently, to take the loudness from.
      n_frames: To compute.
      settings: Of the preparation.
      loudness_padding: How frames of the loudness lie, where it is otherwise than
        the settings say for both features; see `spectral_ops.get_framed_lengths`.

    Yields:
      [n, 3], float32: f0 in Hz, its confidence from 0 to 1, loudness in dB; of
      `settings.chunk_secs` each, `n_frames` in all.
    """
    activations = RollingReader(
        _activation_blocks(audio_16k, n_frames, settings), (pitch.N_BINS,)
    )
    context = round(_VITERBI_CONTEXT_SECS * settings.grid_rate)
    context = context if settings.viterbi else 0
    loudness_padding = loudness_padding or settings.padding
    for first, last in _stretches(n_frames, settings):
        start = max(first - context, 0)
        stop = min(last + context, n_frames)
        f0_hz, confidence = pitch.decode(
            activations.read(start, stop), viterbi=settings.viterbi
        )
        wanted = slice(first - start, last - start)
        loudness = spectral_ops.compute_loudness(
            _samples(
                audio_16k_again,
                first,
                last,
                LOUDNESS_FRAME_SIZE,
                settings.grid_rate,
                loudness_padding,
            ),
            sample_rate=CREPE_SAMPLE_RATE,
            frame_rate=settings.grid_rate,
            n_fft=LOUDNESS_FRAME_SIZE,
            padding="valid",
        )
        yield np.stack(
            [f0_hz[wanted], confidence[wanted], np.asarray(loudness)], axis=-1
        )


def _activation_blocks(
    audio: RollingReader, n_frames: int, settings: Settings
) -> Iterator[np.ndarray]:
    crepe = pitch.load(settings.crepe_model)
    hop_size = checks.hop_size(CREPE_SAMPLE_RATE, settings.grid_rate)
    for first, last in _stretches(n_frames, settings):
        samples = _samples(
            audio, first, last, pitch.FRAME_SIZE, settings.grid_rate, settings.padding
        )
        yield crepe.activations(samples, hop_size, padding="valid")


def _stretches(n_frames: int, settings: Settings) -> Iterator[tuple[int, int]]:
    step = max(1, round(settings.chunk_secs * settings.grid_rate))
    for first in range(0, n_frames, step):
        yield first, min(first + step, n_frames)


def _samples(
    audio: RollingReader,
    first: int,
    last: int,
    frame_size: int,
    frame_rate: int,
    padding: str,
) -> np.ndarray:
    """The samples that frames [first, last) cover."""
    hop_size = checks.hop_size(CREPE_SAMPLE_RATE, frame_rate)
    lead = framing.samples_before(frame_size, hop_size, padding)
    return audio.read(
        first * hop_size - lead, (last - 1) * hop_size - lead + frame_size
    )
