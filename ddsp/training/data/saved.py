"""Provider of data sets saved by `tf.data.Dataset.save`."""

import gin
import tensorflow as tf

from ddsp import files
from ddsp.training.data.provider import DataProvider


@gin.register(module="ddsp.training.data")
class ExperimentalDataProvider(DataProvider):
    """Provider of a data set saved by `tf.data.Dataset.save`.

    Args:
      data_dir: Directory of the saved data set.
      sample_rate: Samples per second of the audio.
      frame_rate: Frames per second of the features.
      seed: Seed of the shuffling; see `DataProvider`.

    Example:

    >>> from ddsp.training import data
    >>> examples = tf.data.Dataset.from_tensors({"audio": tf.zeros([64000])})
    >>> examples.save(str(tmp_path))
    >>> provider = data.ExperimentalDataProvider(str(tmp_path), 16000, 250)
    >>> next(iter(provider.get_batch(2)))["audio"].shape.as_list()
    [2, 64000]
    """

    def __init__(
        self,
        data_dir: str,
        sample_rate: int,
        frame_rate: int,
        seed: int | None = None,
    ):
        super().__init__(sample_rate, frame_rate, seed=seed)
        self.data_dir = files.expand_path(data_dir)

    def get_dataset(self, shuffle: bool = True) -> tf.data.Dataset:
        """Returns the saved data set.

        Args:
          shuffle: Not used: the order of the files is fixed. `get_batch` shuffles the
            examples.

        Returns:
          The saved `tf.data.Dataset`.

        Raises:
          FileNotFoundError: If there is no saved data set in `data_dir`.
        """
        del shuffle
        try:
            return tf.data.Dataset.load(self.data_dir)
        except (tf.errors.NotFoundError, FileNotFoundError) as error:
            raise FileNotFoundError(
                "No data set saved by `tf.data.Dataset.save` was found, got data_dir="
                f"{self.data_dir!r}."
            ) from error
