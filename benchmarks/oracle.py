"""Reference implementations in float64 NumPy, without TensorFlow."""

import numpy as np
from scipy import signal

from benchmarks import textbook


def upsample(frames: np.ndarray, n_samples: int, window: bool = False) -> np.ndarray:
    """Upsamples [batch, n_frames] to [batch, n_samples]; holds the last frame."""
    hop = n_samples // frames.shape[1]
    ramp = np.arange(hop) / hop
    if window:
        ramp = np.sin(np.pi / 2.0 * ramp) ** 2
    following = np.concatenate([frames[:, 1:], frames[:, -1:]], axis=1)
    samples = frames[..., np.newaxis] * (1.0 - ramp) + following[..., np.newaxis] * ramp
    return samples.reshape(len(frames), n_samples)


def sinusoidal(
    frequencies: np.ndarray, amplitudes: np.ndarray, n_samples: int, sample_rate: int
) -> np.ndarray:
    """Synthesizes one sinusoid at a time; skips silent ones."""
    audio = np.zeros([len(frequencies), n_samples])
    for k in np.flatnonzero(amplitudes.any(axis=(0, 1))):
        hz = upsample(frequencies[..., k], n_samples)
        amplitude = upsample(amplitudes[..., k], n_samples, window=True)
        cycles = np.cumsum(hz, axis=1) / sample_rate
        audio += (hz < sample_rate / 2) * amplitude * np.sin(2.0 * np.pi * cycles)
    return audio


def harmonic(
    f0_hz: np.ndarray,
    amplitudes: np.ndarray,
    distribution: np.ndarray,
    n_samples: int,
    sample_rate: int,
) -> np.ndarray:
    """Reference of `textbook.harmonic`."""
    frequencies = f0_hz * np.arange(1, distribution.shape[-1] + 1)
    return sinusoidal(frequencies, amplitudes * distribution, n_samples, sample_rate)


def wavetable(
    f0_hz: np.ndarray,
    amplitudes: np.ndarray,
    tables: np.ndarray,
    n_samples: int,
    sample_rate: int,
) -> np.ndarray:
    """Reference of `textbook.wavetable`."""
    hz = upsample(f0_hz[..., 0], n_samples)
    position = (np.cumsum(hz, axis=1) - hz) / sample_rate % 1.0 * tables.shape[-1]
    weights = {}  # By offset from the entry below the position.
    below = position.astype(int)
    weights[1] = position - below
    weights[0] = 1.0 - weights[1]
    n_frames = tables.shape[1]
    frame = np.arange(n_samples) * n_frames / n_samples
    here = frame.astype(int)
    audio = 0.0
    for row, share in (
        (here, 1.0 - (frame - here)),
        (np.minimum(here + 1, n_frames - 1), frame - here),
    ):
        for offset, weight in weights.items():
            entry = (below + offset) % tables.shape[-1]
            batch = np.arange(len(tables))[:, np.newaxis]
            audio = audio + share * weight * tables[batch, row, entry]
    return audio * upsample(amplitudes[..., 0], n_samples, window=True)


def fir_filter(audio: np.ndarray, magnitudes: np.ndarray) -> np.ndarray:
    """Reference of `textbook.fir_filter`, with one convolution per frame."""
    batch, n_samples = audio.shape
    n_frames, n_bins = magnitudes.shape[1:]
    size, hop = 2 * (n_bins - 1), n_samples // n_frames
    times = np.arange(size) - size // 2
    angles = 2.0 * np.pi * np.outer(np.arange(n_bins), times) / size
    once = np.where(np.isin(np.arange(n_bins), [0, n_bins - 1]), 1.0, 2.0)
    window = signal.get_window("hann", size)
    responses = (magnitudes * once) @ np.cos(angles) / size * window
    result = np.zeros([batch, n_samples + size - 1])
    for b, frame in np.ndindex(batch, n_frames):
        part = slice(frame * hop, (frame + 1) * hop)
        stop = part.stop + size - 1
        result[b, part.start : stop] += np.convolve(audio[b, part], responses[b, frame])
    delay = (size - 1) // 2 - 1
    return result[:, delay : delay + n_samples]


def reverb(audio: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Reference of `textbook.reverb`."""
    wet = signal.fftconvolve(audio[:, :-1], response[:, 1:], axes=1)
    audio = audio.copy()
    audio[:, 1:] += wet[:, : audio.shape[1] - 1]
    return audio


def exp_sigmoid(x: np.ndarray) -> np.ndarray:
    """Reference of `textbook.exp_sigmoid`."""
    return 2.0 * (1.0 + np.exp(-x)) ** -np.log(10.0) + 1e-7


def exp_decay_response(
    gain: np.ndarray, decay: np.ndarray, noise: np.ndarray
) -> np.ndarray:
    """Reference of `textbook.exp_decay_response`."""
    time = np.linspace(0.0, 1.0, noise.shape[1])
    return exp_sigmoid(gain) * np.exp(-(2.0 + np.exp(decay)) * time) * noise


def delay_line(audio: np.ndarray, phase: np.ndarray, max_length: int) -> np.ndarray:
    """Reference of `textbook.delay_line`."""
    delay = phase * max_length
    whole = delay.astype(int)
    padded = np.pad(audio, [[0, 0], [max_length, 0]])
    now = np.arange(audio.shape[1]) + max_length

    def read(ago: np.ndarray) -> np.ndarray:
        return np.take_along_axis(padded, now - ago % max_length, axis=1)

    later, earlier = read(whole), read(whole + 1)
    return later + (delay - whole) * (earlier - later)


def spectral_loss(target: np.ndarray, audio: np.ndarray) -> np.float64:
    """Reference of `textbook.spectral_loss`."""

    def magnitudes(x: np.ndarray, size: int) -> np.ndarray:
        hop = size // 4
        x = np.pad(x, [[0, 0], [0, size]])
        frames = np.lib.stride_tricks.sliding_window_view(x, size, axis=1)[:, ::hop]
        frames = frames[:, : -(-target.shape[1] // hop)]
        return np.abs(np.fft.rfft(frames * signal.get_window("hann", size)))

    loss = 0.0
    for size in textbook.FFT_SIZES:
        want, have = (magnitudes(x, size) for x in (target, audio))
        loss += np.mean(np.abs(want - have))
        loss += np.mean(np.abs(np.log(want) - np.log(have)))
    return np.float64(loss)
