"""Textbook implementations of the signal processing of this library.

They represent idiomatic TensorFlow without this library: controls are upsampled to the
sample rate, phases are cumulative sums, and the rest uses `tf.signal`. Shapes and
conventions are those of `ddsp.core`.
"""

import math

import tensorflow as tf

FFT_SIZES = (2048, 1024, 512, 256, 128, 64)


def upsample(frames: tf.Tensor, n_samples: int, window: bool = False) -> tf.Tensor:
    """Upsamples [batch, n_frames, channels], linearly or with Hann windows."""
    hop = n_samples // frames.shape[1]
    ramp = tf.range(hop, dtype=tf.float32)[:, tf.newaxis] / hop
    if window:
        ramp = 0.5 - 0.5 * tf.cos(math.pi * ramp)
    following = tf.concat([frames[:, 1:], frames[:, -1:]], axis=1)
    start, step = frames[:, :, tf.newaxis], (following - frames)[:, :, tf.newaxis]
    return tf.reshape(start + step * ramp, [-1, n_samples, frames.shape[2]])


def sinusoidal(
    frequencies: tf.Tensor, amplitudes: tf.Tensor, n_samples: int, sample_rate: int
) -> tf.Tensor:
    """Synthesizes sinusoids from controls [batch, n_frames, n_sinusoids]."""
    frequencies = upsample(frequencies, n_samples)
    amplitudes = upsample(amplitudes, n_samples, window=True)
    amplitudes = tf.where(frequencies < sample_rate / 2, amplitudes, 0.0)
    phase = tf.cumsum(2.0 * math.pi / sample_rate * frequencies, axis=1)
    return tf.reduce_sum(amplitudes * tf.sin(phase), axis=-1)


def harmonic(
    f0_hz: tf.Tensor,
    amplitudes: tf.Tensor,
    distribution: tf.Tensor,
    n_samples: int,
    sample_rate: int,
) -> tf.Tensor:
    """Synthesizes harmonics; `f0_hz` and `amplitudes` are [batch, n_frames, 1]."""
    numbers = tf.range(1, distribution.shape[-1] + 1, dtype=tf.float32)
    amplitudes = amplitudes * distribution
    return sinusoidal(f0_hz * numbers, amplitudes, n_samples, sample_rate)


def lookup(tables: tf.Tensor, phase: tf.Tensor) -> tf.Tensor:
    """Reads tables [..., size] at a phase [...] in cycles."""
    size = tables.shape[-1]
    position = tf.math.floormod(phase, 1.0) * size
    whole = tf.floor(position)
    left = tf.cast(whole, tf.int32) % size
    axes = phase.shape.rank
    below = tf.gather(tables, left, batch_dims=axes)
    above = tf.gather(tables, (left + 1) % size, batch_dims=axes)
    return below + (position - whole) * (above - below)


def wavetable(
    f0_hz: tf.Tensor,
    amplitudes: tf.Tensor,
    tables: tf.Tensor,
    n_samples: int,
    sample_rate: int,
) -> tf.Tensor:
    """Synthesizes audio from wavetables [batch, n_frames, size]."""
    f0_hz = upsample(f0_hz, n_samples)[:, :, 0]
    amplitudes = upsample(amplitudes, n_samples, window=True)[:, :, 0]
    phase = tf.cumsum(f0_hz / sample_rate, axis=1, exclusive=True)
    return amplitudes * lookup(upsample(tables, n_samples), phase)


def uniform_noise(batch: int, n_samples: int) -> tf.Tensor:
    """Returns white noise in [-1, 1)."""
    return tf.random.uniform([batch, n_samples], -1.0, 1.0)


def fft_size(n_samples: int) -> int:
    """Returns the next power of two."""
    return 2 ** math.ceil(math.log2(n_samples))


def fir_filter(audio: tf.Tensor, magnitudes: tf.Tensor) -> tf.Tensor:
    """Filters audio with magnitudes [batch, n_frames, n_frequencies]."""
    n_samples, n_frames = audio.shape[1], magnitudes.shape[1]
    hop = n_samples // n_frames
    size = 2 * (magnitudes.shape[-1] - 1)
    response = tf.signal.irfft(tf.complex(magnitudes, tf.zeros_like(magnitudes)))
    response = tf.signal.fftshift(response, axes=-1) * tf.signal.hann_window(size)
    length = [fft_size(hop + size - 1)]
    spectrum = tf.signal.rfft(tf.reshape(audio, [-1, n_frames, hop]), length)
    filtered = tf.signal.irfft(spectrum * tf.signal.rfft(response, length), length)
    delay = (size - 1) // 2 - 1
    return tf.signal.overlap_and_add(filtered, hop)[:, delay : delay + n_samples]


def reverb(audio: tf.Tensor, response: tf.Tensor) -> tf.Tensor:
    """Adds audio convolved with an IR [batch, size], without its first sample."""
    n_samples = audio.shape[1]
    length = [fft_size(n_samples + response.shape[1] - 1)]
    response = tf.concat([tf.zeros_like(response[:, :1]), response[:, 1:]], axis=1)
    spectrum = tf.signal.rfft(audio, length) * tf.signal.rfft(response, length)
    return audio + tf.signal.irfft(spectrum, length)[:, :n_samples]


def exp_sigmoid(x: tf.Tensor) -> tf.Tensor:
    """Maps a network output to an amplitude."""
    return 2.0 * tf.sigmoid(x) ** math.log(10.0) + 1e-7


def exp_decay_response(
    gain: tf.Tensor, decay: tf.Tensor, noise: tf.Tensor
) -> tf.Tensor:
    """Applies exponential decay to noise [1, size]; `gain`, `decay` are [batch, 1]."""
    time = tf.linspace(0.0, 1.0, noise.shape[1])
    return exp_sigmoid(gain) * tf.exp(-(2.0 + tf.exp(decay)) * time) * noise


def delay_line(audio: tf.Tensor, phase: tf.Tensor, max_length: int) -> tf.Tensor:
    """Delays audio by `phase` [batch, n_samples] of at most `max_length` samples."""
    padded = tf.pad(audio, [[0, 0], [max_length - 1, 0]])
    lines = tf.signal.frame(padded, max_length, 1)
    # The oldest sample of a delay line comes first.
    return lookup(lines, (max_length - 1) / max_length - phase)


def spectral_loss(target: tf.Tensor, audio: tf.Tensor) -> tf.Tensor:
    """Computes mean differences of magnitudes and log magnitudes for all FFT sizes."""
    loss = 0.0
    for size in FFT_SIZES:
        want, have = (
            tf.abs(tf.signal.stft(x, size, size // 4, pad_end=True))
            for x in (target, audio)
        )
        loss += tf.reduce_mean(tf.abs(want - have))
        want, have = (
            tf.math.log(tf.where(x > 0.0, x, 1e-5))  # Avoids log(0).
            for x in (want, have)
        )
        loss += tf.reduce_mean(tf.abs(want - have))
    return loss
