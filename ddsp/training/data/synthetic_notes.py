"""Provider of synthetic notes, stored as controls of synthesizers."""

from collections.abc import Sequence

import tensorflow as tf

from ddsp import configurable
from ddsp._core import checks
from ddsp.training.data.legacy import LegacyTFRecordProvider
from ddsp.training.data.record_parsing import FeatureSpecs


@configurable.source(module="ddsp.training.data")
class SyntheticNotes(LegacyTFRecordProvider):
    """Provider of the records of `ddsp_generate_synthetic_dataset`.

    Examples contain controls of synthesizers, float32: `f0_hz` and `harm_amp`
    [n_timesteps, 1], `harm_dist`, `sin_amps` and `sin_freqs` [n_timesteps,
    n_harmonics], and `noise_magnitudes` [n_timesteps, n_mags]. They contain no audio;
    `models.InverseSynthesis` renders it. As in the original, `frame_rate` is always
    250, whatever the duration of a time step, so that notes can be zipped with
    recordings.

    Args:
      n_timesteps: Frames per example.
      n_harmonics: Number of harmonics, and of sinusoids.
      n_mags: Number of noise bands.
      file_pattern: Glob pattern or list of paths.
      sample_rate: Samples per second for which the harmonics are below Nyquist.
      seed: Seed of the shuffling; see `DataProvider`.

    Raises:
      FileNotFoundError: If no file matches.
      ValueError: If the records or their manifest have other sizes.

    Example:

    >>> from ddsp.training import data
    >>> from ddsp.training.data_preparation.examples import serialize
    >>> path = str(tmp_path / "notes.tfrecord")
    >>> channels = data.synthetic_notes.feature_channels(n_harmonics=3, n_mags=4)
    >>> with tf.io.TFRecordWriter(path) as writer:
    ...     writer.write(serialize({k: np.zeros(5 * n) for k, n in channels.items()}))
    >>> notes = data.SyntheticNotes(5, 3, 4, path)
    >>> next(iter(notes.get_batch(1)))["harm_dist"].shape.as_list()
    [1, 5, 3]
    """

    _rates_of_manifest = ("sample_rate",)

    def __init__(
        self,
        n_timesteps: int,
        n_harmonics: int,
        n_mags: int,
        file_pattern: str | Sequence[str] | None = None,
        sample_rate: int = 16000,
        seed: int | None = None,
    ):
        self.n_timesteps = n_timesteps
        self.n_harmonics = n_harmonics
        self.n_mags = n_mags
        for name in ("n_timesteps", "n_harmonics", "n_mags"):
            checks.positive(name, getattr(self, name))
        super().__init__(file_pattern=file_pattern, sample_rate=sample_rate, seed=seed)

    @property
    def features_dict(self) -> FeatureSpecs:
        """Specifications of the controls, for `tf.io.parse_single_example`."""
        channels = feature_channels(self.n_harmonics, self.n_mags)
        return {
            name: tf.io.FixedLenFeature([self.n_timesteps, n], dtype=tf.float32)
            for name, n in channels.items()
        }

    def _of_files(self, paths: Sequence[str]) -> "SyntheticNotes":
        return SyntheticNotes(
            self.n_timesteps,
            self.n_harmonics,
            self.n_mags,
            paths,
            self.sample_rate,
        )


def feature_channels(n_harmonics: int, n_mags: int) -> dict[str, int]:
    """Returns the number of channels of each control of a synthetic note, by name.

    Args:
      n_harmonics: Number of harmonics.
      n_mags: Number of noise bands.

    Example:

    >>> from ddsp.training.data import synthetic_notes
    >>> synthetic_notes.feature_channels(n_harmonics=3, n_mags=4)["harm_dist"]
    3
    """
    return {
        "f0_hz": 1,
        "harm_amp": 1,
        "harm_dist": n_harmonics,
        "sin_amps": n_harmonics,
        "sin_freqs": n_harmonics,
        "noise_magnitudes": n_mags,
    }
