"""Synthetic recordings for the tests of data preparation."""

import numpy as np
import soundfile


def tones(seconds, sample_rate=16000, midi=(69, 72, 76), note_secs=0.5, seed=0):
    """A line of notes with ten harmonics, breath noise and no silence."""
    n = int(seconds * sample_rate)
    t = np.arange(n) / sample_rate
    pitch = np.asarray(midi)[(t / note_secs).astype(int) % len(midi)]
    phase = 2 * np.pi * np.cumsum(440.0 * 2.0 ** ((pitch - 69) / 12)) / sample_rate
    partials = sum(np.sin(k * phase) / k for k in range(1, 8))
    noise = np.random.default_rng(seed).standard_normal(n)
    return (0.1 * partials + 0.002 * noise).astype(np.float32)


def write(path, audio, sample_rate=16000, **kwargs):
    """Writes an audio file and returns its path as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, sample_rate, **kwargs)
    return str(path)
