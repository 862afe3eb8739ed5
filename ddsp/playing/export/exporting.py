"""A bundle with the model's other forms in it, each proved equal to Python."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ddsp._core import checks
from ddsp.playing import bundle
from ddsp.playing.bundle.vector import N_FRAMES
from ddsp.playing.export import RUNTIMES, find_runtime, model_forms, plugin
from ddsp.playing.export.comparison import Comparison, compare
from ddsp.playing.export.form import Arrays, Form
from ddsp.playing.export.tflite import TFLite
from ddsp.training import models

FORMS: dict[str, Callable[[models.Autoencoder, int], Form]] = {
    "stream": model_forms.streaming_form,
    "whole": model_forms.offline_form,
    "decoder": model_forms.decoder_form,
    "level": model_forms.level_form,
}
_VST = "vst"
FORMATS = (*RUNTIMES, _VST)
_HEADINGS = ("form", "runtime", "largest difference", "size", "real-time factor")


def export_model(
    path: str | os.PathLike,
    source: str | os.PathLike,
    formats: Sequence[str] = (),
    form_names: Sequence[str] = ("stream",),
    block_frames: int = 1,
    progress: Callable[[str], None] = lambda text: None,
    plugin_name: str = "model",
    **settings: Any,
) -> list[Comparison]:
    """Writes a bundle, and other forms of the model into it.

    Every file that is written is run in its own runtime on the test vector. Each
    format has a directory of its name.

    Args:
      path: Directory to write. It appears when all is written and compared; a bundle
        that is there is replaced.
      source: Directory of a training run, its `best` folder, a checkpoint in either,
        or another bundle.
      formats: Some of `FORMATS`. 'vst' is what plug-ins of the original load.
      form_names: Some of `FORMS`, for the formats other than 'vst'.
      block_frames: Frames of a block of the forms that play in blocks, 1 to 128.
      progress: Told in a line what is being done.
      plugin_name: Of the plug-in's TFLite file, without suffix.
      **settings: See `bundle.create`.

    Returns:
      How each file compared.

    Raises:
      FileNotFoundError: If there is no model.
      ValueError: If a format or form is unknown, if the name is no file name, if the
        model has no statistics and needs them, or if it cannot be played so, with the
        reason.
      ImportError: If a runtime is not installed; it names the extra to install.
      RuntimeError: If a file differs from Python by more than 1e-4.
      OSError: If something cannot be written.
    """
    _check(formats, form_names, block_frames)
    if plugin_name in ("", ".", "..") or Path(plugin_name).name != plugin_name:
        raise ValueError(f"`plugin_name` must be a file name, got {plugin_name!r}.")
    comparisons = []
    progress("Writing the bundle")
    with bundle.create(path, source, **settings) as draft:
        for name in dict.fromkeys(formats):
            folder = draft.folder / name
            if name == _VST:
                written = plugin.write(draft, folder, progress, plugin_name)
            else:
                written = _write(draft, name, form_names, block_frames, progress)
            for file, comparison in written:
                place = Path(file).relative_to(draft.folder).as_posix()
                draft.add_export({**dataclasses.asdict(comparison), "path": place})
                comparisons.append(comparison)
        progress("Finishing the bundle")
    return comparisons


def table(comparisons: Sequence[Comparison]) -> str:
    """How files compared, a line each, in aligned columns.

    Args:
      comparisons: Comparisons from `export_model`.
    """
    rows = [_HEADINGS, *map(_row, comparisons)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (zip(row, widths, strict=True) for row in rows)
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in line).rstrip() for line in lines
    )


def _row(comparison: Comparison) -> tuple[str, ...]:
    factor = comparison.real_time_factor
    return (
        comparison.form,
        comparison.runtime,
        f"{comparison.difference:.1e}",
        f"{comparison.size_bytes / 1e6:.2f} MB",
        "-" if factor is None else f"{factor:.3g}",
    )


def _check(
    formats: Sequence[str], form_names: Sequence[str], block_frames: int
) -> None:
    """Refuses what cannot succeed, before minutes are spent on it."""
    for name in formats:
        checks.one_of("format", name, FORMATS)
        (TFLite() if name == _VST else find_runtime(name)).require()
    for name in form_names:
        checks.one_of("form", name, FORMS)
    checks.positive("block_frames", block_frames)
    if block_frames > N_FRAMES:
        raise ValueError(
            f"The test vector has {N_FRAMES} frames, so blocks have at most as many, "
            f"got block_frames={block_frames}."
        )


def _write(
    draft: bundle.Draft,
    format_name: str,
    form_names: Sequence[str],
    block_frames: int,
    progress: Callable[[str], None],
) -> list[tuple[str, Comparison]]:
    """Writes forms for one runtime; paths, and how they compared."""
    runtime = find_runtime(format_name)
    written = []
    for name in dict.fromkeys(form_names):
        progress(f"Writing and comparing {name} for {format_name}")
        n_frames = N_FRAMES if name == "whole" else block_frames
        form = FORMS[name](draft.model, n_frames)
        calls, expected = _cut(form, draft, n_frames)
        path = runtime.write(form, draft.folder / format_name)
        written.append((path, compare(form, path, runtime, calls, expected)))
    return written


def _cut(
    form: Form, draft: bundle.Draft, n_frames: int
) -> tuple[list[dict[str, Any]], list[Arrays] | None]:
    """The test vector as calls, and what must come out if the vector says so."""
    n_used = N_FRAMES // n_frames * n_frames
    n_samples = n_used * draft.model.hop_size
    vector = draft.vector
    audio = vector.audio[:, :n_samples]
    features = {name: x[:, :n_used] for name, x in vector.features.items()}
    noise = {name: x[:, :n_samples] for name, x in vector.noise.items()}
    calls = model_forms.cut(form, {**features, "audio": audio}, noise)
    if form.name != "stream":
        return calls, None
    size = n_frames * draft.model.hop_size
    return calls, [
        {"audio": audio[:, start : start + size]} for start in range(0, n_samples, size)
    ]
