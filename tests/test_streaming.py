"""What a stream promises beyond the battery: latency, tails, odd blocks, refusals."""

import itertools

import keras
import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from ddsp import effects, processors, synths
from ddsp._core import partitions

HOP = 16
RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def harmonic_controls(n_frames, n_harmonics=4, f0_hz=200.0):
    return {
        "amplitudes": normal(1, n_frames, 1),
        "harmonic_distribution": normal(1, n_frames, n_harmonics),
        "f0_hz": np.full([1, n_frames, 1], f0_hz, np.float32),
    }


def called(processor, *inputs):
    processor(*inputs)
    return processor


@pytest.mark.parametrize(
    ("method", "hops"), [("nearest", 1), ("linear", 1), ("window", 1), ("cubic", 2)]
)
def test_latency_of_oscillators(method, hops):
    synth = synths.Harmonic(hop_size=HOP, amp_resample_method=method, n_samples=None)
    assert synth.latency_samples == hops * HOP
    assert synths.Sinusoidal(hop_size=HOP, amp_resample_method=method).latency_samples
    assert synths.Wavetable(hop_size=HOP)._lag() == HOP


@pytest.mark.parametrize(("n_bands", "window_size"), [(9, 0), (65, 0), (65, 33)])
def test_latency_of_filters(n_bands, window_size):
    size = window_size or 2 * (n_bands - 1)
    noise = synths.FilteredNoise(n_samples=None, hop_size=HOP, window_size=window_size)
    noise(np.zeros([1, 2, n_bands]))
    assert noise.latency_samples == (size - 1) // 2 - 1


@pytest.mark.parametrize("hop_size", [None, 48])
@pytest.mark.parametrize("ir_size", [1, 40, 300, 1000])
def test_convolution_in_blocks_of_any_size(ir_size, hop_size):
    """Against scipy in float64; float32 sums of 1000 products round to 1e-5."""
    audio, ir = normal(2, 2400), normal(1, ir_size)
    reverb = effects.Reverb(add_dry=False)
    reverb.hop_size = hop_size
    state = reverb.initial_state(2, ir=ir)
    sizes = [48 * n for n in (1, 3, 20, 2, 24)] if hop_size else [1, 130, 7, 128, 2134]
    played, start = [], 0
    for size in sizes:
        block = {"audio": audio[:, start : start + size]}
        wet, state = reverb.step(block, state)
        played.append(wet)
        start += size
    assert start == 2400
    assert reverb.flush(state).shape == (2, 0)
    played.append(reverb.flush(state, tail=True))
    played = np.concatenate(played, axis=1)
    response = ir[0].astype(np.float64)
    response[0] = 0.0
    for row, got in zip(audio.astype(np.float64), played, strict=True):
        expected = scipy.signal.convolve(row, response)
        peak = max(1.0, np.max(np.abs(expected)))
        assert len(got) >= len(expected)
        np.testing.assert_allclose(got[: len(expected)], expected, atol=1e-5 * peak)
        np.testing.assert_allclose(got[len(expected) :], 0.0, atol=1e-5 * peak)


def test_a_block_that_is_no_partition_is_refused():
    state = partitions.start_convolution(1, tf.ones([1, 50]), 32, any_length=False)
    with pytest.raises(ValueError, match="32 samples, got 40"):
        partitions.step_convolution(state, tf.zeros([1, 40]))


def test_phase_does_not_drift_over_ten_minutes():
    """The 30th harmonic of a moving pitch, against phase in float64.

    A float32 sum of so many samples would be off by whole cycles.
    """
    hop, rate, n_frames = 64, 16000, 150_000
    time = np.arange(n_frames) * hop / rate
    f0_hz = (220.0 + 10.0 * np.sin(2 * np.pi * 0.37 * time)).astype(np.float32)
    shares = np.zeros([1, 1000, 30], np.float32)
    shares[..., -1] = 1.0
    synth = synths.Harmonic(None, rate, scale_fn=None, hop_size=hop)
    ones = np.ones([1, 1000, 1], np.float32)
    synth(ones, shares, 220.0 * ones)
    state = synth.initial_state(1)
    for start in range(0, n_frames, 1000):
        block = f0_hz[np.newaxis, start : start + 1000, np.newaxis]
        controls = {
            "amplitudes": ones,
            "harmonic_distribution": shares,
            "f0_hz": block,
        }
        audio, state = synth.step(controls, state)
    exact = f0_hz.astype(np.float64)
    hop_cycles = ((hop + 1) * exact[:-1] + (hop - 1) * exact[1:]) / (2.0 * rate)
    cycles = np.cumsum(hop_cycles)[-2]
    following, now = exact[-1], exact[-2]
    n = np.arange(1, hop + 1)
    within = (now * n + n * (n - 1) / (2 * hop) * (following - now)) / rate
    expected = np.sin(2 * np.pi * 30 * (cycles + within))
    # 1e-5 cycles of the fundamental, times the harmonic.
    np.testing.assert_allclose(audio[0, -hop:], expected, atol=2e-3)


def test_a_stream_draws_its_noise_once():
    noise = called(synths.FilteredNoise(None, hop_size=HOP), np.zeros([1, 4, 9]))
    block = {"magnitudes": np.zeros([1, 4, 9])}
    state = noise.initial_state(1)
    first, _ = noise.step(block, state)
    np.testing.assert_array_equal(noise.step(block, state)[0], first)
    other, _ = noise.step(block, noise.initial_state(1))
    assert np.max(np.abs(other - first)) > 0.1 * np.max(np.abs(first))


def test_noise_can_be_given():
    """A flat filter of gain 1 returns it, later by its latency."""
    noise = synths.FilteredNoise(None, 0, scale_fn=None, initial_bias=0.0, hop_size=HOP)
    ones = np.ones([1, 4, 9], np.float32)
    noise(ones)
    given = normal(1, 4 * HOP)
    audio, state = noise.step({"magnitudes": ones}, noise.initial_state(1), given)
    latency = noise.latency_samples
    played = np.concatenate([audio, noise.flush(state)], axis=1)[:, latency:]
    # `fft_convolve` takes off one sample less than a flat filter delays.
    np.testing.assert_allclose(played[:, 2:], given[:, :-2], atol=1e-5)
    with pytest.raises(ValueError, match=r"64 samples, got shape \(1, 60\)"):
        noise.step({"magnitudes": ones}, state, given[:, :60])


def test_filters_that_fade_do_not_click():
    """Two opposite filters in turn, over a constant: a step becomes a slope.

    Without the fade the signal jumps by the difference of the gains where frames
    meet; with it by no more than a hop's share of that, and the response's ripple.
    """
    gains = np.where(np.arange(20) % 2, 1.0, 0.1)[np.newaxis, :, np.newaxis]
    magnitudes = np.tile(gains, [1, 1, 3]).astype(np.float32)
    audio = np.ones([1, 20 * 64], np.float32)

    def largest_step(cross_fade):
        fir = effects.FIRFilter(0, scale_fn=None, cross_fade=cross_fade)
        inside = fir(audio, magnitudes)[0, 64:-64]
        return np.max(np.abs(np.diff(inside)))

    assert largest_step(False) > 0.4
    assert largest_step(True) < 1.5 * 0.9 / 64


def test_a_fading_filter_is_a_mix_of_two():
    """Each sample of noise goes through the filter before and through its own."""
    audio, magnitudes = normal(1, 8 * HOP), np.abs(normal(1, 8, 9))
    faded = effects.FIRFilter(0, scale_fn=None, cross_fade=True)(audio, magnitudes)
    size = 16
    # The response of each frame, in float64: zero phase, windowed, at its place.
    zero_phase = np.fft.irfft(magnitudes[0].astype(np.float64), axis=-1)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    responses = np.roll(zero_phase, size // 2, axis=-1) * window
    total = np.zeros(8 * HOP + size)
    for n, x in enumerate(audio[0].astype(np.float64)):
        frame, share = n // HOP, n % HOP / HOP
        before = responses[max(frame - 1, 0)]
        total[n : n + size] += x * ((1 - share) * before + share * responses[frame])
    start = (size - 1) // 2 - 1
    np.testing.assert_allclose(faded[0], total[start : start + 8 * HOP], atol=1e-5)


def group():
    keras.utils.set_random_seed(0)
    room = effects.Reverb(trainable=True, reverb_length=100, name="room")
    room.build(None)
    room.set_weights([normal(100)])
    return processors.ProcessorGroup(
        dag=[
            (synths.Harmonic(n_samples=10 * HOP), ["amps", "shares", "f0_hz"]),
            (room, ["harmonic/signal"]),
        ]
    )


def group_controls(n_frames):
    controls = harmonic_controls(n_frames)
    return dict(zip(("amps", "shares", "f0_hz"), controls.values(), strict=True))


def test_the_tail_of_a_group_rings_on():
    """Played on silence after the last frame, the reverb gives its tail."""
    layer, controls = group(), group_controls(10)
    layer(controls)
    layer.hop_size = HOP
    dry = layer.processors[0]
    audio, state = layer.step(controls, layer.initial_state(1))
    played = np.concatenate([audio, layer.flush(state, tail=True)], axis=1)[0, HOP:]
    harmonic = np.asarray(dry(*controls.values()))[0].astype(np.float64)
    response = np.asarray(layer.processors[1].get_weights()[0], np.float64)
    response[0] = 1.0  # The dry signal.
    expected = scipy.signal.convolve(harmonic, response)
    np.testing.assert_allclose(played[: len(expected)], expected, atol=1e-4)


def test_a_group_lags_by_whole_hops():
    layer = processors.ProcessorGroup(
        dag=[(synths.FilteredNoise(n_samples=10 * HOP, window_size=0), ["magnitudes"])]
    )
    layer({"magnitudes": np.zeros([1, 10, 9])})
    layer.hop_size = HOP
    assert layer.processors[0].latency_samples == 6
    assert layer.latency_samples == HOP


def test_hops_of_a_group():
    layer = group()
    assert layer.hop_size is None
    layer.hop_size = HOP
    assert {p.hop_size for p in layer.processors} == {HOP}
    with pytest.raises(ValueError, match="16 samples, got 32"):
        layer.hop_size = 32
    layer.processors[0].hop_size = 8
    with pytest.raises(ValueError, match=r"one hop, got \{'harmonic': 8, 'room': 16\}"):
        layer.initial_state(1)


def test_what_is_not_known_yet_is_asked_for():
    synth = synths.Harmonic()
    with pytest.raises(ValueError, match="`hop_size` in its constructor"):
        synth.initial_state(1)
    synth.hop_size = HOP
    with pytest.raises(ValueError, match="once before"):
        synth.initial_state(1)
    with pytest.raises(ValueError, match="needs the `hop_size` of one of"):
        called(group(), group_controls(10)).initial_state(1)
    with pytest.raises(ValueError, match=r"\['ir'\], got \[\]"):
        effects.Reverb().initial_state(1)
    with pytest.raises(ValueError, match=r"\['gain', 'decay'\], got \['gain'\]"):
        effects.ExpDecayReverb().initial_state(1, gain=np.zeros([1, 1]))
    table = synths.Wavetable(16, hop_size=HOP)
    table(np.zeros([1, 1, 1]), np.zeros([1, 8]), np.ones([1, 1, 1]))
    with pytest.raises(ValueError, match="`wavetables`, got none"):
        table.initial_state(1)


def test_bad_blocks_are_refused():
    synth = synths.Harmonic(None, hop_size=HOP)
    controls = harmonic_controls(4)
    synth(**controls)
    state = synth.initial_state(1)
    with pytest.raises(ValueError, match=r"got \['amplitudes', 'f0_hz'\]"):
        synth.step({k: controls[k] for k in ("amplitudes", "f0_hz")}, state)
    with pytest.raises(ValueError, match=r"3 axes, got shape \(1, 4\)"):
        synth.step({**controls, "f0_hz": controls["f0_hz"][..., 0]}, state)
    with pytest.raises(ValueError, match="'f0_hz': 48"):
        synth.step({**controls, "f0_hz": controls["f0_hz"][:, :3]}, state)
    with pytest.raises(ValueError, match="'state': 2"):
        synth.step(controls, synth.initial_state(2))
    with pytest.raises(ValueError, match="got 0"):
        synth.initial_state(0)
    with pytest.raises(ValueError, match=r"Static controls .* got \['ir'\]"):
        synth.initial_state(1, ir=np.zeros([1, 8]))
    unknown = tf.TensorSpec([1, None, 1], tf.float32)
    traced = tf.function(
        lambda f0: synth.step({**controls, "f0_hz": f0}, state), autograph=False
    )
    with pytest.raises(ValueError, match="known when the graph is built"):
        traced.get_concrete_function(unknown)


def test_what_cannot_be_played_in_blocks_says_why():
    class Whole(processors.Processor):
        def get_controls(self, audio):
            return {"audio": audio}

    with pytest.raises(ValueError, match="got Whole"):
        Whole("whole").initial_state(1)
    layer = processors.ProcessorGroup(
        dag=[("dense", ["x"], ["samples"]), ("audio", ["dense/samples"])],
        dense=keras.layers.Dense(1),
        audio=synths.TensorToAudio(),
    )
    layer({"x": np.ones([1, 4, 3])})
    layer.hop_size = 1
    with pytest.raises(ValueError, match="must be a processor, got a Dense"):
        layer.initial_state(1)
    layer = processors.ProcessorGroup(
        dag=[
            (synths.Harmonic(n_samples=10 * HOP), ["amps", "shares", "f0_hz"]),
            (
                processors.Mix(),
                ["harmonic/signal", "harmonic/signal", "harmonic/controls/f0_hz"],
            ),
        ]
    )
    layer(group_controls(10))
    layer.hop_size = HOP
    with pytest.raises(ValueError, match="'harmonic/controls/f0_hz'"):
        layer.initial_state(1)


@pytest.mark.parametrize("ir_size", [30, 100, 1000])
def test_long_blocks_of_a_convolution(ir_size):
    """Long and short blocks in turn, against SciPy in float64.

    float32 rounds each of the `ir_size` products at 6e-8 of the peak; 1e-5 leaves room.
    """
    rng = np.random.default_rng(0)
    response = rng.standard_normal([1, ir_size]) / np.sqrt(ir_size)
    audio = rng.standard_normal([2, 64 * 150])
    state = partitions.start_convolution(
        2, tf.constant(response, tf.float32), 64, any_length=False
    )
    outputs = []
    for start, stop in itertools.pairwise([0, 70, 71, 80, 150]):
        block = tf.constant(audio[:, start * 64 : stop * 64], tf.float32)
        wet, state = partitions.step_convolution(state, block)
        outputs.append(wet)
    expected = scipy.signal.fftconvolve(audio, response, axes=1)[:, : audio.shape[1]]
    tolerance = 1e-5 * np.max(np.abs(expected))
    np.testing.assert_allclose(tf.concat(outputs, 1), expected, rtol=0, atol=tolerance)
