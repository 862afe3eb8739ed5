"""Examples from TensorFlow Datasets."""

from typing import Any

import gin
import tensorflow as tf
from absl import logging

from ddsp.training.data.provider import DataProvider

_PUBLIC_BUCKET = "gs://tfds-data/datasets"
# Where the stored examples hold what, by the names used here.
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
    """Reads a data set that TensorFlow Datasets has prepared; needs `ddsp[nsynth]`.

    Args:
      name: Of the data set, with config and version if need be.
      split: Of the data set, such as 'train' or 'train[:10%]'.
      data_dir: Directory of prepared data sets; None for the package's own.
      sample_rate: Audio samples per second.
      frame_rate: Feature frames per second.
      seed: Of the shuffling; see `DataProvider`.
    """

    def __init__(self, name, split, data_dir, sample_rate, frame_rate, seed=None):
        super().__init__(sample_rate, frame_rate, seed=seed)
        self._name = name
        self._split = split
        self._data_dir = data_dir

    def get_dataset(self, shuffle=True):
        """Opens the examples; downloads nothing.

        Args:
          shuffle: Whether to read the files in random order.

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
        # AssertionError is how the package says that files are missing.
        except (
            AssertionError,
            tensorflow_datasets.core.DatasetNotFoundError,
            tf.errors.OpError,
        ) as error:
            raise FileNotFoundError(
                f"TensorFlow Datasets has no {self._name!r} in data_dir="
                f"{self._data_dir!r}; tensorflow_datasets.load(..., download=True) "
                f"prepares it, got: {str(error).strip().splitlines()[0]}"
            ) from error


@gin.register(module="ddsp.training.data")
class NSynthTfds(TfdsProvider):
    """Reads NSynth notes with pitch and loudness; needs `ddsp[nsynth]`.

    Engel et al., "Neural Audio Synthesis of Musical Notes with WaveNet Autoencoders"
    (ICML 2017); the subset of "GANSynth" (ICLR 2019): 4 s each, `audio` [64000],
    `f0_hz`, `f0_confidence` and `loudness_db` [1000].

    Args:
      name: Of the data set, with config and version.
      split: 'train', 'valid' or 'test'.
      data_dir: Directory of prepared data sets. The public bucket is slow outside
        Google's cloud: prepare a copy.
      sample_rate: Audio samples per second.
      frame_rate: Feature frames per second.
      include_note_labels: Whether examples also hold the integers `pitch` (MIDI),
        `instrument`, `instrument_family` and `instrument_source`.
      seed: Of the shuffling; see `DataProvider`.
    """

    def __init__(
        self,
        name="nsynth/gansynth_subset.f0_and_loudness:2.3.0",
        split="train",
        data_dir="gs://tfds-data/datasets",
        sample_rate=16000,
        frame_rate=250,
        include_note_labels=True,
        seed=None,
    ):
        super().__init__(name, split, data_dir, sample_rate, frame_rate, seed=seed)
        self._include_note_labels = include_note_labels
        if data_dir == _PUBLIC_BUCKET:
            logging.warning(
                "NSynth is read from %s, which is slow outside Google's cloud: prepare "
                "it with TensorFlow Datasets and set NSynthTfds.data_dir.",
                data_dir,
            )

    def get_dataset(self, shuffle=True):
        """Opens the examples; downloads nothing.

        Args:
          shuffle: Whether to read the files in random order.

        Returns:
          A `tf.data.Dataset` of dictionaries of tensors; see the class.

        Raises:
          ImportError: If TensorFlow Datasets is not installed.
          FileNotFoundError: If the data set is not prepared in `data_dir`.
          ValueError: If its examples lack a feature.
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
            "This data set is read with TensorFlow Datasets: pip install "
            f"'ddsp[nsynth]', got: {error}."
        ) from error
    return tensorflow_datasets
