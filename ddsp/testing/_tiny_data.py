"""A small data set for examples and tests."""

import tensorflow as tf

from ddsp.training import data

_SAMPLE_RATE, _FRAME_RATE, _N_FRAMES = 16000, 250, 100


class _OneNote(data.DataProvider):
    """One example of a sine at 440 Hz."""

    def get_dataset(self, shuffle: bool) -> tf.data.Dataset:
        seconds = tf.range(_N_FRAMES / _FRAME_RATE, delta=1.0 / _SAMPLE_RATE)
        features = {"audio": 0.1 * tf.sin(2.0 * 3.14159265 * 440.0 * seconds)}
        for name, value in {
            "f0_hz": 440.0,
            "f0_confidence": 1.0,
            "loudness_db": -30.0,
        }.items():
            features[name] = tf.fill([_N_FRAMES], value)
        return tf.data.Dataset.from_tensors(features)


def tiny_provider() -> data.DataProvider:
    """Returns a data provider with one example of 0.4 s: a sine at 440 Hz.

    Its sample rate is 16 kHz, its frame rate 250 Hz.

    Example:

    >>> [batch] = ddsp.testing.tiny_provider().get_batch(batch_size=1, repeats=1)
    >>> batch["audio"].shape.as_list(), batch["f0_hz"].shape.as_list()
    ([1, 6400], [1, 100])
    """
    return _OneNote(_SAMPLE_RATE, _FRAME_RATE)
