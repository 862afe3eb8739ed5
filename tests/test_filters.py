"""Filters, against scipy and direct convolution in float64."""

import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from ddsp import core

# float32 FFTs are off by a few 1e-7 of the peak for each doubling of their size.
TOLERANCE = 3e-6


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def assert_close(got, expected):
    assert np.shape(got) == np.shape(expected)
    peak = np.max(np.abs(expected))
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE * peak)


def convolve_frames(audio, responses):
    """Each frame with its own response, overlapped and added, in float64."""
    n_samples, (n_frames, ir_size) = len(audio), responses.shape
    hop = -(-n_samples // n_frames)
    total = np.zeros(n_frames * hop + ir_size - 1)
    padded = np.pad(audio.astype(np.float64), [0, n_frames * hop - n_samples])
    for k, response in enumerate(responses.astype(np.float64)):
        part = scipy.signal.oaconvolve(padded[k * hop : (k + 1) * hop], response)
        total[k * hop : k * hop + len(part)] += part
    return total[: n_samples + ir_size - 1]


@pytest.mark.parametrize(
    ("n_samples", "ir_size"),
    [
        *(
            (1000, 1),
            (1000, 300),
            (777, 64),
            (100, 500),
            (1, 9),
            (4096, 4097),
            (13, 13),
        ),
        # Long enough to be taken apart into residues.
        *((20000, 9000), (3000, 20000), (16384, 1), (70000, 1000)),
    ],
)
def test_one_response_is_plain_convolution(n_samples, ir_size):
    audio, ir = random(2, n_samples), random(2, ir_size, seed=1)
    full = scipy.signal.fftconvolve(
        audio.astype(np.float64), ir.astype(np.float64), axes=1
    )
    got = core.fft_convolve(audio, ir, delay_compensation=0)
    assert_close(got, full[:, :n_samples])
    got = core.fft_convolve(audio, ir, padding="valid", delay_compensation=0)
    assert_close(got, full)


@pytest.mark.parametrize(
    ("n_samples", "n_frames", "ir_size"),
    [(400, 10, 33), (400, 10, 200), (397, 10, 50), (90, 90, 7), (512, 1, 512)],
)
@pytest.mark.parametrize("delay", [0, 5, -1])
def test_changing_responses_are_convolved_frame_by_frame(
    n_samples, n_frames, ir_size, delay
):
    audio, irs = random(2, n_samples), random(2, n_frames, ir_size, seed=1)
    expected = np.stack(
        [convolve_frames(a, ir) for a, ir in zip(audio, irs, strict=True)]
    )
    start = max((ir_size - 1) // 2 - 1, 0) if delay < 0 else delay
    wanted = np.pad(expected, [(0, 0), (0, n_samples)])[:, start : start + n_samples]
    got = core.fft_convolve(audio, irs, delay_compensation=delay)
    assert_close(got, wanted)
    tail = np.asarray(core.fft_convolve(audio, irs, "valid", delay))
    assert tail.shape[1] >= expected.shape[1] - start
    assert_close(tail[:, : expected.shape[1] - start], expected[:, start:])


def test_one_response_serves_the_batch():
    audio, ir = random(3, 200), random(1, 20, seed=1)
    got = core.fft_convolve(audio, ir)
    assert_close(got, core.fft_convolve(audio, np.repeat(ir, 3, axis=0)))


@pytest.mark.parametrize("n_samples", [255, 256, 257, 1023])
def test_unknown_lengths_give_the_same(n_samples):
    audio, irs = random(1, n_samples), random(1, 5, 30, seed=1)
    function = tf.function(
        core.fft_convolve,
        input_signature=[
            tf.TensorSpec([None, None], tf.float32),
            tf.TensorSpec([None, None, 30], tf.float32),
        ],
    )
    assert_close(function(audio, irs), core.fft_convolve(audio, irs))


@pytest.mark.parametrize(
    ("audio", "ir", "kwargs", "message"),
    [
        ((2, 100), (2, 10), {"padding": "full"}, "got 'full'"),
        ((2, 100), (3, 10), {}, "got 2 and 3"),
        ((100,), (2, 10), {}, r"\(100,\)"),
        ((2, 100), (10,), {}, r"\(10,\)"),
        ((2, 100), (2, 60, 10), {}, "50 frames of 2"),
    ],
)
def test_refused_arguments(audio, ir, kwargs, message):
    with pytest.raises(ValueError, match=message):
        core.fft_convolve(random(*audio), random(*ir), **kwargs)


def test_one_frequency_makes_no_filter():
    with pytest.raises(ValueError, match=r"\(2, 5, 1\)"):
        core.frequency_filter(random(2, 100), np.ones([2, 5, 1]))


def magnitudes_of(ir, n=4096):
    return np.abs(np.fft.rfft(np.asarray(ir, np.float64), n))


@pytest.mark.parametrize("n_frequencies", [17, 65])
def test_the_whole_response_is_the_magnitudes_smoothed_by_the_window(n_frequencies):
    magnitudes = np.abs(random(n_frequencies)) + 0.1
    ir = core.frequency_impulse_response(magnitudes)
    assert ir.shape == (2 * (n_frequencies - 1),)
    # A Hann window in time is the kernel 1/4, 1/2, 1/4 over neighboring bins.
    mirrored = np.concatenate([magnitudes[1:2], magnitudes, magnitudes[-2:-1]])
    expected = np.convolve(mirrored, [0.25, 0.5, 0.25], "valid")
    got = np.abs(np.fft.rfft(np.asarray(ir, np.float64)))
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize("window_size", [65, 129, 257])
def test_smooth_magnitudes_survive_a_short_window(window_size):
    frequencies = np.linspace(0, 1, 257)
    magnitudes = 1.0 + 0.5 * np.cos(2 * np.pi * frequencies)
    ir = core.frequency_impulse_response(magnitudes, window_size)
    got = magnitudes_of(ir, 512)
    # The window scales lag 2, where this response has all but its direct sound.
    lag = np.cos(np.pi * 2 / (window_size - 1)) * 0.5 + 0.5
    expected = 1.0 + 0.5 * lag * np.cos(2 * np.pi * frequencies)
    np.testing.assert_allclose(got, expected, atol=2e-2)


@pytest.mark.parametrize("window_size", [0, 33, 64, 257])
@pytest.mark.parametrize("n_frequencies", [33, 65])
@pytest.mark.parametrize("n_frames", [1, 8])
def test_flat_magnitudes_return_the_input(window_size, n_frequencies, n_frames):
    """The group delay is compensated."""
    audio = random(2, 400)
    magnitudes = np.ones([2, n_frames, n_frequencies], np.float32)
    got = np.asarray(core.frequency_filter(audio, magnitudes, window_size))
    # Without a shorter window, lag 0 stands two samples behind the group delay that
    # is compensated: so it was for every model trained with the original.
    whole = not 0 < window_size < 2 * (n_frequencies - 1)
    late = 2 if whole else 0
    # The window is not quite 1 at lag 0: one sample from its middle, 0.962 for 33.
    expected = audio[:, : 400 - late]
    np.testing.assert_allclose(got[:, late:], expected, rtol=0.04, atol=1e-5)


@pytest.mark.parametrize("high_pass", [False, True])
@pytest.mark.parametrize("cutoff_hz", [1000.0, 4000.0])
def test_sinc_filters_pass_and_stop(high_pass, cutoff_hz):
    ir = core.sinc_impulse_response(
        np.array([[cutoff_hz]]), sample_rate=16000, high_pass=high_pass
    )[0]
    assert ir.shape == (513,)
    response = magnitudes_of(ir, 16000)
    low, high = response[: int(cutoff_hz) - 150], response[int(cutoff_hz) + 150 :]
    passed, stopped = (high, low) if high_pass else (low, high)
    # The Hamming window's ripple is 0.0022, -53 dB, 3.3 / 513 * 16 kHz wide.
    np.testing.assert_allclose(passed, 1.0, atol=4e-3)
    assert stopped.max() < 4e-3


def test_sinc_matches_scipy_and_leaves_its_argument_alone():
    cutoff = np.array([[0.3]], np.float32)
    ir = core.sinc_impulse_response(cutoff, window_size=100)
    np.testing.assert_array_equal(cutoff, np.float32([[0.3]]))
    lags = np.arange(-50, 51)
    taps = np.sinc(0.3 * lags) * scipy.signal.get_window("hamming", 101, fftbins=False)
    np.testing.assert_allclose(ir[0], taps / taps.sum(), atol=1e-6)


@pytest.mark.parametrize(
    ("cutoff", "shape"),
    [
        (0.5, (1, 1, 257)),
        ([0.2, 0.5], (2, 1, 257)),
        ([[0.2, 0.3, 0.4], [0.5, 0.6, 0.7]], (2, 3, 257)),
        ([[[0.2], [0.3]]], (1, 2, 257)),
    ],
)
@pytest.mark.parametrize("window_size", [256, 257])
def test_shapes_of_cutoffs(cutoff, shape, window_size):
    ir = core.sinc_impulse_response(cutoff, window_size)
    assert ir.shape == shape
    lags = np.arange(-128, 129)
    window = scipy.signal.get_window("hamming", 257, fftbins=False)
    taps = np.sinc(np.reshape(cutoff, [*shape[:2], 1]) * lags) * window
    expected = taps / taps.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(ir, expected, atol=1e-6)
    audio = np.random.default_rng(0).standard_normal([shape[0], 1200]).astype("f")
    got = core.sinc_filter(audio, cutoff, window_size=window_size)
    np.testing.assert_array_equal(got, core.fft_convolve(audio, ir))


def test_a_sinc_filter_follows_its_cutoff():
    n = 8000
    time = np.arange(n) / 16000
    tone = np.sin(2 * np.pi * 3000 * time).astype(np.float32)[np.newaxis]
    cutoff = np.repeat([1000.0, 5000.0], 10)[np.newaxis, :, np.newaxis]
    got = np.asarray(core.sinc_filter(tone, cutoff, sample_rate=16000))[0]
    assert np.abs(got[1000:3000]).max() < 0.01
    assert abs(np.std(got[5500:7000]) - np.sqrt(0.5)) < 0.01


@pytest.mark.parametrize("size", [1, 2, 100, 257, 5000])
def test_fft_sizes(size):
    power = core.get_fft_size(size, 33)
    needed = size + 32
    assert needed <= power < 2 * needed
    assert power & (power - 1) == 0
    assert needed <= core.get_fft_size(size, 33, power_of_2=False) <= power


def test_sinc():
    x = np.linspace(-5, 5, 101)
    np.testing.assert_allclose(core.sinc(x), np.sinc(x), atol=1e-6)


@pytest.mark.parametrize(
    ("n_samples", "n_frames", "ir_size"),
    [
        *((400, 10, 33), (397, 10, 50), (400, 8, 7), (300, 1, 700), (900, 2, 300)),
        *((20000, 1, 9000), (30001, 2, 9000)),
    ],
)
@pytest.mark.parametrize("ir_batch", [1, 2])
def test_gradients_are_correlations(n_samples, n_frames, ir_size, ir_batch):
    """Short frames, a last frame that is not full, and long responses."""
    audio, irs = random(2, n_samples), random(ir_batch, n_frames, ir_size, seed=1)
    upstream = random(2, n_samples, seed=2)
    with tf.GradientTape() as tape:
        inputs = tf.constant(audio), tf.constant(irs)
        tape.watch(inputs)
        got = core.fft_convolve(*inputs, delay_compensation=0)
        loss = tf.reduce_sum(got * upstream)
    d_audio, d_irs = tape.gradient(loss, inputs)

    hop = -(-n_samples // n_frames)
    padding = [(0, 0), (0, n_frames * hop - n_samples)]
    frames = np.pad(audio.astype(np.float64), padding).reshape(2, n_frames, hop)
    # What a frame's convolution gives to the result, frame by frame.
    later = np.pad(upstream.astype(np.float64), [(0, 0), (0, hop + ir_size)])
    expected_audio, expected_irs = np.zeros_like(frames), np.zeros([2, *irs.shape[1:]])
    for row in range(2):
        for k in range(n_frames):
            part = np.zeros(hop + ir_size - 1)
            heard = later[row, k * hop : k * hop + len(part)]
            part[: len(heard)] = heard
            ir = irs[row % ir_batch, k].astype(np.float64)
            expected_audio[row, k] = scipy.signal.correlate(part, ir, "valid")
            expected_irs[row, k] = scipy.signal.correlate(part, frames[row, k], "valid")
    if ir_batch == 1:
        expected_irs = expected_irs.sum(axis=0, keepdims=True)
    assert_close(d_audio, expected_audio.reshape(2, -1)[:, :n_samples])
    assert_close(d_irs, expected_irs)


@pytest.mark.parametrize("ir_batch", [1, 2])
@pytest.mark.parametrize(("n_samples", "n_frames"), [(400, 10), (60, 3)])
def test_filtering_is_linear_in_the_magnitudes(n_samples, n_frames, ir_batch):
    """Values and gradient, against the response of each magnitude alone."""
    n_bands, ir_size = 9, 16
    audio, upstream = random(2, n_samples), random(2, n_samples, seed=2)
    magnitudes = random(ir_batch, n_frames, n_bands, seed=1)
    responses = np.fft.fftshift(np.fft.irfft(np.eye(n_bands)), axes=1)
    responses *= scipy.signal.get_window("hann", ir_size)
    start = (ir_size - 1) // 2 - 1
    alone = np.zeros([2, n_frames, n_bands, n_samples])
    for row, frame, band in np.ndindex(2, n_frames, n_bands):
        irs = np.zeros([n_frames, ir_size])
        irs[frame] = responses[band]
        whole = np.pad(convolve_frames(audio[row], irs), (0, start))
        alone[row, frame, band] = whole[start : start + n_samples]

    with tf.GradientTape() as tape:
        variable = tf.Variable(magnitudes)
        got = core.frequency_filter(audio, variable)
        loss = tf.reduce_sum(got * upstream)
    everywhere = np.broadcast_to(magnitudes, [2, n_frames, n_bands])
    assert_close(got, np.einsum("rfb,rfbn->rn", everywhere, alone))
    gradient = np.einsum("rn,rfbn->rfb", upstream, alone)
    if ir_batch == 1:
        gradient = gradient.sum(axis=0, keepdims=True)
    assert_close(tape.gradient(loss, variable), gradient)


@pytest.mark.parametrize("shape", [(1, 9000), (40, 33)])
def test_compiled_convolution_is_the_same(shape):
    """Inside another compiled function, and with a batch that is not known."""
    audio, irs = random(3, 20000), random(3, *shape, seed=1)
    n_samples = 20000 if shape[0] == 1 else 2000
    audio = audio[:, :n_samples]
    expected = core.fft_convolve(audio, irs)
    compiled = tf.function(core.fft_convolve, jit_compile=True)
    assert_close(compiled(audio, irs), expected)
    specs = [tf.TensorSpec([None, *x.shape[1:]]) for x in (audio, irs)]
    assert_close(tf.function(core.fft_convolve, specs)(audio, irs), expected)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("n_frames", "ir_size"), [(1, 300), (20, 30), (4, 600)])
def test_the_way_to_compute_does_not_change_the_result(padding, n_frames, ir_size):
    audio, irs = random(2, 1000), random(2, n_frames, ir_size, seed=1)
    for delay in (-1, 0, 290, 900):
        results = [
            core.fft_convolve(audio, irs, padding, delay, power_of_2=power_of_2)
            for power_of_2 in (False, True)
        ]
        assert_close(*results)
