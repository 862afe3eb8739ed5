"""Notes that a program made up, with the controls they are rendered from."""

import tensorflow as tf

from ddsp import configurable
from ddsp._core import checks
from ddsp.training.data.legacy import LegacyTFRecordProvider


@configurable.source(module="ddsp.training.data")
class SyntheticNotes(LegacyTFRecordProvider):
    """Reads the records of `ddsp_generate_synthetic_dataset`.

    Examples hold controls of synthesizers, float32: `f0_hz` and `harm_amp`
    [n_timesteps, 1], `harm_dist`, `sin_amps` and `sin_freqs` [n_timesteps,
    n_harmonics], and `noise_magnitudes` [n_timesteps, n_mags]. There is no audio:
    `models.InverseSynthesis` renders it. As in the original, `frame_rate` is always
    250, whatever the steps last, so that notes can be zipped with recordings.

    Args:
      n_timesteps: Frames in an example.
      n_harmonics: Harmonics, and as many sinusoids.
      n_mags: Bands of the noise.
      file_pattern: Glob pattern of the files, or a list of them.
      sample_rate: Samples per second at which the notes have no harmonic above Nyquist.
      seed: Of the shuffling; see `DataProvider`.

    Raises:
      FileNotFoundError: If no file matches.
      ValueError: If the records, or the manifest beside them, are of other sizes.
    """

    _rates_of_manifest = ("sample_rate",)

    def __init__(
        self,
        n_timesteps,
        n_harmonics,
        n_mags,
        file_pattern=None,
        sample_rate=16000,
        seed=None,
    ):
        self.n_timesteps = n_timesteps
        self.n_harmonics = n_harmonics
        self.n_mags = n_mags
        for name in ("n_timesteps", "n_harmonics", "n_mags"):
            checks.positive(name, getattr(self, name))
        super().__init__(file_pattern=file_pattern, sample_rate=sample_rate, seed=seed)

    @property
    def features_dict(self):
        """What is read: `tf.io.FixedLenFeature` of each control, by name."""
        channels = feature_channels(self.n_harmonics, self.n_mags)
        return {
            name: tf.io.FixedLenFeature([self.n_timesteps, n], dtype=tf.float32)
            for name, n in channels.items()
        }

    def _of_files(self, paths):
        return SyntheticNotes(
            self.n_timesteps,
            self.n_harmonics,
            self.n_mags,
            paths,
            self.sample_rate,
        )


def feature_channels(n_harmonics: int, n_mags: int) -> dict[str, int]:
    """Channels of each control of a synthetic note, by name.

    Args:
      n_harmonics: Number of harmonics.
      n_mags: Number of noise magnitudes.
    """
    return {
        "f0_hz": 1,
        "harm_amp": 1,
        "harm_dist": n_harmonics,
        "sin_amps": n_harmonics,
        "sin_freqs": n_harmonics,
        "noise_magnitudes": n_mags,
    }
