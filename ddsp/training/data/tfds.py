"""Providers of data sets of the package TensorFlow Datasets."""

from typing import Any

import gin
import tensorflow as tf
from absl import logging

from ddsp.training.data.provider import DataProvider

_PUBLIC_BUCKET = "gs://tfds-data/datasets"
# Paths of the features in the stored examples, by the names used here.
_FEATURES = {
    "audio": ("audio",),
    "f0_hz": ("f0", "hz"),
    "f0_confidence": ("f0", "confidence"),
    "loudness_db": ("loudness", "db"),
}
_NOTE_LABELS = {
    "pitch": ("pitch",),
    "instrument_source": ("instrument", "source"),
    "instrument_family": ("instrument", "family"),
    "instrument": ("instrument", "label"),
}


@gin.register(module="ddsp.training.data")
class TfdsProvider(DataProvider):
    """Provider of a prepared TensorFlow data set; requires `ddsp[nsynth]`.

    Args:
      name: Name of the data set, optionally with config and version.
      split: Split of the data set, such as 'train' or 'train[:10%]'.
      data_dir: Directory of prepared data sets; None for the default of the package.
      sample_rate: Samples per second of the audio.
      frame_rate: Frames per second of the features.
      seed: Seed of the shuffling; see `DataProvider`.

    Example:

    >>> from ddsp.training import data
    >>> data.TfdsProvider("nsynth", "train[:10%]", None, 16000, 250).frame_rate
    250
    """

    def __init__(
        self,
        name: str,
        split: str,
        data_dir: str | None,
        sample_rate: int,
        frame_rate: int,
        seed: int | None = None,
    ):
        super().__init__(sample_rate, frame_rate, seed=seed)
        self._name = name
        self._split = split
        self._data_dir = data_dir

    def get_dataset(self, shuffle: bool = True) -> tf.data.Dataset:
        """Returns the data set of single examples, without downloading anything.

        Args:
          shuffle: Whether to read files in random order.

        Returns:
          A `tf.data.Dataset` of dictionaries of tensors, one example each.

        Raises:
          ImportError: If TensorFlow Datasets is not installed.
          FileNotFoundError: If the data set is not prepared in `data_dir`.
        """
        tensorflow_datasets = _import_tensorflow_datasets()
        try:
            return tensorflow_datasets.load(
                self._name,
                data_dir=self._data_dir,
                split=self._split,
                shuffle_files=shuffle,
                read_config=tensorflow_datasets.ReadConfig(shuffle_seed=self._seed),
                download=False,
            )
        # The package raises AssertionError for missing files.
        except (
            AssertionError,
            tensorflow_datasets.core.DatasetNotFoundError,
            tf.errors.OpError,
        ) as error:
            raise FileNotFoundError(
                f"{self._name!r} is not prepared in data_dir={self._data_dir!r}: "
                "prepare it with tensorflow_datasets.load(..., download=True), got: "
                f"{str(error).strip().splitlines()[0]}"
            ) from error


@gin.register(module="ddsp.training.data")
class NSynthTfds(TfdsProvider):
    """Provider of NSynth notes with pitch and loudness; requires `ddsp[nsynth]`.

    The data set is that of Engel et al., "Neural Audio Synthesis of Musical Notes with
    WaveNet Autoencoders" (ICML 2017), in the subset of Engel et al., "GANSynth:
    Adversarial Neural Audio Synthesis" (ICLR 2019). Notes last 4 s: `audio` [64000],
    `f0_hz`, `f0_confidence` and `loudness_db` [1000].

    Args:
      name: Name of the data set with config and version.
      split: 'train', 'valid' or 'test'.
      data_dir: Directory of prepared data sets. The public bucket is slow outside
        Google Cloud; prepare a local copy.
      sample_rate: Samples per second of the audio.
      frame_rate: Frames per second of the features.
      include_note_labels: Whether to include the integers `pitch` (MIDI),
        `instrument`, `instrument_family` and `instrument_source`.
      seed: Seed of the shuffling; see `DataProvider`.

    Example:

    >>> from ddsp.training import data
    >>> data.NSynthTfds(split="valid", data_dir="tensorflow_datasets").sample_rate
    16000
    """

    def __init__(
        self,
        name: str = "nsynth/gansynth_subset.f0_and_loudness:2.3.0",
        split: str = "train",
        data_dir: str | None = "gs://tfds-data/datasets",
        sample_rate: int = 16000,
        frame_rate: int = 250,
        include_note_labels: bool = True,
        seed: int | None = None,
    ):
        super().__init__(name, split, data_dir, sample_rate, frame_rate, seed=seed)
        self._include_note_labels = include_note_labels
        if data_dir == _PUBLIC_BUCKET:
            logging.warning(
                "NSynth is read from %s, which is slow outside Google Cloud: prepare a "
                "local copy with TensorFlow Datasets and set NSynthTfds.data_dir.",
                data_dir,
            )

    def get_dataset(self, shuffle: bool = True) -> tf.data.Dataset:
        """Returns the data set of single notes, without downloading anything.

        Args:
          shuffle: Whether to read files in random order.

        Returns:
          A `tf.data.Dataset` of dictionaries of tensors; see the class.

        Raises:
          ImportError: If TensorFlow Datasets is not installed.
          FileNotFoundError: If the data set is not prepared in `data_dir`.
          ValueError: If a feature is missing.
        """
        places = dict(_FEATURES)
        if self._include_note_labels:
            places |= _NOTE_LABELS
        dataset = super().get_dataset(shuffle)
        missing = [
            "/".join(place)
            for place in places.values()
            if _find(dataset.element_spec, place) is None
        ]
        if missing:
            raise ValueError(
                f"{type(self).__name__} needs the features {missing}, which the data "
                f"set {self._name!r} lacks, got {sorted(dataset.element_spec)}."
            )
        return dataset.map(
            lambda example: {
                name: _find(example, place) for name, place in places.items()
            },
            num_parallel_calls=tf.data.AUTOTUNE,
        )


def _find(nest: Any, place: tuple[str, ...]) -> Any:
    for key in place:
        if not isinstance(nest, dict) or key not in nest:
            return None
        nest = nest[key]
    return nest


def _import_tensorflow_datasets() -> Any:
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise ImportError(
            "This data set requires TensorFlow Datasets: run pip install "
            f"'ddsp[nsynth]', got: {error}."
        ) from error
    return tensorflow_datasets
