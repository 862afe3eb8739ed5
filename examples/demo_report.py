"""Builds html_page.html from what `make demo` left in its folder.

    python examples/demo_report.py demo

One page without other files: the losses while training, the measures on recordings
that were not learned, one of them resynthesized, and a melody played by the model.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import soundfile
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from ddsp import files
from ddsp.playing import html_page
from ddsp.training import data, models

EXAMPLES = Path(__file__).parent / "audio"
EXCERPT_SECS = 15
LOSS = "losses/total_loss"

Curves = dict[str, tuple[np.ndarray, np.ndarray]]
Recordings = dict[str, tuple[np.ndarray, int]]


def total_losses(folder: Path) -> Curves:
    """{run: (steps, losses)} of every run with a loss under a folder.

    Raises:
      FileNotFoundError: If there is none.
    """
    curves = {}
    for run in sorted({path.parent for path in folder.rglob("events.out.*")}):
        events = EventAccumulator(str(run), size_guidance={"tensors": 0})
        events.Reload()
        if LOSS in events.Tags()["tensors"]:
            points = {
                event.step: float(tensor_util.make_ndarray(event.tensor_proto))
                for event in events.Tensors(LOSS)
            }
            steps = np.array(sorted(points))
            curves[run.name] = steps, np.array([points[step] for step in steps])
    if not curves:
        raise FileNotFoundError(f"No event file has {LOSS!r}; looked in {folder}.")
    return curves


def measures(path: Path) -> tuple[int, dict[str, str]]:
    """The step of the newest evaluation in a file, and its measures.

    Raises:
      FileNotFoundError: If there is no such file.
    """
    recorded = json.loads(path.read_text(encoding="utf-8"))
    step = max(recorded, key=int)
    return int(step), {name: f"{x:.3f}" for name, x in recorded[step].items()}


def resynthesis(model: models.Model, pattern: str) -> Recordings:
    """An example of a data set, and what the model makes of its features."""
    provider = data.TFRecordProvider(file_pattern=pattern)
    batch = next(iter(provider.get_batch(1, shuffle=False, repeats=1)))
    outputs = model(batch, training=False)
    audio = np.asarray(model.get_audio_from_outputs(outputs))[0]
    return {
        "Recording": (np.asarray(batch["audio"])[0], provider.sample_rate),
        "Resynthesis": (audio, provider.sample_rate),
    }


def excerpt(path: Path) -> tuple[np.ndarray, int]:
    """The beginning of a file, mono, and its sample rate."""
    with soundfile.SoundFile(str(path)) as file:
        audio = file.read(EXCERPT_SECS * file.samplerate, "float32", always_2d=True)
        return audio.mean(axis=1), file.samplerate


def sounds(recordings: Recordings) -> list[str]:
    """Players and spectrograms."""
    names = " and ".join(name.lower() for name in recordings)
    figure = html_page.spectrograms_figure(recordings)
    return [
        html_page.players(recordings),
        html_page.picture(
            figure, f"Spectrograms: {names}", "Spectrograms: brighter is stronger."
        ),
    ]


def build(folder: Path) -> str:
    """The page.

    Args:
      folder: With `model`, `eval/eval_metrics.json`, `data` and `transfer.wav`.

    Returns:
      HTML.

    Raises:
      FileNotFoundError: If a part is missing.
    """
    curves = total_losses(folder / "model")
    step, results = measures(folder / "eval" / "eval_metrics.json")
    model = models.load(folder / "model")
    pair = resynthesis(model, str(folder / "data" / "violin.tfrecord-eval-*"))
    transfer = {
        "The melody, on a flute": excerpt(EXAMPLES / "melody.flac"),
        "The melody, played by the model": excerpt(folder / "transfer.wav"),
    }
    loss = html_page.curves_figure(curves, "Training step", "Spectral loss")
    sections = [
        html_page.section("A melody in a new timbre", *sounds(transfer)),
        html_page.section(
            "A passage that was not learned",
            html_page.paragraph(
                "The model gets the pitch and the loudness of a recorded passage, four "
                "seconds that training never saw, and makes the sound again."
            ),
            *sounds(pair),
        ),
        html_page.section(
            "What was learned",
            html_page.paragraph(
                "The beginning of the recording that the model learned."
            ),
            html_page.players({"Violin": excerpt(EXAMPLES / "solo_violin.flac")}),
        ),
        html_page.section(
            "Loss while training",
            html_page.picture(
                loss,
                "Curves of the spectral loss over the training steps",
                "Multi-scale spectral loss; the lower, the more alike.",
            ),
        ),
        html_page.section(f"Measures after {step} steps", html_page.table(results)),
    ]
    subtitle = "A small model, trained for a few minutes on three minutes of music"
    return html_page.page("A flute becomes a violin", subtitle, sections)


def main() -> None:
    """Writes the page into the folder that is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    files.write_text(str(folder / "report.html"), build(folder))


if __name__ == "__main__":
    main()
