"""Progress of a training run, and the check that its losses are finite.

Reading a loss waits for the device. Losses are therefore collected and read together:
every few steps, and always before anything is saved.
"""

import time

import numpy as np
import tensorflow as tf
import tqdm

_READ_EVERY_STEPS = 10
_READ_EVERY_SECS = 0.5


class NonFiniteLossError(ValueError):
    """Error for a loss, or its gradient, that is NaN or infinite.

    Example:

    >>> from ddsp.training.training_log import NonFiniteLossError, TrainingLog
    >>> log = TrainingLog(num_steps=1, step=0)
    >>> try:
    ...     log.add(1, {"total_loss": tf.constant(np.nan)})
    ...     log.check()
    ... except NonFiniteLossError as error:
    ...     print(error)
    Training stopped at step 1: ...
    >>> log.close()
    """


class TrainingLog:
    """Progress bar, TensorBoard scalars, and the check that every loss is finite.

    Example:

    >>> from ddsp.training.training_log import TrainingLog
    >>> log = TrainingLog(num_steps=2, step=0)
    >>> log.add(1, {"total_loss": tf.constant(3.0)})
    >>> log.add(2, {"total_loss": tf.constant(1.0)})
    >>> log.write_interval(2)
    {'total_loss': 2.0}
    >>> log.close()
    """

    def __init__(self, num_steps: int, step: int):
        """Initializes the log.

        Args:
          num_steps: Step at which the training ends.
          step: Step at which it starts.
        """
        self._bar = tqdm.tqdm(
            total=num_steps, initial=step, unit="step", dynamic_ncols=True
        )
        self._unread: list[tuple[int, dict[str, tf.Tensor]]] = []
        self._interval: list[dict[str, float]] = []
        self._interval_start = self._last_read = time.monotonic()

    def add(self, step: int, losses: dict[str, tf.Tensor]) -> None:
        """Adds the losses of a step.

        Args:
          step: Number of the step, counted from 1.
          losses: Scalar losses by name, including `'total_loss'`.

        Raises:
          NonFiniteLossError: If a loss up to this step is NaN or infinite.
        """
        self._unread.append((step, losses))
        self._bar.update()
        waited = time.monotonic() - self._last_read
        if len(self._unread) >= _READ_EVERY_STEPS or waited > _READ_EVERY_SECS:
            self.check()

    def check(self) -> None:
        """Reads all losses up to the current step.

        Raises:
          NonFiniteLossError: If one is NaN or infinite. The message names its step.
        """
        for step, losses in self._unread:
            values = {name: float(value) for name, value in losses.items()}
            bad = {name: v for name, v in values.items() if not np.isfinite(v)}
            if bad:
                raise NonFiniteLossError(
                    f"Training stopped at step {step}: a loss or the gradient is not "
                    "finite. Earlier checkpoints are intact; lower the learning rate "
                    f"or look for bad data, got {bad}."
                )
            self._interval.append(values)
        if self._unread:
            self._bar.set_postfix(loss=f"{self._interval[-1]['total_loss']:.3f}")
        self._unread = []
        self._last_read = time.monotonic()

    def write_interval(self, step: int, **values: float) -> dict[str, float]:
        """Writes the means since the last call to the current summary writer.

        Args:
          step: Training step.
          **values: Further scalars, such as the learning rate.

        Returns:
          The mean losses by name.

        Raises:
          NonFiniteLossError: If a loss is NaN or infinite.
        """
        self.check()
        means = {
            name: float(np.mean([losses[name] for losses in self._interval]))
            for name in (self._interval[0] if self._interval else ())
        }
        elapsed = time.monotonic() - self._interval_start
        scalars = {
            **{f"losses/{name}": value for name, value in means.items()},
            "training/steps_per_second": len(self._interval) / elapsed,
            **{f"training/{name}": value for name, value in values.items()},
        }
        for name, value in scalars.items():
            tf.summary.scalar(name, value, step)
        self._interval = []
        self._interval_start = time.monotonic()
        return means

    def write(self, message: str) -> None:
        """Prints a line above the progress bar."""
        self._bar.write(message)

    def close(self) -> None:
        """Closes the progress bar."""
        self._bar.close()
