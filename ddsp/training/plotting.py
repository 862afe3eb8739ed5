"""Pictures of audio and filters."""

from typing import Any

import numpy as np

from ddsp import core, spectral_ops


def specplot(
    audio: Any,
    vmin: float = -5,
    vmax: float = 1,
    rotate: bool = True,
    size: int = 768,
    **matshow_kwargs: Any,
) -> None:
    """Draws the log-magnitude spectrogram of a signal on the current axes.

    Args:
      audio: `[n_samples]` or `[batch, n_samples]`, of which the first is drawn.
      vmin: Natural log-magnitude of the darkest colour.
      vmax: Natural log-magnitude of the brightest colour.
      rotate: Time runs to the right and frequency upwards; otherwise time runs
        downwards and frequency to the right.
      size: Window of the Fourier transform, in samples.
      **matshow_kwargs: Passed to `matplotlib.axes.Axes.matshow`.
    """
    from matplotlib import pyplot

    axes = pyplot.gca()
    axes.matshow(
        log_spectrogram(audio, rotate=rotate, size=size),
        vmin=vmin,
        vmax=vmax,
        aspect="auto",
        cmap=matshow_kwargs.pop("cmap", "magma"),
        **matshow_kwargs,
    )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("Time" if rotate else "Frequency")
    axes.set_ylabel("Frequency" if rotate else "Time")


def log_spectrogram(audio: Any, rotate: bool = False, size: int = 1024) -> np.ndarray:
    """Log-magnitude spectrogram as a picture.

    Args:
      audio: `[n_samples]` or `[batch, n_samples]`, of which the first is taken.
      rotate: Rows are frequencies from high to low and columns are frames;
        otherwise rows are frames and columns are frequencies.
      size: Window of the Fourier transform, in samples.

    Returns:
      Natural logarithms, `[n_frames, n_bins]`, or `[n_bins, n_frames]` if rotated.
    """
    signal = np.asarray(audio, np.float32)
    if signal.ndim > 1:
        signal = signal[0]
    magnitudes = spectral_ops.compute_logmag(core.tf_float32(signal), size=size)
    picture = np.asarray(magnitudes)
    return np.rot90(picture) if rotate else picture


def transfer_function(
    ir: Any, sample_rate: int = 16000
) -> tuple[np.ndarray, np.ndarray]:
    """Magnitude response of an impulse response.

    Args:
      ir: Impulse response, `[..., n_samples]`.
      sample_rate: Samples a second.

    Returns:
      The frequencies, `[n_samples // 2 + 1]`, Hz, and the magnitudes in dB,
      `[..., n_samples // 2 + 1]`, not below -120 dB.
    """
    response = np.asarray(ir, np.float64)
    magnitudes = np.abs(np.fft.rfft(response))
    frequencies = np.fft.rfftfreq(response.shape[-1], 1.0 / sample_rate)
    return frequencies, 20.0 * np.log10(np.maximum(magnitudes, 1e-6))


def plot_impulse_responses(
    impulse_response: Any, desired_magnitudes: Any, sample_rate: int = 16000
) -> None:
    """Draws an impulse response, and its magnitudes beside those asked for.

    Args:
      impulse_response: `[n_samples]` or `[batch, n_samples]`, of which the first is
        drawn.
      desired_magnitudes: Linear magnitudes from 0 Hz to half the sample rate,
        `[n_bands]` or `[batch, n_bands]`.
      sample_rate: Samples a second.
    """
    from matplotlib import pyplot

    response = np.atleast_2d(np.asarray(impulse_response, np.float64))[0]
    magnitudes = np.atleast_2d(np.asarray(desired_magnitudes, np.float64))[0]
    frequencies, decibels = transfer_function(response, sample_rate)
    desired_hz = np.linspace(0.0, sample_rate / 2.0, magnitudes.size)

    _, (left, right) = pyplot.subplots(1, 2, figsize=(12, 4))
    left.plot(np.arange(response.size) / sample_rate * 1000.0, response)
    left.set(xlabel="Time (ms)", ylabel="Amplitude", title="Impulse response")
    right.plot(
        desired_hz, 20.0 * np.log10(np.maximum(magnitudes, 1e-6)), label="Desired"
    )
    right.plot(frequencies, decibels, label="Measured")
    right.set(xlabel="Frequency (Hz)", ylabel="Magnitude (dB)", title="Response")
    right.legend()
