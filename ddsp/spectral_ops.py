"""Spectra, mel spectra, level, loudness and pitch of audio.

All frames are counted by `get_framed_lengths`, save those of the spectrograms, which
start at sample 0 and, with `pad_end`, number `ceil(n_samples / hop)`.
"""

from ddsp._core.framing import (
    get_framed_lengths,
    pad,
    pad_or_trim_to_expected_length,
)
from ddsp._spectral.crepe_front import (
    CREPE_FRAME_SIZE,
    CREPE_SAMPLE_RATE,
    PretrainedCREPE,
    compute_f0,
    reset_crepe,
)
from ddsp._spectral.levels import compute_loudness, compute_power, compute_rms_energy
from ddsp._spectral.spectrograms import (
    compute_logmag,
    compute_logmel,
    compute_mag,
    compute_mel,
    compute_mfcc,
    stft,
    stft_np,
)

__all__ = [
    "CREPE_FRAME_SIZE",
    "CREPE_SAMPLE_RATE",
    "PretrainedCREPE",
    "compute_f0",
    "compute_logmag",
    "compute_logmel",
    "compute_loudness",
    "compute_mag",
    "compute_mel",
    "compute_mfcc",
    "compute_power",
    "compute_rms_energy",
    "get_framed_lengths",
    "pad",
    "pad_or_trim_to_expected_length",
    "reset_crepe",
    "stft",
    "stft_np",
]
