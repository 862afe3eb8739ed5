"""Audio and its pitch for TensorBoard."""

from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import core
from ddsp.training import plotting
from ddsp.training.summaries.figures import (
    MAX_EXAMPLES,
    fig_summary,
    make_figure,
    make_tag,
)

_GAP = 8  # Pixels between two pictures.


def waveform_summary(audio: Any, audio_gen: Any, step: int, name: str = "") -> None:
    """Draws waveforms, the recording above what the model made of it.

    Args:
      audio: Recordings, `[batch, n_samples]`.
      audio_gen: Resynthesis, `[batch, n_samples]`.
      step: Training step.
      name: Suffix of the tag.
    """
    for i, (original, generated) in enumerate(_pairs(audio, audio_gen)):
        fig, (above, below) = make_figure(rows=2, size=(5.0, 4.0))
        above.plot(original, linewidth=0.5)
        below.plot(generated, linewidth=0.5)
        above.set(ylabel="original", ylim=(-1.0, 1.0), xticks=[], yticks=[])
        below.set(ylabel="synthesized", ylim=(-1.0, 1.0), xticks=[], yticks=[])
        fig_summary(f"{make_tag('waveform', name)}/{i}", fig, step)


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
        tf.summary.image(f"{make_tag(tag, name)}/{i}", image[np.newaxis], step=step)


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
        fig, axis = make_figure(size=(6.0, 3.0))
        for label, curve in (("original", original), ("synthesized", generated)):
            frames = np.linspace(0.0, original.size, curve.size, endpoint=False)
            pitch = np.where(curve > 0.0, core.hz_to_midi(curve), np.nan)
            axis.plot(frames, pitch, label=label)
        axis.set(xlabel="Frame", ylabel="Pitch (MIDI)")
        axis.legend()
        fig_summary(f"{make_tag(tag, name)}/{i}", fig, step)


def _pairs(first: Any, second: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """The first examples of two batches, each without its channel axis."""
    batches = []
    for batch in (first, second):
        array = np.asarray(batch, np.float32)
        batches.append(array.reshape(array.shape[0], -1)[:MAX_EXAMPLES])
    return list(zip(*batches, strict=True))
