"""Making a bundle, whole or not at all.

It is put together in a hidden directory beside its destination, read back, and takes
its place at once.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gin
import numpy as np
import soundfile

from ddsp import file_errors, files, gin_state, version
from ddsp.playing import html_page
from ddsp.playing.bundle import bundle_manifest, card, vector
from ddsp.playing.bundle.bundle_loading import (
    CONFIG_FILE,
    n_parameters,
    read_model,
    write_weights,
)
from ddsp.playing.bundle.bundle_loading import load as load_bundle
from ddsp.playing.bundle.bundle_manifest import BundleManifest
from ddsp.playing.bundle.vector import Vector
from ddsp.recordings.analysis_settings import CREPE_SAMPLE_RATE
from ddsp.training import checkpoints, models, postprocessing
from ddsp.training.models import loading, older_configs, restoring

UNKNOWN = "unknown: ask whoever gave you this model"


@dataclasses.dataclass
class Draft:
    """A bundle that is being made.

    Attributes:
      folder: What is put there becomes part of the bundle.
      model: As read back from the bundle.
      statistics: Of its training data, or None.
      vector: What the model must play.
      info: What will stand in the manifest; files are added at the end.
    """

    folder: Path
    model: models.Autoencoder
    statistics: dict[str, Any] | None
    vector: Vector
    info: BundleManifest

    def add_export(self, record: dict[str, Any]) -> None:
        """Notes an export that was written into `folder`.

        Args:
          record: Its name under 'form', and how it compared; plain values for JSON.
        """
        exports = [*self.info.exports, record]
        self.info = dataclasses.replace(self.info, exports=exports)


def write(path: str | os.PathLike, source: str | os.PathLike, **settings: Any) -> str:
    """Makes a bundle.

    Args:
      path: Directory to write.
      source: Directory of a training run, its `best` folder, a checkpoint in either,
        or another bundle.
      **settings: See `create`.

    Returns:
      The path of the bundle.

    Raises:
      As `create` does.
    """
    with create(path, source, **settings):
        pass
    return os.fspath(path)


@contextlib.contextmanager
def create(
    path: str | os.PathLike,
    source: str | os.PathLike,
    license: str | None = None,
    attribution: str | None = None,
    crepe_model: str | None = None,
    need_statistics: bool = True,
    trusted: bool = False,
) -> Iterator[Draft]:
    """Makes a bundle that exports can be added to.

    When the block ends the bundle takes its place; when it raises, nothing is left.

    Args:
      path: Directory to write. A bundle that is there is replaced.
      source: Directory of a training run, its `best` folder, a checkpoint in either,
        or another bundle.
      license: Terms under which the model may be used. By default those of a bundle
        that is the source, else they are said to be unknown.
      attribution: Whom to name, such as the musician and the recordings; by default
        as for the license.
      crepe_model: Size of the pitch tracker that the training data was analyzed
        with; by default as the statistics say, else 'tiny'.
      need_statistics: Whether a model without statistics of its data is refused.
      trusted: Whether the config of a training run may import modules and name
        anything; see `models.load`. The bundle is opened without, by whoever gets it.

    Yields:
      The draft.

    Raises:
      FileNotFoundError: If there is no model.
      ValueError: If the model has no statistics and needs them, if it is no
        autoencoder that can be played in blocks, or if `path` holds something other
        than a bundle.
      OSError: If the bundle cannot be written.
    """
    destination = Path(os.path.abspath(path))
    _check_destination(destination)
    model, config, statistics, origin = _open_source(
        os.fspath(source), need_statistics, trusted
    )
    example = vector.make(model, statistics)
    files.make_directory(str(destination.parent))
    with files.staged(str(destination)) as staged:
        temporary = Path(staged)
        with file_errors.writing(str(destination)):
            temporary.mkdir()
            files.write_text(str(temporary / CONFIG_FILE), config)
            write_weights(model, temporary)
            if statistics is not None:
                postprocessing.save_dataset_statistics(statistics, str(temporary))
            example.save(temporary / vector.VECTOR_FILE)
        draft = Draft(
            temporary,
            _read_back(temporary, example),
            statistics,
            example,
            BundleManifest(
                library_version=version.__version__,
                model=type(model).__name__,
                sample_rate=model.sample_rate,
                frame_rate=model.preprocessor.frame_rate,
                features=sorted(example.features),
                latency_samples=model.processor_group.latency_samples,
                n_parameters=n_parameters(model),
                pitch_tracker=_pitch_tracker(statistics, origin, crepe_model),
                license=license or (origin.license if origin else UNKNOWN),
                attribution=attribution or (origin.attribution if origin else UNKNOWN),
                exports=[],
            ),
        )
        yield draft
        with file_errors.writing(str(destination)):
            _illustrate(draft)
            card.write(draft.info, draft.statistics, temporary)
            bundle_manifest.write(draft.info, temporary)
        _check_destination(destination)


def _open_source(
    source: str, need_statistics: bool, trusted: bool
) -> tuple[models.Autoencoder, str, dict[str, Any] | None, BundleManifest | None]:
    """A model without its losses, its config, statistics and manifest if it has one."""
    if bundle_manifest.is_bundle(source):
        bundle = load_bundle(source)
        _check_statistics(bundle.statistics, source, need_statistics)
        config = (Path(source) / CONFIG_FILE).read_text(encoding="utf-8")
        return bundle.model, config, bundle.statistics, bundle.info
    checkpoint = checkpoints.find_latest(source)
    statistics = postprocessing.find_dataset_statistics(
        *checkpoints.folders_of(checkpoint)
    )
    _check_statistics(statistics, source, need_statistics)
    trained = models.load(checkpoint, trusted)
    if not isinstance(trained, models.Autoencoder) or trained.preprocessor is None:
        raise ValueError(
            "A bundle needs an autoencoder with a preprocessor, got "
            f"{type(trained).__name__} in {source!r}."
        )
    model, config = _without_losses(checkpoints.find_config(checkpoint), trusted)
    model.build_variables()
    values = restoring.model_variables(trained)
    kept = {
        name: values[name].numpy()
        for name in restoring.model_variables(model)
        if name in values
    }
    restoring.assign(model, kept, f"The model in {source!r}")
    return model, config, statistics, None


def _without_losses(path: str, trusted: bool) -> tuple[models.Autoencoder, str]:
    """A model to play, not restored, and the config that describes it."""
    with gin_state.isolated():
        older_configs.parse(path, trusted)
        # Losses may bring networks of their own, and nobody plays a loss.
        gin.parse_config(
            ["ddsp.training.models.Autoencoder.losses = None", *_one_room()]
        )
        model: Any = loading.build(path)
        return model, gin_state.used_config()


def _one_room() -> list[str]:
    """Bindings that let reverbs of noise sound the same wherever they are opened."""
    bindings = []
    for reverb in ("effects.ExpDecayReverb", "effects.FilteredNoiseReverb"):
        try:
            seed = gin.query_parameter(f"ddsp.{reverb}.seed")
        except ValueError:
            seed = None
        if seed is None:
            bindings.append(f"ddsp.{reverb}.seed = 0")
    return bindings


def _check_statistics(
    statistics: dict[str, Any] | None, source: str, needed: bool
) -> None:
    if statistics is None and needed:
        raise ValueError(
            "The model has no statistics of its training data, without which pitch and "
            "loudness of a recording cannot be adjusted to it. `ddsp_run` writes "
            f"{postprocessing.STATISTICS_FILE} beside the checkpoints; for an older "
            "run make it from its data: `postprocessing.save_dataset_statistics("
            "postprocessing.compute_dataset_statistics(data_provider), run)`. To go on "
            "without: --noneed_statistics (in Python need_statistics=False). Got "
            f"{source!r}."
        )


def _pitch_tracker(
    statistics: dict[str, Any] | None,
    origin: BundleManifest | None,
    crepe_model: str | None,
) -> dict[str, Any]:
    known = statistics or {}
    tracker = {
        "name": "crepe",
        "model": "tiny",
        "sample_rate": CREPE_SAMPLE_RATE,
        "centered": bool(known.get("centered")),
        **known.get("pitch_tracker", {}),
        **(origin.pitch_tracker if origin else {}),
    }
    return {**tracker, "model": crepe_model} if crepe_model else tracker


def _read_back(folder: Path, example: Vector) -> models.Autoencoder:
    """The model in a folder, after it has played the test vector."""
    model, _ = read_model(folder)
    audio = vector.synthesize(model, example.features, example.noise)
    difference = example.difference(audio)
    # The same arithmetic on the same machine: rounding at most.
    if difference > 1e-5 * max(1.0, float(np.max(np.abs(example.audio)))):
        raise ValueError(
            "The model does not play the same when it is read back, so its config does "
            "not describe it; the largest difference of a sample, got "
            f"{difference:.1e}."
        )
    return model


def _illustrate(draft: Draft) -> None:
    """The expected audio as a WAV file and as a picture."""
    audio, sample_rate = draft.vector.audio[0], draft.info.sample_rate
    peak = max(1.0, float(np.max(np.abs(audio))))
    name = draft.folder / vector.VECTOR_FILE
    soundfile.write(name.with_suffix(".wav"), audio / peak, sample_rate)
    shown = {"Expected output of the test vector": (audio, sample_rate)}
    html_page.spectrograms_figure(shown).savefig(name.with_suffix(".png"), dpi=120)


def _check_destination(destination: Path) -> None:
    if not destination.exists() or bundle_manifest.is_bundle(destination):
        return
    if destination.is_dir() and not any(destination.iterdir()):
        return
    raise ValueError(
        "A bundle replaces nothing but a bundle: name a directory that does not exist "
        f"yet, got {str(destination)!r}."
    )
