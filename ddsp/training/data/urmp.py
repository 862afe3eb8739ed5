"""Providers of URMP: chamber music, recorded part by part, with notes.

Li, Liu, Dinesh, Duan and Sharma, "Creating a Multitrack Classical Music Performance
Dataset for Multimodal Music Analysis" (IEEE Transactions on Multimedia, 2019). The
prepared TFRecord files are published in `gs://magentadata/datasets/urmp`.
"""

import os
from collections.abc import Sequence

import gin
import tensorflow as tf

from ddsp._core import checks
from ddsp.training.data.legacy import LegacyTFRecordProvider
from ddsp.training.data.record_parsing import FeatureSpecs

# Instruments in the order of `instrument_id`.
INSTRUMENTS = (
    "vn",
    "va",
    "vc",
    "db",
    "fl",
    "ob",
    "cl",
    "sax",
    "bn",
    "tpt",
    "hn",
    "tbn",
    "tba",
)
_N_PITCHES = 128
_PIANOROLLS = (
    "note_active_velocities",
    "note_active_frame_indices",
    "note_onsets",
    "note_offsets",
)
_IDS = ("instrument_id", "recording_id")


@gin.register(module="ddsp.training.data")
class Urmp(LegacyTFRecordProvider):
    """Provider of audio, pitch and loudness of one instrument or of all.

    Args:
      base_dir: Directory of the TFRecord files, local or `gs://...`.
      instrument_key: One of `urmp.INSTRUMENTS`, or 'all'.
      split: 'train' or 'test'.
      suffix: Suffix of the split in the file names, such as 'batched' (examples of
        4 s) or 'unbatched' (whole recordings); None for none.
      seed: Seed of the shuffling; see `DataProvider`.

    Raises:
      FileNotFoundError: If no file matches.
      ValueError: If the instrument is unknown or a feature is missing.

    Example:

    >>> from ddsp.training import data
    >>> data.Urmp(str(tmp_path), "vn")
    Traceback (most recent call last):
    FileNotFoundError: No TFRecord file matches...
    """

    # The published files have the default rates.
    _rates_of_files = False

    def __init__(
        self,
        base_dir: str,
        instrument_key: str = "tpt",
        split: str = "train",
        suffix: str | None = None,
        seed: int | None = None,
    ):
        checks.one_of("instrument_key", instrument_key, ["all", *INSTRUMENTS])
        self.base_dir = base_dir
        self.instrument_key = instrument_key
        self.split = split
        self.suffix = "" if suffix is None else f"_{suffix}"
        super().__init__(seed=seed)

    @property
    def default_file_pattern(self) -> str:
        """Glob pattern of the files of the instrument and split."""
        part = f"{self.split}{self.suffix}.tfrecord*"
        if self.instrument_key == "all":
            name = f"all_instruments_{part}"
        else:
            name = f"urmp_{self.instrument_key}_solo_ddsp_conditioning_{part}"
        return os.path.join(self.base_dir, name)


@gin.register(module="ddsp.training.data")
class UrmpMidi(Urmp):
    """Provider of examples of 4 s with notes.

    Examples contain:

    - `audio`: [n_samples].
    - `f0_confidence`, `power_db`: [n_frames].
    - `f0_hz`, `loudness_db`: [n_frames, 1].
    - `note_active_frame_indices`, `note_active_velocities`: [n_frames, 128].
    - `midi`: Pitch of the active note or 0, [n_frames], int64.
    - `onsets`, `offsets`: 0 or 1, [n_frames], int64.
    - `note_onsets`, `note_offsets`: [n_frames * 128], as stored.
    - `instrument_id`: Index in `urmp.INSTRUMENTS` or -1, int32.
    - `recording_id`: String.

    Example:

    >>> from ddsp.training import data
    >>> data.UrmpMidi(str(tmp_path), "vn", suffix="batched")
    Traceback (most recent call last):
    FileNotFoundError: No TFRecord file matches...
    """

    @property
    def features_dict(self) -> FeatureSpecs:
        """Specifications of the features, for `tf.io.parse_single_example`."""
        n_frames = self.get_feature_length(self._centered)
        lengths = dict.fromkeys(_PIANOROLLS, n_frames * _N_PITCHES)
        return {
            **super().features_dict,
            **{
                name: tf.io.FixedLenFeature([length], tf.float32)
                for name, length in (lengths | {"power_db": n_frames}).items()
            },
            **_id_features(),
        }

    def get_dataset(self, shuffle: bool = True) -> tf.data.Dataset:
        """Returns the data set of single examples.

        Args:
          shuffle: Whether to read files in random order.

        Returns:
          A `tf.data.Dataset` of dictionaries of tensors; see the class.
        """
        return _with_notes(super().get_dataset(shuffle))


@gin.register(module="ddsp.training.data")
class UrmpMidiUnsegmented(Urmp):
    """Provider of whole recordings with notes.

    Examples have the features of `UrmpMidi`. Their lengths differ, so each batch has
    one example. The files have the suffix 'unbatched'.

    Example:

    >>> from ddsp.training import data
    >>> data.UrmpMidiUnsegmented(str(tmp_path), "vn", suffix="unbatched")
    Traceback (most recent call last):
    FileNotFoundError: No TFRecord file matches...
    """

    @property
    def features_dict(self) -> FeatureSpecs:
        """Specifications of the features, for `tf.io.parse_single_example`."""
        names = (*super().features_dict, *_PIANOROLLS, "power_db")
        return {
            **{
                name: tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)
                for name in names
            },
            **_id_features(),
        }

    def get_dataset(self, shuffle: bool = True) -> tf.data.Dataset:
        """Returns the data set of whole recordings.

        Args:
          shuffle: Whether to read files in random order.

        Returns:
          A `tf.data.Dataset` of dictionaries of tensors; see `UrmpMidi`.
        """
        return _with_notes(super().get_dataset(shuffle))

    def get_batch(
        self,
        batch_size: int,
        shuffle: bool = True,
        repeats: int = -1,
        drop_remainder: bool = True,
    ) -> tf.data.Dataset:
        """Returns the data set of batches of one recording each.

        Args:
          batch_size: Must be 1.
          shuffle: Whether to read files in random order.
          repeats: Number of passes over the data; -1 repeats forever.
          drop_remainder: Not used; every batch is complete.

        Returns:
          A `tf.data.Dataset` of dictionaries of tensors, [1, ...].

        Raises:
          ValueError: If `batch_size` is not 1.
        """
        if batch_size != 1:
            raise ValueError(
                "Whole recordings of different lengths cannot share a batch: use "
                f"batch_size=1, or UrmpMidi for segments, got {batch_size}."
            )
        return super().get_batch(batch_size, shuffle, repeats, drop_remainder)

    def _find_lengths(self, paths: Sequence[str]) -> dict[str, int | None]:
        # Lengths differ even within a file; only the names must match.
        for path in paths:
            self._lengths_of_record(path)
        return {}


def _id_features() -> dict[str, tf.io.FixedLenFeature]:
    return {name: tf.io.FixedLenFeature([], tf.string) for name in _IDS}


def _with_notes(dataset: tf.data.Dataset) -> tf.data.Dataset:
    numbers = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(
            tf.constant(INSTRUMENTS), tf.range(len(INSTRUMENTS))
        ),
        default_value=-1,
    )

    def arrange(stored: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        rolls = {
            name: tf.reshape(stored[name], [-1, _N_PITCHES]) for name in _PIANOROLLS
        }
        active = rolls["note_active_frame_indices"]
        return {
            **stored,
            "f0_hz": stored["f0_hz"][:, tf.newaxis],
            "loudness_db": stored["loudness_db"][:, tf.newaxis],
            "instrument_id": numbers.lookup(stored["instrument_id"]),
            "note_active_frame_indices": active,
            "note_active_velocities": rolls["note_active_velocities"],
            "midi": tf.argmax(active, axis=-1),
            "onsets": _any_pitch(rolls["note_onsets"]),
            "offsets": _any_pitch(rolls["note_offsets"]),
        }

    return dataset.map(arrange, num_parallel_calls=tf.data.AUTOTUNE)


def _any_pitch(roll: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.reduce_sum(roll, axis=-1) > 0.0, tf.int64)
