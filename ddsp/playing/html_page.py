"""Pages that show and play results: one HTML file that needs nothing else."""

import base64
import html
import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import soundfile

from ddsp.training import plotting

# Longer audio would make the page too heavy to open.
PLAYER_SECS = 120.0
_COLORS = ("#2563a8", "#c2571a")
_STYLE = """
:root { color-scheme: light dark; --text: #1d2430; --faint: #5d6675;
  --page: #f7f8fa; --card: #ffffff; --line: #dde1e8; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ef; --faint: #a2abba;
  --page: #14171c; --card: #1d2128; --line: #343b47; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0.5rem 0 0.25rem; }
h2 { font-size: 1.15rem; margin: 0 0 0.75rem; }
p { margin: 0 0 0.75rem; }
.subtitle { color: var(--faint); margin-bottom: 1.5rem; overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; padding: 1.1rem; margin-bottom: 1.1rem; }
.players { display: grid; gap: 1rem; margin-bottom: 1.1rem;
  grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
figure { margin: 0 0 1rem; }
figure:last-child { margin-bottom: 0; }
figcaption { color: var(--faint); font-size: 0.9rem; margin: 0.35rem 0 0; }
.players:last-child { margin-bottom: 0; }
.players figure { margin: 0; }
.players figcaption { color: var(--text); font-weight: 600; margin: 0 0 0.35rem; }
audio { width: 100%; display: block; }
img { width: 100%; height: auto; display: block; border-radius: 6px;
  background: #ffffff; }
table { border-collapse: collapse; width: 100%; }
.scroll { overflow-x: auto; }
th, td { text-align: left; padding: 0.35rem 0.75rem 0.35rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child th, tr:last-child td { border-bottom: 0; }
th { font-weight: 500; color: var(--faint); }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
ul { margin: 0 0 0.75rem; padding-left: 1.2rem; }
code { font-size: 0.9em; overflow-wrap: anywhere; }
"""


def page(title: str, subtitle: str, sections: Iterable[str]) -> str:
    """Returns a complete page.

    Args:
      title: Plain text.
      subtitle: Plain text.
      sections: HTML, from `section`.

    Returns:
      A self-contained HTML document.

    Example:

    >>> from ddsp.playing import html_page
    >>> text = html_page.page("Title", "Subtitle", [])
    >>> text.startswith("<!doctype html>")
    True
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<main>\n<h1>{_text(title)}</h1>\n"
        f'<p class="subtitle">{_text(subtitle)}</p>\n'
        + "\n".join(sections)
        + "\n</main>\n</body>\n</html>\n"
    )


def section(heading: str, *content: str) -> str:
    """Returns a section of a page.

    Args:
      heading: Plain text.
      *content: HTML.

    Example:

    >>> from ddsp.playing import html_page
    >>> html_page.section("Pitch", html_page.paragraph("Stable."))
    '<section>\\n<h2>Pitch</h2>\\n<p>Stable.</p></section>'
    """
    return f"<section>\n<h2>{_text(heading)}</h2>\n" + "\n".join(content) + "</section>"


def paragraph(text: str) -> str:
    """Returns a paragraph.

    Args:
      text: Plain text.

    Example:

    >>> from ddsp.playing import html_page
    >>> html_page.paragraph("1 < 2")
    '<p>1 &lt; 2</p>'
    """
    return f"<p>{_text(text)}</p>"


def bullets(lines: Iterable[str]) -> str:
    """Returns a bulleted list.

    Args:
      lines: Lines of plain text.

    Example:

    >>> from ddsp.playing import html_page
    >>> html_page.bullets(["one", "two"])
    '<ul><li>one</li><li>two</li></ul>'
    """
    return "<ul>" + "".join(f"<li>{_text(line)}</li>" for line in lines) + "</ul>"


def table(rows: Mapping[str, Any]) -> str:
    """Returns a table.

    Args:
      rows: {name: value}, plain text.

    Example:

    >>> from ddsp.playing import html_page
    >>> "<td>16000</td>" in html_page.table({"Sample rate": 16000})
    True
    """
    body = "".join(
        f'<tr><th scope="row">{_text(name)}</th><td>{_text(value)}</td></tr>'
        for name, value in rows.items()
    )
    return f'<div class="scroll"><table>{body}</table></div>'


def players(recordings: Mapping[str, tuple[np.ndarray, int]]) -> str:
    """Returns audio players side by side.

    Args:
      recordings: {caption: (audio [n_samples] from -1 to 1, sample rate)}. Only the
        first `PLAYER_SECS` seconds are kept.

    Example:

    >>> from ddsp.playing import html_page
    >>> html_page.players({"silence": (np.zeros(100), 16000)}).count("<audio")
    1
    """
    return (
        '<div class="players">'
        + "".join(
            _player(caption, audio, sample_rate)
            for caption, (audio, sample_rate) in recordings.items()
        )
        + "</div>"
    )


def _player(caption: str, audio: np.ndarray, sample_rate: int) -> str:
    kept = audio[: int(PLAYER_SECS * sample_rate)]
    if len(kept) < len(audio):
        caption = f"{caption} (first {PLAYER_SECS:g} s)"
    buffer = io.BytesIO()
    soundfile.write(buffer, kept, sample_rate, format="FLAC")
    source = _data_uri("audio/flac", buffer.getvalue())
    return (
        f"<figure><figcaption>{_text(caption)}</figcaption>"
        f'<audio controls preload="metadata" src="{source}" '
        f'aria-label="{_text(caption)}"></audio></figure>'
    )


def picture(figure: Any, description: str, caption: str = "") -> str:
    """Returns a matplotlib figure as an image.

    Args:
      figure: A `matplotlib.figure.Figure`.
      description: Alternative text.
      caption: Text below it.

    Example:

    >>> from ddsp.playing import html_page
    >>> from matplotlib.figure import Figure
    >>> html_page.picture(Figure(figsize=(1, 1)), "Nothing")[:25]
    '<figure><img alt="Nothing'
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    source = _data_uri("image/png", buffer.getvalue())
    below = f"<figcaption>{_text(caption)}</figcaption>" if caption else ""
    return f'<figure><img alt="{_text(description)}" src="{source}">{below}</figure>'


def _text(value: Any) -> str:
    return html.escape(str(value), quote=True)


def _data_uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def waveforms_figure(recordings: Mapping[str, tuple[np.ndarray, int]]) -> Any:
    """Plots waveforms one below the other, on one time axis.

    Args:
      recordings: {title: (audio [n_samples], sample rate)}.

    Returns:
      A `matplotlib.figure.Figure`.

    Example:

    >>> from ddsp.playing import html_page
    >>> len(html_page.waveforms_figure({"noise": (np.random.randn(500), 500)}).axes)
    1
    """
    figure, axes = _rows(len(recordings), height=1.3)
    colors = [_COLORS[i % len(_COLORS)] for i in range(len(recordings))]
    for ax, color, (title, (audio, rate)) in zip(
        axes, colors, recordings.items(), strict=True
    ):
        lows, highs, seconds = _envelope(audio, rate)
        ax.fill_between(seconds, lows, highs, color=color, linewidth=0.6)
        ax.set(ylim=(-1.0, 1.0), ylabel="Amplitude")
        ax.set_title(title, loc="left", fontsize=10)
    axes[-1].set_xlabel("Time (s)")
    return figure


def _envelope(audio: np.ndarray, sample_rate: int, points: int = 2000):
    """Returns minima, maxima and start times of equal parts of the audio."""
    stretch = max(1, len(audio) // points)
    n = len(audio) // stretch
    cut = np.asarray(audio[: n * stretch]).reshape(n, stretch)
    return cut.min(axis=1), cut.max(axis=1), np.arange(n) * stretch / sample_rate


def spectrograms_figure(recordings: Mapping[str, tuple[np.ndarray, int]]) -> Any:
    """Plots spectrograms one below the other, on one time axis.

    Args:
      recordings: {title: (audio [n_samples], sample rate)}.

    Returns:
      A `matplotlib.figure.Figure`.

    Example:

    >>> from ddsp.playing import html_page
    >>> noise = np.random.randn(8000).astype(np.float32)
    >>> len(html_page.spectrograms_figure({"noise": (noise, 16000)}).axes)
    1
    """
    figure, axes = _rows(len(recordings), height=1.9)
    for ax, (title, (audio, rate)) in zip(axes, recordings.items(), strict=True):
        seconds = len(audio) / rate
        ax.imshow(
            plotting.log_spectrogram(audio, rotate=True, size=1024),
            extent=(0.0, seconds, 0.0, rate / 2000.0),
            aspect="auto",
            cmap="magma",
            vmin=-7.0,
            vmax=3.0,
        )
        ax.set_ylabel("Frequency (kHz)")
        ax.set_title(title, loc="left", fontsize=10)
    longest = max(len(audio) / rate for audio, rate in recordings.values())
    axes[-1].set(xlabel="Time (s)", xlim=(0.0, longest))
    return figure


def curves_figure(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    x_label: str,
    y_label: str,
    log_y: bool = False,
) -> Any:
    """Plots curves on one pair of axes, with a legend.

    Args:
      curves: {name: (x [n], y [n])}. NaN leaves a gap.
      x_label: Name and unit of x.
      y_label: Name and unit of y.
      log_y: Whether y is on a logarithmic scale.

    Returns:
      A `matplotlib.figure.Figure`.

    Example:

    >>> from ddsp.playing import html_page
    >>> curves = {"loss": (np.arange(3), np.array([3.0, 2.0, 1.0]))}
    >>> len(html_page.curves_figure(curves, "step", "loss").axes)
    1
    """
    figure, (ax,) = _rows(1, height=2.5)
    for i, (name, (x, y)) in enumerate(curves.items()):
        few = len(x) <= 30
        ax.plot(
            x,
            y,
            label=name,
            color=_COLORS[i % len(_COLORS)] if i < len(_COLORS) else None,
            # Where curves coincide, the first is seen around the others.
            linewidth=2.6 if i == 0 and len(curves) > 1 else 1.1,
            marker="o" if few else None,
            markersize=4,
        )
    ax.set(xlabel=x_label, ylabel=y_label)
    if log_y:
        from matplotlib import ticker

        ax.set_yscale("log")
        ax.yaxis.set_major_locator(ticker.MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        ax.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        ax.yaxis.set_minor_locator(ticker.NullLocator())
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="best", ncols=len(curves))
    return figure


def _rows(n_rows: int, height: float):
    # A figure without pyplot: no window system, and nothing to close.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 0.5 + height * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, 1, sharex=True, squeeze=False)[:, 0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes
