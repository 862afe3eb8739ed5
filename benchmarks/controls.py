"""Random synthesizer controls that resemble those of an instrument."""

import numpy as np

FRAME_RATE = 250
N_FRAMES = 1000  # Four seconds.
SAMPLE_RATE = 16000
N_SAMPLES = N_FRAMES * SAMPLE_RATE // FRAME_RATE


def vibrato(
    rng: np.random.Generator,
    mean_hz: float | np.ndarray,
    batch: int,
    n_frames: int = N_FRAMES,
    n: int = 1,
) -> np.ndarray:
    """Returns frequencies with vibrato of 3 % at 4 to 6 Hz, [batch, n_frames, n]."""
    time = np.arange(n_frames)[:, np.newaxis] / FRAME_RATE
    phase = rng.uniform(0.0, 2.0 * np.pi, [batch, 1, n])
    rate = rng.uniform(4.0, 6.0, [batch, 1, n])
    wave = np.sin(2.0 * np.pi * rate * time + phase)
    return (mean_hz * (1.0 + 0.03 * wave)).astype(np.float32)


def levels(
    rng: np.random.Generator, batch: int, n_frames: int = N_FRAMES, n: int = 1
) -> np.ndarray:
    """Returns independent uniform values in [0, 1), shape [batch, n_frames, n]."""
    return rng.uniform(size=[batch, n_frames, n]).astype(np.float32)


def shares(
    rng: np.random.Generator, batch: int, n: int, n_frames: int = N_FRAMES
) -> np.ndarray:
    """Returns uniform values that sum to 1 over n, shape [batch, n_frames, n]."""
    shares = levels(rng, batch, n_frames, n)
    return shares / shares.sum(axis=-1, keepdims=True)


def top_only(batch: int, n: int, n_frames: int = N_FRAMES) -> np.ndarray:
    """Returns a distribution with only the highest harmonic, [batch, n_frames, n]."""
    shares = np.zeros([batch, n_frames, n], np.float32)
    shares[..., -1] = 1.0
    return shares


def tables(
    rng: np.random.Generator,
    batch: int,
    size: int,
    n_frames: int = N_FRAMES,
    n_harmonics: int = 20,
) -> np.ndarray:
    """Returns time-varying wavetables, shape [batch, n_frames, size]."""
    numbers = np.arange(1, n_harmonics + 1)
    cycle = np.sin(2.0 * np.pi * np.outer(numbers, np.arange(size) / size))
    return shares(rng, batch, n_harmonics, n_frames) @ cycle.astype(np.float32)


def noise(rng: np.random.Generator, batch: int, n_samples: int) -> np.ndarray:
    """Returns white noise in [-1, 1), shape [batch, n_samples]."""
    return rng.uniform(-1.0, 1.0, [batch, n_samples]).astype(np.float32)
