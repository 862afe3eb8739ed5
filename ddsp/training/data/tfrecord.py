"""Examples from TFRecord files: those of `ddsp_prepare_tfrecord`, and older ones."""

import dataclasses
import re

import tensorflow as tf

from ddsp import configurable, file_errors, pitch
from ddsp._core import checks
from ddsp.training.data import integrity, record_rates, shards, splits
from ddsp.training.data import manifest as manifests
from ddsp.training.data.provider import DataProvider

# No feature reaches it in any scale, and the squares of what lies beyond overflow.
_LARGEST = 10**6

FRAME_FEATURES = ("f0_hz", "f0_confidence", "loudness_db")
_KNOWN_FEATURES = ("audio", "audio_16k", *FRAME_FEATURES)
# So many shards are open at once at most.
_CYCLE_LENGTH = 64


@configurable.source(module="ddsp.training.data")
class TFRecordProvider(DataProvider):
    """Reads examples from TFRecord files.

    Where a manifest stands beside the files, it says what they hold, and rates that
    are given must be those of the manifest. Of records without one, the lengths tell
    the ratio of the rates, and an argument that is given (or `audio_16k`) the rest.

    Args:
      file_pattern: Glob pattern of the files, or a list of them, such as
        `'data/violin.tfrecord*'`. Of data prepared with an evaluation split, a
        pattern that matches all of it stands for the training part.
      example_secs: Length of an example, seconds. A manifest overrides it.
      sample_rate: Of the audio, samples per second. By default that of the files.
      frame_rate: Of the features, frames per second; divides `sample_rate`. By default
        that of the files.
      centered: Whether frames are centered on their times, which makes one more. A
        manifest overrides it; by default, lengths tell.
      seed: Of the shuffling; see `DataProvider`.
      features: Names of the features to read. By default all there are of `audio`,
        `audio_16k`, `f0_hz`, `f0_confidence` and `loudness_db`. Records of 16 kHz
        that lack `audio_16k` give their `audio` under this name too.

    Raises:
      FileNotFoundError: If no file matches.
      ValueError: If no pattern is given, a file is damaged, missing or of another
        data set, there are no examples, or what is in the files does not fit the
        arguments.
    """

    # What a manifest and the configuration must agree on.
    _rates_of_manifest: tuple[str, ...] = ("sample_rate", "frame_rate")
    # Whether rates that were not given are those of the files.
    _rates_of_files = True
    # Whether examples hold `audio_16k` though their records do not.
    _completes_audio_16k = True

    def __init__(
        self,
        file_pattern=None,
        example_secs=4,
        sample_rate=16000,
        frame_rate=250,
        centered=False,
        seed=None,
        features=None,
    ):
        super().__init__(sample_rate, frame_rate, seed)
        self._rates_origin = None
        if not self._unknown({"sample_rate", "frame_rate"}):
            checks.hop_size(sample_rate, frame_rate)
        self._example_secs = example_secs
        self._centered = centered
        self._manifest = None
        file_pattern = file_pattern or self.default_file_pattern
        self._paths = splits.without_evaluation(shards.match(file_pattern))
        # A list may leave out shards on purpose.
        counts = integrity.check(self._paths, whole_sets=isinstance(file_pattern, str))
        self._n_examples = sum(counts.values())
        if not self._n_examples:
            raise ValueError(
                f"The TFRecord files hold no examples, got {_brief(self._paths)}."
            )
        self._lengths = self._find_lengths([p for p in self._paths if counts[p]])
        self._copies = self._find_copies(features)
        if features is not None:
            self._lengths = {
                name: self._length_of(name)
                for name in features
                if name not in self._copies
            }
        # What a resumed run, or an evaluation, is configured with.
        configurable.note_operative(self, dataclasses.asdict(self._rates()))

    @property
    def default_file_pattern(self):
        """The files to read if none are named: here there are no such.

        Raises:
          ValueError: If a subclass does not define its files, as here.
        """
        raise ValueError(
            f"{type(self).__name__} needs a `file_pattern`; on the command line: "
            f"--gin_param=\"{type(self).__name__}.file_pattern='path/to/name*'\"."
        )

    @property
    def n_examples(self):
        """Number of examples in all files."""
        return self._n_examples

    @property
    def manifest(self):
        """The `Manifest` beside the files, or None."""
        return self._manifest

    @property
    def rates_origin(self):
        """Where the rates come from: a manifest, records, or the configuration."""
        return self._rates_origin or super().rates_origin

    @property
    def validation(self):
        """A provider of the evaluation split beside these files, or None."""
        paths = splits.evaluation_shards(self._paths)
        if not paths:
            if self._manifest is not None and "eval" in self._manifest.splits:
                raise ValueError(
                    "The shards of the evaluation split are missing, which the "
                    f"manifest lists, beside {_brief(self._paths)}. Copy them again."
                )
            return None
        return self._of_files(paths)

    @property
    def features_dict(self):
        """What is read, by name, as `tf.io.parse_single_example` takes it."""
        return {name: _floats(length) for name, length in self._lengths.items()}

    def get_feature_length(self, centered):
        """Number of frames in an example.

        Args:
          centered: Whether frames are centered on their times.
        """
        n_frames = round(self._example_secs * self._frame_rate)
        return n_frames + 1 if centered else n_frames

    def get_dataset(self, shuffle=True):
        """Opens the examples.

        Args:
          shuffle: Whether to take the files in random order. Otherwise examples
            come one from each file in turn, as they were dealt out in preparing.

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

    def get_batch(self, batch_size, shuffle=True, repeats=-1, drop_remainder=True):
        """Groups the examples; see `DataProvider.get_batch`.

        Raises:
          ValueError: If the data do not fill even one batch, or if a batch would hold
            examples of different lengths.
        """
        if batch_size > 1 and None in self._lengths.values():
            raise ValueError(
                "Examples of different lengths, here whole recordings, do not fit in "
                "one batch: prepare the data with `example_secs`, got "
                f"batch_size={batch_size}."
            )
        return super().get_batch(batch_size, shuffle, repeats, drop_remainder)

    def _parse(self, record):
        example = tf.io.parse_single_example(record, self.features_dict)
        example = {
            name: self._checked_feature(name, value) for name, value in example.items()
        }
        return example | {
            name: example[source] for name, source in self._copies.items()
        }

    def _checked_feature(self, name, value):
        """The value; reading it fails if it holds NaN, infinity or what is no sound."""
        if not value.dtype.is_floating:
            return value
        value = tf.debugging.check_numerics(value, f"`{name}`")
        limits = (0, self._sample_rate) if name == "f0_hz" else (-_LARGEST, _LARGEST)
        inside = (value >= limits[0]) & (value <= limits[1])
        text = f"`{name}` is not within {limits[0]} and {limits[1]}"
        tf.debugging.Assert(tf.reduce_all(inside), [text])
        return value

    def find_damage(self):
        """Reads all records; the first that cannot be used, or None."""
        for path in self._paths:
            position = 0
            try:
                for _ in tf.data.TFRecordDataset(path).map(self._parse):
                    position += 1
            except tf.errors.OpError as error:
                return (
                    f"Record {position} of {path} cannot be used: "
                    f"{_fault(error)}. Prepare or copy the data again."
                )
        return None

    def _find_copies(self, features) -> dict[str, str]:
        """Features that records lack, by name, with those that stand for them."""
        if (
            self._completes_audio_16k
            and self._sample_rate == pitch.SAMPLE_RATE
            and "audio_16k" not in self._lengths
            and (features is None or {"audio", "audio_16k"} <= set(features))
        ):
            return {"audio_16k": "audio"}
        return {}

    def _of_files(self, paths):
        """A provider that reads the same features from other files."""
        return TFRecordProvider(
            paths,
            self._example_secs,
            self.sample_rate,
            self.frame_rate,
            self._centered,
            features=[*self._lengths, *self._copies],
        )

    def _length_of(self, name):
        if name not in self._lengths:
            raise ValueError(
                f"The examples have no feature {name!r}, got {sorted(self._lengths)}."
            )
        return self._lengths[name]

    def _find_lengths(self, paths) -> dict[str, int | None]:
        """Lengths of the features, the same in every file."""
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
                    "All files that are read together must hold the same features: "
                    f"{paths[0]} has {lengths}, got {path} with {found}."
                )
        return lengths

    def _lengths_of_manifest(self, path) -> dict[str, int | None]:
        manifest = manifests.read(path)
        unknown = self._unknown(set(self._rates_of_manifest))
        for name in self._rates_of_manifest:
            configured, stored = getattr(self, name), getattr(manifest, name)
            if stored is None or configured == stored:
                continue
            if name not in unknown:
                raise ValueError(
                    f"The records were prepared with {name}={stored} ({path}), not "
                    f"with {self._origin_of(name)}={configured}: leave it out, or "
                    f"prepare the data again, got {configured}."
                )
            setattr(self, f"_{name}", stored)
        self._rates_origin = path
        self._manifest = manifest
        self._example_secs = manifest.example_secs or self._example_secs
        self._centered = manifest.center
        return dict(manifest.features)

    def _lengths_of_record(self, path) -> dict[str, int | None]:
        record = shards.first_record(path)
        lengths: dict[str, int | None] = {
            name: len(record.features.feature[name].float_list.value)
            for name in _KNOWN_FEATURES
            if name in record.features.feature
        }
        if "audio" not in lengths:
            raise ValueError(
                f"{path} holds no examples with `audio`, got the features "
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
        """Those of the arguments that are neither given nor found yet."""
        if not self._rates_of_files or self._rates_origin is not None:
            return set()
        return names - configurable.given(self)

    def _origin_of(self, name: str) -> str:
        """What says a rate that files are compared with."""
        if name in configurable.given(self) or not self._rates_of_files:
            return f"{type(self).__name__}.{name}"
        return f"{self.rates_origin}: {name}"

    def _find_rates(self, path, lengths) -> None:
        """Takes what was not given from the lengths of a record's features."""
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
                f"The sample rate of {path}, which has no manifest, is not known: its "
                f"examples hold {lengths['audio']} samples and {n_frames} frames. Bind "
                f"{type(self).__name__}.sample_rate, frame_rate or example_secs, got "
                "none."
            )
        for name, value in dataclasses.asdict(found).items():
            setattr(self, f"_{name}", value)
        checks.hop_size(self._sample_rate, self._frame_rate)
        self._rates_origin = path

    def _check_length(self, path, name, found, expected, rate) -> None:
        if found != expected:
            raise ValueError(
                f"`{name}` in {path} has {found} values an example "
                f"({found / self._example_secs:g} a second if examples last "
                f"{self._example_secs} s), but TFRecordProvider is configured with "
                f"example_secs={self._example_secs}, {rate}, which makes {expected}; "
                f"got {found}."
            )


def _check_record(path: str, lengths: dict[str, int | None], manifest: str) -> None:
    """Refuses a manifest that does not describe the first record of a shard."""
    record = shards.first_record(path).features.feature
    for name, length in lengths.items():
        found = len(record[name].float_list.value) if name in record else 0
        if found != length and (length is not None or not found):
            raise ValueError(
                f"The manifest {manifest} does not describe {path}: `{name}` should "
                f"have {length} values an example, got {found}."
            )


def _fault(error: tf.errors.OpError) -> str:
    """What TensorFlow found wrong with a record, without what it adds."""
    text = file_errors.reason(error).rstrip(". ")
    assertion = re.search(r"assertion failed: \[(.*?)\]", text)
    return assertion[1] if assertion else text.replace(" : Tensor had", " has")


def _floats(length: int | None):
    if length is None:
        return tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)
    return tf.io.FixedLenFeature([length], tf.float32)


def _brief(paths) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
