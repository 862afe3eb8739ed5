"""Plots of audio, filters and notes."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ddsp import core, spectral_ops
from ddsp._core import checks
from ddsp.types import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_N_KEYS = 128
_BLACK_KEYS = (1, 3, 6, 8, 10)
_CLOSE = {"wspace": 0.01}


def specplot(
    audio: ArrayLike,
    vmin: float = -5,
    vmax: float = 1,
    rotate: bool = True,
    size: int = 768,
    **matshow_kwargs: Any,
) -> None:
    """Plots the log-magnitude spectrogram of a signal in a new figure.

    Args:
      audio: Audio, [n_samples], or [batch, n_samples], of which the first row is used.
      vmin: Natural logarithm of the magnitude of the darkest color.
      vmax: Natural logarithm of the magnitude of the brightest color.
      rotate: Whether time is the horizontal axis; otherwise it is the vertical axis,
        pointing down.
      size: FFT size in samples.
      **matshow_kwargs: Arguments of `matplotlib.pyplot.matshow`. `fignum=0` plots on
        the current axes.

    Example:

    >>> import matplotlib
    >>> from ddsp.training import plotting
    >>> matplotlib.use("agg")
    >>> plotting.specplot(np.zeros(16000))
    """
    from matplotlib import pyplot

    pyplot.matshow(
        log_spectrogram(audio, rotate=rotate, size=size),
        vmin=vmin,
        vmax=vmax,
        **{"aspect": "auto", "cmap": "magma", **matshow_kwargs},
    )
    axes = pyplot.gca()
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("Time" if rotate else "Frequency")
    axes.set_ylabel("Frequency" if rotate else "Time")


def log_spectrogram(
    audio: ArrayLike, rotate: bool = False, size: int = 1024
) -> np.ndarray:
    """Computes a log-magnitude spectrogram.

    Args:
      audio: Audio, [n_samples], or [batch, n_samples], of which the first row is used.
      rotate: Whether columns are frames and rows are frequencies from high to low.
      size: FFT size in samples.

    Returns:
      Natural logarithm of the magnitudes, [n_frames, n_bins], or [n_bins, n_frames] if
      `rotate`.

    Example:

    >>> from ddsp.training import plotting
    >>> plotting.log_spectrogram(np.zeros(4096), rotate=True).shape
    (513, 16)
    """
    signal = np.asarray(audio, np.float32)
    if signal.ndim > 1:
        signal = signal[0]
    magnitudes = spectral_ops.compute_logmag(core.tf_float32(signal), size=size)
    spectrogram = np.asarray(magnitudes)
    return np.rot90(spectrogram) if rotate else spectrogram


def transfer_function(
    ir: ArrayLike, sample_rate: int = 16000
) -> tuple[np.ndarray, np.ndarray]:
    """Computes the magnitude response of an impulse response.

    Args:
      ir: Impulse response, [..., n_samples].
      sample_rate: Sample rate in Hz.

    Returns:
      Frequencies from 0 Hz to half the sample rate, [n_fft // 2 + 1], and linear
      magnitudes, [..., n_fft // 2 + 1], where `n_fft` is the next power of 2 that is
      not less than `n_samples`.

    Example:

    >>> from ddsp.training import plotting
    >>> frequencies, magnitudes = plotting.transfer_function([0.5, 0.5])
    >>> frequencies.tolist(), magnitudes.tolist()
    ([0.0, 8000.0], [1.0, 0.0])
    """
    response = np.asarray(ir, np.float64)
    n_fft = core.get_fft_size(1, response.shape[-1])
    frequencies = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    return frequencies, np.abs(np.fft.rfft(response, n_fft))


def plot_impulse_responses(
    impulse_response: ArrayLike,
    desired_magnitudes: ArrayLike,
    sample_rate: int = 16000,
) -> None:
    """Plots an impulse response, and its magnitude response with the desired one.

    Args:
      impulse_response: Impulse response, [..., n_samples], of which the first row is
        used.
      desired_magnitudes: Linear magnitudes from 0 Hz to half the sample rate, [...,
        n_bands], of which the first row is used.
      sample_rate: Sample rate in Hz.

    Example:

    >>> import matplotlib
    >>> from ddsp.training import plotting
    >>> matplotlib.use("agg")
    >>> plotting.plot_impulse_responses([0.5, 0.5], [1.0, 0.7, 0.0])
    """
    from matplotlib import pyplot

    response, desired = map(_first_row, (impulse_response, desired_magnitudes))
    frequencies, magnitudes = transfer_function(response, sample_rate)
    desired_hz = np.linspace(0.0, sample_rate / 2.0, desired.size)

    _, (left, right) = pyplot.subplots(1, 2, figsize=(12, 4))
    left.plot(np.arange(response.size) / sample_rate * 1000.0, response)
    left.set(xlabel="Time (ms)", ylabel="Amplitude", title="Impulse response")
    right.plot(desired_hz, _decibels(desired), label="Desired")
    right.plot(frequencies, _decibels(magnitudes), label="Measured")
    right.set(xlabel="Frequency (Hz)", ylabel="Magnitude (dB)", title="Response")
    right.legend()


def _first_row(x: ArrayLike) -> np.ndarray:
    array = np.asarray(x, np.float64)
    return array.reshape(-1, array.shape[-1])[0]


def _decibels(magnitudes: np.ndarray) -> np.ndarray:
    return 20.0 * np.log10(np.maximum(magnitudes, 1e-6))


def pianoroll_plot_setup(
    figsize: tuple[float, float] | None = None,
    side_piano_ratio: float = 0.025,
    faint_pr: bool = True,
    xlim: tuple[float, float] | None = None,
    fig: "Figure | None" = None,
) -> tuple["Figure", "Axes", "Axes"]:
    """Creates axes for notes, with piano keys at the left.

    The vertical axis is the MIDI pitch, from 0 to 127.

    Args:
      figsize: Width and height in inches.
      side_piano_ratio: Width of the keys divided by that of the main axes, > 0.
      faint_pr: Whether to also draw faint keys across the main axes.
      xlim: Horizontal range of the main axes and the faint keys; (0, 1000) by default.
      fig: Figure to use; a new pyplot figure by default.

    Returns:
      The figure, the main axes and the axes of the keys, which share their range of
      pitches.

    Raises:
      ValueError: If `side_piano_ratio` is not positive.

    Example:

    >>> from matplotlib.figure import Figure
    >>> from ddsp.training import plotting
    >>> _, axes, keys = plotting.pianoroll_plot_setup(xlim=(0.0, 250.0), fig=Figure())
    >>> axes.get_ylim() == keys.get_ylim()
    True
    """
    checks.positive("side_piano_ratio", side_piano_ratio)
    if fig is None:
        from matplotlib import pyplot

        fig = pyplot.figure(figsize=figsize)
    elif figsize is not None:
        fig.set_size_inches(*figsize)
    piano, main = fig.subplots(
        1, 2, sharey=True, width_ratios=[side_piano_ratio, 1.0], gridspec_kw=_CLOSE
    )
    _draw_keys(piano, (0.0, 1.0), faint=False)
    piano.set(xticks=[], xlim=(0.0, 1.0), ylim=(-0.5, _N_KEYS - 0.5))
    piano.yaxis.get_major_locator().set_params(integer=True)
    main.tick_params(labelleft=False)
    xlim = (0, 1000) if xlim is None else xlim
    if faint_pr:
        _draw_keys(main, xlim, faint=True)
    main.set_xlim(*xlim)
    return fig, main, piano


def _draw_keys(axes: "Axes", xlim: tuple[float, float], faint: bool) -> None:
    pitch_classes = np.arange(_N_KEYS) % 12
    axes.imshow(
        np.isin(pitch_classes, _BLACK_KEYS)[:, np.newaxis],
        origin="lower",
        aspect="auto",
        cmap="binary",
        interpolation="nearest",
        alpha=0.06 if faint else 1.0,
        extent=(*xlim, -0.5, _N_KEYS - 0.5),
    )
    # White keys meet below C and F, and at the center of each black key.
    edges = np.flatnonzero(np.isin(pitch_classes, (0, 5))) - 0.5
    if not faint:
        centers = np.flatnonzero(np.isin(pitch_classes, _BLACK_KEYS))
        edges = np.concatenate([edges, centers])
    axes.hlines(
        edges, *xlim, colors="black", linewidth=0.5, alpha=0.25 if faint else 1.0
    )
