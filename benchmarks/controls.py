"""Controls of synthesisers that move as an instrument's do, from a seed."""

import numpy as np

FRAME_RATE = 250
N_FRAMES = 1000  # Four seconds.
SAMPLE_RATE = 16000
N_SAMPLES = N_FRAMES * SAMPLE_RATE // FRAME_RATE


def vibrato(rng, mean_hz, batch: int, n_frames: int = N_FRAMES, n: int = 1):
    """[batch, n_frames, n], Hz: 3 % around the mean, about five times a second."""
    time = np.arange(n_frames)[:, np.newaxis] / FRAME_RATE
    phase = rng.uniform(0.0, 2.0 * np.pi, [batch, 1, n])
    rate = rng.uniform(4.0, 6.0, [batch, 1, n])
    wave = np.sin(2.0 * np.pi * rate * time + phase)
    return (mean_hz * (1.0 + 0.03 * wave)).astype(np.float32)


def levels(rng, batch: int, n_frames: int = N_FRAMES, n: int = 1):
    """[batch, n_frames, n], 0 to 1, another one in each frame."""
    return rng.uniform(size=[batch, n_frames, n]).astype(np.float32)


def shares(rng, batch: int, n: int, n_frames: int = N_FRAMES):
    """[batch, n_frames, n] that sum to one, the energy spread over all."""
    shares = levels(rng, batch, n_frames, n)
    return shares / shares.sum(axis=-1, keepdims=True)


def top_only(batch: int, n: int, n_frames: int = N_FRAMES):
    """[batch, n_frames, n], all in the highest harmonic."""
    shares = np.zeros([batch, n_frames, n], np.float32)
    shares[..., -1] = 1.0
    return shares


def tables(rng, batch: int, size: int, n_frames: int = N_FRAMES, n_harmonics: int = 20):
    """[batch, n_frames, size]: cycles of a wave that changes over time."""
    numbers = np.arange(1, n_harmonics + 1)
    cycle = np.sin(2.0 * np.pi * np.outer(numbers, np.arange(size) / size))
    return shares(rng, batch, n_harmonics, n_frames) @ cycle.astype(np.float32)


def noise(rng, batch: int, n_samples: int):
    """[batch, n_samples] in [-1, 1)."""
    return rng.uniform(-1.0, 1.0, [batch, n_samples]).astype(np.float32)
