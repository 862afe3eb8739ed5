"""Figures as images for TensorBoard."""

import io
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Number of examples of a batch to show.
MAX_EXAMPLES = 4


def fig_summary(tag: str, fig: "Figure", step: int) -> None:
    """Writes a matplotlib figure as an image.

    Args:
      tag: Name of the image.
      fig: Figure.
      step: Training step.

    Example:

    >>> from matplotlib.figure import Figure
    >>> from ddsp.training import summaries
    >>> writer = tf.summary.create_file_writer(str(tmp_path))
    >>> with writer.as_default():
    ...     summaries.fig_summary("empty", Figure(figsize=(1.0, 1.0)), step=0)
    """
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png")
    image = tf.image.decode_png(buffer.getvalue(), channels=4)
    tf.summary.image(tag, image[tf.newaxis], step=step)


def make_tag(tag: str, name: str) -> str:
    """Returns the tag of the images of an example, without its number.

    Args:
      tag: Name of the images.
      name: Suffix; ignored if empty or equal to the tag.

    Example:

    >>> from ddsp.training.summaries.figures import make_tag
    >>> make_tag("waveform", "synth_audio")
    'waveform_synth_audio'
    """
    return f"{tag}_{name}" if name and name != tag else tag


def make_figure(
    rows: int = 1, size: tuple[float, float] = (6.0, 4.0)
) -> tuple["Figure", np.ndarray]:
    """Returns a figure, and its axes in a column.

    Args:
      rows: Number of axes.
      size: Width and height in inches.

    Example:

    >>> from ddsp.training.summaries.figures import make_figure
    >>> figure, axes = make_figure(rows=2)
    >>> axes.shape
    (2,)
    """
    # pyplot would keep all figures in memory and need a display.
    from matplotlib.figure import Figure

    fig = Figure(figsize=size)
    return fig, fig.subplots(rows, squeeze=False)[:, 0]
