"""Resampling, against numpy.interp and direct sums."""

import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from ddsp import core

RATIOS = [(10, 40), (10, 10), (10, 37), (37, 10), (3, 100), (1, 8), (50, 2)]


def frames(n_frames, channels=2, batch=2):
    rng = np.random.default_rng(n_frames)
    return rng.standard_normal([batch, n_frames, channels]).astype(np.float32)


def positions(n_in, n_out, add_endpoint):
    if add_endpoint:
        return np.arange(n_out) * n_in / n_out
    return np.arange(n_out) * (n_in - 1) / max(n_out - 1, 1)


def over_channels(function, x):
    columns = [[function(x[b, :, c]) for c in range(x.shape[2])] for b in range(len(x))]
    return np.moveaxis(np.array(columns), 1, 2)


@pytest.mark.parametrize(("n_in", "n_out"), RATIOS)
@pytest.mark.parametrize("add_endpoint", [True, False])
def test_linear_is_numpy_interp(n_in, n_out, add_endpoint):
    x = frames(n_in)
    at = positions(n_in, n_out, add_endpoint)
    expected = over_channels(lambda y: np.interp(at, np.arange(n_in), y), x)
    got = core.resample(x, n_out, add_endpoint=add_endpoint)
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize(("n_in", "n_out"), RATIOS)
def test_nearest_holds_each_frame(n_in, n_out):
    x = frames(n_in)
    at = np.floor(np.arange(n_out) * n_in / n_out + 1e-9).astype(int)
    np.testing.assert_array_equal(core.resample(x, n_out, "nearest"), x[:, at])


def test_nearest_with_aligned_ends_takes_the_closer_frame():
    x = np.arange(5, dtype=np.float32)
    got = core.resample(x, 13, "nearest", add_endpoint=False)
    at = np.arange(13) * 4 / 12
    np.testing.assert_array_equal(got, np.floor(at + 0.5))


@pytest.mark.parametrize(("n_in", "n_out"), [(8, 32), (8, 30), (30, 11)])
@pytest.mark.parametrize("add_endpoint", [True, False])
def test_cubic_is_a_sum_of_kernels(n_in, n_out, add_endpoint):
    def kernel(t, a=-0.75):
        t = np.abs(t)
        near = (a + 2) * t**3 - (a + 3) * t**2 + 1
        far = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
        return np.where(t <= 1, near, np.where(t < 2, far, 0.0))

    x = frames(n_in)
    padded = np.concatenate([x[:, :1]] * 2 + [x] + [x[:, -1:]] * 3, axis=1)
    at = positions(n_in, n_out, add_endpoint)
    weights = kernel(at[:, np.newaxis] - np.arange(-2, n_in + 3))
    expected = np.einsum("of,bfc->boc", weights, padded)
    got = core.resample(x, n_out, "cubic", add_endpoint)
    # Positions are rounded to 1/1024 of a frame; the slope is about 3.
    np.testing.assert_allclose(got, expected, atol=4e-3)


@pytest.mark.parametrize(("n_in", "n_out"), [(5, 20), (12, 24), (7, 105)])
@pytest.mark.parametrize("add_endpoint", [True, False])
def test_windows_are_overlapped_and_added(n_in, n_out, add_endpoint):
    n_out = n_out if add_endpoint else n_out // n_in * (n_in - 1)
    hop = n_out // (n_in if add_endpoint else n_in - 1)
    x = frames(n_in)
    held = np.concatenate([x, x[:, -1:]], axis=1) if add_endpoint else x
    window = scipy.signal.get_window("hann", 2 * hop)
    n_held = held.shape[1]
    total = np.zeros([2, (n_held + 1) * hop, 2])
    for k in range(n_held):
        part = held[:, k, np.newaxis] * window[:, np.newaxis]
        total[:, k * hop : (k + 2) * hop] += part
    expected = total[:, hop : hop + n_out]
    got = core.upsample_with_windows(x, n_out, add_endpoint)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    np.testing.assert_array_equal(core.resample(x, n_out, "window", add_endpoint), got)


@pytest.mark.parametrize(
    ("method", "n_out"),
    # Windows need a whole ratio.
    [(m, n) for m in ("nearest", "linear", "cubic") for n in (40, 35)]
    + [("window", 40)],
)
def test_any_rank(method, n_out):
    x = np.random.default_rng(0).standard_normal([2, 10, 3, 4]).astype(np.float32)
    got = core.resample(x, n_out, method)
    assert got.shape == (2, n_out, 3, 4)
    cases = {
        3: (x[:, :, 1], got[:, :, 1]),
        2: (x[:, :, 1, 2], got[:, :, 1, 2]),
        1: (x[0, :, 1, 2], got[0, :, 1, 2]),
    }
    for inputs, expected in cases.values():
        np.testing.assert_array_equal(core.resample(inputs, n_out, method), expected)


@pytest.mark.parametrize("method", ["nearest", "linear", "cubic", "window"])
def test_a_constant_stays_constant(method):
    got = core.resample(tf.fill([1, 5, 1], 0.7), 60, method)
    np.testing.assert_allclose(got, 0.7, rtol=1e-6)


@pytest.mark.parametrize("method", ["linear", "cubic", "window"])
def test_gradient_is_the_transpose(method):
    """Resampling is linear: <R x, y> = <x, R' y>, with R' the gradient."""
    rng = np.random.default_rng(1)
    x = tf.constant(rng.standard_normal([1, 6, 2]), tf.float32)
    y = rng.standard_normal([1, 24, 2]).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        product = tf.reduce_sum(core.resample(x, 24, method) * y)
    transposed = tape.gradient(product, x)
    np.testing.assert_allclose(np.sum(x * transposed), product, rtol=1e-4)


def test_long_signals_keep_exact_positions():
    n_in, n_out = 30_001, 300_007
    x = np.arange(n_in, dtype=np.float32)
    got = core.resample(x, n_out)
    at = np.minimum(np.arange(n_out) * n_in / n_out, n_in - 1)
    # Values up to 3e4 are rounded to 2e-3.
    np.testing.assert_allclose(got, at, atol=5e-3)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_timesteps": 20, "method": "spline"}, "got 'spline'"),
        ({"n_timesteps": 25, "method": "window"}, "got n_timesteps=25"),
        ({"n_timesteps": 10, "method": "window"}, "n_timesteps=10"),
        ({"n_timesteps": 5, "method": "window"}, "n_timesteps=5"),
    ],
)
def test_refused_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        core.resample(frames(10), **kwargs)


def test_refused_ranks():
    with pytest.raises(ValueError, match=r"\(1, 1, 1, 1, 1\)"):
        core.resample(np.zeros([1] * 5), 4)
    with pytest.raises(ValueError, match=r"\(2, 10\)"):
        core.upsample_with_windows(np.zeros([2, 10]), 20)


@pytest.mark.parametrize("frame_size", [64, 65, 1])
def test_center_crop(frame_size):
    audio = np.arange(200, dtype=np.float32)[np.newaxis]
    half = frame_size // 2
    np.testing.assert_array_equal(
        core.center_crop(audio, frame_size), audio[:, half : 200 - half]
    )


def test_center_crop_refuses_to_leave_nothing():
    with pytest.raises(ValueError, match="frame_size=200"):
        core.center_crop(np.zeros([1, 200]), 200)


@pytest.mark.parametrize(("n_in", "n_out"), [(9, 16000), (100, 6400), (5, 1000)])
@pytest.mark.parametrize("add_endpoint", [True, False])
def test_cubic_differs_from_tensorflow_where_its_positions_are_rounded(
    n_in, n_out, add_endpoint
):
    x = frames(n_in, channels=1, batch=1)
    got = core.resample(x, n_out, "cubic", add_endpoint)[:, :, 0]
    resized = tf.compat.v1.image.resize(
        x[:, :, np.newaxis],
        [n_out, 1],
        tf.compat.v1.image.ResizeMethod.BICUBIC,
        align_corners=not add_endpoint,
    )
    off = np.abs(got - resized[:, :, 0, 0])[0] > 1e-5
    # TensorFlow rounds positions to float32, then to 1/1024: only there it takes
    # another of the 1024 steps.
    steps = 1024 * positions(n_in, n_out, add_endpoint)
    on_the_edge = np.abs(steps % 1 - 0.5) < 1024 * n_in * 2.0**-23
    assert not np.any(off & ~on_the_edge)
    assert np.mean(off) < 0.01
