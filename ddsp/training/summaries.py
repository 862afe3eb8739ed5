"""What TensorBoard shows: pictures, audio and curves.

Every function writes to the current default summary writer and does nothing without
one. Of a batch, the first few examples are shown.
"""

import io
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import core
from ddsp.training import plotting

MAX_EXAMPLES = 4
_GAP = 8  # Pixels between two pictures.


def fig_summary(tag: str, fig: Any, step: int) -> None:
    """Writes a matplotlib figure as an image.

    Args:
      tag: Name of the image.
      fig: A `matplotlib.figure.Figure`.
      step: Training step.
    """
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png")
    image = tf.image.decode_png(buffer.getvalue(), channels=4)
    tf.summary.image(tag, image[tf.newaxis], step=step)


def waveform_summary(audio: Any, audio_gen: Any, step: int, name: str = "") -> None:
    """Draws waveforms, the recording above what the model made of it.

    Args:
      audio: Recordings, `[batch, n_samples]`.
      audio_gen: Resynthesis, `[batch, n_samples]`.
      step: Training step.
      name: Suffix of the tag.
    """
    for i, (original, generated) in enumerate(_pairs(audio, audio_gen)):
        fig, (above, below) = _figure(rows=2, size=(5.0, 4.0))
        above.plot(original, linewidth=0.5)
        below.plot(generated, linewidth=0.5)
        above.set(ylabel="original", ylim=(-1.0, 1.0), xticks=[], yticks=[])
        below.set(ylabel="synthesized", ylim=(-1.0, 1.0), xticks=[], yticks=[])
        fig_summary(f"{_tag('waveform', name)}/{i}", fig, step)


def get_spectrogram(audio: Any, rotate: bool = False, size: int = 1024) -> np.ndarray:
    """Log-magnitude spectrogram as a picture; see `plotting.log_spectrogram`.

    Args:
      audio: `[n_samples]` or `[batch, n_samples]`, of which the first is taken.
      rotate: Whether time runs to the right and frequency upwards.
      size: Window of the Fourier transform, in samples.

    Returns:
      Natural logarithms, `[n_frames, n_bins]`, or `[n_bins, n_frames]` if rotated.
    """
    return plotting.log_spectrogram(audio, rotate=rotate, size=size)


def spectrogram_summary(
    audio: Any,
    audio_gen: Any,
    step: int,
    name: str = "",
    tag: str = "spectrogram",
) -> None:
    """Draws spectrograms, the recording to the left of what the model made of it.

    A pixel is a frame and a bin, between e^-5 (dark) and e (bright).

    Args:
      audio: Recordings, `[batch, n_samples]`.
      audio_gen: Resynthesis, `[batch, n_samples]`.
      step: Training step.
      name: Suffix of the tag.
      tag: Name of the images.
    """
    from matplotlib import colormaps

    low, high = -5.0, 1.0
    for i, signals in enumerate(_pairs(audio, audio_gen)):
        pictures = [get_spectrogram(signal, rotate=True) for signal in signals]
        n_bins = pictures[0].shape[0]
        pictures.insert(1, np.full([n_bins, _GAP], high))
        brightness = (np.concatenate(pictures, axis=1) - low) / (high - low)
        image = colormaps["magma"](brightness, bytes=True)
        tf.summary.image(f"{_tag(tag, name)}/{i}", image[np.newaxis], step=step)


def audio_summary(
    audio: Any, step: int, sample_rate: int = 16000, name: str = "audio"
) -> None:
    """Writes audio to listen to.

    Args:
      audio: `[batch, n_samples]`, or with a last axis of 1.
      step: Training step.
      sample_rate: Samples a second.
      name: Tag.
    """
    signals = core.tf_float32(audio)
    if signals.shape.rank == 2:
        signals = signals[:, :, tf.newaxis]
    tf.summary.audio(
        name,
        tf.clip_by_value(signals, -1.0, 1.0),
        sample_rate,
        step,
        max_outputs=MAX_EXAMPLES,
    )


def f0_summary(
    f0_hz: Any,
    f0_hz_predict: Any,
    step: int,
    name: str = "f0_midi",
    tag: str = "f0_midi",
) -> None:
    """Draws pitch curves, the recording's with the model's.

    Args:
      f0_hz: `[batch, n_frames]` or `[batch, n_frames, 1]`, Hz; 0 is not drawn.
      f0_hz_predict: The same of the resynthesis; its number of frames may differ.
      step: Training step.
      name: Suffix of the tag.
      tag: Name of the images.
    """
    for i, (original, generated) in enumerate(_pairs(f0_hz, f0_hz_predict)):
        fig, axis = _figure(size=(6.0, 3.0))
        for label, curve in (("original", original), ("synthesized", generated)):
            axis.plot(
                np.where(curve > 0.0, core.hz_to_midi(curve), np.nan), label=label
            )
        axis.set(xlabel="Frame", ylabel="Pitch (MIDI)")
        axis.legend()
        fig_summary(f"{_tag(tag, name)}/{i}", fig, step)


def _tag(tag: str, name: str) -> str:
    return f"{tag}_{name}" if name and name != tag else tag


def _pairs(first: Any, second: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """The first examples of two batches, each without its channel axis."""
    batches = []
    for batch in (first, second):
        array = np.asarray(batch, np.float32)
        batches.append(array.reshape(array.shape[0], -1)[:MAX_EXAMPLES])
    return list(zip(*batches, strict=True))


def _figure(rows: int = 1, size: tuple[float, float] = (6.0, 4.0)):
    # A figure of its own, since pyplot would keep every one of them in memory and
    # ask for a display.
    from matplotlib.figure import Figure

    fig = Figure(figsize=size)
    return fig, fig.subplots(rows)
