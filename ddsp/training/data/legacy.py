"""Records whose features are known beforehand and all have to be there."""

import math

import tensorflow as tf

from ddsp import configurable
from ddsp.training.data import shards
from ddsp.training.data.tfrecord import FRAME_FEATURES, TFRecordProvider


@configurable.source(module="ddsp.training.data")
class LegacyTFRecordProvider(TFRecordProvider):
    """Reads records of earlier versions: audio, pitch and loudness, no `audio_16k`.

    The first record of every file is compared with `features_dict`, so a feature that
    is missing or of another length is named before training starts.

    Args:
      file_pattern: Glob pattern of the files, or a list of them.
      example_secs: Length of an example, seconds.
      sample_rate: Of the audio, samples per second; see `TFRecordProvider`.
      frame_rate: Of the features, frames per second; divides `sample_rate`.
      centered: Whether frames are centered on their times, which makes one more.
      seed: Of the shuffling; see `DataProvider`.

    Raises:
      FileNotFoundError: If no file matches.
      ValueError: If a file is truncated, or what is in it is not `features_dict`.
    """

    _completes_audio_16k = False

    def __init__(
        self,
        file_pattern=None,
        example_secs=4,
        sample_rate=16000,
        frame_rate=250,
        centered=False,
        seed=None,
    ):
        super().__init__(
            file_pattern=file_pattern,
            example_secs=example_secs,
            sample_rate=sample_rate,
            frame_rate=frame_rate,
            centered=centered,
            seed=seed,
            features=None,
        )

    @property
    def features_dict(self):
        """What is read, by name, as `tf.io.parse_single_example` takes it."""
        n_frames = self.get_feature_length(self._centered)
        return {
            "audio": _floats(round(self._example_secs * self._sample_rate)),
            **{name: _floats(n_frames) for name in FRAME_FEATURES},
        }

    def _lengths_of_record(self, path):
        found = shards.first_record(path).features.feature
        lengths = {
            name: len(getattr(values, values.WhichOneof("kind") or "float_list").value)
            for name, values in found.items()
        }
        if lengths.get("audio"):
            self._find_rates(path, lengths)
        return self._checked_lengths(path, lengths)

    def _lengths_of_manifest(self, path):
        return self._checked_lengths(path, super()._lengths_of_manifest(path))

    def _checked_lengths(self, path, lengths) -> dict[str, int | None]:
        """Lengths of the features that are read; refuses what does not fit."""
        wanted = self.features_dict
        missing = sorted(set(wanted) - set(lengths))
        if missing:
            raise ValueError(
                f"{type(self).__name__} needs the features {missing}, which {path} "
                f"lacks, got {sorted(lengths)}."
            )
        for name, feature in wanted.items():
            if not isinstance(feature, tf.io.FixedLenFeature):
                continue
            expected = math.prod(feature.shape)
            if lengths[name] != expected:
                raise ValueError(
                    f"`{name}` must have {expected} values an example, in the shape "
                    f"{list(feature.shape)} that {type(self).__name__} is configured "
                    f"for; {path} has others, got {lengths[name]}."
                )
        return {name: lengths[name] for name in wanted}


def _floats(*shape: int) -> tf.io.FixedLenFeature:
    return tf.io.FixedLenFeature(list(shape), dtype=tf.float32)
