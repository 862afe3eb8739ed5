"""Test signals."""

import numpy as np

from ddsp._core import checks


def gen_np_sinusoid(
    frequency: float, amp: float, sample_rate: float, audio_len_sec: float
) -> np.ndarray:
    """Returns a sinusoid that starts at phase 0.

    Args:
      frequency: Frequency in Hz.
      amp: Peak amplitude.
      sample_rate: Samples per second, > 0.
      audio_len_sec: Length in seconds.

    Returns:
      Audio, [int(audio_len_sec * sample_rate)], float64.

    Raises:
      ValueError: If `sample_rate` is not positive.

    Example:

    >>> gen_np_sinusoid(4000, 0.5, 16000, 0.00025).round(3) + 0.0
    array([ 0. ,  0.5,  0. , -0.5])
    """
    checks.positive("sample_rate", sample_rate)
    time = np.arange(int(audio_len_sec * sample_rate)) / sample_rate
    return amp * np.sin(2 * np.pi * frequency * time)


def gen_np_batched_sinusoids(
    frequency: float,
    amp: float,
    sample_rate: float,
    audio_len_sec: float,
    batch_size: int,
) -> np.ndarray:
    """Returns the same sinusoid in each row of a batch.

    Args:
      frequency: Frequency in Hz.
      amp: Peak amplitude.
      sample_rate: Samples per second, > 0.
      audio_len_sec: Length in seconds.
      batch_size: Number of rows.

    Returns:
      Audio, [batch_size, int(audio_len_sec * sample_rate)], float64.

    Raises:
      ValueError: If `sample_rate` is not positive.

    Example:

    >>> gen_np_batched_sinusoids(440, 0.5, 16000, 0.1, batch_size=2).shape
    (2, 1600)
    """
    audio = gen_np_sinusoid(frequency, amp, sample_rate, audio_len_sec)
    return np.tile(audio, [batch_size, 1])
