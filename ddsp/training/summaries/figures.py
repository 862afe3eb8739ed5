"""Figures as images for TensorBoard."""

import io
from typing import Any

import tensorflow as tf

# So many examples of a batch are shown.
MAX_EXAMPLES = 4


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


def make_tag(tag: str, name: str) -> str:
    """Name of the images of an example, without its number."""
    return f"{tag}_{name}" if name and name != tag else tag


def make_figure(rows: int = 1, size: tuple[float, float] = (6.0, 4.0)):
    """A figure and its axes, one above the other, in inches."""
    # A figure of its own, since pyplot would keep every one of them in memory and
    # ask for a display.
    from matplotlib.figure import Figure

    fig = Figure(figsize=size)
    return fig, fig.subplots(rows)
