"""Examples from `tf.data.Dataset.save`."""

import gin
import tensorflow as tf

from ddsp import files
from ddsp.training.data.provider import DataProvider


@gin.register(module="ddsp.training.data")
class ExperimentalDataProvider(DataProvider):
    """Reads a dataset that `tf.data.Dataset.save` wrote.

    Args:
      data_dir: The directory it was saved to.
      sample_rate: Audio samples per second.
      frame_rate: Feature frames per second.
      seed: Of the shuffling; see `DataProvider`.
    """

    def __init__(self, data_dir, sample_rate, frame_rate, seed=None):
        super().__init__(sample_rate, frame_rate, seed=seed)
        self.data_dir = files.expand_path(data_dir)

    def get_dataset(self, shuffle=True):
        """Opens the examples.

        Args:
          shuffle: Of no effect: the files have an order of their own. `get_batch`
            shuffles the examples.

        Returns:
          A `tf.data.Dataset` of what was saved.

        Raises:
          FileNotFoundError: If no dataset was saved there.
        """
        del shuffle
        try:
            return tf.data.Dataset.load(self.data_dir)
        except (tf.errors.NotFoundError, FileNotFoundError) as error:
            raise FileNotFoundError(
                "There is no dataset that `tf.data.Dataset.save` wrote, got data_dir="
                f"{self.data_dir!r}."
            ) from error
