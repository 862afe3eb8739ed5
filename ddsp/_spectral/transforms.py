"""Short-time Fourier transforms with a Hann window, in TensorFlow and in NumPy."""

import librosa
import numpy as np
import tensorflow as tf

from ddsp._core.framing import frame


def windowed_fft(audio: tf.Tensor, frame_size: int, hop: int) -> tf.Tensor:
    """Returns complex spectra, [..., n_frames, frame_size // 2 + 1]."""
    window = tf.signal.hann_window(frame_size)
    return tf.signal.rfft(frame(audio, frame_size, hop, window))


def windowed_fft_np(audio: np.ndarray, frame_size: int, hop: int) -> np.ndarray:
    """Returns the same as `windowed_fft`, as an array."""
    spectrum = librosa.stft(audio, n_fft=frame_size, hop_length=hop, center=False)
    return np.swapaxes(spectrum, -1, -2)


def squared_magnitude(spectrum: tf.Tensor) -> tf.Tensor:
    """Returns |spectrum|^2."""
    return tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2
