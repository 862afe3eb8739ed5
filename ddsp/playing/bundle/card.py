"""The model card: what is in a bundle, for whoever finds it."""

from pathlib import Path
from typing import Any

from ddsp import files
from ddsp.playing.bundle.bundle_manifest import BundleManifest

CARD_FILE = "README.md"


def write(
    info: BundleManifest, statistics: dict[str, Any] | None, folder: Path
) -> None:
    """Writes the model card of a bundle in Markdown.

    Args:
      info: What the manifest says.
      statistics: Of the training data, or None.
      folder: Of the bundle.

    Raises:
      OSError: If it cannot be written.
    """
    sections = [
        "# A DDSP model\n\nA synthesizer that was trained on recordings. It is played "
        f"from {_listed(info.features)}, {info.frame_rate} frames per second, and "
        f"answers with audio at {info.sample_rate} Hz.",
        "## Use\n\n```python\nimport ddsp\n\n"
        'bundle = ddsp.load("path/to/this/directory")\n'
        "bundle.check()  # the largest difference from the expected output\n"
        "stream = bundle.stream()  # audio in, audio out, block by block\n```\n\n"
        "On a recording: `ddsp_timbre_transfer recording.wav --model "
        "path/to/this/directory -o played.wav`.",
        "## What it is\n\n" + _table(("", ""), _facts(info).items()),
        "## What it was trained on\n\n" + _training_data(statistics),
        f"## License\n\n{info.license}",
        f"## Attribution\n\n{info.attribution}",
        "## Other forms\n\n" + _exports(info.exports),
        "## Test vector\n\n`test_vector.npz` holds features, noise and the audio that "
        "the model makes of them (`test_vector.wav`). Every form here was played on "
        "it.\n\n![Spectrogram of the expected audio](test_vector.png)",
    ]
    files.write_text(str(folder / CARD_FILE), "\n\n".join(sections) + "\n")


def _facts(info: BundleManifest) -> dict[str, str]:
    tracker = info.pitch_tracker
    milliseconds = 1000.0 * info.latency_samples / info.sample_rate
    return {
        "Model": info.model,
        "Parameters": f"{info.n_parameters:,}",
        "Sample rate": f"{info.sample_rate} Hz",
        "Frame rate": f"{info.frame_rate} a second, a hop of {info.hop_size} samples",
        "Latency, features in to audio out": f"{info.latency_samples} samples, "
        f"{milliseconds:g} ms",
        "Pitch tracker": f"{tracker['name']}, {tracker['model']}, hears "
        f"{tracker['sample_rate']} Hz, frames "
        + (
            "centered on their times" if tracker["centered"] else "start at their times"
        ),
        "Written by": f"ddsp {info.library_version}",
    }


def _training_data(statistics: dict[str, Any] | None) -> str:
    if statistics is None:
        return "No statistics are known, so recordings are played as they are."
    spans = {
        f"{name.capitalize()} of its notes": f"{statistics[f'mean_{name}']:.1f} "
        f"({statistics[f'min_{name}']:.1f} to {statistics[f'max_{name}']:.1f}) {unit}"
        for name, unit in (("pitch", "MIDI"), ("loudness", "dB"), ("power", "dB"))
        if {f"mean_{name}", f"min_{name}", f"max_{name}"} <= statistics.keys()
    }
    if "note_on_fraction" in statistics:
        spans["Share of the time in notes"] = f"{statistics['note_on_fraction']:.0%}"
    return _table(("", "mean (range)"), spans.items())


def _exports(exports: list[dict[str, Any]]) -> str:
    if not exports:
        return "None. `ddsp_export --formats` writes them."
    headings = list(dict.fromkeys(key for record in exports for key in record))
    rows = [[_shown(record.get(key, "")) for key in headings] for record in exports]
    return "Each was loaded in its runtime and played on the test vector.\n\n" + _table(
        [heading.replace("_", " ") for heading in headings], rows
    )


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.2g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _table(headings: Any, rows: Any) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
