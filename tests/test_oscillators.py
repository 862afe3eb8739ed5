"""Oscillators: frequency, energy, aliasing and streaming, against float64."""

import numpy as np
import pytest

from ddsp import core

SAMPLE_RATE = 16000


def window_ramp(frames, hop):
    """Amplitudes along raised cosines, as overlapping Hann windows make them."""
    following = np.concatenate([frames[1:], frames[-1:]])
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(hop) / hop)
    steps = (following - frames)[:, np.newaxis] * ramp[:, np.newaxis]
    return (frames[:, np.newaxis] + steps).reshape(-1, frames.shape[-1])


def linear_ramp(frames, hop):
    at = np.arange(len(frames) * hop) / hop
    columns = [np.interp(at, np.arange(len(frames)), c) for c in frames.T]
    return np.stack(columns, axis=1)


def oracle(f0, amplitudes, hop, ramp=window_ramp):
    """Harmonics in float64: [n_frames, 1] and [n_frames, n_harmonics]."""
    f0, amplitudes = f0.astype(np.float64), amplitudes.astype(np.float64)
    hz = linear_ramp(f0, hop) * np.arange(1, amplitudes.shape[1] + 1)
    phase = np.cumsum(hz, axis=0) * 2 * np.pi / SAMPLE_RATE
    audible = hz < SAMPLE_RATE / 2
    return np.sum(ramp(amplitudes, hop) * audible * np.sin(phase), axis=1)


@pytest.mark.parametrize("n_harmonics", [1, 20, 60, 100])
@pytest.mark.parametrize("method", ["window", "linear"])
def test_harmonics_match_float64(n_harmonics, method):
    rng = np.random.default_rng(n_harmonics)
    n_frames, hop = 40, 64
    f0 = 60.0 + np.cumsum(rng.normal(0, 0.4, [n_frames, 1]), axis=0)
    f0 = f0.astype(np.float32)
    shares = rng.uniform(0, 1, [n_frames, n_harmonics]).astype(np.float32)
    shares /= shares.sum(axis=1, keepdims=True)
    level = rng.uniform(0.2, 1, [n_frames, 1]).astype(np.float32)
    got = core.harmonic_synthesis(
        f0[np.newaxis],
        level[np.newaxis],
        harmonic_distribution=shares[np.newaxis],
        n_samples=n_frames * hop,
        amp_resample_method=method,
    )[0]
    ramp = {"window": window_ramp, "linear": linear_ramp}[method]
    # The amplitudes sum to at most 1: this is 1e-4 of full scale.
    np.testing.assert_allclose(got, oracle(f0, level * shares, hop, ramp), atol=1e-4)


@pytest.mark.parametrize("hz", [55.0, 440.0, 3210.0])
def test_the_spectrum_has_one_peak_at_each_harmonic(hz):
    n = SAMPLE_RATE
    shares = np.array([0.5, 0.3, 0.2], np.float32)
    audio = core.harmonic_synthesis(
        np.full([1, 100, 1], hz),
        np.ones([1, 100, 1]),
        harmonic_distribution=np.tile(shares, (1, 100, 1)),
        n_samples=n,
    )
    spectrum = np.abs(np.fft.rfft(np.asarray(audio[0], np.float64))) / (n / 2)
    heard = [s if hz * k < n / 2 else 0 for k, s in enumerate(shares, 1)]
    for k, share in enumerate(heard, 1):
        if share:
            np.testing.assert_allclose(spectrum[int(hz * k)], share, atol=1e-4)
    # Energy by Parseval, with nothing anywhere else: no aliases.
    np.testing.assert_allclose(np.sum(spectrum**2), np.sum(np.square(heard)), 1e-3)


def test_shifts_make_inharmonic_partials():
    n, shift = SAMPLE_RATE, np.array([0.0, 0.05, -0.1])
    audio = core.harmonic_synthesis(
        np.full([1, 50, 1], 400.0),
        np.ones([1, 50, 1]),
        harmonic_shifts=np.tile(shift, (1, 50, 1)),
        harmonic_distribution=np.full([1, 50, 3], 1 / 3),
        n_samples=n,
    )
    spectrum = np.abs(np.fft.rfft(audio[0])) / (n / 2)
    assert sorted(np.argsort(spectrum)[-3:]) == [400, 840, 1080]


@pytest.mark.parametrize("method", ["linear", "window"])
def test_streaming_carries_the_phase_on(method):
    """Steady controls, cut into blocks: the blocks joined are the whole."""
    hop, n_frames = 80, 30
    controls = {
        "frequencies": np.full([2, n_frames, 1], 333.3, np.float32),
        "amplitudes": np.full([2, n_frames, 1], 0.5, np.float32),
        "harmonic_distribution": np.ones([2, n_frames, 8], np.float32),
    }
    whole, final = core.streaming_harmonic_synthesis(
        **controls, n_samples=n_frames * hop, amp_resample_method=method
    )
    blocks, phase, start = [], None, 0
    for stop in (7, 8, 19, 30):
        block, phase = core.streaming_harmonic_synthesis(
            **{name: x[:, start:stop] for name, x in controls.items()},
            initial_phase=phase,
            n_samples=(stop - start) * hop,
            amp_resample_method=method,
        )
        blocks.append(block)
        start = stop
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), whole, atol=2e-5)
    assert phase.shape == (2, 1, 1)
    np.testing.assert_allclose(np.sin(phase), np.sin(final), atol=1e-5)
    np.testing.assert_allclose(np.cos(phase), np.cos(final), atol=1e-5)


def test_the_harmonic_bank_starts_at_its_initial_phase():
    n = 400
    hz = np.full([1, n, 1], 250.0, np.float32)
    amplitudes = np.full([1, n, 2], 0.5, np.float32)
    audio, final = core.harmonic_oscillator_bank(hz, amplitudes, [[[1.0]]])
    phase = 1.0 + 2 * np.pi * 250.0 / SAMPLE_RATE * np.arange(1, n + 1)
    expected = 0.5 * (np.sin(phase) + np.sin(2 * phase))
    np.testing.assert_allclose(audio[0], expected, atol=1e-5)
    np.testing.assert_allclose(np.sin(final), np.sin(phase[-1]), atol=1e-5)


def test_refused_ranks():
    flat, cube = np.zeros([2, 10]), np.zeros([2, 10, 1])
    for function in (
        core.harmonic_oscillator_bank,
        core.harmonic_synthesis,
    ):
        for arguments in ((flat, cube), (cube, flat)):
            with pytest.raises(ValueError, match=r"\(2, 10\)"):
                function(*arguments)
