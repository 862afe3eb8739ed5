"""Types that public signatures share."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf

# Anything that TensorFlow converts to a tensor of numbers.
ArrayLike: TypeAlias = tf.Tensor | tf.Variable | npt.ArrayLike

# Shape of a tensor; None for an unknown size.
Shape: TypeAlias = Sequence[int | None]

# Named inputs, such as features or controls.
Features: TypeAlias = Mapping[str, ArrayLike]

# Named tensors, or nested dictionaries of them.
Outputs: TypeAlias = dict[str, Any]

# State that a stream carries from block to block: a nest of named tensors.
State: TypeAlias = dict[str, Any]

# Named arrays.
Arrays: TypeAlias = Mapping[str, np.ndarray]

# Named tensors, such as the features of a batch.
Tensors: TypeAlias = Mapping[str, tf.Tensor]

# A batch of training data: one dictionary of features, or a sequence of dictionaries
# if several data sets are read together.
Batch: TypeAlias = Tensors | Sequence[Tensors]

# A `pretty_midi.PrettyMIDI` object. The package is optional and has no types.
Midi: TypeAlias = Any


class Provider(Protocol):
    """Source of training data; `ddsp.training.data.DataProvider` is its base class."""

    @property
    def sample_rate(self) -> int:
        """Samples per second."""

    @property
    def frame_rate(self) -> int:
        """Frames per second."""

    def get_batch(
        self,
        batch_size: int,
        shuffle: bool = True,
        repeats: int = -1,
        drop_remainder: bool = True,
    ) -> tf.data.Dataset:
        """Returns a data set of batches."""


class Evaluator(Protocol):
    """Metrics and examples of a model; see `ddsp.training.evaluators`."""

    def evaluate(self, batch: Tensors, output: Outputs, losses: Tensors, /) -> None:
        """Adds a batch to the metrics."""

    def sample(self, batch: Tensors, outputs: Outputs, step: int, /) -> None:
        """Writes examples of a batch to the summaries."""

    def flush(self, step: int, /) -> dict[str, float] | None:
        """Writes the metrics to the summaries and resets them."""


class Loss(Protocol):
    """Training loss; `ddsp.losses.Loss` is its base class."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the loss."""

    def get_losses_dict(self, *args: Any, **kwargs: Any) -> dict[str, tf.Tensor]:
        """Returns scalar losses by name."""


class PitchTracker(Protocol):
    """Pitch tracker of single frames."""

    def __call__(self, frames: np.ndarray, /) -> tuple[np.ndarray, np.ndarray]:
        """Returns f0 in Hz and confidence, [batch], of frames [batch, n_samples]."""
