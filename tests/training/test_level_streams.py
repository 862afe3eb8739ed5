"""Loudness and power block by block, compared with offline analysis."""

import numpy as np
import pytest
import tensorflow as tf

from ddsp import spectral_ops
from ddsp.playing import LoudnessStream, PowerStream

HOP = 64
N_HOPS = 40
PADDINGS = ("causal", "center", "same")


def recording(seed=0, n_hops=N_HOPS, hop=HOP):
    """Returns two rows of swelling noise, one with a tone."""
    rng = np.random.default_rng(seed)
    time = np.arange(n_hops * hop)
    swell = 0.5 - 0.49 * np.cos(2.0 * np.pi * time / len(time))
    rows = rng.normal(size=[2, len(time)]) * swell * 0.1
    rows[1] += 0.3 * np.sin(2.0 * np.pi * 0.02 * time)
    return rows.astype(np.float32)


def partition(n_hops, seed):
    rng = np.random.default_rng(seed)
    sizes = []
    while sum(sizes) < n_hops:
        sizes.append(min(int(rng.integers(1, 9)), n_hops - sum(sizes)))
    return sizes


def play(stream, audio, sizes):
    """Returns the outputs of a stream, in blocks of the given numbers of hops."""
    state, done, said = stream.initial_state(len(audio)), 0, []
    for size in sizes:
        stop = done + size * stream.hop_size
        level, state = stream.step(audio[:, done:stop], state)
        assert level.shape == (len(audio), size)
        said.append(level)
        done = stop
    rest = stream.flush(state)
    assert rest.shape == (len(audio), stream.latency_frames)
    return np.concatenate([*said, rest], axis=1)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("seed", range(3))
def test_loudness_of_any_partition_is_that_of_the_whole(padding, seed):
    audio = recording()
    stream = LoudnessStream(padding=padding)
    played = play(stream, audio, partition(N_HOPS, seed))
    whole = spectral_ops.compute_loudness(audio, padding=padding)
    # FFT rounding depends on the batch size: 1e-7 of the largest bin.
    np.testing.assert_allclose(
        played[:, stream.latency_frames :], whole[:, :N_HOPS], atol=1e-3
    )


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("frame_size", [64, 100, 1024])
def test_power_of_any_partition_is_that_of_the_whole(padding, frame_size):
    audio = recording()
    stream = PowerStream(frame_size=frame_size, padding=padding)
    played = play(stream, audio, partition(N_HOPS, frame_size))
    whole = spectral_ops.compute_power(audio, frame_size=frame_size, padding=padding)
    np.testing.assert_allclose(
        played[:, stream.latency_frames :], whole[:, :N_HOPS], atol=1e-4
    )


def test_power_is_the_mean_square_of_what_was_heard_last():
    audio = recording()
    stream = PowerStream(frame_size=256)
    played = play(stream, audio, [N_HOPS])
    for frame in (0, 3, 17):
        stop = (frame + 1) * HOP
        heard = np.zeros([2, 256])
        length = min(stop, 256)
        heard[:, 256 - length :] = audio[:, stop - length : stop]
        expected = 10.0 * np.log10(np.maximum(np.mean(heard**2, axis=1), 1e-20))
        expected = np.maximum(expected, -80.0)
        np.testing.assert_allclose(played[:, frame], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("padding", "lag", "look_ahead"),
    # A frame of 512 reaches 256 samples, four hops, past its center, and 512, eight
    # hops, past its start. The hop in which it starts is already available.
    [("causal", 0, 0), ("center", 3, 256), ("same", 7, 512)],
)
def test_the_lag_is_what_the_padding_needs(padding, lag, look_ahead):
    for stream in (LoudnessStream(padding=padding), PowerStream(padding=padding)):
        assert stream.latency_frames == lag
        assert stream.look_ahead_samples == look_ahead


@pytest.mark.parametrize("padding", PADDINGS)
def test_a_longer_lag_only_comes_later(padding):
    audio = recording()
    shortest = PowerStream(padding=padding)
    late = PowerStream(padding=padding, latency_frames=shortest.latency_frames + 5)
    np.testing.assert_allclose(
        play(late, audio, partition(N_HOPS, 3))[:, late.latency_frames :],
        play(shortest, audio, [N_HOPS])[:, shortest.latency_frames :],
        atol=1e-4,
    )


def test_other_rates_and_levels():
    audio = recording(hop=192)
    settings = {"sample_rate": 48000, "frame_rate": 250, "range_db": 50.0}
    stream = LoudnessStream(n_fft=1024, ref_db=3.0, padding="center", **settings)
    played = play(stream, audio, partition(N_HOPS, 4))
    whole = spectral_ops.compute_loudness(
        audio, n_fft=1024, ref_db=3.0, padding="center", **settings
    )
    np.testing.assert_allclose(
        played[:, stream.latency_frames :], whole[:, :N_HOPS], atol=1e-3
    )


def test_a_step_is_the_same_when_traced():
    audio = recording()
    stream = LoudnessStream(padding="center")
    state = stream.initial_state(2)
    eager, _ = stream.step(audio, state)
    traced, _ = tf.function(stream.step, autograph=False)(tf.constant(audio), state)
    np.testing.assert_allclose(traced, eager, atol=1e-3)


def test_a_state_is_left_as_it_was():
    audio = recording()
    stream = PowerStream()
    _, state = stream.step(audio, stream.initial_state(2))
    first, _ = stream.step(audio, state)
    again, _ = stream.step(audio, state)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"padding": "valid"}, "'valid'"),
        ({"frame_rate": 252}, "frame_rate=252"),
        ({"frame_size": 0}, "got 0"),
        ({"frame_size": 32}, "got frame_size=32"),
        ({"padding": "center", "latency_frames": 2}, "got 2"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        PowerStream(**settings)


@pytest.mark.parametrize(
    ("audio", "error", "message"),
    [
        (np.zeros(64, np.float32), ValueError, r"got shape \(64,\)"),
        (np.zeros([1, 64, 1], np.float32), ValueError, r"got shape \(1, 64, 1\)"),
        (np.zeros([1, 65], np.float32), ValueError, r"got shape \(1, 65\)"),
        (np.zeros([1, 0], np.float32), ValueError, r"got shape \(1, 0\)"),
        (np.zeros([1, 64]), TypeError, "got float64"),
        (np.zeros([1, 64], np.int16), TypeError, "got int16"),
        (np.zeros([2, 64], np.float32), ValueError, r"got shape \(2, 64\)"),
        (np.full([1, 64], np.nan, np.float32), ValueError, "got nan"),
        (np.full([1, 64], 3e38, np.float32), ValueError, r"got 3e\+38"),
    ],
)
def test_blocks_that_cannot_be(audio, error, message):
    for stream in (LoudnessStream(), PowerStream()):
        with pytest.raises(error, match=message):
            stream.step(audio, stream.initial_state(1))
