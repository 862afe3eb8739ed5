"""Summaries of audio and f0 for TensorBoard."""

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
from ddsp.types import ArrayLike

_GAP = 8  # Pixels between two spectrograms.


def waveform_summary(
    audio: ArrayLike, audio_gen: ArrayLike, step: int, name: str = ""
) -> None:
    """Plots the waveforms of recordings above those of the resynthesis.

    Args:
      audio: Recordings, [batch, n_samples].
      audio_gen: Resynthesis, [batch, n_samples].
      step: Training step.
      name: Suffix of the tag.

    Example:

    >>> from ddsp.training import summaries
    >>> with tf.summary.create_file_writer(str(tmp_path)).as_default():
    ...     summaries.waveform_summary(np.zeros([1, 64]), np.zeros([1, 64]), step=0)
    """
    for i, (original, generated) in enumerate(_pairs(audio, audio_gen)):
        fig, (top, bottom) = make_figure(rows=2, size=(5.0, 4.0))
        top.plot(original, linewidth=0.5)
        bottom.plot(generated, linewidth=0.5)
        top.set(ylabel="original", ylim=(-1.0, 1.0), xticks=[], yticks=[])
        bottom.set(ylabel="synthesized", ylim=(-1.0, 1.0), xticks=[], yticks=[])
        fig_summary(f"{make_tag('waveform', name)}/{i}", fig, step)


def get_spectrogram(
    audio: ArrayLike, rotate: bool = False, size: int = 1024
) -> np.ndarray:
    """Computes a log-magnitude spectrogram; see `plotting.log_spectrogram`.

    Args:
      audio: Audio, [n_samples], or [batch, n_samples], of which the first row is used.
      rotate: Whether columns are frames and rows are frequencies from high to low.
      size: FFT size in samples.

    Returns:
      Natural logarithm of the magnitudes, [n_frames, n_bins], or [n_bins, n_frames] if
      `rotate`.

    Example:

    >>> from ddsp.training import summaries
    >>> summaries.get_spectrogram(np.zeros(4096), rotate=True).shape
    (513, 16)
    """
    return plotting.log_spectrogram(audio, rotate=rotate, size=size)


def spectrogram_summary(
    audio: ArrayLike,
    audio_gen: ArrayLike,
    step: int,
    name: str = "",
    tag: str = "spectrogram",
) -> None:
    """Plots the spectrograms of recordings to the left of those of the resynthesis.

    Each pixel shows one bin of one frame, with magnitudes from e^-5 (dark) to e
    (bright).

    Args:
      audio: Recordings, [batch, n_samples].
      audio_gen: Resynthesis, [batch, n_samples].
      step: Training step.
      name: Suffix of the tag.
      tag: Name of the images.

    Example:

    >>> from ddsp.training import summaries
    >>> with tf.summary.create_file_writer(str(tmp_path)).as_default():
    ...     summaries.spectrogram_summary(np.zeros([1, 2048]), np.zeros([1, 2048]), 0)
    """
    from matplotlib import colormaps

    low, high = -5.0, 1.0
    for i, signals in enumerate(_pairs(audio, audio_gen)):
        images = [get_spectrogram(signal, rotate=True) for signal in signals]
        n_bins = images[0].shape[0]
        images.insert(1, np.full([n_bins, _GAP], high))
        brightness = (np.concatenate(images, axis=1) - low) / (high - low)
        image = colormaps["magma"](brightness, bytes=True)
        tf.summary.image(f"{make_tag(tag, name)}/{i}", image[np.newaxis], step=step)


def audio_summary(
    audio: ArrayLike, step: int, sample_rate: int = 16000, name: str = "audio"
) -> None:
    """Writes audio.

    Args:
      audio: Audio, [batch, n_samples] or [batch, n_samples, 1], clipped to [-1, 1].
      step: Training step.
      sample_rate: Sample rate in Hz.
      name: Tag.

    Example:

    >>> from ddsp.training import summaries
    >>> with tf.summary.create_file_writer(str(tmp_path)).as_default():
    ...     summaries.audio_summary(np.zeros([1, 64]), step=0, sample_rate=16000)
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
    f0_hz: ArrayLike,
    f0_hz_predict: ArrayLike,
    step: int,
    name: str = "f0_midi",
    tag: str = "f0_midi",
) -> None:
    """Plots the f0 of recordings and of the resynthesis.

    Args:
      f0_hz: f0 of the recordings in Hz, [batch, n_frames] or [batch, n_frames, 1].
        Frames of 0 Hz are not plotted.
      f0_hz_predict: f0 of the resynthesis in Hz. Its number of frames may differ.
      step: Training step.
      name: Suffix of the tag.
      tag: Name of the images.

    Example:

    >>> from ddsp.training import summaries
    >>> f0_hz = np.full([1, 10], 440.0)
    >>> with tf.summary.create_file_writer(str(tmp_path)).as_default():
    ...     summaries.f0_summary(f0_hz, f0_hz, step=0)
    """
    for i, (original, generated) in enumerate(_pairs(f0_hz, f0_hz_predict)):
        fig, (axis,) = make_figure(size=(6.0, 3.0))
        for label, curve in (("original", original), ("synthesized", generated)):
            frames = np.linspace(0.0, original.size, curve.size, endpoint=False)
            pitch = np.where(curve > 0.0, core.hz_to_midi(curve), np.nan)
            axis.plot(frames, pitch, label=label)
        axis.set(xlabel="Frame", ylabel="Pitch (MIDI)")
        axis.legend()
        fig_summary(f"{make_tag(tag, name)}/{i}", fig, step)


def _pairs(first: ArrayLike, second: ArrayLike) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns the first examples of two batches, without channel axes."""
    batches = []
    for batch in (first, second):
        array = np.asarray(batch, np.float32)
        batches.append(array.reshape(array.shape[0], -1)[:MAX_EXAMPLES])
    return list(zip(*batches, strict=True))
