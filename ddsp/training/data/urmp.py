"""The URMP recordings: chamber music, each part by itself, with its notes.

Li, Liu, Dinesh, Duan and Sharma, "Creating a Multitrack Classical Music Performance
Dataset for Multimodal Music Analysis" (IEEE Transactions on Multimedia, 2019). The
prepared TFRecord files are published in `gs://magentadata/datasets/urmp`.
"""

import os

import gin
import tensorflow as tf

from ddsp._core import checks
from ddsp.training.data.legacy import LegacyTFRecordProvider

# Instruments by their number, `instrument_id`.
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
    """Reads audio, pitch and loudness of one instrument or of all.

    Args:
      base_dir: Directory of the TFRecord files, local or `gs://...`.
      instrument_key: One of `urmp.INSTRUMENTS`, or 'all'.
      split: 'train' or 'test'.
      suffix: What the names of the files end in after the split, such as 'batched'
        (examples of 4 s) or 'unbatched' (whole recordings); None for nothing.
      seed: Of the shuffling; see `DataProvider`.

    Raises:
      FileNotFoundError: If there are no such files.
      ValueError: If the instrument is unknown or a feature is missing.
    """

    # The published files have the default rates.
    _rates_of_files = False

    def __init__(
        self, base_dir, instrument_key="tpt", split="train", suffix=None, seed=None
    ):
        checks.one_of("instrument_key", instrument_key, ["all", *INSTRUMENTS])
        self.base_dir = base_dir
        self.instrument_key = instrument_key
        self.split = split
        self.suffix = "" if suffix is None else f"_{suffix}"
        super().__init__(seed=seed)

    @property
    def default_file_pattern(self):
        """Glob pattern of the files of the instrument, the split and the suffix."""
        part = f"{self.split}{self.suffix}.tfrecord*"
        if self.instrument_key == "all":
            name = f"all_instruments_{part}"
        else:
            name = f"urmp_{self.instrument_key}_solo_ddsp_conditioning_{part}"
        return os.path.join(self.base_dir, name)


@gin.register(module="ddsp.training.data")
class UrmpMidi(Urmp):
    """Reads examples of 4 s with their notes.

    Beside `audio` [n_samples] and `f0_confidence` and `power_db` [n_frames] an example
    holds `f0_hz` and `loudness_db` [n_frames, 1]; `note_active_frame_indices` and
    `note_active_velocities` [n_frames, 128]; `midi`, the pitch of the note that sounds
    or 0, `onsets` and `offsets`, 0 or 1, [n_frames] int64; `note_onsets` and
    `note_offsets` [n_frames * 128] as stored; `instrument_id`, its place in
    `urmp.INSTRUMENTS` or -1, int32; and `recording_id`, a string.
    """

    @property
    def features_dict(self):
        """What is stored, by name, as `tf.io.parse_single_example` takes it."""
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

    def get_dataset(self, shuffle=True):
        """Opens the examples.

        Args:
          shuffle: Whether to take the files in random order.

        Returns:
          A `tf.data.Dataset` of dictionaries of tensors; see the class.
        """
        return _with_notes(super().get_dataset(shuffle))


@gin.register(module="ddsp.training.data")
class UrmpMidiUnsegmented(Urmp):
    """Reads whole recordings with their notes.

    Examples are those of `UrmpMidi`, of different lengths, so batches hold one each.
    The files have the suffix 'unbatched'.
    """

    @property
    def features_dict(self):
        """What is stored, by name, as `tf.io.parse_single_example` takes it."""
        names = (*super().features_dict, *_PIANOROLLS, "power_db")
        return {
            **{
                name: tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)
                for name in names
            },
            **_id_features(),
        }

    def get_dataset(self, shuffle=True):
        """Opens the recordings.

        Args:
          shuffle: Whether to take the files in random order.

        Returns:
          A `tf.data.Dataset` of dictionaries of tensors; see `UrmpMidi`.
        """
        return _with_notes(super().get_dataset(shuffle))

    def get_batch(self, batch_size, shuffle=True, repeats=-1, drop_remainder=True):
        """Puts each recording into a batch.

        Args:
          batch_size: 1.
          shuffle: Whether to take the files in random order.
          repeats: Passes over the data; -1 never ends.
          drop_remainder: Of no effect; every batch is full.

        Returns:
          A `tf.data.Dataset` of dictionaries of tensors, [1, ...].

        Raises:
          ValueError: If `batch_size` is not 1.
        """
        if batch_size != 1:
            raise ValueError(
                "Whole recordings differ in length and cannot share a batch: use "
                f"batch_size=1, or UrmpMidi for segments, got {batch_size}."
            )
        return super().get_batch(batch_size, shuffle, repeats, drop_remainder)

    def _find_lengths(self, paths):
        # Lengths differ even within a file; what has to agree are the names.
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

    def arrange(stored):
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
