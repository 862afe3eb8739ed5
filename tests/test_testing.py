"""The checks of `ddsp.testing` find what is wrong with a layer."""

import numpy as np
import pytest
import tensorflow as tf

import ddsp
from ddsp import configurable, core, processors
from ddsp._core import checks
from ddsp.streaming import SAMPLE, memoryless

AUDIO = np.random.default_rng(0).standard_normal([2, 320]).astype(np.float32)


@configurable.layer(module="tests")
class Square(processors.Processor):
    """Squares audio; right in every respect."""

    control_rates = {"audio": SAMPLE}  # noqa: RUF012

    def __init__(self, name="square"):
        super().__init__(name=name)

    def get_controls(self, audio):
        return {"audio": audio}

    def get_signal(self, audio):
        audio = core.tf_float32(audio)
        checks.rank("audio", audio, 2)
        return audio**2

    def _start(self, batch_size, static):
        return memoryless(batch_size)

    def _advance(self, block, state, noise):
        return self.get_signal(**block), state


class WrongGradient(Square):
    def get_signal(self, audio):
        x = super().get_signal(audio)
        return tf.stop_gradient(x) + 0.5 * (x - tf.stop_gradient(x))


class MixedRows(Square):
    def get_signal(self, audio):
        x = super().get_signal(audio)
        return x + tf.reduce_mean(x, axis=0, keepdims=True)


class AnyRank(Square):
    def get_signal(self, audio):
        return core.tf_float32(audio) ** 2


class Forgetful(Square):
    """In blocks, the first sample of each is lost."""

    def _advance(self, block, state, noise):
        audio, state = super()._advance(block, state, noise)
        return tf.concat([tf.zeros_like(audio[:, :1]), audio[:, 1:]], axis=1), state


def test_a_right_processor_passes():
    ddsp.testing.check_processor(Square, {"audio": AUDIO})
    ddsp.testing.check_stream(Square, {"audio": AUDIO}, n_frames=20, hop_size=16)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (WrongGradient, "The gradient of `audio` must be"),
        (MixedRows, "must stay in that row"),
        (AnyRank, "must raise a ValueError"),
    ],
)
def test_a_wrong_processor_fails(wrong, message):
    with pytest.raises(AssertionError, match=message):
        ddsp.testing.check_processor(wrong, {"audio": AUDIO})


def test_a_wrong_stream_fails():
    with pytest.raises(AssertionError, match="blocks that end after frames"):
        ddsp.testing.check_stream(Forgetful, {"audio": AUDIO}, n_frames=20, hop_size=16)


def test_the_tiny_model_streams_like_the_whole():
    model = ddsp.testing.tiny_autoencoder()
    features = {
        "f0_hz": np.full([1, 12, 1], 440.0, np.float32),
        "loudness_db": np.linspace(-60.0, 0.0, 12, dtype=np.float32)[None, :, None],
    }
    whole = model(features, training=False)["audio_synth"]
    audio, state = model.step(features, model.initial_state(1))
    audio = tf.concat([audio, model.flush(state)], axis=1)[:, model.latency_samples :]
    # Noise follows from its seed and position. float32 rounds at 1e-7 per operation.
    np.testing.assert_allclose(audio, whole, rtol=0, atol=1e-5)
