"""Pictures of audio, filters and notes."""

from typing import Any

import numpy as np

from ddsp import core, spectral_ops
from ddsp._core import checks

_N_KEYS = 128
_BLACK_KEYS = (1, 3, 6, 8, 10)
_CLOSE = {"wspace": 0.01}


def specplot(
    audio: Any,
    vmin: float = -5,
    vmax: float = 1,
    rotate: bool = True,
    size: int = 768,
    **matshow_kwargs: Any,
) -> None:
    """Draws the log-magnitude spectrogram of a signal in a new figure.

    Args:
      audio: `[n_samples]` or `[batch, n_samples]`, of which the first is drawn.
      vmin: Natural log-magnitude of the darkest colour.
      vmax: Natural log-magnitude of the brightest colour.
      rotate: Time runs to the right and frequency upwards; otherwise time runs
        downwards and frequency to the right.
      size: Window of the Fourier transform, in samples.
      **matshow_kwargs: Passed to `matplotlib.pyplot.matshow`; `fignum=0` draws on the
        current axes.
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
      The frequencies from 0 Hz to half the sample rate, `[n_fft // 2 + 1]`, and the
      linear magnitudes, `[..., n_fft // 2 + 1]`, where `n_fft` is the next power of 2
      that holds the response.
    """
    response = np.asarray(ir, np.float64)
    n_fft = core.get_fft_size(1, response.shape[-1])
    frequencies = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    return frequencies, np.abs(np.fft.rfft(response, n_fft))


def plot_impulse_responses(
    impulse_response: Any, desired_magnitudes: Any, sample_rate: int = 16000
) -> None:
    """Draws an impulse response, and its magnitudes beside those asked for.

    Args:
      impulse_response: `[..., n_samples]`, of which the first is drawn.
      desired_magnitudes: Linear magnitudes from 0 Hz to half the sample rate,
        `[..., n_bands]`, of which the first are drawn.
      sample_rate: Samples a second.
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


def _first_row(x: Any) -> np.ndarray:
    array = np.asarray(x, np.float64)
    return array.reshape(-1, array.shape[-1])[0]


def _decibels(magnitudes: np.ndarray) -> np.ndarray:
    return 20.0 * np.log10(np.maximum(magnitudes, 1e-6))


def pianoroll_plot_setup(
    figsize: tuple[float, float] | None = None,
    side_piano_ratio: float = 0.025,
    faint_pr: bool = True,
    xlim: tuple[float, float] | None = None,
    fig: Any = None,
) -> tuple[Any, Any, Any]:
    """Makes axes for notes, with the keys of a piano at their left.

    The middle of the key of MIDI pitch `p` lies at the height `p`, from 0 to 127.

    Args:
      figsize: Width and height in inches.
      side_piano_ratio: Width of the keys in widths of the main axes, > 0.
      faint_pr: Whether to draw the keys, faintly, across the main axes too.
      xlim: Range of the main axes, within which the faint keys lie; (0, 1000) by
        default.
      fig: Figure to draw in; a new one of pyplot's by default.

    Returns:
      The figure, the main axes, and the axes of the keys. Both axes share their range
      of pitches.

    Raises:
      ValueError: If `side_piano_ratio` is not positive.
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


def _draw_keys(axes: Any, xlim: tuple[float, float], faint: bool) -> None:
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
    # White keys meet below C and F, and behind the middle of a black key.
    meetings = np.flatnonzero(np.isin(pitch_classes, (0, 5))) - 0.5
    if not faint:
        behind = np.flatnonzero(np.isin(pitch_classes, _BLACK_KEYS))
        meetings = np.concatenate([meetings, behind])
    axes.hlines(
        meetings, *xlim, colors="black", linewidth=0.5, alpha=0.25 if faint else 1.0
    )
