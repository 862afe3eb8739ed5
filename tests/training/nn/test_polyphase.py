"""Polyphase resampling, compared with slices."""

import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import nn


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=[2, 7, 6]).astype(np.float32)


@pytest.mark.parametrize("trim_or_pad", ["trim", "pad"])
def test_down_puts_the_phases_side_by_side(x, trim_or_pad):
    y = nn.polyphase_resample(x, 3, "down", trim_or_pad)
    whole = x[:, :6] if trim_or_pad == "trim" else np.pad(x, [(0, 0), (0, 2), (0, 0)])
    phases = [whole[:, i::3] for i in range(3)]
    np.testing.assert_array_equal(y, np.concatenate(phases, axis=-1))


@pytest.mark.parametrize("trim_or_pad", ["trim", "pad"])
def test_up_takes_the_phases_apart(x, trim_or_pad):
    y = np.asarray(nn.polyphase_resample(x, 4, "up", trim_or_pad))
    whole = x[..., :4] if trim_or_pad == "trim" else np.pad(x, [(0, 0), (0, 0), (0, 2)])
    assert y.shape == (2, 28, whole.shape[-1] // 4)
    for i, phase in enumerate(np.split(whole, 4, axis=-1)):
        np.testing.assert_array_equal(y[:, i::4], phase)


def test_up_undoes_down(x):
    down = nn.PolyphaseResample(7, "down")(x[:, :, None])
    assert down.shape == [2, 1, 1, 42]
    np.testing.assert_array_equal(nn.PolyphaseResample(7, "up")(down)[:, :, 0], x)


@pytest.mark.parametrize("resample_type", ["down", "up"])
def test_any_length_in_a_graph(x, resample_type):
    layer = nn.PolyphaseResample(2, resample_type)
    run = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 6])])
    np.testing.assert_array_equal(run(x), layer(x))


def test_bad_input_is_refused(x):
    with pytest.raises(ValueError, match="got 'sideways'"):
        nn.polyphase_resample(x, resample_type="sideways")
    with pytest.raises(ValueError, match="got 'cut'"):
        nn.polyphase_resample(x, trim_or_pad="cut")
    with pytest.raises(ValueError, match="`stride` must be positive, got 0"):
        nn.polyphase_resample(x, 0)
    with pytest.raises(ValueError, match=r"size 1, got shape \(2, 7, 6, 1\)"):
        nn.polyphase_resample(x[..., None])
