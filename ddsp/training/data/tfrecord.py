"""Provider of TFRecord files, with or without a manifest."""

import dataclasses
from collections.abc import Mapping, Sequence

import tensorflow as tf

from ddsp import configurable, pitch
from ddsp._core import checks
from ddsp.training.data import integrity, record_parsing, record_rates, shards, splits
from ddsp.training.data import manifest as manifests
from ddsp.training.data.provider import DataProvider
from ddsp.training.data.record_parsing import FeatureSpecs

FRAME_FEATURES = ("f0_hz", "f0_confidence", "loudness_db")
_KNOWN_FEATURES = ("audio", "audio_16k", *FRAME_FEATURES)
# Largest number of open shards.
_CYCLE_LENGTH = 64


@configurable.source(module="ddsp.training.data")
class TFRecordProvider(DataProvider):
    """Provider of the examples in TFRecord files.

    A manifest next to the files describes them; rates set by the user must match it.
    Without a manifest, the lengths of the features determine the ratio of the rates,
    and any argument set by the user (or the feature `audio_16k`) determines the rest.

    Args:
      file_pattern: Glob pattern or list of paths, such as `'data/violin.tfrecord*'`.
        If it matches both the training and the evaluation split of a data set, only
        the training split is read.
      example_secs: Length of an example in seconds. A manifest overrides it.
      sample_rate: Samples per second of the audio. By default, the rate of the files.
      frame_rate: Frames per second of the features; must divide `sample_rate`. By
        default, the rate of the files.
      centered: Whether frames are centered on their times, which adds one frame. By
        default, the lengths in the files determine it. A manifest overrides it.
      seed: Seed of the shuffling; see `DataProvider`.
      features: Names of the features to read. By default, those of `audio`,
        `audio_16k`, `f0_hz`, `f0_confidence` and `loudness_db` that exist. At 16 kHz,
        `audio` replaces a missing `audio_16k`.

    Raises:
      FileNotFoundError: If no file matches.
      ValueError: If there is no pattern, if a file is damaged, missing or from another
        data set, if there are no examples, or if the files contradict the arguments.

    Example:

    >>> from ddsp.training import data
    >>> from ddsp.training.data_preparation.examples import serialize
    >>> path = str(tmp_path / "violin.tfrecord-00000-of-00001")
    >>> with tf.io.TFRecordWriter(path) as writer:
    ...     writer.write(serialize({"audio": np.zeros(64000), "f0_hz": np.zeros(1000)}))
    >>> provider = data.TFRecordProvider(str(tmp_path / "violin.tfrecord*"))
    >>> next(iter(provider.get_batch(batch_size=2)))["f0_hz"].shape.as_list()
    [2, 1000]
    """

    # Settings that must match the manifest.
    _rates_of_manifest: tuple[str, ...] = ("sample_rate", "frame_rate")
    # Whether the files determine rates that the user did not set.
    _rates_of_files = True
    # Whether `audio` replaces a missing `audio_16k`.
    _completes_audio_16k = True

    def __init__(
        self,
        file_pattern: str | Sequence[str] | None = None,
        example_secs: float = 4,
        sample_rate: int = 16000,
        frame_rate: int = 250,
        centered: bool = False,
        seed: int | None = None,
        features: Sequence[str] | None = None,
    ):
        super().__init__(sample_rate, frame_rate, seed)
        self._rates_origin: str | None = None
        if not self._unknown({"sample_rate", "frame_rate"}):
            checks.hop_size(sample_rate, frame_rate)
        self._example_secs = example_secs
        self._centered = centered
        self._manifest: manifests.Manifest | None = None
        file_pattern = file_pattern or self.default_file_pattern
        self._paths = splits.without_evaluation(shards.match(file_pattern))
        # A list of files may be incomplete on purpose.
        counts = integrity.check(self._paths, whole_sets=isinstance(file_pattern, str))
        self._n_examples = sum(counts.values())
        if not self._n_examples:
            raise ValueError(
                f"The TFRecord files have no examples, got {_brief(self._paths)}."
            )
        self._lengths = self._find_lengths([p for p in self._paths if counts[p]])
        self._copies = self._find_copies(features)
        if features is not None:
            self._lengths = {
                name: self._length_of(name)
                for name in features
                if name not in self._copies
            }
        # Written to the config of the run, for resuming and evaluation.
        configurable.note_operative(self, dataclasses.asdict(self._rates()))

    @property
    def default_file_pattern(self) -> str:
        """Default of `file_pattern`, defined by subclasses for known data sets.

        Raises:
          ValueError: If the class has no default.
        """
        raise ValueError(
            f"{type(self).__name__} needs a `file_pattern`: on the command line, pass "
            f"--gin_param=\"{type(self).__name__}.file_pattern='path/to/name*'\", got "
            "None."
        )

    @property
    def n_examples(self) -> int:
        """Number of examples in all files."""
        return self._n_examples

    @property
    def manifest(self) -> manifests.Manifest | None:
        """Manifest of the files, or None."""
        return self._manifest

    @property
    def rates_origin(self) -> str:
        """Origin of the rates: a manifest, a TFRecord file or the configuration."""
        return self._rates_origin or super().rates_origin

    @property
    def validation(self) -> DataProvider | None:
        """Provider of the evaluation split of the same data set, or None."""
        paths = splits.evaluation_shards(self._paths)
        if not paths:
            if self._manifest is not None and "eval" in self._manifest.splits:
                raise ValueError(
                    "The shards of the evaluation split are missing: copy them again, "
                    f"got only {_brief(self._paths)}."
                )
            return None
        return self._of_files(paths)

    @property
    def features_dict(self) -> FeatureSpecs:
        """Specifications of the features, for `tf.io.parse_single_example`."""
        return {
            name: record_parsing.float_feature(length)
            for name, length in self._lengths.items()
        }

    def get_feature_length(self, centered: bool) -> int:
        """Returns the number of frames per example.

        Args:
          centered: Whether frames are centered on their times.
        """
        n_frames = round(self._example_secs * self._frame_rate)
        return n_frames + 1 if centered else n_frames

    def get_dataset(self, shuffle: bool = True) -> tf.data.Dataset:
        """Returns the data set of single examples.

        Args:
          shuffle: Whether to read files in random order. Otherwise examples are read
            from the files in turn, in the order of their preparation.

        Returns:
          A `tf.data.Dataset` of dictionaries of float32 tensors, [length].
        """
        paths = tf.data.Dataset.from_tensor_slices(self._paths)
        if shuffle:
            paths = paths.shuffle(len(self._paths), seed=self._seed)
        dataset = paths.interleave(
            tf.data.TFRecordDataset,
            cycle_length=min(len(self._paths), _CYCLE_LENGTH),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        return dataset.map(self._parse, num_parallel_calls=tf.data.AUTOTUNE)

    def get_batch(
        self,
        batch_size: int,
        shuffle: bool = True,
        repeats: int = -1,
        drop_remainder: bool = True,
    ) -> tf.data.Dataset:
        """Returns the data set of batches; see `DataProvider.get_batch`.

        Raises:
          ValueError: If there are too few examples for one batch, or if a batch would
            contain examples of different lengths.
        """
        if batch_size > 1 and None in self._lengths.values():
            raise ValueError(
                "Whole recordings of different lengths cannot share a batch: prepare "
                f"the data with `example_secs`, got batch_size={batch_size}."
            )
        return super().get_batch(batch_size, shuffle, repeats, drop_remainder)

    def _parse(self, record: tf.Tensor) -> dict[str, tf.Tensor]:
        example = tf.io.parse_single_example(record, self.features_dict)
        example = {
            name: record_parsing.checked(name, value, self._sample_rate)
            for name, value in example.items()
        }
        return example | {
            name: example[source] for name, source in self._copies.items()
        }

    def find_damage(self) -> str | None:
        """Reads all records and describes the first damaged one; None without."""
        for path in self._paths:
            position = 0
            try:
                for _ in tf.data.TFRecordDataset(path).map(self._parse):
                    position += 1
            except tf.errors.OpError as error:
                return (
                    f"Record {position} of {path} is damaged: "
                    f"{record_parsing.reason(error)}. Prepare or copy the data again."
                )
        return None

    def _find_copies(self, features: Sequence[str] | None) -> dict[str, str]:
        """Returns missing features, by name, with the features that replace them."""
        if (
            self._completes_audio_16k
            and self._sample_rate == pitch.SAMPLE_RATE
            and "audio_16k" not in self._lengths
            and (features is None or {"audio", "audio_16k"} <= set(features))
        ):
            return {"audio_16k": "audio"}
        return {}

    def _of_files(self, paths: Sequence[str]) -> "TFRecordProvider":
        """Returns a provider of the same features of other files."""
        return TFRecordProvider(
            paths,
            self._example_secs,
            self.sample_rate,
            self.frame_rate,
            self._centered,
            features=[*self._lengths, *self._copies],
        )

    def _length_of(self, name: str) -> int | None:
        if name not in self._lengths:
            raise ValueError(
                f"The examples have no feature {name!r}, got {sorted(self._lengths)}."
            )
        return self._lengths[name]

    def _find_lengths(self, paths: Sequence[str]) -> dict[str, int | None]:
        """Returns the lengths of the features, which must be equal in all files."""
        lengths: dict[str, int | None] = {}
        known: dict[str, dict[str, int | None]] = {}
        for path in paths:
            manifest_path = manifests.find_for_shard(path)
            if manifest_path is None:
                found = self._lengths_of_record(path)
            else:
                if manifest_path not in known:
                    known[manifest_path] = self._lengths_of_manifest(manifest_path)
                    _check_record(path, known[manifest_path], manifest_path)
                found = known[manifest_path]
            lengths = lengths or found
            if found != lengths:
                raise ValueError(
                    "All files must have the same features: "
                    f"{paths[0]} has {lengths}, got {path} with {found}."
                )
        return lengths

    def _lengths_of_manifest(self, path: str) -> dict[str, int | None]:
        manifest = manifests.read(path)
        unknown = self._unknown(set(self._rates_of_manifest))
        for name in self._rates_of_manifest:
            configured, stored = getattr(self, name), getattr(manifest, name)
            if stored is None or configured == stored:
                continue
            if name not in unknown:
                raise ValueError(
                    f"{self._origin_of(name)}={configured} contradicts the data, "
                    f"prepared with {name}={stored} ({path}): remove the setting or "
                    f"prepare the data again, got {configured}."
                )
            setattr(self, f"_{name}", stored)
        self._rates_origin = path
        self._manifest = manifest
        self._example_secs = manifest.example_secs or self._example_secs
        self._centered = manifest.center
        return dict(manifest.features)

    def _lengths_of_record(self, path: str) -> dict[str, int | None]:
        record = shards.first_record(path)
        lengths: dict[str, int | None] = {
            name: len(record.features.feature[name].float_list.value)
            for name in _KNOWN_FEATURES
            if name in record.features.feature
        }
        if "audio" not in lengths:
            raise ValueError(
                f"The examples in {path} have no feature `audio`, got "
                f"{sorted(record.features.feature)}."
            )
        self._find_rates(path, lengths)
        self._check_length(
            path,
            "audio",
            lengths["audio"],
            round(self._example_secs * self._sample_rate),
            f"sample_rate={self._sample_rate}",
        )
        n_frames = self.get_feature_length(self._centered)
        for name in FRAME_FEATURES:
            if name in lengths:
                self._check_length(
                    path,
                    name,
                    lengths[name],
                    n_frames,
                    f"frame_rate={self._frame_rate}, centered={self._centered}",
                )
        return lengths

    def _rates(self) -> record_rates.RecordRates:
        return record_rates.RecordRates(
            self._sample_rate, self._frame_rate, self._example_secs, self._centered
        )

    def _unknown(self, names: set[str]) -> set[str]:
        """Returns the arguments that neither the user nor a file has set."""
        if not self._rates_of_files or self._rates_origin is not None:
            return set()
        return names - configurable.given(self)

    def _origin_of(self, name: str) -> str:
        """Returns the origin of a rate that files must match."""
        if name in configurable.given(self) or not self._rates_of_files:
            return f"{type(self).__name__}.{name}"
        return f"{self.rates_origin}: {name}"

    def _find_rates(self, path: str, lengths: Mapping[str, int | None]) -> None:
        """Infers the rates that the user did not set from the lengths in a record."""
        rates = self._rates()
        values = dataclasses.asdict(rates)
        unknown = self._unknown(set(values))
        if not unknown:
            return
        n_frames = next((lengths[x] for x in FRAME_FEATURES if x in lengths), None)
        given = {name: x for name, x in values.items() if name not in unknown}
        found = record_rates.find(lengths, n_frames, rates, given)
        if found is None:
            raise ValueError(
                f"The sample rate of {path} is unknown, because it has no manifest: "
                f"set {type(self).__name__}.sample_rate, frame_rate or example_secs, "
                f"got examples of {lengths['audio']} samples and {n_frames} frames."
            )
        for name, value in dataclasses.asdict(found).items():
            setattr(self, f"_{name}", value)
        checks.hop_size(self._sample_rate, self._frame_rate)
        self._rates_origin = path

    def _check_length(
        self, path: str, name: str, found: int | None, expected: int, settings: str
    ) -> None:
        if found != expected:
            raise ValueError(
                f"`{name}` in {path} must have {expected} values per example with "
                f"example_secs={self._example_secs}, {settings}: set the values of the "
                f"data in {type(self).__name__}, got {found} "
                f"({(found or 0) / self._example_secs:g} per second)."
            )


def _check_record(path: str, lengths: dict[str, int | None], manifest: str) -> None:
    """Refuses a manifest that does not describe the first record of a shard."""
    record = shards.first_record(path).features.feature
    for name, length in lengths.items():
        found = len(record[name].float_list.value) if name in record else 0
        if found != length and (length is not None or not found):
            raise ValueError(
                f"The manifest {manifest} does not match {path}: `{name}` must have "
                f"{'values' if length is None else f'{length} values'} in every "
                f"example, got {found}."
            )


def _brief(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
