"""Provider of TFRecord files with a fixed set of features."""

import math
from collections.abc import Mapping, Sequence

import tensorflow as tf

from ddsp import configurable
from ddsp.training.data import shards
from ddsp.training.data.record_parsing import FeatureSpecs, float_feature
from ddsp.training.data.tfrecord import FRAME_FEATURES, TFRecordProvider


@configurable.source(module="ddsp.training.data")
class LegacyTFRecordProvider(TFRecordProvider):
    """Provider of older TFRecord files: audio, pitch and loudness, no `audio_16k`.

    The first record of every file is compared with `features_dict`, so that a missing
    feature or a wrong length is reported before training starts.

    Args:
      file_pattern: Glob pattern or list of paths.
      example_secs: Length of an example in seconds.
      sample_rate: Samples per second of the audio; see `TFRecordProvider`.
      frame_rate: Frames per second of the features; must divide `sample_rate`.
      centered: Whether frames are centered on their times, which adds one frame.
      seed: Seed of the shuffling; see `DataProvider`.

    Raises:
      FileNotFoundError: If no file matches.
      ValueError: If a file is truncated or does not match `features_dict`.

    Example:

    >>> from ddsp.training import data
    >>> from ddsp.training.data_preparation.examples import serialize
    >>> path = str(tmp_path / "old.tfrecord")
    >>> with tf.io.TFRecordWriter(path) as writer:
    ...     writer.write(serialize({
    ...         "audio": np.zeros(64000), "f0_hz": np.zeros(1000),
    ...         "f0_confidence": np.zeros(1000), "loudness_db": np.zeros(1000)}))
    >>> sorted(data.LegacyTFRecordProvider(path).features_dict)
    ['audio', 'f0_confidence', 'f0_hz', 'loudness_db']
    """

    _completes_audio_16k = False

    def __init__(
        self,
        file_pattern: str | Sequence[str] | None = None,
        example_secs: float = 4,
        sample_rate: int = 16000,
        frame_rate: int = 250,
        centered: bool = False,
        seed: int | None = None,
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
    def features_dict(self) -> FeatureSpecs:
        """Specifications of the features, for `tf.io.parse_single_example`."""
        n_frames = self.get_feature_length(self._centered)
        return {
            "audio": float_feature(round(self._example_secs * self._sample_rate)),
            **{name: float_feature(n_frames) for name in FRAME_FEATURES},
        }

    def _lengths_of_record(self, path: str) -> dict[str, int | None]:
        found = shards.first_record(path).features.feature
        lengths: dict[str, int | None] = {
            name: len(getattr(values, values.WhichOneof("kind") or "float_list").value)
            for name, values in found.items()
        }
        if lengths.get("audio"):
            self._find_rates(path, lengths)
        return self._checked_lengths(path, lengths)

    def _lengths_of_manifest(self, path: str) -> dict[str, int | None]:
        return self._checked_lengths(path, super()._lengths_of_manifest(path))

    def _checked_lengths(
        self, path: str, lengths: Mapping[str, int | None]
    ) -> dict[str, int | None]:
        """Compares the lengths in a file with `features_dict` and returns them."""
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
                    f"`{name}` must have {expected} values per example, with the shape "
                    f"{list(feature.shape)} that {type(self).__name__} is configured "
                    f"for; {path} differs, got {lengths[name]}."
                )
        return {name: lengths[name] for name in wanted}
