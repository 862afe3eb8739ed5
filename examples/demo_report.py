"""Builds demo/report.html from what `make demo` left in its folder.

    python examples/demo_report.py demo

One page without other files: the losses while training, and for the recording that
was learnt, the melody, and the melody as played by the model a player and a
spectrogram.
"""

import argparse
import base64
import html
import io
from pathlib import Path

import matplotlib
import numpy as np
import soundfile
from matplotlib import pyplot as plt
from scipy import signal
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

EXAMPLES = Path(__file__).parent / "audio"
EXCERPT_SECONDS = 15

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto;
padding: 0 1rem }} img, audio {{ width: 100% }}</style></head>
<body><h1>{title}</h1>
{sections}
</body></html>
"""


def total_losses(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """(step, value) pairs of every series of the total loss found under `folder`.

    Raises:
      FileNotFoundError: If there is none.
    """
    series = {}
    for run in sorted({path.parent for path in folder.rglob("events.out.*")}):
        events = EventAccumulator(str(run), size_guidance={"tensors": 0})
        events.Reload()
        for tag in events.Tags()["tensors"]:
            if tag.endswith("total_loss"):
                series[f"{run.relative_to(folder)}: {tag}"] = [
                    (event.step, float(tensor_util.make_ndarray(event.tensor_proto)))
                    for event in events.Tensors(tag)
                ]
    if not series:
        raise FileNotFoundError(
            f"No total loss in the event files of the training; got {folder}."
        )
    return series


def loss_figure(series: dict[str, list[tuple[int, float]]]) -> str:
    fig, ax = plt.subplots(figsize=(9, 4))
    for name, points in series.items():
        steps, losses = zip(*points, strict=True)
        ax.plot(steps, losses, marker=".", label=name)
    ax.set(xlabel="step", ylabel="spectral loss")
    ax.grid(alpha=0.3)
    ax.legend()
    return image(fig)


def sound(path: Path) -> str:
    """A player and a spectrogram of the beginning of a file."""
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    audio = audio[: EXCERPT_SECONDS * rate].mean(axis=1)
    fig, ax = plt.subplots(figsize=(9, 3))
    frequencies, times, spectrum = signal.stft(audio, rate, nperseg=1024, noverlap=768)
    decibels = 20 * np.log10(np.abs(spectrum) + 1e-6)
    ax.pcolormesh(times, frequencies, decibels, vmin=-100, rasterized=True)
    ax.set(xlabel="time [s]", ylabel="frequency [Hz]")
    encoded = io.BytesIO()
    soundfile.write(encoded, audio, rate, format="WAV", subtype="PCM_16")
    player = f'<audio controls src="{data_url("audio/wav", encoded)}"></audio>'
    return player + image(fig)


def image(fig: plt.Figure) -> str:
    encoded = io.BytesIO()
    fig.savefig(encoded, format="png", dpi=110, bbox_inches="tight")
    plt.close(fig)
    return f'<img alt="" src="{data_url("image/png", encoded)}">'


def data_url(kind: str, content: io.BytesIO) -> str:
    return f"data:{kind};base64,{base64.b64encode(content.getvalue()).decode()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    matplotlib.use("agg")
    parts = {
        "Loss while training": loss_figure(total_losses(folder / "model")),
        "What was learnt: a violin (beginning)": sound(EXAMPLES / "solo_violin.flac"),
        "A melody on the flute": sound(EXAMPLES / "melody.flac"),
        "The melody as the model plays it": sound(folder / "transfer.wav"),
    }
    sections = "\n".join(
        f"<h2>{html.escape(heading)}</h2>\n{body}" for heading, body in parts.items()
    )
    page = PAGE.format(title="A flute becomes a violin", sections=sections)
    (folder / "report.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
