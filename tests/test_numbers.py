"""NaN, infinities and nothing at all, in functions and losses."""

import math

import numpy as np
import pytest
import scipy.fft
import tensorflow as tf

from ddsp import core, losses, spectral_ops, synths
from ddsp._core import checks

NAN = np.float32(np.nan)


def ones(*shape):
    return np.ones(shape, np.float32)


def with_nan(x):
    x = np.array(x, np.float32)
    x[0, x.shape[1] // 2] = NAN
    return x


AUDIO = np.random.default_rng(0).normal(0.0, 0.1, [2, 2048]).astype(np.float32)
F0 = 220.0 * ones(2, 8, 1)
AMPS = 0.1 * ones(2, 8, 1)
SHARES = ones(2, 8, 5) / 5.0
PARTIALS = F0 * np.arange(1, 6, dtype=np.float32)


@pytest.mark.parametrize(
    "weight",
    [
        "mag_weight",
        "delta_time_weight",
        "delta_freq_weight",
        "cumsum_freq_weight",
        "logmag_weight",
        "loudness_weight",
    ],
)
def test_spectral_loss_of_nan_is_nan(weight):
    """In the compiled kernels, whose gradients are written by hand."""
    loss = losses.SpectralLoss(fft_sizes=(256,), **{"mag_weight": 0.0, weight: 1.0})
    nothing = np.full_like(AUDIO, NAN)
    pairs = [(AUDIO, with_nan(AUDIO)), (with_nan(AUDIO), AUDIO), (nothing, nothing)]
    for target, audio in pairs:
        assert np.isnan(loss(target, audio))
    audio = tf.Variable(with_nan(AUDIO))
    with tf.GradientTape() as tape:
        value = loss(AUDIO, audio)
    assert np.any(np.isnan(tape.gradient(value, audio)))


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_wasserstein_distance_of_nan_is_nan(p):
    values = np.array([[1.0, 2.0]], np.float32)
    bad = np.array([[1.0, NAN]], np.float32)
    for arguments in [
        (bad, values, None, None),
        (values, bad, None, None),
        (values, values, bad, None),
    ]:
        assert np.isnan(losses.wasserstein_distance(*arguments, p))


# Functions of one argument: what they make of NaN.
ELEMENTWISE = [
    core.safe_log,
    core.safe_sqrt,
    core.logb,
    core.log10,
    core.amplitude_to_db,
    core.power_to_db,
    core.db_to_amplitude,
    core.db_to_power,
    core.midi_to_hz,
    core.hz_to_midi,
    core.unit_to_midi,
    core.midi_to_unit,
    core.hz_to_bark,
    core.bark_to_hz,
    core.hz_to_mel,
    core.mel_to_hz,
    core.hz_to_erb,
    core.exp_sigmoid,
    core.sym_exp_sigmoid,
    core.soft_limit,
    lambda x: core.safe_divide(x, 1.0),
    lambda x: core.safe_divide(1.0, x),
    lambda x: core.unit_to_midi(x, clip=True),
    lambda x: core.log_scale(x, 1.0, 2.0),
]


@pytest.mark.parametrize("function", ELEMENTWISE)
def test_nan_stays_where_it_is(function):
    y = function(tf.constant([0.5, NAN, 0.25])).numpy()
    np.testing.assert_array_equal(np.isnan(y), [False, True, False])


# Functions that mix samples: NaN in any row stays in that row and does not vanish.
MIXING = {
    "harmonic_synthesis f0": lambda bad: core.harmonic_synthesis(
        bad(F0), AMPS, harmonic_distribution=SHARES, n_samples=512
    ),
    "harmonic_synthesis, cubic": lambda bad: core.harmonic_synthesis(
        bad(F0), AMPS, None, SHARES, n_samples=512, amp_resample_method="cubic"
    ),
    "harmonic_synthesis amplitudes": lambda bad: core.harmonic_synthesis(
        F0, bad(AMPS), harmonic_distribution=SHARES, n_samples=512
    ),
    "harmonic_synthesis shares": lambda bad: core.harmonic_synthesis(
        F0, AMPS, harmonic_distribution=bad(SHARES), n_samples=512
    ),
    "final phase": lambda bad: core.streaming_harmonic_synthesis(
        bad(F0), AMPS, SHARES, n_samples=512
    )[1],
    "sinusoidal_synthesis": lambda bad: core.sinusoidal_synthesis(
        bad(PARTIALS), SHARES, n_samples=512
    ),
    "sinusoidal_synthesis, any length": lambda bad: core.sinusoidal_synthesis(
        bad(PARTIALS), SHARES, n_samples=513, amp_resample_method="linear"
    ),
    "wavetable_synthesis": lambda bad: core.wavetable_synthesis(
        bad(F0), AMPS, ones(2, 32), n_samples=512
    ),
    "wavetable_synthesis, moving": lambda bad: core.wavetable_synthesis(
        bad(F0), AMPS, ones(2, 8, 32), n_samples=512
    ),
    "oscillator_bank": lambda bad: core.oscillator_bank(bad(PARTIALS), SHARES),
    "harmonic_oscillator_bank": lambda bad: core.harmonic_oscillator_bank(
        bad(F0), SHARES
    )[0],
    "angular_cumsum": lambda bad: core.angular_cumsum(bad(0.1 * F0)),
    "normalize_harmonics": lambda bad: core.normalize_harmonics(SHARES, bad(F0), 16000),
    "remove_above_nyquist": lambda bad: core.remove_above_nyquist(
        bad(PARTIALS), SHARES
    ),
    "linear_lookup": lambda bad: core.linear_lookup(bad(0.1 * AMPS), ones(2, 32)),
    "variable_length_delay": lambda bad: core.variable_length_delay(
        bad(AMPS), ones(2, 8), 4
    ),
    "fft_convolve": lambda bad: core.fft_convolve(bad(AUDIO), ones(2, 300)),
    "frequency_filter": lambda bad: core.frequency_filter(AUDIO, bad(SHARES)),
    "sinc_filter": lambda bad: core.sinc_filter(AUDIO, bad(AMPS), window_size=64),
    "resample": lambda bad: core.resample(bad(SHARES), 100),
    "compute_mag": lambda bad: spectral_ops.compute_mag(bad(AUDIO), size=256),
    "compute_logmel": lambda bad: spectral_ops.compute_logmel(bad(AUDIO), fft_size=256),
    "compute_mfcc": lambda bad: spectral_ops.compute_mfcc(bad(AUDIO)),
}


@pytest.mark.parametrize("name", MIXING)
def test_nan_does_not_vanish(name):
    good, bad = MIXING[name](np.array).numpy(), MIXING[name](with_nan).numpy()
    assert np.all(np.isfinite(good))
    assert np.any(np.isnan(bad[0]))
    np.testing.assert_array_equal(bad[1], good[1])


def test_all_that_follows_a_phase_without_number_is_none():
    cycles = core.angular_cumsum(with_nan(0.1 * ones(1, 9, 1)))
    assert np.all(np.isnan(cycles))


@pytest.mark.parametrize("hz", [8000.0, 1e6, 1e30, -8000.0, -1e6, -1e30])
def test_what_is_beyond_nyquist_is_silent(hz):
    f0 = np.float32(hz) * ones(1, 4, 1)
    amps, shares = ones(1, 4, 1), ones(1, 4, 1)
    assert not np.any(core.harmonic_synthesis(f0, amps, None, shares, n_samples=64))
    assert not np.any(core.sinusoidal_synthesis(f0, amps, n_samples=64))
    assert not np.any(core.oscillator_bank(f0, amps))


def test_a_negative_frequency_runs_backwards():
    """sin(-x) = -sin(x), below Nyquist."""
    forwards, backwards = (
        core.harmonic_synthesis(sign * F0, AMPS, None, SHARES, n_samples=512)
        for sign in (1.0, -1.0)
    )
    np.testing.assert_allclose(backwards, -forwards, atol=1e-6)


def test_soft_limit_far_out():
    """softplus(x) - softplus(x - 1), in float64; far above, the upper limit."""
    x = np.concatenate([np.linspace(-60.0, 60.0, 41), [1e4, 1e30, np.inf]])
    expected = np.logaddexp(0.0, x) - np.logaddexp(0.0, np.minimum(x, 1e4) - 1.0)
    expected[-3:] = 1.0
    np.testing.assert_allclose(core.soft_limit(x), expected, atol=4e-6)


def test_cepstra_match_scipy():
    logmel = spectral_ops.compute_logmel(AUDIO, 20.0, 8000.0, 128, 1024)
    expected = scipy.fft.dct(logmel.numpy().astype(np.float64))[..., :13]
    expected /= math.sqrt(2.0 * 128)
    np.testing.assert_allclose(spectral_ops.compute_mfcc(AUDIO), expected, atol=1e-4)


@pytest.mark.parametrize("ir_size", [30, 300, 20000])
def test_an_empty_batch_is_filtered(ir_size):
    assert core.fft_convolve(ones(0, 600), ones(0, ir_size)).shape == (0, 600)
    assert spectral_ops.compute_mfcc(ones(0, 2048)).shape == (0, 8, 13)


def test_nothing_is_refused_by_name():
    cases = {
        "frequencies": lambda: core.harmonic_synthesis(ones(1, 0, 1), AMPS),
        "harmonic_distribution": lambda: core.harmonic_synthesis(
            F0, AMPS, harmonic_distribution=ones(2, 8, 0)
        ),
        "magnitudes": lambda: synths.FilteredNoise()(ones(1, 0, 5)),
        "impulse_response": lambda: core.fft_convolve(AUDIO, ones(2, 0)),
        "audio": lambda: core.fft_convolve(ones(2, 0), ones(2, 10)),
        "inputs": lambda: core.resample(ones(0), 10),
        "n_harmonics": lambda: core.get_harmonic_frequencies(F0, 0),
        "target": lambda: losses.mean_difference(ones(0, 3), ones(0, 3)),
        "u_values": lambda: losses.wasserstein_distance(
            ones(1, 0), ones(1, 0), None, None
        ),
    }
    for name, call in cases.items():
        with pytest.raises(ValueError, match=f"`{name}` must .*, got "):
            call()


def test_a_graph_knows_what_is_empty_when_it_is_built():
    function = tf.function(lambda x: core.resample(x, 10), autograph=False)
    with pytest.raises(ValueError, match="`inputs` must not be empty"):
        function.get_concrete_function(tf.TensorSpec([None, 0, 3]))
    function.get_concrete_function(tf.TensorSpec([None, None, 3]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_a_synth_refuses_what_is_no_frequency(bad):
    f0 = F0.copy()
    f0[1, 3] = bad
    for call in (
        lambda: synths.Harmonic(n_samples=512)(AMPS, SHARES, f0),
        lambda: synths.Wavetable(n_samples=512)(AMPS, ones(2, 32), f0),
        lambda: synths.Sinusoidal(n_samples=512, freq_scale_fn=None)(AMPS, f0),
    ):
        with pytest.raises(
            ValueError, match=f"between .* got {bad:g}".replace("+", ".")
        ):
            call()


def test_bounds():
    checks.bounded("x", [0.0, 1.0], 0.0, 1.0)
    checks.bounded("x", np.zeros([0]), 0.0, 1.0)
    with pytest.raises(ValueError, match=r"`x` must be between 0 and 1, got -1e\+30\."):
        checks.bounded("x", np.float32([0.5, -1e30]), 0.0, 1.0)
