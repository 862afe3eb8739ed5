"""Creation of bundles, published whole or not at all.

A bundle is assembled in a temporary directory, read back and then moved into place.
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

UNKNOWN = "unknown: ask the source of this model"


@dataclasses.dataclass
class Draft:
    """Bundle under construction.

    Attributes:
      folder: Directory whose files become part of the bundle.
      model: The model, read back from the bundle.
      statistics: Statistics of the training data, or None.
      vector: Test vector, an input of the model and the expected output.
      info: Content of the manifest, without the list of files.
    """

    folder: Path
    model: models.Autoencoder
    statistics: dict[str, Any] | None
    vector: Vector
    info: BundleManifest

    def add_export(self, record: dict[str, Any]) -> None:
        """Adds an export in `folder` to the manifest.

        Args:
          record: Plain values for JSON: the name of its form under 'form', and the
            results of its comparison with the model.
        """
        exports = [*self.info.exports, record]
        self.info = dataclasses.replace(self.info, exports=exports)


def write(path: str | os.PathLike, source: str | os.PathLike, **settings: Any) -> str:
    """Creates a bundle without exports.

    Args:
      path: Directory to write.
      source: Directory of a run, its `best` folder, a checkpoint in either, or another
        bundle.
      **settings: See `create`.

    Returns:
      The path of the bundle.

    Raises:
      FileNotFoundError: If there is no model.
      ValueError: If the model cannot become a bundle; see `create`.
      OSError: If the bundle cannot be written.
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
    """Creates a bundle to which exports can be added.

    The bundle moves into place when the block ends. If the block raises, nothing is
    left.

    Args:
      path: Directory to write. An existing bundle is replaced.
      source: Directory of a run, its `best` folder, a checkpoint in either, or another
        bundle.
      license: Terms of use of the model. None for those of the bundle `source`, or
        unknown.
      attribution: Credits, such as the musician and the recordings. None for those of
        the bundle `source`, or unknown.
      crepe_model: Size of the pitch tracker that analyzed the training data. None for
        the one in the statistics, or 'tiny'.
      need_statistics: Whether to refuse a model without statistics of its data.
      trusted: Whether the config of a run may import modules and name anything; see
        `models.load`. Bundles are always opened as untrusted.

    Yields:
      The draft.

    Raises:
      FileNotFoundError: If there is no model.
      ValueError: If the model lacks statistics that are needed, if it is not an
        autoencoder that can stream, or if `path` holds anything but a bundle.
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
    """Returns a model without losses, its config, its statistics and its manifest."""
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
    """Builds a model without losses; returns it and the config that describes it."""
    with gin_state.isolated():
        older_configs.parse(path, trusted)
        # Losses may contain networks, which inference does not need.
        gin.parse_config(
            ["ddsp.training.models.Autoencoder.losses = None", *_fixed_noise()]
        )
        model: Any = loading.build(path)
        return model, gin_state.used_config()


def _fixed_noise() -> list[str]:
    """Returns bindings that make the noise of reverbs reproducible."""
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
            "A model needs statistics of its training data, so that recordings can be "
            "adjusted to it. `ddsp_run` writes "
            f"{postprocessing.STATISTICS_FILE} to the directory of the checkpoints. "
            "For an older run, compute it from its data: "
            "`postprocessing.save_dataset_statistics("
            "postprocessing.compute_dataset_statistics(data_provider), run)`. To "
            "continue without: --noneed_statistics (in Python need_statistics=False), "
            f"got {source!r}."
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
    """Reads the model from a folder and checks it with the test vector."""
    model, _ = read_model(folder)
    audio = vector.synthesize(model, example.features, example.noise)
    difference = example.difference(audio)
    # On the same machine, results differ by rounding at most.
    if difference > 1e-5 * max(1.0, float(np.max(np.abs(example.audio)))):
        raise ValueError(
            "The config must describe the model completely, so that it sounds the same "
            "when it is read back, got samples that differ by up to "
            f"{difference:.1e}."
        )
    return model


def _illustrate(draft: Draft) -> None:
    """Writes the expected audio as a WAV file and a spectrogram."""
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
        "A bundle may only replace a bundle: choose a directory that does not exist, "
        f"got {str(destination)!r}."
    )
